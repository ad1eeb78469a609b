//! What holds of a room at every step, and in the end.

use std::collections::BTreeSet;

use rooms_session::{PlayerId, Stamp, Term};

use super::World;
use crate::{
    plan::Order,
    player::{Player, Said, stream},
};

impl World {
    /// In a term of one founding the states of one claim are followed by all but who made it: a host that was cut off may
    /// take its own word for a moment, and nobody else does.
    pub(super) fn check_followed(&mut self, place: usize, stamp: &Stamp) -> Result<(), String> {
        let (player, reign) = (&self.players[place], &stamp.reign);
        if player.session.is_host() {
            self.claims.insert(reign.since.clone(), player.name.clone());
        }
        if self.claims.get(&reign.since) == Some(&player.name) {
            return Ok(());
        }
        let term = (reign.incarnation.clone(), reign.term);
        let (since, by) = self.followed.entry(term).or_insert_with(|| (reign.since.clone(), BTreeSet::new()));
        if *since != reign.since {
            // Those who knew of a host may all be gone.
            let lives = |place: &&usize| self.players[**place].process.alive && self.players[**place].closed.is_none();
            if let Some(other) = by.iter().find(lives) {
                let (name, other, term) = (&player.name, &self.players[*other].name, reign.term);
                return Err(format!("{name} follows the claim {:?} in {term:?}, and {other} {since:?}", reign.since));
            }
            (*since, *by) = (reign.since.clone(), BTreeSet::new());
        }
        by.insert(place);
        Ok(())
    }

    /// Whoever is told who hosts is told who led on the claim whose states it follows.
    pub(super) fn check_host(&mut self, place: usize, to: &PlayerId, term: Term) -> Result<(), String> {
        self.hosts.insert(to.clone());
        let player = &self.players[place];
        // A host that gives way to an older founding hears of that one's host before it has its state.
        let reign = player.session.stamp().map(|stamp| &stamp.reign);
        let reign = reign.filter(|reign| reign.term == term && self.incarnations.len() == 1);
        match reign.and_then(|reign| self.claims.get(&reign.since)) {
            Some(led) if led != to.as_str() => {
                Err(format!("{} obeys {to} in {term:?}, where {led} leads", player.name))
            }
            _ => Ok(()),
        }
    }

    /// Whether all who are in the room see the same room.
    pub(super) fn agreed(&self) -> Result<(), String> {
        let alive = || self.players.iter().filter(|player| player.process.alive);
        for player in alive() {
            if player.closed.is_none() && !player.is_joined() {
                return Err(format!("{}/{} is still arriving: {:?}", player.name, player.generation, player.session));
            }
        }
        let joined = || alive().filter(|player| player.is_joined());
        let shown = |player: &Player| {
            let session = &player.session;
            let roster: Vec<_> = session.roster().iter().cloned().collect();
            let shared: Vec<_> =
                session.shared_keys().map(|key| (key.to_owned(), session.shared(key).cloned())).collect();
            (session.stamp().cloned(), session.host().cloned(), roster, shared)
        };
        let Some(first) = joined().next() else { return Ok(()) };
        let expected = shown(first);
        for other in joined() {
            if shown(other) != expected {
                let room = |player: &Player| {
                    let (session, name) = (&player.session, (&player.name, player.generation));
                    format!("{name:?}: {:?} of {:?}, {:?}", session.stamp(), session.host(), session.stats())
                };
                return Err(format!("different rooms are seen: {}; {}", room(first), room(other)));
            }
        }
        let hosts: Vec<_> = joined().filter(|player| player.session.is_host()).map(|player| &player.name).collect();
        if hosts.len() != 1 {
            return Err(format!("the hosts are {hosts:?}"));
        }
        for player in joined() {
            let (counted, asked) = (player.counted(), player.sent.asked);
            if counted != asked && self.incarnations.len() == 1 {
                return Err(format!("{counted} of {}'s {asked} requests are counted", player.name));
            }
            if player.session.stats().unconfirmed > 0 {
                return Err(format!("{} still waits for its requests", player.name));
            }
        }
        Ok(())
    }

    /// Whoever missed nothing heard what everybody heard who missed nothing, and all that those said.
    pub(super) fn check_end(&self) -> Result<(), String> {
        if let Some(why) =
            self.players.iter().filter(|player| player.is_joined()).find_map(|one| one.heard.suspicion.clone())
        {
            return Err(why);
        }
        let whole = self.players.iter().filter(|player| player.is_joined() && player.heard.unbroken);
        // Not those who came later.
        let whole: Vec<_> = whole.filter(|player| player.generation == 1 && player.name.len() == 2).collect();
        for one in &whole {
            whole.iter().try_for_each(|other| self.check_heard_the_same(one, other))?;
            whole.iter().try_for_each(|sender| self.check_heard_all(one, sender))?;
        }
        Ok(())
    }

    fn check_heard_the_same(&self, one: &Player, other: &Player) -> Result<(), String> {
        // Without one order for all, what gives way to a newer host, or process of the player, may have reached some already.
        let gave_way = |name: &str, generation: u64| {
            self.hosts.iter().any(|host| host.as_str() == name)
                || self.players.iter().any(|player| player.name == name && player.generation > generation)
        };
        let both = |said: &&Said| match said.stream.as_str() {
            stream::ALL | stream::BEAT => true,
            stream::OTHERS => said.sender != one.name && said.sender != other.name,
            _ => false,
        };
        let of = |player: &Player| -> Vec<Said> { player.heard.said.iter().filter(both).cloned().collect() };
        let (heard, theirs) = (of(one), of(other));
        let sources: BTreeSet<_> = heard.iter().chain(&theirs).map(Said::source).collect();
        for source in sources.iter().filter(|source| self.plan.order == Order::Total || !gave_way(source.0, source.1)) {
            let numbers = |heard: &[Said]| -> Vec<u64> {
                heard.iter().filter(|said| said.source() == *source).map(|said| said.number).collect()
            };
            let (own, their) = (numbers(&heard), numbers(&theirs));
            if own != their {
                return Err(format!("of {source:?} {} heard {own:?}, and {} {their:?}", one.name, other.name));
            }
        }
        if self.plan.order == Order::Total && heard != theirs {
            return Err(format!("{} and {} heard the same in different order", one.name, other.name));
        }
        Ok(())
    }

    /// What a host says along with a state that gives way is not heard; everybody else is heard to the last word.
    fn check_heard_all(&self, player: &Player, sender: &Player) -> Result<(), String> {
        for (name, said) in &sender.sent.said {
            let for_player = match name.as_str() {
                stream::OTHERS => sender.name != player.name,
                stream::ALL | stream::BEAT => true,
                to => to == stream::to(&player.name),
            };
            if sender.led || sender.sent.failed || !for_player {
                continue;
            }
            let source = (sender.name.as_str(), sender.generation, name.as_str());
            let heard = player.heard.said.iter().filter(|said| said.source() == source).map(|said| said.number);
            if !heard.clone().eq(0..*said) {
                let heard: Vec<_> = heard.collect();
                return Err(format!("of {source:?}, who said {said}, {} heard {heard:?}", player.name));
            }
        }
        Ok(())
    }
}
