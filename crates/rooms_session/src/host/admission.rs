//! Admission: what the host makes of a hello.
//!
//! Decides who gets a seat, by the room's rules and by the game's answer. Seats are given in `seats.rs`.

use web_time::Instant;

use super::{players::HelloFrom, seats::Seating, state::HostState};
use crate::{
    config::Wish,
    context::Context,
    event::{Admission, Refusal, SessionEvent},
    id::{Generation, PlayerId},
    requests::NEXT_STEP,
    state::{
        roster::{Seat, SeatStatus},
        rules::{self, MAX_REASON, Newcomers},
    },
    timer::Timer,
    wire::{
        message::{Hello, Nonce, Origin, Refused, Wait},
        outbound::Lane,
    },
};

/// What the host makes of a hello.
#[derive(Debug, PartialEq)]
enum Judgement {
    /// The process has its seat already.
    Again(Seat),
    /// A new process of the player takes its seat over.
    TakeOver(Seat),
    /// A new player comes in.
    New {
        spectator: bool,
    },
    /// A new player comes in if the game agrees.
    Ask,
    /// A new player comes in later.
    Wait,
    Refused(Refusal),
}

impl HostState {
    /// Answers a hello. `answer` is the game's, if it was asked; `asks_game` tells whether to ask it.
    pub(crate) fn admit(
        &mut self,
        from: &Origin,
        hello: Hello,
        answer: Option<Admission>,
        asks_game: bool,
        now: Instant,
        cx: &mut Context,
    ) {
        if !self.is_active() {
            return;
        }
        match self.judge(from, &hello, answer, asks_game, cx) {
            Judgement::Refused(refusal) => refuse(from.player.clone(), &hello, refusal, cx),
            Judgement::Again(old) => {
                let seating = Seating { spectator: old.spectator, old: Some(old), new_process: false };
                self.admit_to(from, hello, seating, now, cx);
            }
            Judgement::TakeOver(old) => {
                let seating = Seating { spectator: old.spectator, old: Some(old), new_process: true };
                self.admit_to(from, hello, seating, now, cx);
            }
            // A player that vanished and comes back may send again what was applied.
            Judgement::New { spectator } => {
                let new_process = self.players.hello_from(&from.player, &hello.nonce) == HelloFrom::OtherProcess;
                self.admit_to(from, hello, Seating { old: None, new_process, spectator }, now, cx);
            }
            Judgement::Ask => {
                let (player, profile) = (from.player.clone(), hello.profile.clone());
                if self.newcomers.keep(from, hello, now) {
                    cx.feed.emit(SessionEvent::AdmissionAsked { player, profile });
                }
            }
            Judgement::Wait => send_wait(from.player.clone(), &hello, cx),
        }
    }

    fn admit_to(&mut self, from: &Origin, hello: Hello, seating: Seating, now: Instant, cx: &mut Context) {
        self.seat(from, hello, seating, now, cx);
        // With the next step: the game may have said just now that it admits the player, and then its turn in this frame is over.
        cx.timers.hasten(Timer::Requests, cx.last_step + NEXT_STEP);
    }

    fn judge(
        &self,
        from: &Origin,
        hello: &Hello,
        answer: Option<Admission>,
        asks_game: bool,
        cx: &Context,
    ) -> Judgement {
        if from.player == *cx.player() {
            return Judgement::Refused(Refusal::IdTaken);
        }
        if hello.fingerprint != cx.config.fingerprint {
            let (own, theirs) = (hello.fingerprint.clone(), cx.config.fingerprint.clone());
            return Judgement::Refused(Refusal::ProtocolMismatch { own, theirs });
        }
        if hello.wish == Wish::Host {
            let (host, name) = (cx.player().clone(), cx.config.profile.name.clone());
            return Judgement::Refused(Refusal::HostExists { host, name });
        }
        let Some(seat) = self.document().roster.get(&from.player) else {
            return self.judge_newcomer(from, hello, answer, asks_game);
        };
        if hello.generation < seat.generation {
            return Judgement::Refused(Refusal::Superseded);
        }
        if hello.generation > seat.generation {
            return Judgement::TakeOver(seat.clone());
        }
        match self.players.hello_from(&from.player, &hello.nonce) {
            HelloFrom::OtherProcess => {
                let is_alive = seat.connection != from.connection
                    && seat.status == SeatStatus::Present
                    && cx.facts.shows_connection(&seat.connection, &from.player);
                if is_alive { Judgement::Refused(Refusal::IdTaken) } else { Judgement::TakeOver(seat.clone()) }
            }
            HelloFrom::SameProcess | HelloFrom::Unknown => Judgement::Again(seat.clone()),
        }
    }

    /// What the room's rules, and the game if it was asked, make of a new player.
    fn judge_newcomer(&self, from: &Origin, hello: &Hello, answer: Option<Admission>, asks_game: bool) -> Judgement {
        let (rules, seats) = (&self.document().rules, self.document().roster.len());
        if let Some(refusal) = rules.refusal(&from.player, hello.generation, seats) {
            return Judgement::Refused(refusal);
        }
        match (rules.newcomers, answer) {
            (Newcomers::Wait, _) | (_, Some(Admission::Wait)) => Judgement::Wait,
            (_, Some(Admission::Refuse(mut why))) => {
                rules::cut(&mut why, MAX_REASON);
                Judgement::Refused(Refusal::NotAdmitted { why })
            }
            (_, None) if asks_game => Judgement::Ask,
            (newcomers, answer) => {
                Judgement::New { spectator: newcomers == Newcomers::Spectate || answer == Some(Admission::Spectate) }
            }
        }
    }

    /// Tells a process to stop that goes on in a seat which a newer one has. It may have missed that, as one that was
    /// frozen, and even lead players who are gone. Nobody else receives this message.
    pub(crate) fn send_superseded(&mut self, from: &Origin, process: Generation, now: Instant, cx: &mut Context) {
        if !self.is_active() || !self.players.take_superseded_turn(now) {
            return;
        }
        let (generation, refusal) = (cx.config.generation, Refusal::Superseded);
        let refused = Refused { generation, nonce: Nonce::default(), process: Some(process), refusal };
        cx.outbound.send_urgent(Lane::Inbox(from.player.clone()), refused.into());
    }
}

fn refuse(player: PlayerId, hello: &Hello, refusal: Refusal, cx: &mut Context) {
    // A flood of hellos must not crowd out the game. Who is refused for good asks again.
    if cx.outbound.has_capacity() {
        let generation = cx.config.generation;
        let refused = Refused { generation, nonce: hello.nonce.clone(), process: None, refusal };
        cx.outbound.send(Lane::Inbox(player), refused.into());
    }
}

fn send_wait(player: PlayerId, hello: &Hello, cx: &mut Context) {
    if cx.outbound.has_capacity() {
        let wait = Wait { generation: cx.config.generation, nonce: hello.nonce.clone() };
        cx.outbound.send(Lane::Inbox(player), wait.into());
    }
}
