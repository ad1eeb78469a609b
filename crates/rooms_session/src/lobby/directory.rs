//! The public list of rooms: one well-known channel. The host of each listed room shows it in the channel's presence.
//!
//! Owns one player's end of the list, for a player that shows a room and for one that looks for a room. It is sans-IO, and
//! driven like a [`Session`]: events in, commands out. An entry is gone when its host is, because presence leaves with the
//! connection. The next host shows the room again.
//!
//! Anybody who may enter presence on the channel can show anything there: a listed room need not exist. Only the host's id
//! is stamped by the server.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use web_time::Instant;

use crate::{
    id::{PlayerId, Reign, RoomName},
    session::Session,
    state::json::{is_shallow, json_fits},
    state::rules::{Listing, MAX_TITLE, Newcomers, cut},
};
use rooms_client::{
    Asker, ChannelOptions, ChannelState, Command, ConnectionState, Event, OperationId, PresenceCommand,
};
use rooms_protocol::{ChannelName, ClientId, ConnectionId, Data, ErrorInfo, Flags, PresenceAction, PresenceMessage};

/// The channel that all listed rooms of an application are on.
pub const LIST_CHANNEL: &str = "rooms";

/// Shortest time between two presence messages about one room: everyone who watches the list gets each.
const MIN_INTERVAL: Duration = Duration::from_secs(1);

/// How long to wait after the server refused a presence message.
const RETRY: Duration = Duration::from_secs(10);

/// Most rooms of the list that are kept.
///
/// Each room on the list is a member of one channel. A server that lets fewer be present lists fewer: 200 by default with a
/// relay (`--limit members_per_channel=N`) and with Ably's cloud, which raises that for an account on request. A room that finds
/// no place tries again, and [`RoomDirectory::trouble`] says why it is not listed.
pub const MAX_LISTED: usize = 1000;

/// Most bytes of JSON text in one entry: twice what a listing may have.
const MAX_ENTRY: usize = 2048;

/// A room on the public list.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ListedRoom {
    /// The room, to join it.
    pub room: RoomName,
    /// Its title.
    pub title: String,
    /// Who hosts it.
    pub host: PlayerId,
    /// The name that the host shows.
    pub host_name: String,
    /// How many seats are taken.
    pub players: usize,
    /// How many seats there may be.
    pub capacity: usize,
    /// Whether nobody new is admitted.
    pub locked: bool,
    /// What becomes of newcomers.
    pub newcomers: Newcomers,
    /// What else its host shows.
    pub data: Value,
}

/// What a host shows of its room, as presence data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListEntry {
    room: RoomName,
    #[serde(flatten)]
    listing: Listing,
    host_name: String,
    players: usize,
    capacity: usize,
    #[serde(default)]
    locked: bool,
    #[serde(default)]
    newcomers: Newcomers,
    /// Of two entries for one room, a host that is gone and its successor's, the better one counts.
    reign: Reign,
}

impl ListEntry {
    /// Reads what a member shows. `None` if it makes no sense.
    fn read(message: &PresenceMessage) -> Option<Self> {
        let json = message.data.as_ref().and_then(Data::as_json)?;
        if !json_fits(json, MAX_ENTRY) || !is_shallow(json) {
            return None;
        }
        let mut entry = Self::deserialize(json).ok()?;
        cut(&mut entry.listing.title, MAX_TITLE);
        cut(&mut entry.host_name, MAX_TITLE);
        Some(entry)
    }

    fn into_listed(self, host: PlayerId) -> ListedRoom {
        let Self { room, listing: Listing { title, data }, host_name, players, capacity, locked, newcomers, .. } = self;
        ListedRoom { room, title, host, host_name, players, capacity, locked, newcomers, data }
    }
}

impl Session {
    /// Whether this player hosts a room that is on the public list.
    pub fn hosts_a_listed_room(&self) -> bool {
        self.is_host() && self.rules().listing.is_some()
    }

    /// What the list shows of the room. `None` unless this player hosts it and wants it there.
    pub(crate) fn entry(&self) -> Option<ListEntry> {
        let reign = self.stamp().filter(|_| self.is_host())?.reign.clone();
        let rules = self.rules();
        let mut host_name = self.shown_name().to_owned();
        cut(&mut host_name, MAX_TITLE);
        Some(ListEntry {
            room: self.room().clone(),
            listing: rules.listing.clone()?,
            host_name,
            players: self.roster().len(),
            capacity: rules.capacity(),
            locked: rules.locked,
            newcomers: rules.newcomers,
            reign,
        })
    }
}

/// One player's end of the public list.
///
/// 1. Hand it every event of the client with [`handle_event`](Self::handle_event).
/// 2. At the end of a frame call [`step`](Self::step), with the session if there is one.
/// 3. Take everything from [`poll_command`](Self::poll_command) and give it to the client.
/// 4. Come back once a second at the latest.
#[derive(Debug, Default)]
pub struct RoomDirectory {
    watching: bool,
    /// The modes that the channel was attached with. Empty: it is not attached.
    asked: Flags,
    /// What this player shows of its room.
    shown: Option<ListEntry>,
    /// It is not shown again before this.
    not_before: Option<Instant>,
    /// Set if the server refused the last presence message.
    failed: bool,
    /// Whether to send it again.
    again: bool,
    /// What others show, by connection and name.
    members: BTreeMap<(ConnectionId, ClientId), ListEntry>,
    rooms: Vec<ListedRoom>,
    complete: bool,
    trouble: Option<ErrorInfo>,
    /// Whether the connection has failed or was closed.
    is_down: bool,
    /// Whether anything is different since [`take_changed`](Self::take_changed).
    changed: bool,
    operations: u64,
    commands: VecDeque<Command>,
}

impl RoomDirectory {
    /// Starts or stops to watch the list. Starting anew tries again what failed before.
    pub fn watch(&mut self, watching: bool) {
        if watching {
            self.try_again();
        }
        self.watching = watching;
        self.refresh();
    }

    /// Tries again what failed before.
    pub fn try_again(&mut self) {
        if self.trouble.take().is_some() {
            self.asked = Flags::empty();
        }
    }

    /// Whether the list is watched.
    pub fn is_watching(&self) -> bool {
        self.watching
    }

    /// The listed rooms, by title. None while the list is not watched.
    pub fn rooms(&self) -> &[ListedRoom] {
        &self.rooms
    }

    /// Whether all rooms on the list are known, as far as they fit in [`MAX_LISTED`].
    pub fn is_complete(&self) -> bool {
        self.complete && self.watching
    }

    /// Why the list can neither be watched nor show our room.
    pub fn trouble(&self) -> Option<&ErrorInfo> {
        self.trouble.as_ref()
    }

    /// Whether anything is different since this was asked last.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// Takes in what the client tells. Events about anything else are ignored.
    pub fn handle_event(&mut self, event: &Event) {
        match event {
            Event::Presence { channel, members } if channel.as_str() == LIST_CHANNEL => {
                members.iter().for_each(|message| self.on_presence(message));
                self.refresh();
            }
            Event::PresenceSynced { channel } if channel.as_str() == LIST_CHANNEL => {
                self.complete = true;
                self.changed = true;
            }
            Event::Channel(change) if change.channel.as_str() == LIST_CHANNEL => match change.current {
                ChannelState::Attached => {}
                ChannelState::Failed => {
                    self.trouble.clone_from(&change.reason);
                    self.forget_channel();
                }
                _ => {
                    self.changed |= std::mem::take(&mut self.complete);
                }
            },
            Event::Connection(change) => match change.current {
                ConnectionState::Failed | ConnectionState::Closed => {
                    self.forget_channel();
                    self.asked = Flags::empty();
                    self.is_down = true;
                }
                // What failed with the connection is tried again with it.
                ConnectionState::Connected if std::mem::take(&mut self.is_down) => self.try_again(),
                ConnectionState::Connected => {}
                // All members come again when the connection is back.
                _ => self.changed |= std::mem::take(&mut self.complete),
            },
            Event::Overflow { .. } if !self.asked.is_empty() => {
                // Presence messages may be missing. Attached again, the channel tells all members.
                self.commands.push_back(Command::Release { channel: LIST_CHANNEL.into() });
                self.asked = Flags::empty();
                self.forget_channel();
            }
            Event::Published { operation, outcome: Err(error) } if operation.is_of(Asker::List) => {
                log::warn!("the room could not be shown on the public list: {error}");
                self.failed = true;
            }
            _ => {}
        }
    }

    fn on_presence(&mut self, message: &PresenceMessage) {
        let (Some(connection), Some(client)) = (&message.connection_id, &message.client_id) else { return };
        let key = (connection.clone(), client.clone());
        let entry = match message.action {
            PresenceAction::Enter | PresenceAction::Present | PresenceAction::Update => ListEntry::read(message),
            PresenceAction::Leave | PresenceAction::Absent => None,
            PresenceAction::Unknown(_) => return,
        };
        match entry {
            Some(entry) if self.members.len() < MAX_LISTED || self.members.contains_key(&key) => {
                self.members.insert(key, entry);
            }
            _ => drop(self.members.remove(&key)),
        }
    }

    /// Works out again which rooms to show.
    fn refresh(&mut self) {
        let mut best: BTreeMap<&RoomName, (PlayerId, &ListEntry)> = BTreeMap::new();
        for ((_, client), entry) in self.members.iter().filter(|_| self.watching) {
            let Some(host) = PlayerId::from_client_id(client) else { continue };
            let better = |(_, known): &(PlayerId, &ListEntry)| entry.reign.is_better_than(&known.reign);
            if best.get(&entry.room).is_none_or(better) {
                best.insert(&entry.room, (host, entry));
            }
        }
        let mut rooms: Vec<ListedRoom> =
            best.into_values().map(|(host, entry)| entry.clone().into_listed(host)).collect();
        rooms.sort_by(|one, other| (&one.title, &one.room).cmp(&(&other.title, &other.room)));
        self.rooms = rooms;
        self.changed = true;
    }

    /// Nothing is known of the channel any more.
    fn forget_channel(&mut self) {
        self.members.clear();
        self.shown = None;
        self.complete = false;
        self.refresh();
    }

    /// Shows the session's room while it hosts one that is to be listed, and otherwise takes it off the list.
    pub fn step(&mut self, session: Option<&Session>, now: Instant) {
        if std::mem::take(&mut self.failed) {
            self.not_before = Some(now + RETRY);
            self.again = true;
        }
        let session = session.filter(|session| session.hosts_a_listed_room());
        self.attach_as_needed(session.is_some());
        let due = self.not_before.is_none_or(|at| at <= now);
        let entry = match session {
            None if self.shown.is_none() => return,
            None => None,
            // What failed for good is tried again only when somebody asks.
            Some(_) if !due || self.trouble.is_some() => return,
            Some(session) => session.entry(),
        };
        if entry == self.shown && !self.again {
            self.not_before = Some(now + MIN_INTERVAL);
            return;
        }
        self.again = false;
        let action = match (&self.shown, &entry) {
            (_, None) => PresenceCommand::Leave,
            (None, Some(_)) => PresenceCommand::Enter,
            (Some(_), Some(_)) => PresenceCommand::Update,
        };
        let data = entry.as_ref().and_then(|entry| serde_json::to_value(entry).ok()).map(Data::Json);
        self.operations = self.operations.wrapping_add(1);
        let operation = OperationId::of(Asker::List, self.operations);
        let channel = ChannelName::from(LIST_CHANNEL);
        self.commands.push_back(Command::Presence { operation, channel, action, data });
        self.not_before = entry.is_some().then(|| now + MIN_INTERVAL);
        self.shown = entry;
        // Last, so that the goodbye goes out before the channel does.
        self.attach_as_needed(session.is_some());
    }

    /// Attaches the channel with the modes that are needed and no more: a player that shows a room need not receive all others.
    fn attach_as_needed(&mut self, shows: bool) {
        let mut needed = Flags::empty();
        needed.set(Flags::PRESENCE, shows || self.shown.is_some());
        needed.set(Flags::PRESENCE_SUBSCRIBE, self.watching);
        // A connection that is down for good takes no command. The next one gets it.
        if self.is_down || needed == self.asked {
            return;
        }
        self.asked = needed;
        let channel = ChannelName::from(LIST_CHANNEL);
        if needed.is_empty() {
            self.forget_channel();
            self.commands.push_back(Command::Release { channel });
        } else {
            self.changed |= std::mem::take(&mut self.complete);
            let options = ChannelOptions { modes: needed, ..ChannelOptions::default() };
            self.commands.push_back(Command::Attach { channel, options });
        }
    }

    /// The next thing to ask of the client.
    pub fn poll_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Term, tests::bus::Bus};
    use rooms_client::{ChannelChange, ConnectionChange};

    const SECOND: Duration = Duration::from_secs(1);

    fn listed(room: &str, title: &str, term: u64) -> Value {
        let reign = Reign { incarnation: "1".into(), term: Term(term), since: term.to_string().as_str().into() };
        json!({ "room": room, "title": title, "hostName": "Ada", "players": 2, "capacity": 4, "reign": reign })
    }

    fn show_as(directory: &mut RoomDirectory, action: PresenceAction, client: &str, data: Value) {
        let message = PresenceMessage {
            action,
            connection_id: Some(format!("c-{client}").as_str().into()),
            client_id: Some(client.into()),
            data: Some(Data::Json(data)),
            ..PresenceMessage::default()
        };
        directory.handle_event(&Event::Presence { channel: LIST_CHANNEL.into(), members: vec![message] });
    }

    fn list_failed(reason: &ErrorInfo) -> Event {
        Event::Channel(ChannelChange {
            channel: LIST_CHANNEL.into(),
            previous: ChannelState::Attaching,
            current: ChannelState::Failed,
            resumed: false,
            has_backlog: false,
            modes: Flags::empty(),
            reason: Some(reason.clone()),
        })
    }

    fn watching() -> RoomDirectory {
        let mut directory = RoomDirectory::default();
        directory.watch(true);
        directory.step(None, Instant::now());
        directory
    }

    fn show(directory: &mut RoomDirectory, bus: &mut Bus, node: usize) {
        let now = bus.now;
        directory.step(Some(bus.session(node)), now);
    }

    fn titles(directory: &RoomDirectory) -> Vec<(&str, &str)> {
        directory.rooms().iter().map(|room| (room.title.as_str(), room.host.as_str())).collect()
    }

    /// What was asked of the client, in short.
    fn asked(directory: &mut RoomDirectory) -> Vec<String> {
        let short = |command| match command {
            Command::Attach { options, .. } => format!("attach {:?}", options.modes),
            Command::Release { .. } => "release".to_owned(),
            Command::Presence { action, .. } => format!("{action:?}"),
            other => panic!("{other:?}"),
        };
        std::iter::from_fn(|| directory.poll_command()).map(short).collect()
    }

    #[test]
    fn rooms_come_change_and_go_with_their_hosts() {
        let mut directory = watching();
        show_as(&mut directory, PresenceAction::Present, "ada", listed("fox", "Foxes", 1));
        show_as(&mut directory, PresenceAction::Enter, "bob", listed("ant", "Ants", 1));
        assert_eq!(titles(&directory), [("Ants", "bob"), ("Foxes", "ada")]);
        assert!(!directory.is_complete());
        directory.handle_event(&Event::PresenceSynced { channel: LIST_CHANNEL.into() });
        assert!(directory.is_complete() && directory.take_changed() && !directory.take_changed());
        show_as(&mut directory, PresenceAction::Update, "bob", listed("ant", "Big ants", 1));
        show_as(&mut directory, PresenceAction::Leave, "ada", Value::Null);
        assert_eq!(titles(&directory), [("Big ants", "bob")]);
    }

    #[test]
    fn of_two_hosts_of_one_room_the_one_of_the_better_term_is_shown() {
        for order in [["ada", "bob"], ["bob", "ada"]] {
            let mut directory = watching();
            for host in order {
                let (title, term) = if host == "ada" { ("Old", 1) } else { ("New", 2) };
                show_as(&mut directory, PresenceAction::Enter, host, listed("fox", title, term));
            }
            assert_eq!(titles(&directory), [("New", "bob")]);
            show_as(&mut directory, PresenceAction::Leave, "ada", Value::Null);
            assert_eq!(titles(&directory), [("New", "bob")]);
        }
    }

    #[test]
    fn what_makes_no_sense_is_not_shown_and_the_list_is_bounded() {
        let mut directory = watching();
        let large = json!({ "data": "x".repeat(3000) });
        for nonsense in [json!(null), json!({}), json!("fox"), listed("a:b", "x", 1), large] {
            show_as(&mut directory, PresenceAction::Enter, "eve", nonsense);
        }
        assert_eq!(titles(&directory), []);
        show_as(&mut directory, PresenceAction::Enter, "a:b", listed("fox", "x", 1));
        assert_eq!(titles(&directory), [], "a host has to be a player");
        for number in 0..MAX_LISTED + 50 {
            let room = format!("r{number}");
            show_as(&mut directory, PresenceAction::Enter, &room, listed(&room, &"t".repeat(100), 1));
        }
        assert!(directory.members.len() <= MAX_LISTED);
        assert!(directory.rooms().iter().all(|room| room.title.len() == MAX_TITLE));
    }

    #[test]
    fn a_host_shows_its_room_no_more_than_once_a_second_and_takes_it_off() {
        let mut bus = Bus::with_players(&["ada", "bob"]);
        let mut directory = RoomDirectory::default();
        show(&mut directory, &mut bus, 0);
        assert_eq!(asked(&mut directory), [""; 0], "a room is not listed unless its host wants it");
        bus.session(0).set_listing(Some(Listing::titled("Den").with_data(json!({ "map": 1 })))).unwrap();
        show(&mut directory, &mut bus, 0);
        assert_eq!(asked(&mut directory), ["attach Flags(PRESENCE)", "Enter"]);
        let mut updates = 0;
        for players in 1..=50 {
            bus.session(0).set_capacity(players).unwrap();
            bus.run(SECOND / 10);
            show(&mut directory, &mut bus, 0);
            updates += asked(&mut directory).iter().filter(|asked| *asked == "Update").count();
        }
        assert!((4..=5).contains(&updates), "{updates}");
        bus.run(SECOND);
        show(&mut directory, &mut bus, 0);
        asked(&mut directory);
        let shown = directory.shown.clone().unwrap();
        assert_eq!((shown.capacity, shown.players, shown.host_name.as_str()), (50, 2, "ADA"));
        show(&mut directory, &mut bus, 1);
        assert_eq!(asked(&mut directory), ["Leave", "release"], "who does not host shows nothing");
        bus.session(0).set_listing(None).unwrap();
        show(&mut directory, &mut bus, 0);
        assert_eq!(asked(&mut directory), [""; 0]);
    }

    #[test]
    fn the_channel_is_attached_for_what_it_is_needed_for() {
        let mut bus = Bus::with_players(&["ada"]);
        bus.session(0).set_listing(Some(Listing::titled("Den"))).unwrap();
        let mut directory = watching();
        assert_eq!(asked(&mut directory), ["attach Flags(PRESENCE_SUBSCRIBE)"]);
        show(&mut directory, &mut bus, 0);
        assert_eq!(asked(&mut directory), ["attach Flags(PRESENCE | PRESENCE_SUBSCRIBE)", "Enter"]);
        show_as(&mut directory, PresenceAction::Enter, "ada", listed("fox", "Foxes", 1));
        directory.watch(false);
        assert_eq!(titles(&directory), []);
        show(&mut directory, &mut bus, 0);
        assert_eq!(asked(&mut directory), ["attach Flags(PRESENCE)"]);
        directory.step(None, bus.now);
        assert_eq!(asked(&mut directory), ["Leave", "release"]);
    }

    #[test]
    fn a_list_that_cannot_be_had_is_told_and_tried_again_when_asked_for() {
        let mut directory = watching();
        asked(&mut directory);
        let refused = ErrorInfo::new(rooms_protocol::ErrorCode::NOT_PERMITTED, 401, "no");
        directory.handle_event(&list_failed(&refused));
        assert_eq!(directory.trouble(), Some(&refused));
        directory.step(None, Instant::now());
        assert_eq!(asked(&mut directory), [""; 0]);
        directory.watch(true);
        directory.step(None, Instant::now());
        assert_eq!(asked(&mut directory), ["attach Flags(PRESENCE_SUBSCRIBE)"]);
        assert_eq!(directory.trouble(), None);
    }

    #[test]
    fn the_list_comes_back_with_the_connection() {
        let mut directory = watching();
        asked(&mut directory);
        let failed = ErrorInfo::new(rooms_protocol::ErrorCode::CONNECTION_FAILED, 400, "no connection");
        let connection = |current| {
            Event::Connection(ConnectionChange {
                previous: ConnectionState::Connecting,
                current,
                reason: None,
                retry_in: None,
                connection_id: None,
                client_id: None,
                resumed: false,
                max_inbound_rate: None,
                attempt: 0,
            })
        };
        directory.handle_event(&connection(ConnectionState::Failed));
        directory.handle_event(&list_failed(&failed));
        directory.step(None, Instant::now());
        assert_eq!(asked(&mut directory), [""; 0], "nothing can be attached now");
        directory.handle_event(&connection(ConnectionState::Connected));
        directory.step(None, Instant::now());
        assert_eq!(asked(&mut directory), ["attach Flags(PRESENCE_SUBSCRIBE)"]);
        assert_eq!(directory.trouble(), None);
    }

    #[test]
    fn where_words_were_dropped_the_channel_is_attached_anew() {
        let mut directory = watching();
        asked(&mut directory);
        show_as(&mut directory, PresenceAction::Enter, "ada", listed("fox", "Foxes", 1));
        directory.handle_event(&Event::Overflow { dropped: 3 });
        directory.step(None, Instant::now());
        assert_eq!(asked(&mut directory), ["release", "attach Flags(PRESENCE_SUBSCRIBE)"]);
        assert_eq!(titles(&directory), [], "until they come again");
    }

    #[test]
    fn a_word_that_was_not_taken_is_said_again_later() {
        let mut bus = Bus::with_players(&["ada"]);
        bus.session(0).set_listing(Some(Listing::titled("Den"))).unwrap();
        let mut directory = RoomDirectory::default();
        show(&mut directory, &mut bus, 0);
        asked(&mut directory);
        let error = ErrorInfo::new(rooms_protocol::ErrorCode::DISCONNECTED, 400, "no connection");
        let operation = OperationId::of(Asker::List, 1);
        directory.handle_event(&Event::Published { operation, outcome: Err(error) });
        bus.run(5 * SECOND);
        show(&mut directory, &mut bus, 0);
        assert_eq!(asked(&mut directory), [""; 0]);
        bus.run(11 * SECOND);
        show(&mut directory, &mut bus, 0);
        assert_eq!(asked(&mut directory), ["Update"]);
    }
}
