//! What names a channel in the hub.

use crate::auth::AppId;
use rooms_protocol::ChannelName;

/// Which channel: apps do not see each other's.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ChannelKey {
    pub(crate) app: AppId,
    pub(crate) name: ChannelName,
}
