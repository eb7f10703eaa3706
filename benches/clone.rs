//! Cloning handles, and handles on a part.

use std::hint::black_box;

use commonage::Shared;
use criterion::Criterion;

use crate::payload;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("clone + drop");
    let slice = Shared::<[u64]>::copy_from(&payload(1 << 20)).expect("memory");
    group.bench_function("[u64]", |bencher| bencher.iter(|| black_box(&slice).clone()));
    group.bench_function("slice of [u64]", |bencher| bencher.iter(|| black_box(&slice).slice(black_box(100..900))));
    let text = Shared::<str>::copy_from("a short message, as they are sent").expect("memory");
    group.bench_function("str", |bencher| bencher.iter(|| black_box(&text).clone()));
    group.finish();
}
