//! Fan-out: one frame to many links, each under the name that its client uses.

use std::sync::Arc;

use crate::hub::{
    kept_frame::KeptFrame,
    output::{LinkId, Outputs},
};
use rooms_protocol::ChannelName;

/// Sends a frame of `channel` to all receivers. They share it, whatever names they use.
pub(crate) fn fan_out<'a>(
    channel: &ChannelName,
    frame: &Arc<KeptFrame>,
    receivers: impl Iterator<Item = (LinkId, &'a ChannelName)>,
    out: &mut Outputs,
) {
    for (link, name) in receivers {
        out.send_kept(link, frame, (name != channel).then(|| name.clone()));
    }
}
