//! Looking at a value.

use std::hint::black_box;

use commonage::{Shared, SharedMut};
use criterion::{Criterion, Throughput};

use crate::payload;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("look");
    let slice = Shared::<[u64]>::copy_from(&payload(1 << 20)).expect("memory");
    // What is looked at is not returned to the bencher, which would send it through memory once more.
    group.bench_function("as_view of [u64]", |bencher| {
        bencher.iter(|| {
            black_box(black_box(&slice).as_view());
        });
    });
    group.bench_function("Deref of [u64]", |bencher| {
        bencher.iter(|| {
            black_box(&**black_box(&slice));
        });
    });
    let text = Shared::<str>::copy_from("a short message, as they are sent").expect("memory");
    group.bench_function("as_view of str", |bencher| {
        bencher.iter(|| {
            black_box(black_box(&text).as_view());
        });
    });
    let mut writable = SharedMut::<[u64]>::copy_from(&payload(1 << 20)).expect("memory");
    group.bench_function("as_view_mut of [u64]", |bencher| {
        bencher.iter(|| {
            black_box(black_box(&mut writable).as_view_mut());
        });
    });
    group.bench_function("counts", |bencher| bencher.iter(|| black_box(&slice).counts()));
    group.finish();

    let mut group = criterion.benchmark_group("read");
    let local = payload(1 << 20);
    group.throughput(Throughput::Bytes(1 << 20));
    group.bench_function("1 MiB, shared", |bencher| bencher.iter(|| black_box(&slice).iter().sum::<u64>()));
    group.bench_function("1 MiB, local", |bencher| bencher.iter(|| black_box(&local).iter().sum::<u64>()));
    group.finish();
}
