use jsonwebtoken::encode;
use serde_json::{Value, json};

use super::*;

const WALL: Timestamp = Timestamp(1_700_000_000_123);

const KEY: &str = "app.id:s3cret";

fn key(text: &str) -> ApiKey {
    text.parse().unwrap()
}

fn grant(capability: Option<&str>, ttl: u64) -> Grant {
    Grant {
        capability: capability.map(|text| text.parse().unwrap()),
        client_id: Some("ada".into()),
        ttl: Duration::from_millis(ttl),
    }
}

/// A token as a game's own server would make it.
fn signed(header: Value, claims: Value, secret: &str) -> String {
    let header: Header = serde_json::from_value(header).unwrap();
    encode(&header, &claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

fn jwt(claims: Value) -> String {
    signed(json!({"typ": "JWT", "alg": "HS256", "kid": "app.id"}), claims, "s3cret")
}

fn verified(token: &str, wall: Timestamp) -> Result<Claim, u32> {
    let keys = [key(KEY), key(r#"app.sub:s3cret={"a":["subscribe"]}"#), key("other.id:secret")];
    verify(&Apps::new(&keys), token, wall).map_err(|error| error.code.0)
}

fn code(token: &str) -> Option<u32> {
    verified(token, WALL).err()
}

/// An `exp` that is not over.
const LATER: f64 = 1_700_000_060.0;

#[test]
fn a_token_contains_what_it_was_made_for() {
    let details = mint(&key(KEY), grant(Some(r#"{"b":["publish"],"a":["*"]}"#), 60_000), WALL).unwrap();
    assert_eq!((details.issued, details.expires), (WALL, Timestamp(WALL.0 + 60_000)));
    assert_eq!(details.capability, r#"{"a":["*"],"b":["publish"]}"#);
    let claim = verified(&details.token, WALL).unwrap();
    assert_eq!(claim.capability.to_string(), details.capability);
    assert_eq!((claim.key.app().as_str(), claim.key.name()), ("app", "app.id"));
    assert_eq!((claim.client_id, claim.expires), (Some("ada".into()), details.expires));
}

#[test]
fn a_token_runs_out_to_the_millisecond() {
    for ttl in [1, 999, 5_000] {
        let details = mint(&key(KEY), grant(None, ttl), WALL).unwrap();
        let end = Timestamp(WALL.0 + i64::try_from(ttl).unwrap());
        assert!(verified(&details.token, Timestamp(end.0 - 1)).is_ok(), "{ttl}");
        assert_eq!(verified(&details.token, end).err(), Some(40142), "{ttl}");
    }
    assert_eq!(expired().status_code, 401);
    assert!(expired().is_token_error());
}

#[test]
fn a_token_allows_no_more_than_its_key() {
    let narrow = key(r#"app.sub:s3cret={"a":["subscribe"]}"#);
    let details = mint(&narrow, grant(Some(r#"{"*":["*"]}"#), 60_000), WALL).unwrap();
    assert_eq!(details.capability, r#"{"a":["subscribe"]}"#);
    let refused = mint(&narrow, grant(Some(r#"{"b":["*"]}"#), 60_000), WALL).unwrap_err();
    assert_eq!((refused.code.0, refused.status_code), (40160, 401));
    let forged = |capability: &str| {
        let claims = json!({"exp": LATER, "x-ably-capability": capability});
        verified(&signed(json!({"alg": "HS256", "kid": "app.sub"}), claims, "s3cret"), WALL)
    };
    assert_eq!(forged(r#"{"*":["*"]}"#).unwrap().capability.to_string(), r#"{"a":["subscribe"]}"#);
    assert_eq!(forged(r#"{"b":["*"]}"#).err(), Some(40160));
}

#[test]
fn a_jwt_of_a_games_own_server_is_a_token() {
    let claim = verified(&jwt(json!({"iat": 1_700_000_000, "exp": 1_700_000_060})), WALL).unwrap();
    assert_eq!((claim.client_id, claim.expires), (None, Timestamp(1_700_000_060_000)));
    assert_eq!(claim.capability, Capability::everything());
    let claims = json!({"exp": LATER, "x-ably-clientId": "ada", "x-ably-capability": "{\"a\":[\"publish\"]}"});
    let claim = verified(&jwt(claims), WALL).unwrap();
    assert_eq!(claim.client_id, Some("ada".into()));
    assert_eq!(claim.capability.to_string(), r#"{"a":["publish"]}"#);
}

#[test]
fn a_jwt_may_contain_a_token_that_names_its_holder() {
    let inner = mint(&key(KEY), grant(None, 5_000), WALL).unwrap().token;
    let claim = verified(&jwt(json!({"exp": LATER, "x-ably-token": inner})), WALL).unwrap();
    assert_eq!((claim.client_id, claim.expires), (Some("ada".into()), Timestamp(WALL.0 + 5_000)));
    let twice = jwt(json!({"exp": LATER, "x-ably-token": jwt(json!({"exp": LATER, "x-ably-token": inner}))}));
    assert_eq!(code(&twice), Some(40144));
    let other = mint(&key("other.id:secret"), grant(None, 5_000), WALL).unwrap().token;
    assert_eq!(code(&jwt(json!({"exp": LATER, "x-ably-token": other}))), Some(40144));
}

#[test]
fn each_fault_of_a_token_has_its_own_error() {
    let exp = || json!({"exp": LATER});
    assert_eq!(code("nonsense"), Some(40101));
    assert_eq!(code(&"x".repeat(MAX_TOKEN * 2)), Some(40101));
    assert_eq!(code("a.b.c"), Some(40144));
    assert_eq!(code(&signed(json!({"alg": "HS256"}), exp(), "s3cret")), Some(40144), "no key");
    assert_eq!(code(&signed(json!({"alg": "HS512", "kid": "app.id"}), exp(), "s3cret")), Some(40144));
    assert_eq!(code(&signed(json!({"alg": "HS256", "kid": "app.id"}), exp(), "wrong")), Some(40144));
    assert_eq!(code(&signed(json!({"alg": "HS256", "kid": "app.none"}), exp(), "s3cret")), Some(40400));
    assert_eq!(code(&signed(json!({"alg": "HS256", "kid": "none.id"}), exp(), "s3cret")), Some(40400));
    assert_eq!(code(&jwt(json!({}))), Some(40144), "no end");
    assert_eq!(code(&jwt(json!({"exp": "soon"}))), Some(40144));
    assert_eq!(code(&jwt(json!({"exp": LATER, "nbf": LATER + 600.0}))), Some(40144));
    assert_eq!(code(&jwt(json!({"exp": LATER, "x-ably-capability": "x"}))), Some(40144));
    for exp in [0.0, -1e300, 1_700_000_000.122] {
        assert_eq!(code(&jwt(json!({ "exp": exp }))), Some(40142), "{exp}");
    }
    assert_eq!(code(&jwt(json!({ "exp": LATEST }))), None);
    for exp in [LATEST + 1.0, 1_700_000_060_000.0 * 1000.0, 1e300] {
        assert_eq!(code(&jwt(json!({ "exp": exp }))), Some(40144), "{exp}");
    }
    let critical = json!({"alg": "HS256", "kid": "app.id", "crit": ["b64"], "b64": false});
    assert_eq!(code(&signed(critical, exp(), "s3cret")), Some(40144));
    let long = json!({"alg": "HS256", "kid": "app.id", "x": "x".repeat(MAX_HEADER)});
    assert_eq!(code(&signed(long, exp(), "s3cret")), Some(40144));
}

#[test]
fn an_unsigned_token_is_no_token() {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = part(json!({"exp": LATER}));
    for alg in ["none", "None", "HS256", "RS256"] {
        let header = part(json!({"alg": alg, "kid": "app.id"}));
        assert!(verified(&format!("{header}.{claims}."), WALL).is_err(), "{alg}");
    }
}

#[test]
fn a_token_whose_text_was_changed_is_refused() {
    let token = mint(&key(KEY), grant(Some(r#"{"a":["subscribe"]}"#), 60_000), WALL).unwrap().token;
    for index in 0..token.len() {
        let mut bytes = token.clone().into_bytes();
        // The last bits of base64 may be spare, so that two letters say the same.
        bytes[index] = if bytes[index] == b'A' { b'z' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        assert!(verified(&changed, WALL).is_err(), "at {index}");
    }
}

#[test]
fn while_a_secret_is_replaced_tokens_of_both_are_good() {
    let apps = Apps::new(&[key("app.id:old"), key("app.id:new")]);
    for secret in ["app.id:old", "app.id:new"] {
        let token = mint(&key(secret), grant(None, 60_000), WALL).unwrap().token;
        assert!(verify(&apps, &token, WALL).is_ok());
    }
}

#[test]
fn token_details_have_the_names_of_the_protocol_and_hide_the_token_in_debug_output() {
    let details = mint(&key(KEY), grant(None, 60_000), WALL).unwrap();
    assert!(!format!("{details:?}").contains(&details.token));
    let value = serde_json::to_value(&details).unwrap();
    let fields: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, ["capability", "clientId", "expires", "issued", "keyName", "token"]);
}
