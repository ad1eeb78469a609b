//! What it costs the hub to hand one message to 1, 100 and 1,000 subscribers, with its JSON text made once.

use std::{hint::black_box, time::Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rooms_protocol::{Action, DEVELOPMENT_KEY, Format, Frame, Message, MsgSerial, Timestamp};
use rooms_relay::{ConnectRequest, Hub, HubConfig, LinkId, Output};

/// Takes all output, as a listener does, and gives the bytes that would go out.
fn drain(hub: &mut Hub) -> usize {
    let mut bytes = 0;
    while let Some(output) = hub.poll_output() {
        if let Output::Send { mut batch, .. } = output {
            while let Some(wire) = batch.next_wire(Format::Json) {
                bytes += black_box(wire).len();
            }
        }
    }
    bytes
}

fn connect(hub: &mut Hub, now: Instant) -> LinkId {
    let request = ConnectRequest::from_query(&format!("v=6&key={DEVELOPMENT_KEY}&echo=false"));
    let link = hub.open(&request, now);
    drain(hub);
    link
}

fn fan_out(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("hub_fan_out");
    for subscribers in [1_u64, 100, 1_000] {
        let now = Instant::now();
        let mut hub = Hub::new(HubConfig::default(), [1; 32], now, Timestamp(0));
        let publisher = connect(&mut hub, now);
        for _ in 0..subscribers {
            let link = connect(&mut hub, now);
            hub.handle_frame(link, Frame::for_channel(Action::Attach, "room:bench".into()), now);
        }
        drain(&mut hub);
        let mut serial = MsgSerial(0);
        group.throughput(Throughput::Elements(subscribers));
        group.bench_function(BenchmarkId::from_parameter(subscribers), |bencher| {
            bencher.iter(|| {
                let frame = Frame {
                    messages: vec![Message::new("room.state", r#"{"term":3,"version":42,"called":[7,11,90]}"#)],
                    msg_serial: Some(serial),
                    ..Frame::for_channel(Action::Message, "room:bench".into())
                };
                serial = serial.next();
                hub.handle_frame(publisher, frame, now);
                drain(&mut hub)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, fan_out);
criterion_main!(benches);
