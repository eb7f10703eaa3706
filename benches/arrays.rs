//! The same for `ndarray`: contiguous and strided sources, fixed and dynamic dimensions.

use std::hint::black_box;

use commonage::{SharedArray, SharedArrayMut};
use criterion::{Criterion, Throughput};
use ndarray::{Array2, Ix2, IxDyn, ShapeBuilder, s};

pub(crate) fn bench(criterion: &mut Criterion) {
    let rows = Array2::from_shape_fn((512, 512), |(row, column)| (row * 512 + column) as f32);
    let columns = Array2::from_shape_fn((512, 512).f(), |(row, column)| (row * 512 + column) as f32);
    let every_other = Array2::<f32>::zeros((1024, 1024));
    let bytes = size_of_val(rows.as_slice_memory_order().unwrap_or_default()) as u64;

    let mut group = criterion.benchmark_group("arrays: make + drop");
    group.throughput(Throughput::Bytes(bytes));
    group.bench_function("C order", |bencher| {
        bencher.iter(|| SharedArray::<f32, Ix2>::copy_from(black_box(&rows)).expect("memory"));
    });
    group.bench_function("Fortran order", |bencher| {
        bencher.iter(|| SharedArray::<f32, Ix2>::copy_from(black_box(&columns)).expect("memory"));
    });
    group.bench_function("every other element of a view", |bencher| {
        let view = every_other.slice(s![..;2, ..;2]);
        bencher.iter(|| SharedArray::<f32, Ix2>::copy_from_view(&black_box(view)).expect("memory"));
    });
    group.finish();

    let fixed = SharedArray::<f32, Ix2>::copy_from(&rows).expect("memory");
    let dynamic = SharedArray::<f32, IxDyn>::copy_from(&rows.clone().into_dyn()).expect("memory");
    let mut writable = SharedArrayMut::<f32, Ix2>::copy_from(&rows).expect("memory");

    let mut group = criterion.benchmark_group("arrays: clone + drop");
    group.bench_function("Ix2", |bencher| bencher.iter(|| black_box(&fixed).clone()));
    group.bench_function("IxDyn", |bencher| bencher.iter(|| black_box(&dynamic).clone()));
    group.finish();

    let mut group = criterion.benchmark_group("arrays: look");
    group.bench_function("as_view, Ix2", |bencher| {
        bencher.iter(|| {
            black_box(black_box(&fixed).as_view());
        });
    });
    group.bench_function("as_view, IxDyn", |bencher| {
        bencher.iter(|| {
            black_box(black_box(&dynamic).as_view());
        });
    });
    group.bench_function("as_view_mut, Ix2", |bencher| {
        bencher.iter(|| {
            black_box(black_box(&mut writable).as_view_mut());
        });
    });
    // What ndarray itself takes to look at such an array: no view of one is cheaper.
    let local = rows.clone().into_dyn();
    group.bench_function("ndarray's view, IxDyn", |bencher| {
        bencher.iter(|| {
            black_box(black_box(&local).view());
        });
    });
    group.finish();

    let mut group = criterion.benchmark_group("arrays: serialize + deserialize + drop");
    let mut buffer = vec![0; 4096];
    group.bench_function("Ix2, postcard", |bencher| {
        bencher.iter(|| {
            let bytes = postcard::to_slice(black_box(&fixed), &mut buffer).expect("room");
            postcard::from_bytes::<SharedArray<f32, Ix2>>(black_box(bytes)).expect("a token")
        });
    });
    group.bench_function("IxDyn, postcard", |bencher| {
        bencher.iter(|| {
            let bytes = postcard::to_slice(black_box(&dynamic), &mut buffer).expect("room");
            postcard::from_bytes::<SharedArray<f32, IxDyn>>(black_box(bytes)).expect("a token")
        });
    });
    group.finish();
}
