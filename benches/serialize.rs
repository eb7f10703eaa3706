//! Serializing a handle, deserializing it in the same process and dropping it; the original stays.

use std::hint::black_box;

use commonage::Shared;
use criterion::{BenchmarkId, Criterion};

use crate::{SIZES, payload};

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("serialize + deserialize + drop");
    for size in SIZES {
        let value = Shared::<[u64]>::copy_from(&payload(size)).expect("memory");
        let mut buffer = vec![0; 4096];
        group.bench_with_input(BenchmarkId::new("postcard", size), &value, |bencher, value| {
            bencher.iter(|| {
                let bytes = postcard::to_slice(black_box(value), &mut buffer).expect("room");
                postcard::from_bytes::<Shared<[u64]>>(black_box(bytes)).expect("a token")
            });
        });
    }
    let value = Shared::<[u64]>::copy_from(&payload(1 << 20)).expect("memory");
    let config = bincode::config::standard();
    let mut buffer = vec![0; 4096];
    group.bench_function("bincode", |bencher| {
        bencher.iter(|| {
            let len = bincode::serde::encode_into_slice(black_box(&value), &mut buffer, config).expect("room");
            let decoded = bincode::serde::decode_from_slice::<Shared<[u64]>, _>(black_box(&buffer[..len]), config);
            decoded.expect("a token").0
        });
    });
    group.bench_function("serde_json", |bencher| {
        bencher.iter(|| {
            let text = serde_json::to_string(black_box(&value)).expect("memory");
            serde_json::from_str::<Shared<[u64]>>(black_box(&text)).expect("a token")
        });
    });
    group.bench_function("into_token + from_token", |bencher| {
        bencher.iter(|| {
            let token = black_box(&value).clone().into_token().expect("room for a ticket");
            Shared::<[u64]>::from_token(black_box(&token)).expect("a token")
        });
    });
    group.bench_function("ticket + claim", |bencher| {
        bencher.iter(|| black_box(&value).ticket().expect("room for a ticket").claim().expect("a ticket"));
    });
    group.finish();
}
