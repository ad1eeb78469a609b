//! Tokens and, in the sandbox, apps over HTTP.

use serde_json::{Value, json};

use super::Work;
use crate::{
    auth::{Authorizer, TokenDetails, authorizer::Asker},
    http::{Body, Call, Reply, invalid},
    moment::Moment,
};
use rooms_protocol::ErrorInfo;

/// `GET /token?room=…&player=…`: a token for one player of one room. Off unless switched on. The player may come as
/// `clientId` too, which is what clients add to a token URL.
pub(super) fn for_game(
    call: &Call,
    authorizer: &mut Authorizer,
    asker: Asker,
    moment: Moment,
) -> Result<Work, ErrorInfo> {
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
    let (key, grant) = authorizer.game_grant(room, player, asker, moment)?;
    Ok(Work::GameToken { key, grant, wall: moment.wall })
}

/// `POST /apps`: an app that was made, with where it is reached.
pub(super) fn new_app(host: &str, mut app: Value) -> Reply {
    // All apps have the same server: the one that the request came to.
    let (host, port) = host.rsplit_once(':').unwrap_or((host, "80"));
    if let Some(app) = app.as_object_mut() {
        app.insert("endpoint".to_owned(), json!(host));
        app.insert("port".to_owned(), json!(port.parse::<u16>().ok()));
        app.insert("tls".to_owned(), json!(false));
    }
    Reply::new(201, Body::Value(app))
}

/// This cannot fail: token details hold no bytes, and their maps have strings as keys.
pub(super) fn token_body(details: &TokenDetails) -> Value {
    serde_json::to_value(details).unwrap_or_default()
}
