//! What an ATTACH asks for: the channel's name with its qualifier, modes and params.

use std::{collections::BTreeMap, time::Duration};

use smol_str::SmolStr;
use url::form_urlencoded;

use super::{
    attach::Attachment,
    key::ChannelKey,
    modes::{MODES, mode_names, parse_modes},
    occupancy::{Metrics, OCCUPANCY},
    serial::Position,
};
use crate::{
    hub::output::LinkId,
    limits::{MAX_CHANNEL_NAME, MAX_REWIND},
};
use rooms_protocol::{ChannelName, ChannelSerial, ErrorCode, ErrorInfo, Flags, Frame};

/// The modes of an ATTACH that names none, and the most that one with modes gets (`RTL4l`).
///
/// The relay refuses annotations themselves, but grants their mode, since SDKs expect it.
const DEFAULT_MODES: Flags = Flags::MODES.union(Flags::ANNOTATION_PUBLISH);

/// A channel's name as clients write it, taken apart: `[?rewind=1]news` is the channel `news` with a param.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// The channel itself.
    pub(crate) channel: ChannelName,
    params: BTreeMap<SmolStr, String>,
}

impl Address {
    /// Takes a name apart.
    ///
    /// # Errors
    /// 40010 for a name that is not allowed, or has a qualifier that the relay does not know.
    pub(crate) fn parse(name: &ChannelName) -> Result<Self, ErrorInfo> {
        let text = name.as_str();
        if text.len() > MAX_CHANNEL_NAME {
            return Err(invalid_name("a channel's name may not be longer than 2048 bytes"));
        }
        let (params, channel) = match text.strip_prefix('[') {
            None => (BTreeMap::new(), text),
            Some(rest) => {
                let (qualifier, channel) = rest
                    .split_once(']')
                    .ok_or_else(|| invalid_name("the qualifier of the channel's name has no end"))?;
                let query = qualifier
                    .strip_prefix('?')
                    .ok_or_else(|| invalid_name("the only qualifier of a channel's name known here is [?params]"))?;
                let params = form_urlencoded::parse(query.as_bytes());
                (params.map(|(name, value)| (SmolStr::new(name), value.into_owned())).collect(), channel)
            }
        };
        if channel.is_empty() {
            return Err(invalid_name("a channel's name may not be empty"));
        }
        if channel.starts_with([':', '[', ',']) || channel.starts_with(char::is_whitespace) {
            return Err(invalid_name("a channel's name may not start with a colon, bracket, comma or white space"));
        }
        if channel.contains(['\n', '\r']) {
            return Err(invalid_name("a channel's name may not hold a line break"));
        }
        Ok(Self { channel: channel.into(), params })
    }
}

fn invalid_name(message: &str) -> ErrorInfo {
    ErrorInfo::new(ErrorCode::INVALID_CHANNEL_NAME, 400, message)
}

/// How much of the past a new attachment asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rewind {
    /// This many messages.
    Messages(usize),
    /// All messages that are not older.
    Span(Duration),
}

impl Rewind {
    fn parse(text: &str) -> Option<Self> {
        let seconds = |text: &str, unit: u64| Some(Duration::from_secs(text.parse::<u64>().ok()?.checked_mul(unit)?));
        if let Some(text) = text.strip_suffix('s') {
            seconds(text, 1).map(Self::Span)
        } else if let Some(text) = text.strip_suffix('m') {
            seconds(text, 60).map(Self::Span)
        } else {
            text.parse::<usize>().ok().map(|count| Self::Messages(count.min(MAX_REWIND)))
        }
    }
}

/// The params and modes of an ATTACH, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AttachOptions {
    /// The modes that the client asked for, as far as the relay knows them.
    pub(crate) asked: Flags,
    /// The modes that it gets.
    pub(crate) modes: Flags,
    /// Whether the client says that it had attached the channel before.
    pub(crate) knew_before: bool,
    /// What to send of the past. `None` on a channel that the client knew before.
    pub(crate) rewind: Option<Rewind>,
    /// Which numbers of the channel's occupancy it wants to be told.
    pub(crate) metrics: Option<Metrics>,
    /// The params that the relay understood, as ATTACHED repeats them.
    pub(crate) params: BTreeMap<SmolStr, String>,
}

impl AttachOptions {
    /// Reads the params of the name and of the frame. Those of the frame take precedence. Grants the modes that are `allowed`.
    ///
    /// # Errors
    /// 40003 for a value that makes no sense, 40160 where nothing of what was asked can be granted.
    pub(crate) fn parse(address: &Address, frame: &Frame, allowed: Flags) -> Result<Self, ErrorInfo> {
        let param = |name: &str| frame.params.get(name).or_else(|| address.params.get(name));
        let mut params = BTreeMap::new();
        let mut rewind = None;
        if let Some(text) = param("rewind") {
            rewind =
                Some(Rewind::parse(text).ok_or_else(|| {
                    invalid_param("rewind must be a number of messages, or a time such as 15s or 2m")
                })?);
            params.insert(SmolStr::new_static("rewind"), text.clone());
        }
        let mut metrics = None;
        if let Some(text) = param(OCCUPANCY) {
            let why = "occupancy must be metrics, or one of them such as metrics.subscribers";
            metrics = Some(Metrics::parse(text).ok_or_else(|| invalid_param(why))?);
            params.insert(SmolStr::new_static(OCCUPANCY), text.clone());
        }
        // The server chooses for each message whether it sends a delta. This one never does.
        if let Some(text) = param("delta").filter(|text| *text == "vcdiff") {
            params.insert(SmolStr::new_static("delta"), text.clone());
        }
        let flags = frame.flags.unwrap_or_default();
        let asked = match param(MODES).filter(|text| !text.is_empty()) {
            Some(text) => {
                Some(parse_modes(text).ok_or_else(|| invalid_param("modes names a mode that does not exist"))?)
            }
            None => Some(flags.modes()).filter(|modes| !modes.is_empty()),
        };
        let asked = asked.map_or(DEFAULT_MODES, |modes| modes & DEFAULT_MODES);
        let modes = asked & allowed;
        if modes.is_empty() {
            let why = "the credentials allow none of the modes that were asked for";
            return Err(ErrorInfo::new(ErrorCode::NOT_PERMITTED, 401, why));
        }
        if param(MODES).is_some() {
            params.insert(SmolStr::new_static(MODES), mode_names(modes));
        }
        let knew_before = flags.contains(Flags::ATTACH_RESUME) || frame.channel_serial.is_some();
        Ok(Self { asked, modes, knew_before, rewind: rewind.filter(|_| !knew_before), metrics, params })
    }
}

/// An ATTACH whose name, params, modes and credentials were checked.
pub(crate) struct AttachRequest<'a> {
    pub(crate) link: LinkId,
    /// The name that the client uses.
    pub(crate) name: ChannelName,
    pub(crate) key: ChannelKey,
    pub(crate) options: AttachOptions,
    /// The channel serial that the client has.
    pub(crate) serial: Option<&'a ChannelSerial>,
    /// Where the connection first published on the channel while it was not attached.
    pub(crate) early: Option<Position>,
    pub(crate) attachment: Attachment,
}

fn invalid_param(message: &str) -> ErrorInfo {
    ErrorInfo::new(ErrorCode::INVALID_PARAMETER, 400, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rooms_protocol::Action;

    fn options(name: &str, flags: Flags, params: &[(&str, &str)]) -> Result<AttachOptions, u32> {
        let address = Address::parse(&name.into()).unwrap();
        let mut frame = Frame::for_channel(Action::Attach, name.into());
        frame.flags = Some(flags);
        frame.params = params.iter().map(|(name, value)| (SmolStr::new(name), (*value).to_owned())).collect();
        AttachOptions::parse(&address, &frame, DEFAULT_MODES).map_err(|error| error.code.0)
    }

    #[test]
    fn names_that_are_not_allowed_are_refused() {
        let long = "x".repeat(MAX_CHANNEL_NAME + 1);
        for name in
            ["", ":a", ",a", " a", "a\nb", "[a", "[]a", "[meta]a", "[filter=x]a", "[?rewind=1]", "[?x]:a", &long]
        {
            assert_eq!(Address::parse(&name.into()).map_err(|error| error.code.0), Err(40010), "{name}");
        }
        for name in ["a", "room:otter-badger-fox", "ö/%20 [x]", "a:"] {
            assert_eq!(Address::parse(&name.into()).unwrap().channel, name.into());
        }
    }

    #[test]
    fn a_qualifier_holds_params_and_the_frames_own_count_more() {
        assert_eq!(Address::parse(&"[?rewind=1]news".into()).unwrap().channel, "news".into());
        assert_eq!(options("[?rewind=1]news", Flags::empty(), &[]).unwrap().rewind, Some(Rewind::Messages(1)));
        let rewind = options("[?rewind=1]news", Flags::empty(), &[("rewind", "2m")]).unwrap().rewind;
        assert_eq!(rewind, Some(Rewind::Span(Duration::from_secs(120))));
    }

    #[test]
    fn without_modes_all_are_granted_and_unknown_params_are_dropped() {
        for flags in [Flags::empty(), Flags::ATTACH_RESUME] {
            let options = options("a", flags, &[("agent", "x"), ("delta", "xdelta")]).unwrap();
            assert_eq!((options.modes, options.params.len()), (DEFAULT_MODES, 0));
        }
    }

    #[test]
    fn modes_by_name_stand_over_bits_and_come_back_as_granted() {
        let options = options("a", Flags::PUBLISH, &[("modes", "subscribe,object_publish")]).unwrap();
        assert_eq!(options.modes, Flags::SUBSCRIBE);
        assert_eq!(options.params.get("modes").map(String::as_str), Some("subscribe"));
    }

    #[test]
    fn modes_of_which_none_can_be_granted_are_an_error() {
        assert_eq!(options("a", Flags::empty(), &[("modes", "object_publish")]), Err(40160));
        assert_eq!(options("a", Flags::from_bits_retain(1 << 24), &[]), Err(40160));
        assert_eq!(options("a", Flags::empty(), &[("modes", "fly")]), Err(40003));
    }

    #[test]
    fn of_the_modes_asked_for_those_allowed_are_granted() {
        let options = |flags, allowed| {
            let address = Address::parse(&"a".into()).unwrap();
            let mut frame = Frame::for_channel(Action::Attach, "a".into());
            frame.flags = Some(flags);
            AttachOptions::parse(&address, &frame, allowed).map_err(|error| error.code.0)
        };
        let granted = options(Flags::empty(), Flags::SUBSCRIBE).unwrap();
        assert_eq!((granted.asked, granted.modes), (DEFAULT_MODES, Flags::SUBSCRIBE));
        assert_eq!(options(Flags::PUBLISH, Flags::SUBSCRIBE), Err(40160));
    }

    #[test]
    fn rewind_is_a_count_or_a_time() {
        let rewind = |text| options("a", Flags::empty(), &[("rewind", text)]).map(|options| options.rewind);
        assert_eq!(rewind("1000"), Ok(Some(Rewind::Messages(MAX_REWIND))));
        assert_eq!(rewind("15s"), Ok(Some(Rewind::Span(Duration::from_secs(15)))));
        for text in ["", "x", "-1", "1h", "s", "99999999999999999999", "999999999999999999m"] {
            assert_eq!(rewind(text), Err(40003), "{text}");
        }
    }

    #[test]
    fn there_is_no_rewind_on_a_channel_that_the_client_knew_before() {
        assert_eq!(options("[?rewind=1]a", Flags::ATTACH_RESUME, &[]).unwrap().rewind, None);
    }
}
