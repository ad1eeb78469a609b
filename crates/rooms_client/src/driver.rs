//! What drives a client: the pump between it and its socket, the tap that shows frames, and the traffic counters.

mod frame_tap;
mod pump;
mod traffic;

pub use self::{
    frame_tap::{FrameDirection, FrameTap, TAP_CAPACITY, TappedFrame},
    pump::{NONCE_BYTES, Pump, PumpAction},
    traffic::TrafficSnapshot,
};
