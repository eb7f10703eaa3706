//! Making values and dropping them at once: warm memory, one live block.

use std::hint::black_box;

use commonage::{Shared, SharedMut};
use criterion::{BenchmarkId, Criterion, Throughput};

use crate::{SIZES, payload};

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("make + drop");
    for size in SIZES {
        let source = payload(size);
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_with_input(BenchmarkId::new("Shared::copy_from", size), &*source, |bencher, source| {
            bencher.iter(|| Shared::<[u64]>::copy_from(black_box(source)).expect("memory"));
        });
        group.bench_with_input(BenchmarkId::new("SharedMut::new", size), &source.len(), |bencher, &len| {
            bencher.iter(|| SharedMut::<[u64]>::new(black_box(&(7, len))).expect("memory"));
        });
        group.bench_with_input(BenchmarkId::new("SharedMut::zeroed", size), &source.len(), |bencher, &len| {
            bencher.iter(|| SharedMut::<[u64]>::zeroed(black_box(len)).expect("memory"));
        });
    }
    let text = "a short message, as they are sent";
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("Shared<str>", |bencher| {
        bencher.iter(|| Shared::<str>::copy_from(black_box(text)).expect("memory"));
    });
    group.finish();

    let mut group = criterion.benchmark_group("freeze + thaw");
    group.bench_function("[u64]", |bencher| {
        let mut value = Some(SharedMut::<[u64]>::copy_from(&[7; 8]).expect("memory"));
        bencher.iter(|| {
            let frozen = value.take().map(|value| value.freeze().expect("the only handle"));
            value = frozen.map(|frozen| black_box(frozen).try_into_mut().expect("the only handle"));
        });
    });
    group.finish();
}
