//! Tokens and, in the sandbox, apps over HTTP.

use serde_json::{Value, json};
use web_time::Instant;

use crate::{
    TokenDetails,
    http::{Body, Call, Reply, invalid},
    hub::rest::Hub,
};
use rooms_protocol::ErrorInfo;

impl Hub {
    /// `POST /keys/{keyName}/requestToken`.
    pub(super) fn token_for_request(&mut self, call: &Call<'_>, key: &str, now: Instant) -> Result<Reply, ErrorInfo> {
        let body: Value = call.body()?;
        let details = self.request_token(key, &body, call.credentials()?.as_ref(), now)?;
        Ok(Reply::new(201, Body::Value(token_body(&details))))
    }

    /// `GET /token?room=…&player=…`: a token for one player of one room. Off unless switched on. The player may come as
    /// `clientId` too, which is what clients add to a token URL.
    pub(super) fn token_for_game(&mut self, call: &Call<'_>, now: Instant) -> Result<Reply, ErrorInfo> {
        let player = match (call.param("player"), call.param("clientId")) {
            (Some(player), Some(client_id)) if player != client_id => {
                return Err(invalid("player and clientId of the token URL name two players; give one of them"));
            }
            (player, client_id) => player.or(client_id),
        };
        // Without a room, all of them, where that is switched on.
        let room = call.param("room").or(self.gives_every_channel().then_some(""));
        let (Some(room), Some(player)) = (room, player) else {
            return Err(invalid(
                "name the room and the player: /token?room=…&player=…; a web page that this relay serves names no room, and \
                 needs every_channel = true in the token endpoint",
            ));
        };
        let details = self.game_token(room, player, now)?;
        Ok(Reply::new(200, Body::Value(token_body(&details))))
    }

    /// `POST /apps`: makes an app with keys of its own, in the sandbox.
    pub(super) fn make_app(&mut self, call: &Call<'_>, now: Instant) -> Result<Reply, ErrorInfo> {
        let mut app = self.create_app(&call.body::<Value>()?, now)?;
        // The same server for all apps: where the request came to.
        let host = call.request.header("host").unwrap_or_default();
        let (host, port) = host.rsplit_once(':').unwrap_or((host, "80"));
        if let Some(app) = app.as_object_mut() {
            app.insert("endpoint".to_owned(), json!(host));
            app.insert("port".to_owned(), json!(port.parse::<u16>().ok()));
            app.insert("tls".to_owned(), json!(false));
        }
        Ok(Reply::new(201, Body::Value(app)))
    }

    /// `DELETE /apps/{id}`.
    pub(super) fn delete_app_over_http(
        &mut self,
        call: &Call<'_>,
        app: &str,
        now: Instant,
    ) -> Result<Reply, ErrorInfo> {
        self.delete_app(app, call.credentials()?.as_ref(), now)?;
        Ok(Reply::new(204, Body::Nothing))
    }
}

/// Token details hold no bytes and no maps but of strings, so that this cannot fail.
fn token_body(details: &TokenDetails) -> Value {
    serde_json::to_value(details).unwrap_or_default()
}
