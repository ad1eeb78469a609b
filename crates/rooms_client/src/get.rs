//! Asking who is on a channel, and waiting until that is known (`RTP11`).

use web_time::Instant;

use super::{
    Client,
    attach::unusable_channel,
    event::{ChannelState, Event, MemberQuery, OperationId},
};
use rooms_protocol::{ChannelName, ErrorCode, ErrorInfo, Flags, PresenceMessage};

/// A question that waits for its channel to be attached, or for the members to be known.
#[derive(Debug)]
pub(super) struct Get {
    operation: OperationId,
    query: MemberQuery,
}

impl MemberQuery {
    fn matches(&self, word: &PresenceMessage) -> bool {
        (self.client_id.is_none() || self.client_id == word.client_id)
            && (self.connection_id.is_none() || self.connection_id == word.connection_id)
    }
}

impl Client {
    pub(super) fn members_wanted(
        &mut self,
        operation: OperationId,
        name: ChannelName,
        query: MemberQuery,
        now: Instant,
    ) {
        if let Err(error) = self.check_get(&name, &query) {
            return self.emit(Event::Members { operation, outcome: Err(error) });
        }
        match self.channel_state(&name) {
            ChannelState::Suspended => self.answer(&name, Get { operation, query }),
            state => {
                let channel = self.channels.entry(name.clone()).or_default();
                channel.gets.push(Get { operation, query });
                let options = channel.options.clone();
                if matches!(state, ChannelState::Initialized | ChannelState::Detached | ChannelState::Detaching) {
                    self.attach(name.clone(), options, now);
                }
                self.answer_gets(&name);
            }
        }
    }

    fn check_get(&self, name: &ChannelName, query: &MemberQuery) -> Result<(), ErrorInfo> {
        match self.channel_state(name) {
            ChannelState::Suspended if query.wait_for_sync => {
                let text = "the channel is suspended, so its members are out of sync; ask without waiting for the sync";
                return Err(ErrorInfo::new(ErrorCode::PRESENCE_OUT_OF_SYNC, 400, text));
            }
            ChannelState::Failed => return Err(unusable_channel(ChannelState::Failed)),
            _ => {}
        }
        let waiting: usize = self.channels.values().map(|channel| channel.gets.len()).sum();
        let limit = self.options.outbox_limit;
        if waiting >= limit {
            let text = format!("{limit} questions for members already wait for an answer; ask less often");
            return Err(ErrorInfo::new(ErrorCode::CONNECTION_RATE_EXCEEDED, 429, text));
        }
        Ok(())
    }

    /// Answers what can be answered by now: the channel is attached, or its members are known.
    pub(super) fn answer_gets(&mut self, name: &ChannelName) {
        let synced = self.members_synced(name);
        let Some(channel) = self.channels.get_mut(name).filter(|channel| channel.state == ChannelState::Attached)
        else {
            return;
        };
        let ready = |get: &mut Get| synced || !get.query.wait_for_sync;
        let gets: Vec<Get> = channel.gets.extract_if(.., ready).collect();
        if !gets.is_empty() && !channel.modes.contains(Flags::PRESENCE_SUBSCRIBE) {
            // The answer may lack members (`RTP11f2`).
            log::error!("{name}: attached without the mode presence_subscribe, so its members are not told");
        }
        for get in gets {
            self.answer(name, get);
        }
    }

    fn answer(&mut self, name: &ChannelName, get: Get) {
        let members = self.members(name).filter(|word| get.query.matches(word)).cloned().collect();
        self.emit(Event::Members { operation: get.operation, outcome: Ok(members) });
    }

    /// The channel will not be attached: nobody knows its members.
    pub(super) fn end_gets(&mut self, gets: Vec<Get>, reason: &ErrorInfo) {
        for get in gets {
            self.emit(Event::Members { operation: get.operation, outcome: Err(reason.clone()) });
        }
    }
}
