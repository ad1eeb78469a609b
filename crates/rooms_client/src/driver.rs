//! What drives a client: the tap at which frames pass, and the counters of what went over the line.

mod frame_tap;
mod traffic;

pub use self::{
    frame_tap::{FrameDirection, FrameTap, TAP_CAPACITY, TappedFrame},
    traffic::TrafficSnapshot,
};
