//! Building a value where it stays: warm memory, no zeros before, no copy after.

use std::hint::black_box;

use commonage::{Shared, SharedMut};
use criterion::{BenchmarkId, Criterion, Throughput};

use crate::{SIZES, payload};

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("build in place + drop");
    for size in SIZES {
        let source = payload(size);
        let mut touched = source.clone();
        let len = source.len();
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(BenchmarkId::new("memcpy into touched memory", size), |bencher| {
            bencher.iter(|| black_box(&mut touched).copy_from_slice(black_box(&source)));
        });
        group.bench_function(BenchmarkId::new("new_uninit, copy, freeze", size), |bencher| {
            bencher.iter(|| {
                let room = SharedMut::<[u64]>::new_uninit(black_box(len)).expect("memory");
                room.copy_from_slice(black_box(&source)).freeze().expect("the only handle")
            });
        });
        group.bench_function(BenchmarkId::new("unzeroed, copy, freeze", size), |bencher| {
            bencher.iter(|| {
                let mut value = SharedMut::<[u64]>::unzeroed(black_box(len)).expect("memory");
                value.copy_from_slice(black_box(&source));
                value.freeze().expect("the only handle")
            });
        });
        group.bench_function(BenchmarkId::new("from_fn", size), |bencher| {
            bencher.iter(|| Shared::<[u64]>::from_fn(black_box(len), |index| 3 * index as u64).expect("memory"));
        });
        group.bench_function(BenchmarkId::new("the same in touched memory", size), |bencher| {
            bencher.iter(|| {
                (0..).zip(black_box(&mut touched)).for_each(|(index, element): (u64, _)| *element = 3 * index);
            });
        });
        group.bench_function(BenchmarkId::new("from_exact_iter", size), |bencher| {
            bencher.iter(|| Shared::<[u64]>::from_exact_iter(black_box(&source).iter().copied()).expect("memory"));
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("resize");
    group.bench_function("in place, 1000 to 10 to 1000", |bencher| {
        let mut value = SharedMut::<[u64]>::copy_from(&[7; 1000]).expect("memory");
        bencher.iter(|| {
            value.resize(black_box(10), 7).expect("less");
            value.resize(black_box(1000), 7).expect("as much as before");
        });
    });
    group.finish();
}
