use serde_json::json;

use super::*;

const WALL: Timestamp = Timestamp(1_700_000_000_000);

fn key() -> ApiKey {
    "app.id:s3cret".parse().unwrap()
}

fn body() -> Value {
    json!({
        "keyName": "app.id", "ttl": 60_000, "capability": "{\"a\":[\"publish\"]}", "clientId": "ada",
        "timestamp": WALL.0, "nonce": "0123456789abcdef",
    })
}

/// Signs a request the way the protocol says, over six lines.
fn sign(body: &mut Value, secret: &str) {
    let text = |name: &str| match &body[name] {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let names = ["keyName", "ttl", "capability", "clientId", "timestamp", "nonce"];
    let lines: String = names.iter().map(|name| text(name) + "\n").collect();
    let mut hmac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    hmac.update(lines.as_bytes());
    body["mac"] = json!(STANDARD.encode(hmac.finalize().into_bytes()));
}

fn parse(body: &Value) -> Result<TokenRequest, u32> {
    TokenRequest::parse(body, "app.id").map_err(|error| error.code.0)
}

fn with(name: &str, value: Value) -> TokenRequest {
    let mut body = body();
    body[name] = value;
    sign(&mut body, "s3cret");
    parse(&body).unwrap()
}

#[test]
fn a_signature_is_over_all_six_fields() {
    let mut signed = body();
    sign(&mut signed, "s3cret");
    assert!(parse(&signed).unwrap().is_signed_with(&key()));
    for name in ["ttl", "capability", "clientId", "timestamp", "nonce"] {
        for value in [json!("1"), Value::Null] {
            let mut changed = signed.clone();
            changed[name] = value;
            assert!(!parse(&changed).unwrap().is_signed_with(&key()), "{name}");
        }
    }
    for mac in ["", "x", "AAAA", "not base64"] {
        signed["mac"] = json!(mac);
        assert!(!parse(&signed).unwrap().is_signed_with(&key()));
    }
    sign(&mut signed, "wrong");
    assert!(!parse(&signed).unwrap().is_signed_with(&key()));
}

#[test]
fn a_signature_is_the_one_that_sdks_make() {
    // HMAC-SHA256 of the six lines, worked out with another program.
    let body = json!({"keyName": "app.id", "timestamp": 1_700_000_000_000_i64, "nonce": "0123456789abcdef",
        "mac": "16cy8FDPcb3MiJgH2TsemBUBG4D2n12pIrur9ORaoT4="});
    assert!(parse(&body).unwrap().is_signed_with(&key()));
}

#[test]
fn numbers_may_come_as_texts() {
    let request = with("ttl", json!("60000"));
    assert!(request.is_signed_with(&key()));
    assert_eq!(request.grant().unwrap().ttl, Duration::from_secs(60));
}

#[test]
fn what_is_no_request_is_refused() {
    for body in [json!(null), json!([]), json!("x"), json!({"ttl": {}}), json!({"keyName": "app.other"})] {
        assert_eq!(parse(&body).err(), Some(40000), "{body}");
    }
}

#[test]
fn a_request_counts_for_two_minutes_either_way_and_once() {
    let mut nonces = Nonces::since(Timestamp(WALL.0 - 600_000));
    let mut fresh = |offset: i64, nonce: &str| {
        let mut body = body();
        body["timestamp"] = json!(WALL.0 + offset);
        body["nonce"] = json!(nonce);
        let request = parse(&body).unwrap();
        request.check_fresh(&mut nonces, WALL).map_err(|error| (error.code.0, error.status_code))
    };
    assert_eq!(fresh(120_000, "a"), Ok(()));
    assert_eq!(fresh(-120_000, "b"), Ok(()));
    assert_eq!(fresh(0, "a"), Err((40105, 401)));
    for offset in [120_001, -120_001, i64::MAX - WALL.0, i64::MIN] {
        assert_eq!(fresh(offset, "c"), Err((40104, 401)), "{offset}");
    }
    assert_eq!(fresh(0, ""), Err((40000, 400)));
    assert_eq!(fresh(0, &"x".repeat(MAX_NONCE + 1)), Err((40000, 400)));
}

#[test]
fn nonces_are_forgotten_when_they_are_too_old_to_come_again() {
    let mut nonces = Nonces::since(Timestamp(0));
    let mut use_up = |nonce: &str, wall: i64| {
        let (until, wall) = (Timestamp(wall + 10), Timestamp(wall));
        let used = nonces.use_up("app.id", nonce, until, wall).map_err(|error| error.code.0);
        (used, nonces.used.len())
    };
    assert_eq!(use_up("a", 0), (Ok(()), 1));
    assert_eq!(use_up("a", 10), (Err(40105), 1));
    assert_eq!(use_up("b", 11), (Ok(()), 1));
    for index in 1..MAX_NONCES {
        assert_eq!(use_up(&index.to_string(), 11).0, Ok(()));
    }
    assert_eq!(use_up("c", 11), (Err(42910), MAX_NONCES));
    assert_eq!(use_up("c", 22), (Ok(()), 1));
}

#[test]
fn a_token_lives_an_hour_unless_asked_and_a_day_at_most() {
    let ttl =
        |value: Value| with("ttl", value).grant().map(|grant| grant.ttl.as_millis()).map_err(|error| error.code.0);
    assert_eq!(ttl(Value::Null), Ok(3_600_000));
    assert_eq!(ttl(json!(1)), Ok(1));
    assert_eq!(ttl(json!(86_400_000)), Ok(86_400_000));
    for wrong in [json!(86_400_001), json!(-1), json!("soon"), json!(1.5), json!(1e300), json!(" 5")] {
        assert_eq!(ttl(wrong.clone()), Err(40003), "{wrong}");
    }
}

#[test]
fn capability_and_client_id_are_checked() {
    let code = |name: &str, value: Value| with(name, value).grant().err().map(|error| error.code.0);
    for text in ["x", "{\"a\":[]}", "{\"a\":[\"fly\"]}", "{\"a\":[\"*\",\"publish\"]}"] {
        assert_eq!(code("capability", json!(text)), Some(40000), "{text}");
    }
    assert_eq!(code("capability", json!("")), None);
    assert_eq!(code("clientId", json!("")), Some(40012));
    assert_eq!(code("clientId", json!("x".repeat(257))), Some(40012));
    assert_eq!(code("clientId", json!("*")), None);
    assert_eq!(code("clientId", Value::Null), None);
}

#[test]
fn a_request_from_before_the_relays_start_does_not_count() {
    let mut nonces = Nonces::since(WALL);
    let mut fresh = |offset: i64| {
        let request = with("timestamp", json!(WALL.0 + offset));
        request.check_fresh(&mut nonces, Timestamp(WALL.0 + 5_000)).map_err(|error| (error.code.0, error.status_code))
    };
    assert_eq!(fresh(-1), Err((40104, 401)), "it may have been used");
    assert_eq!(fresh(0), Ok(()));
    let earlier = Timestamp(WALL.0 - 3_600_000);
    let mut request = with("timestamp", json!(earlier.0));
    request.nonce = "another".to_owned();
    assert!(request.check_fresh(&mut nonces, earlier).is_ok(), "the relay's clock was set right");
}

#[test]
fn what_was_signed_holds_no_line_breaks_inside_a_field() {
    for name in ["ttl", "capability", "clientId", "timestamp", "nonce"] {
        let mut moved = body();
        moved[name] = json!("1\n2");
        assert!(parse(&moved).is_ok(), "without a signature it stands for itself");
        sign(&mut moved, "s3cret");
        assert_eq!(parse(&moved).err(), Some(40000), "{name}");
    }
}

#[test]
fn a_body_is_read_without_building_what_is_no_field() {
    let read = |body: &str| {
        let call = Call::parse(crate::RestRequest { body: Vec::new(), ..Default::default() }, None).unwrap();
        TokenRequest::read(&call, body.as_bytes(), "app.id").map_err(|error| error.code.0)
    };
    let request = read(r#"{"ttl":60000,"nonce":7,"clientId":"a","more":{"a":[{},[[]]]},"capability":null}"#).unwrap();
    assert_eq!((request.ttl.as_str(), request.nonce.as_str(), request.client_id.as_deref()), ("60000", "7", Some("a")));
    assert!(request.capability.is_empty());
    for (body, code) in
        [("{", 40001), ("{}x", 40001), ("[]", 40000), (r#"{"ttl":[]}"#, 40000), (r#"{"mac":true}"#, 40000)]
    {
        assert_eq!(read(body).err(), Some(code), "{body}");
    }
}
