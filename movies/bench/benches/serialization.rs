//! JSON, XML and Protocol Buffers of one record, encoded and decoded:
//! `cargo bench -p movies-bench --bench serialization`. The figures are in docs/serialization.md;
//! tests/it/serialization.rs holds the sizes.

use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;

#[path = "serialization/record.rs"]
mod record;

use record::{Element, json, metadata, protobuf, xml};

fn encode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encode");
    let record = metadata();
    let element = Element::from(metadata());
    group.bench_function("JSON", |bench| {
        bench.iter(|| json::encode(black_box(&record)));
    });
    group.bench_function("XML", |bench| {
        bench.iter(|| xml::encode(black_box(&element)));
    });
    group.bench_function("Protocol Buffers", |bench| {
        bench.iter(|| protobuf::encode(black_box(&record)));
    });
    group.finish();
}

fn decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    let bytes = json::encode(&metadata());
    group.bench_function("JSON", |bench| {
        bench.iter(|| json::decode(black_box(&bytes)));
    });
    let text = xml::encode(&Element::from(metadata()));
    group.bench_function("XML", |bench| {
        bench.iter(|| xml::decode(black_box(&text)));
    });
    let bytes = protobuf::encode(&metadata());
    group.bench_function("Protocol Buffers", |bench| {
        bench.iter(|| protobuf::decode(black_box(&bytes)));
    });
    group.finish();
}

criterion_group!(forms, encode, decode);
criterion_main!(forms);
