//! The attachments of one channel: which links are attached, under which names, and what each may do.

use std::collections::BTreeMap;

use smol_str::SmolStr;

use super::{
    modes::{MODES, mode_names},
    occupancy::{OCCUPANCY, Occupancy, Watch},
};
use crate::hub::output::LinkId;
use rooms_protocol::{ChannelName, ConnectionId, Flags};

/// What a link is to a channel.
#[derive(Clone, Debug)]
pub(crate) struct Attachment {
    /// The connection behind the link.
    pub(crate) connection: ConnectionId,
    /// The modes that the client asked for.
    pub(crate) asked: Flags,
    /// The modes that it has: those of them that its credentials allow.
    pub(crate) modes: Flags,
    /// The params that the relay understood.
    pub(crate) params: BTreeMap<SmolStr, String>,
    /// Whether it does not get its own messages.
    pub(crate) no_echo: bool,
    /// What it knows of the channel's occupancy, if it watches.
    pub(crate) watch: Option<Box<Watch>>,
}

impl Attachment {
    /// Whether it gets the messages of a publisher. Messages that came over HTTP have none.
    pub(crate) fn wants_messages_of(&self, publisher: Option<&ConnectionId>) -> bool {
        self.modes.contains(Flags::SUBSCRIBE) && !(self.no_echo && publisher == Some(&self.connection))
    }
}

/// All attachments of one channel, by link and by the name that the client uses. The name may have a qualifier.
#[derive(Debug, Default)]
pub(crate) struct Attachments {
    by_link: BTreeMap<(LinkId, ChannelName), Attachment>,
    /// How many of them watch the channel's occupancy.
    watchers: usize,
}

impl Attachments {
    /// Attaches a link under `name`, or replaces its attachment.
    pub(crate) fn insert(&mut self, link: LinkId, name: ChannelName, attachment: Attachment) {
        self.watchers += usize::from(attachment.watch.is_some());
        let before = self.by_link.insert((link, name), attachment);
        self.forget_watch(before.as_ref());
    }

    /// Ends one attachment.
    pub(crate) fn remove(&mut self, link: LinkId, name: &ChannelName) {
        let before = self.by_link.remove(&(link, name.clone()));
        self.forget_watch(before.as_ref());
    }

    fn forget_watch(&mut self, gone: Option<&Attachment>) {
        self.watchers -= usize::from(gone.is_some_and(|gone| gone.watch.is_some()));
    }

    /// Whether any of them watches the channel's occupancy.
    pub(crate) fn has_watchers(&self) -> bool {
        self.watchers > 0
    }

    /// Those that watch, with their links and names, as far as they receive messages.
    pub(crate) fn watchers(&mut self) -> impl Iterator<Item = (LinkId, &ChannelName, &mut Watch)> {
        let subscribed = self.by_link.iter_mut().filter(|(_, attachment)| attachment.modes.contains(Flags::SUBSCRIBE));
        subscribed.filter_map(|((link, name), attachment)| Some((*link, name, attachment.watch.as_deref_mut()?)))
    }

    /// What the client of an attachment knows that watches and receives messages.
    pub(crate) fn watch(&mut self, link: LinkId, name: &ChannelName) -> Option<&mut Watch> {
        let attachment = self.by_link.get_mut(&(link, name.clone()))?;
        attachment.watch.as_deref_mut().filter(|_| attachment.modes.contains(Flags::SUBSCRIBE))
    }

    /// Has an attachment watch no more.
    pub(crate) fn stop_watching(&mut self, link: LinkId, name: &ChannelName) {
        if let Some(attachment) = self.by_link.get_mut(&(link, name.clone())) {
            self.watchers -= usize::from(attachment.watch.take().is_some());
            attachment.params.remove(OCCUPANCY);
        }
    }

    /// The attachment of `link` under `name`.
    pub(crate) fn get(&self, link: LinkId, name: &ChannelName) -> Option<&Attachment> {
        self.by_link.get(&(link, name.clone()))
    }

    /// Whether `link` is attached under any name.
    pub(crate) fn has_link(&self, link: LinkId) -> bool {
        let from = (link, ChannelName::new(""));
        self.by_link.range(from..).next().is_some_and(|((first, _), _)| *first == link)
    }

    /// How many attachments there are.
    pub(crate) fn len(&self) -> usize {
        self.by_link.len()
    }

    /// Whether no link is attached.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_link.is_empty()
    }

    /// All attachments with their links and names, in the order of both.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (LinkId, &ChannelName, &Attachment)> {
        self.by_link.iter().map(|((link, name), attachment)| (*link, name, attachment))
    }

    /// Gives an attachment those of the modes it asked for that are `allowed`. If that is none of them, the attachment keeps
    /// what it has, and the caller ends it.
    ///
    /// Returns the allowed modes if they differ from those before.
    pub(crate) fn allow(&mut self, link: LinkId, name: &ChannelName, allowed: Flags) -> Option<Flags> {
        let attachment = self.by_link.get_mut(&(link, name.clone()))?;
        let modes = attachment.asked & allowed;
        if attachment.modes == modes {
            return None;
        }
        if !modes.is_empty() {
            attachment.modes = modes;
            if let Some(names) = attachment.params.get_mut(MODES) {
                *names = mode_names(modes);
            }
        }
        Some(modes)
    }

    /// How many use the channel, and for what. `members` is the number of its members.
    pub(crate) fn occupancy(&self, members: usize) -> Occupancy {
        let mut occupancy = Occupancy { presence_members: members, ..Occupancy::default() };
        // A link has one connection, and its attachments follow each other.
        let mut attachments = self.by_link.iter().map(|((link, _), attachment)| (*link, attachment.modes)).peekable();
        while let Some((link, mut modes)) = attachments.next() {
            while let Some((_, more)) = attachments.next_if(|(next, _)| *next == link) {
                modes |= more;
            }
            let has = |mode| usize::from(modes.contains(mode));
            occupancy.connections += 1;
            occupancy.publishers += has(Flags::PUBLISH);
            occupancy.subscribers += has(Flags::SUBSCRIBE);
            occupancy.presence_connections += has(Flags::PRESENCE);
            occupancy.presence_subscribers += has(Flags::PRESENCE_SUBSCRIBE);
        }
        occupancy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attachment(asked: Flags) -> Attachment {
        let params = BTreeMap::from([(SmolStr::new_static(MODES), mode_names(asked))]);
        Attachment { connection: "c".into(), asked, modes: asked, params, no_echo: true, watch: None }
    }

    #[test]
    fn an_attachment_gets_what_it_asked_for_and_may_have_and_its_params_say_so() {
        let mut attachments = Attachments::default();
        let (link, name) = (LinkId::new(3), ChannelName::new("a"));
        attachments.insert(link, name.clone(), attachment(Flags::SUBSCRIBE | Flags::PUBLISH));
        assert_eq!(attachments.allow(link, &name, Flags::SUBSCRIBE | Flags::PRESENCE), Some(Flags::SUBSCRIBE));
        assert_eq!(attachments.allow(link, &name, Flags::SUBSCRIBE), None, "nothing changed");
        let params = &attachments.get(link, &name).unwrap().params;
        assert_eq!(params.get(MODES).map(String::as_str), Some("subscribe"));
        assert_eq!(attachments.allow(link, &name, Flags::PRESENCE), Some(Flags::empty()));
        assert_eq!(attachments.get(link, &name).unwrap().modes, Flags::SUBSCRIBE);
    }

    #[test]
    fn a_connection_counts_once_under_however_many_names() {
        let mut attachments = Attachments::default();
        for (link, name, modes) in [
            (3, "[?rewind=1]a", Flags::SUBSCRIBE),
            (3, "a", Flags::PUBLISH),
            (4, "a", Flags::SUBSCRIBE | Flags::PRESENCE),
        ] {
            attachments.insert(LinkId::new(link), name.into(), attachment(modes));
        }
        let expected = Occupancy {
            connections: 2,
            publishers: 1,
            subscribers: 2,
            presence_connections: 1,
            presence_members: 7,
            ..Occupancy::default()
        };
        assert_eq!(attachments.occupancy(7), expected);
    }

    #[test]
    fn a_link_is_found_under_any_name() {
        let mut attachments = Attachments::default();
        attachments.insert(LinkId::new(3), "[?rewind=1]a".into(), attachment(Flags::SUBSCRIBE));
        assert!(attachments.has_link(LinkId::new(3)));
        assert!(!attachments.has_link(LinkId::new(2)) && !attachments.has_link(LinkId::new(4)));
    }

    #[test]
    fn a_client_without_echo_gets_the_messages_of_others_alone() {
        let attachment = attachment(Flags::SUBSCRIBE);
        assert!(!attachment.wants_messages_of(Some(&"c".into())));
        assert!(attachment.wants_messages_of(Some(&"d".into())) && attachment.wants_messages_of(None));
    }
}
