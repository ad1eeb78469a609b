//! Clients and the relay's hub on a simulated network with faults: what each promises holds between them.

use std::{collections::BTreeMap, num::NonZeroUsize, time::Duration};

use rooms_client::{
    ChannelOptions, ChannelState, ClientOptions, Command, ConnectionState, Event, HistoryOf, HistoryPage, HistoryQuery,
    Lifetime, MemberQuery, OperationId, PresenceCommand,
};
use rooms_protocol::{ChannelName, Message};
use rooms_sim::{ClientIndex, Fault, FaultKind, FaultPlan, LinkConditions, SimNet};

const SECOND: Duration = Duration::from_secs(1);

fn channel() -> ChannelName {
    "arena".into()
}

fn attach() -> Command {
    Command::Attach { channel: channel(), options: ChannelOptions::default() }
}

fn publish(operation: u64, text: String) -> Command {
    let messages = vec![Message::new("m", text)];
    Command::Publish { operation: OperationId(operation), channel: channel(), messages, lifetime: Lifetime::Connection }
}

fn enter(operation: u64) -> Command {
    let (operation, action) = (OperationId(operation), PresenceCommand::Enter);
    Command::Presence { operation, channel: channel(), action, data: Some("here".into()) }
}

fn at_rest(net: &SimNet, client: ClientIndex) -> bool {
    let client = net.client(client);
    let stats = client.stats();
    client.state() == ConnectionState::Connected
        && client.channel_state(&channel()) == ChannelState::Attached
        && stats.pending + stats.queued == 0
}

fn all_at_rest(net: &SimNet) -> bool {
    net.clients().all(|client| at_rest(net, client))
}

fn members(net: &SimNet, client: ClientIndex) -> Vec<(String, String)> {
    let name = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let member = net.client(client).members(&channel()).map(|word| {
        (name(word.client_id.as_ref().map(|id| id.as_str())), name(word.connection_id.as_ref().map(|id| id.as_str())))
    });
    member.collect()
}

/// What one client heard and how its own publishes ended.
#[derive(Default)]
struct Log {
    /// The messages, in stretches without a gap: a new one begins where the client was told that it missed some.
    stretches: Vec<Vec<String>>,
    outcomes: BTreeMap<u64, Vec<bool>>,
}

impl Log {
    fn take(&mut self, events: Vec<Event>) {
        for event in events {
            match event {
                Event::Channel(change) if change.current == ChannelState::Attached && !change.resumed => {
                    self.stretches.push(Vec::new());
                }
                Event::Messages { messages, .. } => {
                    let texts = messages.into_iter().filter_map(|message| Some(message.data?.as_text()?.to_owned()));
                    let Some(stretch) = self.stretches.last_mut() else { panic!("heard something before it attached") };
                    stretch.extend(texts);
                }
                Event::Published { operation, outcome } => {
                    self.outcomes.entry(operation.0).or_default().push(outcome.is_ok());
                }
                _ => {}
            }
        }
    }
}

/// Four clients that publish, enter and hear each other for a minute, while things go wrong; then the faults end, and
/// all come to rest.
fn play(seed: u64, plan: FaultPlan) -> (SimNet, BTreeMap<ClientIndex, Log>) {
    let mut net = SimNet::new(seed);
    let mut logs = BTreeMap::new();
    for name in ["ada", "bob", "eve", "kim"] {
        let client = net.add_client(SimNet::options(name));
        logs.insert(client, Log::default());
        // In three of four runs the sockets are small, so that frames wait for capacity.
        if let Some(socket_capacity) = NonZeroUsize::new(seed as usize % 4) {
            net.set_link(client, LinkConditions { socket_capacity, ..LinkConditions::default() });
        }
        net.command(client, Command::Connect);
        net.command(client, attach());
        net.command(client, enter(1_000_000));
    }
    assert!(net.run_until(all_at_rest, 5 * SECOND), "seed {seed}: all arrive");
    net.set_faults(Some(plan));
    let mut operation = 0;
    for _ in 0..60 {
        for client in net.clients() {
            operation += 1;
            net.command(client, publish(operation, operation.to_string()));
            // Uneven, so that publishes meet every phase of a fault.
            net.run_for(Duration::from_millis(37 * (operation % 13)));
        }
        for (client, log) in &mut logs {
            log.take(net.take_events(*client));
        }
    }
    net.set_faults(None);
    // A last fresh line each: whatever was cut short on the old ones is said again.
    net.run_for(60 * SECOND);
    for client in net.clients() {
        net.cut(client);
    }
    assert!(net.run_until(all_at_rest, 120 * SECOND), "seed {seed}: all come to rest");
    net.run_for(30 * SECOND);
    for (client, log) in &mut logs {
        log.take(net.take_events(*client));
    }
    (net, logs)
}

/// Where `part` stands in `whole`, if it stands there without a gap.
fn find(whole: &[String], part: &[String]) -> Option<usize> {
    part.is_empty().then_some(0).or_else(|| whole.windows(part.len()).position(|window| window == part))
}

#[test]
fn while_continuity_is_kept_nothing_is_lost_doubled_or_reordered() {
    let mut unbroken = 0;
    for seed in 0..150 {
        let (_, logs) = play(seed, FaultPlan::lines(3 * SECOND));
        // The relay gives one order to all, so whoever never missed anything has the whole of it.
        let whole =
            logs.values().filter(|log| log.stretches.len() == 1).map(|log| &log.stretches[0]).max_by_key(|s| s.len());
        let Some(whole) = whole else { continue };
        for log in logs.values() {
            let mut end = 0;
            for stretch in &log.stretches {
                let at = find(&whole[end..], stretch);
                let at = at.unwrap_or_else(|| panic!("seed {seed}: {stretch:?} is not in order in {whole:?}"));
                end += at + stretch.len();
            }
            unbroken += usize::from(log.stretches.len() == 1);
            if log.stretches.len() == 1 {
                assert_eq!(&log.stretches[0], whole, "seed {seed}");
            }
        }
        let mut sorted = whole.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), whole.len(), "seed {seed}: nothing is published twice");
        for log in logs.values() {
            for (operation, outcomes) in &log.outcomes {
                let delivered = whole.contains(&operation.to_string());
                assert!(
                    *operation >= 1_000_000 || !outcomes[0] || delivered,
                    "seed {seed}: {operation} was acknowledged"
                );
            }
        }
    }
    assert!(unbroken > 300, "most clients keep continuity, or this proves little: {unbroken}");
}

#[test]
fn every_operation_ends_exactly_once() {
    let kinds = [FaultKind::LINES.as_slice(), &[FaultKind::RestartRelay]].concat();
    for seed in 0..75 {
        let plan = FaultPlan { every: 2 * SECOND, kinds: kinds.clone() };
        let (_, logs) = play(seed, plan);
        let outcomes = logs.values().flat_map(|log| &log.outcomes);
        let mut count = 0;
        for (operation, outcomes) in outcomes.filter(|(operation, _)| **operation < 1_000_000) {
            assert_eq!(outcomes.len(), 1, "seed {seed}: operation {operation} ended {outcomes:?}");
            count += 1;
        }
        assert_eq!(count, 240, "seed {seed}");
    }
}

#[test]
fn all_agree_on_who_is_there_in_the_end() {
    let kinds = [FaultKind::LINES.as_slice(), &[FaultKind::RestartRelay]].concat();
    for seed in 0..75 {
        let plan = FaultPlan { every: 2 * SECOND, kinds: kinds.clone() };
        let (net, _) = play(seed, plan);
        let mut expected: Vec<_> = net
            .clients()
            .map(|client| {
                let client = net.client(client);
                let text = |text: &str| text.to_owned();
                (
                    client.client_id().map(|id| text(id.as_str())).unwrap_or_default(),
                    client.connection_id().map(|id| text(id.as_str())).unwrap_or_default(),
                )
            })
            .collect();
        expected.sort();
        for client in net.clients() {
            let mut seen = members(&net, client);
            seen.sort();
            assert_eq!(seen, expected, "seed {seed}: as {client:?} sees it");
        }
    }
}

#[test]
fn a_line_may_break_after_any_number_of_frames() {
    for frames in 0..12 {
        let mut net = SimNet::new(frames.into());
        let ada = net.add_client(SimNet::options("ada"));
        net.command(ada, Command::Connect);
        net.inflict(ada, Fault::CutAfter(frames));
        net.command(ada, attach());
        net.command(ada, enter(1));
        net.command(ada, publish(2, "x".to_owned()));
        assert!(net.run_until(all_at_rest, 60 * SECOND), "after {frames} frames: {:?}", net.client(ada).stats());
        assert_eq!(members(&net, ada).len(), 1, "after {frames} frames");
    }
}

#[test]
fn equal_seeds_make_equal_runs() {
    let run = || {
        let (net, logs) = play(11, FaultPlan::lines(SECOND));
        (net.elapsed(), logs.into_values().map(|log| log.stretches).collect::<Vec<_>>())
    };
    assert_eq!(run(), run());
}

#[test]
fn a_relay_that_forgot_everything_is_found_again_and_said_to_have_forgotten() {
    let mut net = SimNet::new(3);
    let ada = net.add_client(SimNet::options("ada"));
    net.command(ada, Command::Connect);
    net.command(ada, attach());
    net.command(ada, enter(1));
    assert!(net.run_until(all_at_rest, SECOND));
    let first = net.client(ada).connection_id().cloned();
    net.take_events(ada);
    net.restart_relay(3 * SECOND);
    net.run_for(SECOND);
    assert!(net.run_until(all_at_rest, 60 * SECOND));
    assert_ne!(net.client(ada).connection_id().cloned(), first);
    let told = net.take_events(ada).into_iter().any(
        |event| matches!(event, Event::Channel(change) if change.current == ChannelState::Attached && !change.resumed),
    );
    assert!(told, "messages may be missing, and the channel says so");
    assert_eq!(members(&net, ada).len(), 1, "and presence is entered again");
}

#[test]
fn a_client_that_is_gone_is_missed_by_the_others_and_forgotten_by_the_relay() {
    let mut net = SimNet::new(5);
    let [ada, bob] = ["ada", "bob"].map(|name| net.add_client(SimNet::options(name)));
    for client in [ada, bob] {
        net.command(client, Command::Connect);
        net.command(client, attach());
        net.command(client, enter(1));
    }
    assert!(net.run_until(|net| all_at_rest(net) && members(net, ada).len() == 2, SECOND));
    net.inflict(bob, Fault::Refuse(1000 * SECOND));
    assert!(net.run_until(|net| members(net, ada).len() == 1, 20 * SECOND), "presence outlasts its line by 15 s");
    net.run_for(200 * SECOND);
    assert_eq!(net.client(bob).state(), ConnectionState::Suspended);
    assert_eq!(net.relay_stats().connections, 1);
}

/// Two clients, of which the first has a socket that holds two frames, and the channel attached.
fn with_a_small_socket() -> (SimNet, [ClientIndex; 2]) {
    let mut net = SimNet::new(4);
    let [ada, bob] = ["ada", "bob"].map(|name| net.add_client(SimNet::options(name)));
    let (latency, jitter) = (Duration::from_millis(100), Duration::ZERO);
    let socket_capacity = NonZeroUsize::MIN.saturating_add(1);
    net.set_link(ada, LinkConditions { latency, jitter, socket_capacity, ..LinkConditions::default() });
    for client in [ada, bob] {
        net.command(client, Command::Connect);
        net.command(client, attach());
    }
    assert!(net.run_until(all_at_rest, 5 * SECOND));
    net.take_events(bob);
    (net, [ada, bob])
}

fn heard(net: &mut SimNet, client: ClientIndex) -> Vec<String> {
    let mut log = Log { stretches: vec![Vec::new()], ..Log::default() };
    log.take(net.take_events(client));
    log.stretches.concat()
}

#[test]
fn a_full_socket_takes_more_frames_as_earlier_ones_arrive() {
    let (mut net, [ada, bob]) = with_a_small_socket();
    for number in 0..6 {
        net.command(ada, publish(number, number.to_string()));
    }
    assert!(net.has_waiting_frames(ada));
    // By now two have arrived, and two more are on their way.
    net.run_for(Duration::from_millis(150));
    assert_eq!(heard(&mut net, bob), ["0", "1"]);
    assert!(net.has_waiting_frames(ada));
    assert!(net.run_until(all_at_rest, SECOND));
    assert_eq!(heard(&mut net, bob), ["2", "3", "4", "5"]);
    assert!(!net.has_waiting_frames(ada));
}

#[test]
fn frames_that_waited_for_a_socket_that_broke_go_out_once_over_the_next() {
    let (mut net, [ada, bob]) = with_a_small_socket();
    net.isolate(ada);
    for number in 0..6 {
        net.command(ada, publish(number, number.to_string()));
    }
    net.run_for(SECOND);
    assert!(net.has_waiting_frames(ada), "nothing arrives, so the socket stays full");
    net.reconnect(ada);
    net.cut(ada);
    assert!(net.run_until(all_at_rest, 20 * SECOND));
    net.run_for(SECOND);
    assert_eq!(heard(&mut net, bob), ["0", "1", "2", "3", "4", "5"]);
}

#[test]
fn a_process_that_goes_on_hands_what_waited_to_its_socket() {
    let (mut net, [ada, bob]) = with_a_small_socket();
    for number in 0..6 {
        net.command(ada, publish(number, number.to_string()));
    }
    net.freeze(ada);
    net.run_for(2 * SECOND);
    assert_eq!(heard(&mut net, bob), ["0", "1"], "a frozen process writes nothing");
    net.thaw(ada);
    assert!(net.run_until(all_at_rest, 20 * SECOND));
    assert_eq!(heard(&mut net, bob), ["2", "3", "4", "5"]);
}

#[test]
fn closing_leaves_nothing_behind_anywhere() {
    let mut net = SimNet::new(9);
    let ada = net.add_client(SimNet::options("ada"));
    net.command(ada, Command::Connect);
    net.command(ada, attach());
    assert!(net.run_until(all_at_rest, SECOND));
    net.command(ada, Command::Close);
    net.run_for(300 * SECOND);
    assert_eq!(net.client(ada).state(), ConnectionState::Closed);
    let stats = net.relay_stats();
    assert_eq!((stats.links, stats.connections, stats.channels, stats.messages), (0, 0, 0, 0));
    assert!(!net.step(), "and nothing is going to happen");
}

fn texts(messages: Vec<Message>) -> Vec<String> {
    messages.into_iter().filter_map(|message| Some(message.data?.as_text()?.to_owned())).collect()
}

/// The page that a command is answered with, and what was heard in the meantime.
fn turn_page(net: &mut SimNet, client: ClientIndex, command: Command) -> (HistoryPage, Vec<Event>) {
    net.command(client, command);
    let mut events = net.take_events(client);
    let Some(answer) = events.iter().position(|event| matches!(event, Event::History { .. })) else {
        panic!("nobody answered");
    };
    match events.remove(answer) {
        Event::History { outcome: Ok(page), .. } => (page, events),
        other => panic!("{other:?} is no page"),
    }
}

#[test]
fn a_history_until_attach_and_what_is_heard_since_make_the_whole_stream() {
    let mut net = SimNet::new(1);
    let [ada, bob] = ["ada", "bob"].map(|name| net.add_client(SimNet::options(name)));
    for client in [ada, bob] {
        net.command(client, Command::Connect);
    }
    net.run_for(SECOND);
    for number in 0..5 {
        net.command(ada, publish(number, number.to_string()));
    }
    net.run_for(SECOND);
    net.command(bob, attach());
    net.run_for(SECOND);
    for number in 5..8 {
        net.command(ada, publish(number, number.to_string()));
    }
    net.run_for(SECOND);
    let query = HistoryQuery { limit: Some(2), until_attach: true, ..HistoryQuery::default() };
    let (operation, of) = (OperationId(1), HistoryOf::Messages);
    let mut command = Command::History { operation, channel: channel(), of, query };
    let (mut earlier, mut heard, mut pages) = (Vec::new(), Vec::new(), 0);
    loop {
        let (page, events) = turn_page(&mut net, bob, command);
        pages += 1;
        earlier.extend(texts(page.messages));
        heard.extend(events);
        let Some(page) = page.next else { break };
        command = Command::NextPage { operation, page };
    }
    earlier.reverse();
    let live = heard.into_iter().filter_map(|event| match event {
        Event::Messages { messages, .. } => Some(texts(messages)),
        _ => None,
    });
    earlier.extend(live.flatten());
    assert_eq!(earlier, ["0", "1", "2", "3", "4", "5", "6", "7"]);
    assert!(pages >= 3, "five messages, two at a time");
}

#[test]
fn what_is_published_over_http_is_heard_and_members_can_be_asked_for() {
    let mut net = SimNet::new(2);
    let [ada, bob] = ["ada", "bob"].map(|name| net.add_client(SimNet::options(name)));
    net.command(ada, Command::Connect);
    net.command(ada, enter(1));
    net.run_for(SECOND);
    // Without a connection of its own.
    let messages = vec![Message::new("m", "hello")];
    net.command(bob, Command::PublishByHttp { operation: OperationId(2), channel: channel(), messages });
    net.command(bob, Command::Time { operation: OperationId(3) });
    net.run_for(SECOND);
    let events = net.take_events(bob);
    assert!(
        matches!(&events[0], Event::Published { operation: OperationId(2), outcome: Ok(serials) } if serials.len() == 1)
    );
    assert!(matches!(&events[1], Event::Time { outcome: Ok(_), .. }));
    let heard = net.take_events(ada).into_iter().find_map(|event| match event {
        Event::Messages { messages, .. } => Some(texts(messages)),
        _ => None,
    });
    assert_eq!(heard, Some(vec!["hello".to_owned()]));
    net.command(bob, Command::Connect);
    let query = MemberQuery::default();
    net.command(bob, Command::Members { operation: OperationId(4), channel: channel(), query });
    net.run_for(SECOND);
    let answer = net.take_events(bob).into_iter().find_map(|event| match event {
        Event::Members { outcome, .. } => Some(outcome.expect("the members")),
        _ => None,
    });
    let names: Vec<_> = answer.expect("an answer").into_iter().filter_map(|word| word.client_id).collect();
    assert_eq!(names, ["ada".into()]);
}

#[test]
fn a_client_that_signs_token_requests_gets_a_token_of_the_relay() {
    for query_time in [false, true] {
        let mut net = SimNet::new(11);
        let options = ClientOptions { use_token_auth: true, query_time, ..SimNet::options("ada") };
        let ada = net.add_client(options);
        net.command(ada, Command::Connect);
        assert!(net.run_until(|net| net.client(ada).state() == ConnectionState::Connected, 5 * SECOND));
        let authorization = net.client(ada).http_authorization().unwrap();
        assert!(authorization.starts_with("Bearer "), "it shows a token, not its key");
        net.command(ada, Command::Authorize { operation: OperationId(1) });
        net.run_for(SECOND);
        let is_outcome = |event: &Event| matches!(event, Event::Authorized { outcome: Ok(()), .. });
        assert!(net.take_events(ada).iter().any(is_outcome), "the relay takes a new token on the standing line");
    }
}
