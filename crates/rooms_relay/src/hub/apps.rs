//! Applications that test suites make and delete, where the hub is told to let them.

use serde_json::Value;
use web_time::Instant;

use crate::{
    AppId, Credentials,
    auth::{apps::Fixture, authenticate},
    error::not_permitted,
    hub::{
        Hub,
        channel::{attach_request::Address, key::ChannelKey},
        connection::state::random_id,
        publishing::normalize,
        timer::Timer,
    },
};
use rooms_protocol::{ErrorCode, ErrorInfo, Frame, PresenceAction};

impl Hub {
    /// Makes an application with keys, from the description that the SDKs' suites post. The answer lacks where the relay
    /// is to be reached.
    ///
    /// # Errors
    /// 40400 where the hub is no sandbox, 40000 for a description that makes no sense, 40113 where there are too many.
    pub fn create_app(&mut self, body: &Value, now: Instant) -> Result<Value, ErrorInfo> {
        self.check_sandbox()?;
        let (app, answer, fixtures) = self.apps.create(body, &mut self.random)?;
        if let Err(error) = self.put_fixtures(&app, fixtures, now) {
            self.remove_app(&app, now);
            return Err(error);
        }
        Ok(answer)
    }

    /// Deletes an application that a suite made, with its connections and channels.
    ///
    /// # Errors
    /// 40400 where the hub is no sandbox or has no such application, 40101 and 40160 without a key of it.
    pub fn delete_app(&mut self, app: &str, credentials: Option<&Credentials>, now: Instant) -> Result<(), ErrorInfo> {
        self.check_sandbox()?;
        let principal = authenticate(&self.apps, credentials, None, self.clock.at(now))?;
        if principal.app.as_str() != app || principal.expires.is_some() {
            return Err(not_permitted("an application is deleted with a key of its own"));
        }
        match self.remove_app(&principal.app, now) {
            true => Ok(()),
            false => Err(not_found("this application was not made by a test suite, so it stays")),
        }
    }

    fn check_sandbox(&self) -> Result<(), ErrorInfo> {
        match self.config.sandbox {
            true => Ok(()),
            false => Err(not_found("this relay is no sandbox for test suites")),
        }
    }

    /// Members that nobody entered, all on one connection that nobody has.
    fn put_fixtures(&mut self, app: &AppId, fixtures: Vec<Fixture>, now: Instant) -> Result<(), ErrorInfo> {
        let connection = random_id(&mut self.random);
        let wall = self.clock.at(now);
        for (index, Fixture { channel, mut member }) in fixtures.into_iter().enumerate() {
            let key = ChannelKey { app: app.clone(), name: Address::parse(&channel)?.channel };
            normalize(&mut member.data, &mut member.encoding);
            member.action = PresenceAction::Enter;
            member.id = Some(format!("{connection}:0:{index}"));
            member.connection_id = Some(connection.clone());
            member.timestamp = Some(wall);
            let told = self.channel_mut(&key, now)?.members.apply(member);
            self.tell_presence(&connection, &key, told.into_iter().collect(), now);
        }
        Ok(())
    }

    fn remove_app(&mut self, app: &AppId, now: Instant) -> bool {
        if !self.apps.delete(app) {
            return false;
        }
        let of_app = self.connections.iter().filter(|(_, connection)| connection.principal.app == *app);
        let connections: Vec<_> = of_app.map(|(id, connection)| (id.clone(), connection.link)).collect();
        for (id, link) in connections {
            self.end_connection(&id, now);
            if let Some(link) = link {
                self.out.send(link, Frame::error(None, not_found("the application was deleted")));
                self.out.close(link);
            }
        }
        let channels: Vec<ChannelKey> = self.channels.keys().filter(|key| key.app == *app).cloned().collect();
        for key in channels {
            if let Some(channel) = self.channels.remove(&key) {
                self.kept_bytes = self.kept_bytes.saturating_sub(channel.kept_bytes());
            }
            self.timers.stop(&Timer::TrimChannel(key));
        }
        true
    }
}

fn not_found(message: &str) -> ErrorInfo {
    ErrorInfo::new(ErrorCode::NOT_FOUND, 404, message)
}
