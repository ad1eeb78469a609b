//! Tokens and, in the sandbox, apps over HTTP.

use serde_json::{Value, json};

use crate::{
    auth::{Authorizer, TokenDetails},
    http::{Body, Call, Reply, invalid},
    moment::Moment,
};
use rooms_protocol::ErrorInfo;

/// `POST /keys/{keyName}/requestToken`.
pub(super) fn for_request(
    call: &Call<'_>,
    key: &str,
    authorizer: &mut Authorizer,
    moment: Moment,
) -> Result<Reply, ErrorInfo> {
    let body: Value = call.body()?;
    let details = authorizer.request_token(key, &body, call.credentials()?.as_ref(), moment)?;
    Ok(Reply::new(201, Body::Value(token_body(&details))))
}

/// `GET /token?room=…&player=…`: a token for one player of one room. Off unless switched on. The player may come as
/// `clientId` too, which is what clients add to a token URL.
pub(super) fn for_game(call: &Call<'_>, authorizer: &mut Authorizer, moment: Moment) -> Result<Reply, ErrorInfo> {
    let player = match (call.param("player"), call.param("clientId")) {
        (Some(player), Some(client_id)) if player != client_id => {
            return Err(invalid("player and clientId of the token URL name two players; give one of them"));
        }
        (player, client_id) => player.or(client_id),
    };
    // Without a room, the token is for all rooms, where that is switched on.
    let room = call.param("room").or(authorizer.gives_every_channel().then_some(""));
    let (Some(room), Some(player)) = (room, player) else {
        return Err(invalid(
            "name the room and the player: /token?room=…&player=…; a web page that this relay serves names no room, and \
             needs every_channel = true in the token endpoint",
        ));
    };
    let details = authorizer.game_token(room, player, moment)?;
    Ok(Reply::new(200, Body::Value(token_body(&details))))
}

/// `POST /apps`: an app that was made, with where it is reached.
pub(super) fn new_app(call: &Call<'_>, mut app: Value) -> Reply {
    // All apps have the same server: the one that the request came to.
    let host = call.request.header("host").unwrap_or_default();
    let (host, port) = host.rsplit_once(':').unwrap_or((host, "80"));
    if let Some(app) = app.as_object_mut() {
        app.insert("endpoint".to_owned(), json!(host));
        app.insert("port".to_owned(), json!(port.parse::<u16>().ok()));
        app.insert("tls".to_owned(), json!(false));
    }
    Reply::new(201, Body::Value(app))
}

/// This cannot fail: token details hold no bytes, and their maps have strings as keys.
fn token_body(details: &TokenDetails) -> Value {
    serde_json::to_value(details).unwrap_or_default()
}
