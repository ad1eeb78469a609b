//! Reading and writing frames: what each message costs on its way through the codecs.
//!
//! `cargo bench --bench json`

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rooms_protocol::{Action, Data, Format, Frame, Message, json};

/// A small message as a relay delivers it.
const SMALL: &str = r#"{"action":15,"channel":"room:otter-badger-fox","channelSerial":"01795334400000-000@relay","connectionId":"aB3dE5gH7j","id":"aB3dE5gH7j:12","timestamp":1795334400000,"messages":[{"name":"Wave","clientId":"k3f9q2m8","data":"{\"text\":\"hello!\"}","encoding":"json","serial":"01795334400000-000@relay:000"}]}"#;

/// Bytes of a payload that is no text, such as a picture of a drawing game.
const PICTURE_BYTES: usize = 16 * 1024;

const FORMATS: [Format; 2] = [Format::Json, Format::MsgPack];

fn frame_of(messages: usize) -> Frame {
    let mut frame = json::decode(SMALL).unwrap();
    let message = frame.messages[0].clone();
    frame.messages = vec![message; messages];
    frame
}

fn frame_with(data: impl Into<Data>) -> Frame {
    let messages = vec![Message::new("Wave", data)];
    Frame { messages, ..Frame::for_channel(Action::Message, "room:otter-badger-fox".into()) }
}

fn picture() -> Frame {
    frame_with((0..PICTURE_BYTES).map(|index| index as u8).collect::<Vec<u8>>())
}

fn decode(c: &mut Criterion) {
    for format in FORMATS {
        let mut group = c.benchmark_group(format!("{}/decode", format.name()));
        group.throughput(Throughput::Elements(1));
        let small = format.encode(frame_of(1));
        group.bench_function("small message", |b| b.iter(|| black_box(&small).decode().unwrap()));
        group.bench_function("small message and its data", |b| {
            b.iter(|| {
                let mut frame = black_box(&small).decode().unwrap();
                frame.inherit();
                frame.messages[0].decode_data().unwrap();
                frame
            });
        });
        let picture = format.encode(picture());
        group.bench_function("16 KiB of bytes", |b| {
            b.iter(|| {
                let mut frame = black_box(&picture).decode().unwrap();
                frame.messages[0].decode_data().unwrap();
                frame
            });
        });
        let batch = format.encode(frame_of(50));
        group.throughput(Throughput::Elements(50));
        group.bench_function("50 messages in a frame", |b| b.iter(|| black_box(&batch).decode().unwrap()));
        group.finish();
    }
}

fn encode(c: &mut Criterion) {
    for format in FORMATS {
        let mut group = c.benchmark_group(format!("{}/encode", format.name()));
        group.throughput(Throughput::Elements(1));
        let frames = [
            ("small message", frame_of(1)),
            ("small message with structured data", frame_with(serde_json::json!({ "text": "hello!" }))),
            ("16 KiB of bytes", picture()),
        ];
        for (name, frame) in frames {
            group.bench_function(name, |b| b.iter(|| format.encode(black_box(frame.clone()))));
        }
        let batch = frame_of(50);
        group.throughput(Throughput::Elements(50));
        group.bench_function("50 messages in a frame", |b| b.iter(|| format.encode(black_box(batch.clone()))));
        group.finish();
    }
}

criterion_group!(benches, decode, encode);
criterion_main!(benches);
