//! What a host does that did not deal the round.

use bevy::ecs::system::RunSystemOnce;

use super::*;
use crate::{card::Number, rules::Game};

const ROUND: u32 = 1;

fn player(id: &str) -> PlayerId {
    PlayerId::new(id).unwrap()
}

/// A new host in the middle of a round that it plays with Ada and Ben, and the strips of the two.
fn taken_over() -> (World, Held, Held) {
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let [ada, ben] = [0; 2].map(|_| Held::new(deal(1, &mut random).remove(0), &mut random));
    let mut game = Game::default();
    game.start(["host", "ada", "ben"].map(rules::PlayerId::from)).unwrap();
    let mut seals = Seals::of_round(ROUND);
    seals.add(&"ada".into(), &ada);
    seals.add(&"ben".into(), &ben);

    let mut app = App::new();
    app.add_plugins((MinimalPlugins, RoomsPlugin::default(), BingoPlugin::default()));
    app.insert_resource(Table(game)).insert_resource(seals);
    let mut world = std::mem::take(app.world_mut());
    let mut desk = world.resource_mut::<Desk>();
    (desk.round, desk.since_call) = (7, Duration::from_secs(90));
    desk.hands.insert(player("cy"), Dealt { held: ben.clone(), marks: Marks::default(), since_shout: None });
    world.run_system_once(take_over).unwrap();
    (world, ada, ben)
}

/// The numbers of a row of a strip.
fn row(held: &Held, row: usize) -> Vec<Number> {
    held.strip.tickets()[0].rows()[row].iter().flatten().copied().collect()
}

fn shout(world: &mut World, sender: &str, held: &Held, numbers: &[Number]) {
    let message = Shout { round: ROUND, held: held.clone(), marks: numbers.iter().copied().collect() };
    world.write_message(FromRoom { sender: player(sender), message });
    world.run_system_once(hear_shouts).unwrap();
}

fn call_all(world: &mut World, numbers: &[Number]) {
    let mut table = world.resource_mut::<Table>();
    numbers.iter().for_each(|number| table.call(*number).unwrap());
}

fn sent<M: Clone + Send + Sync + 'static>(world: &mut World) -> Vec<ToRoom<M>> {
    world.resource_mut::<Messages<ToRoom<M>>>().drain().collect()
}

#[test]
fn what_was_dealt_in_another_round_is_forgotten_and_the_next_call_takes_a_whole_interval() {
    let (world, ..) = taken_over();
    let desk = world.resource::<Desk>();
    assert_eq!((desk.round, desk.hands.len(), desk.since_call), (ROUND, 0, Duration::ZERO));
}

#[test]
fn a_shout_wins_with_a_strip_that_the_new_host_sees_for_the_first_time() {
    let (mut world, ada, _) = taken_over();
    let numbers = row(&ada, 0);
    call_all(&mut world, &numbers);
    shout(&mut world, "ada", &ada, &numbers);
    let winners: Vec<_> =
        world.resource::<Table>().prizes().iter().map(|(prize, by)| (*prize, by.id.to_string())).collect();
    assert_eq!(winners, [(Prize::OneLine, "ada".to_owned())]);
    assert_eq!(sent::<Shouted>(&mut world).len(), 1, "everyone hears it");
}

#[test]
fn nobody_wins_with_another_strip_than_the_one_that_was_dealt() {
    let (mut world, _, ben) = taken_over();
    let numbers = row(&ben, 0);
    call_all(&mut world, &numbers);
    shout(&mut world, "ada", &ben, &numbers);
    assert!(world.resource::<Table>().prizes().is_empty());
    assert_eq!(sent::<NoPrize>(&mut world)[0].message.0, ClaimError::NotPlaying);
}

#[test]
fn who_comes_back_has_the_strip_and_marks_that_it_showed_the_new_host() {
    let (mut world, ada, _) = taken_over();
    let marks: Marks = row(&ada, 1).into_iter().collect();
    world.write_message(FromRoom { sender: player("ada"), message: Shown { round: ROUND, held: ada.clone(), marks } });
    world.run_system_once(keep_strips).unwrap();
    let entity = world.spawn_empty().id();
    world.write_message(PlayerReturned { player: player("ada"), entity });
    world.write_message(PlayerReturned { player: player("ben"), entity });
    world.run_system_once(deal_again).unwrap();
    let deals = sent::<Deal>(&mut world);
    let [deal] = &deals[..] else { panic!("one strip is known: {deals:?}") };
    assert_eq!((&deal.message.held, deal.message.marks), (&ada, marks));
}

#[test]
fn a_host_that_stood_still_or_is_cut_off_waits_before_it_calls_on() {
    let (mut world, ..) = taken_over();
    let pass = |world: &mut World, time: Duration| {
        world.resource_mut::<Time<Real>>().advance_by(time);
        world.run_system_once(pass_time).unwrap();
        world.resource::<Desk>().since_call
    };
    let frame = Duration::from_millis(16);
    assert_eq!((pass(&mut world, frame), pass(&mut world, frame)), (frame, 2 * frame));
    assert_eq!(pass(&mut world, Duration::from_secs(20)), Duration::ZERO, "somebody else may lead by now");
    pass(&mut world, frame);
    world.resource_mut::<Room>().interrupted = true;
    assert_eq!(pass(&mut world, frame), Duration::ZERO);
    assert!(!world.run_system_once(line_stands).unwrap());
}
