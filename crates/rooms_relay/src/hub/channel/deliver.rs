//! Fan-out: one frame to many links, each under the name that its client uses.

use std::{collections::BTreeMap, sync::Arc};

use crate::hub::{
    output::{LinkId, Outputs},
    shared_frame::SharedFrame,
};
use rooms_protocol::{ChannelName, Frame};

/// Sends a frame of `channel` to all receivers. Receivers that use the channel's own name share one frame, and so do those of
/// each other name.
pub(crate) fn fan_out<'a>(
    channel: &ChannelName,
    frame: &Arc<SharedFrame>,
    receivers: impl Iterator<Item = (LinkId, &'a ChannelName)>,
    out: &mut Outputs,
) {
    let mut renamed: BTreeMap<&ChannelName, Arc<SharedFrame>> = BTreeMap::new();
    for (link, name) in receivers {
        let shared = if name == channel {
            frame
        } else {
            renamed.entry(name).or_insert_with(|| Arc::new(with_name(frame, name)))
        };
        out.send_shared(link, Arc::clone(shared));
    }
}

/// Sends frames that `channel` keeps to one link, under the name that its client uses.
pub(crate) fn replay(
    channel: &ChannelName,
    frames: Vec<Arc<SharedFrame>>,
    link: LinkId,
    name: &ChannelName,
    out: &mut Outputs,
) {
    for frame in frames {
        let shared = if name == channel { frame } else { Arc::new(with_name(&frame, name)) };
        out.send_shared(link, shared);
    }
}

fn with_name(frame: &SharedFrame, name: &ChannelName) -> SharedFrame {
    Frame { channel: Some(name.clone()), ..frame.frame().clone() }.into()
}
