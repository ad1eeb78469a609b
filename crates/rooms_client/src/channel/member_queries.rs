//! Questions who is on a channel, and waiting until that is known (`RTP11`).

use super::members::MemberMap;
use crate::{
    command::{MemberQuery, OperationId},
    effects::Effects,
    event::Event,
};
use rooms_protocol::{ErrorInfo, PresenceMessage};

/// The questions about one channel that wait for an answer.
#[derive(Debug, Default)]
pub(super) struct MemberQueries(Vec<Pending>);

/// A question that waits for its channel to be attached, or for the members to be known.
#[derive(Debug)]
struct Pending {
    operation: OperationId,
    query: MemberQuery,
}

impl MemberQuery {
    fn matches(&self, message: &PresenceMessage) -> bool {
        (self.client_id.is_none() || self.client_id == message.client_id)
            && (self.connection_id.is_none() || self.connection_id == message.connection_id)
    }

    /// Answers from what is known now.
    pub(super) fn answer(&self, operation: OperationId, members: &MemberMap, effects: &mut Effects) {
        let members = members.iter().filter(|message| self.matches(message)).cloned().collect();
        effects.emit(Event::Members { operation, outcome: Ok(members) });
    }
}

impl MemberQueries {
    /// Keeps a question until it can be answered.
    pub(super) fn push(&mut self, operation: OperationId, query: MemberQuery) {
        self.0.push(Pending { operation, query });
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Answers those that can be answered now that the channel is attached: all where the members are `synced`. Gives how
    /// many it answered.
    pub(super) fn answer_ready(&mut self, members: &MemberMap, synced: bool, effects: &mut Effects) -> usize {
        let ready: Vec<Pending> = self.0.extract_if(.., |pending| synced || !pending.query.wait_for_sync).collect();
        for Pending { operation, query } in &ready {
            query.answer(*operation, members, effects);
        }
        ready.len()
    }

    /// The channel will not be attached, so nobody knows its members.
    pub(super) fn fail(self, reason: &ErrorInfo, effects: &mut Effects) {
        for Pending { operation, .. } in self.0 {
            effects.emit(Event::Members { operation, outcome: Err(reason.clone()) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rooms_protocol::{ErrorCode, PresenceAction};

    fn members() -> MemberMap {
        let mut members = MemberMap::default();
        let enter = |name: &str| PresenceMessage {
            id: Some(format!("{name}:0:0")),
            action: PresenceAction::Enter,
            client_id: Some(name.into()),
            connection_id: Some(name.into()),
            ..PresenceMessage::default()
        };
        members.apply(vec![enter("ada"), enter("bob")]);
        members
    }

    fn answers(effects: &mut Effects) -> Vec<(u64, Option<usize>)> {
        let event = |event| match event {
            Event::Members { operation, outcome } => Some((operation.0, outcome.ok().map(|members| members.len()))),
            _ => None,
        };
        std::iter::from_fn(|| effects.poll_event()).filter_map(event).collect()
    }

    #[test]
    fn a_question_that_does_not_wait_for_the_sync_is_answered_first() {
        let (mut queries, mut effects) = (MemberQueries::default(), Effects::default());
        queries.push(OperationId(1), MemberQuery::default());
        queries.push(OperationId(2), MemberQuery { wait_for_sync: false, ..MemberQuery::default() });
        assert_eq!(queries.answer_ready(&members(), false, &mut effects), 1);
        assert_eq!(answers(&mut effects), [(2, Some(2))]);
        assert_eq!((queries.answer_ready(&members(), true, &mut effects), queries.len()), (1, 0));
    }

    #[test]
    fn a_question_names_members_and_fails_with_its_channel() {
        let (mut queries, mut effects) = (MemberQueries::default(), Effects::default());
        let query = MemberQuery { client_id: Some("bob".into()), ..MemberQuery::default() };
        query.answer(OperationId(1), &members(), &mut effects);
        queries.push(OperationId(2), query);
        queries.fail(&ErrorInfo::new(ErrorCode::INVALID_CHANNEL_STATE, 400, "x"), &mut effects);
        assert_eq!(answers(&mut effects), [(1, Some(1)), (2, None)]);
    }
}
