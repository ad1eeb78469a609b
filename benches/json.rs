//! Reading and writing frames: what each message costs on its way through the codec.
//!
//! `cargo bench --bench json`

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::hint::black_box;

use bevy_rooms::protocol::{Action, Data, Frame, Message, json};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// A small message as a relay delivers it.
const SMALL: &str = r#"{"action":15,"channel":"room:otter-badger-fox","channelSerial":"01795334400000-000@relay","connectionId":"aB3dE5gH7j","id":"aB3dE5gH7j:12","timestamp":1795334400000,"messages":[{"name":"Wave","clientId":"k3f9q2m8","data":"{\"text\":\"hello!\"}","encoding":"json","serial":"01795334400000-000@relay:000"}]}"#;

fn frame_of(messages: usize) -> Frame {
    let mut frame = json::decode(SMALL).unwrap();
    let message = frame.messages[0].clone();
    frame.messages = vec![message; messages];
    frame
}

fn decode(c: &mut Criterion) {
    let mut group = c.benchmark_group("json/decode");
    group.throughput(Throughput::Elements(1));
    group.bench_function("small message", |b| b.iter(|| json::decode(black_box(SMALL)).unwrap()));
    group.bench_function("small message and its data", |b| {
        b.iter(|| {
            let mut frame = json::decode(black_box(SMALL)).unwrap();
            frame.inherit();
            frame.messages[0].decode_data().unwrap();
            frame
        });
    });
    let batch = json::encode(frame_of(50));
    group.throughput(Throughput::Elements(50));
    group.bench_function("50 messages in a frame", |b| b.iter(|| json::decode(black_box(&batch)).unwrap()));
    group.finish();
}

fn encode(c: &mut Criterion) {
    let mut group = c.benchmark_group("json/encode");
    group.throughput(Throughput::Elements(1));
    let small = frame_of(1);
    group.bench_function("small message", |b| b.iter(|| json::encode(black_box(small.clone()))));
    let mut structured = Frame::for_channel(Action::Message, "room:otter-badger-fox".into());
    structured.messages = vec![Message::new("Wave", Data::Json(serde_json::json!({ "text": "hello!" })))];
    group.bench_function("small message with structured data", |b| {
        b.iter(|| json::encode(black_box(structured.clone())));
    });
    let batch = frame_of(50);
    group.throughput(Throughput::Elements(50));
    group.bench_function("50 messages in a frame", |b| b.iter(|| json::encode(black_box(batch.clone()))));
    group.finish();
}

criterion_group!(benches, decode, encode);
criterion_main!(benches);
