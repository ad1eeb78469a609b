//! Applications that test suites make and delete, where the hub is a sandbox.

use serde_json::Value;
use web_time::Instant;

use super::{
    Hub,
    channel::{attach_request::Address, key::ChannelKey, publish::normalize},
    connection::state::random_id,
};
use crate::{
    auth::{AppId, Credentials, apps::Fixture},
    error::not_found,
    moment::Moment,
};
use rooms_protocol::{ErrorInfo, Frame, PresenceAction};

impl Hub {
    /// Makes an application with keys, from the description that the SDKs' suites post. The answer does not say where the relay
    /// is reached.
    ///
    /// # Errors
    /// 40400 where the hub is no sandbox, 40000 for a description that makes no sense, 40113 where there are too many.
    pub fn create_app(&mut self, body: &Value, now: Instant) -> Result<Value, ErrorInfo> {
        self.check_sandbox()?;
        let moment = self.clock.at(now);
        let (app, answer, fixtures) = self.authorizer.create_app(body, &mut self.random)?;
        if let Err(error) = self.enter_fixtures(&app, fixtures, moment) {
            self.authorizer.discard_app(&app);
            self.remove_app(&app, moment);
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
        let moment = self.clock.at(now);
        let app = self.authorizer.delete_app(app, credentials, moment.wall)?;
        self.remove_app(&app, moment);
        Ok(())
    }

    fn check_sandbox(&self) -> Result<(), ErrorInfo> {
        match self.is_sandbox {
            true => Ok(()),
            false => Err(not_found("this relay is no sandbox for test suites")),
        }
    }

    /// Enters members that no client entered, all of one connection that no client has.
    fn enter_fixtures(&mut self, app: &AppId, fixtures: Vec<Fixture>, moment: Moment) -> Result<(), ErrorInfo> {
        let connection = random_id(&mut self.random);
        for (index, Fixture { channel, mut member }) in fixtures.into_iter().enumerate() {
            let key = ChannelKey { app: app.clone(), name: Address::parse(&channel)?.channel };
            normalize(&mut member.data, &mut member.encoding);
            member.action = PresenceAction::Enter;
            member.id = Some(format!("{connection}:0:{index}"));
            member.connection_id = Some(connection.clone());
            member.timestamp = Some(moment.wall);
            self.channels.enter_fixture(&connection, &key, member, moment, &mut self.effects)?;
        }
        Ok(())
    }

    /// Ends the connections of an application that was deleted, and drops its channels.
    fn remove_app(&mut self, app: &AppId, moment: Moment) {
        for (id, link) in self.connections.of_app(app) {
            self.end_connection(&id, moment);
            if let Some(link) = link {
                self.effects.out.send(link, Frame::error(None, not_found("the application was deleted")));
                self.effects.out.close(link);
            }
        }
        self.channels.remove_app(app, &mut self.effects.timers);
        self.shares.remove_channels_of(app);
    }
}
