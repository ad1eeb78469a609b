use proptest::prelude::*;

use super::*;

fn capability(text: &str) -> Capability {
    text.parse().unwrap()
}

fn intersection(requested: &str, key: &str) -> Option<String> {
    let common = capability(requested).intersect(&capability(key)).unwrap();
    common.map(|common| common.to_string())
}

#[track_caller]
fn assert_common(requested: &str, key: &str, expected: &str) {
    assert_eq!(intersection(requested, key).as_deref(), Some(expected), "{requested} of {key}");
    assert_eq!(intersection(key, requested).as_deref(), Some(expected), "{key} of {requested}");
}

const SPACED: &str = r#"{"cansubscribe:*":["subscribe"],"canpublish:*":["publish"],
    "canpublish:andpresence":["presence","publish"],"pushenabled:*":["publish","subscribe","push-subscribe"],
    "pushenabled:admin:*":["publish","subscribe","push-admin"]}"#;

const NUMBERED: &str = r#"{"channel0":["publish"],"channel1":["publish"],"channel2":["publish","subscribe"],
    "channel3":["subscribe"],"channel4":["presence","publish","subscribe"],"channel5":["presence"],"channel6":["*"]}"#;

#[test]
fn the_canonical_form_is_sorted_and_has_no_white_space() {
    let text = r#"{ "b": ["subscribe", "publish", "publish"], "a:*": "presence", "[*]*": ["*"] }"#;
    let canonical = r#"{"[*]*":["*"],"a:*":["presence"],"b":["publish","subscribe"]}"#;
    assert_eq!(capability(text).to_string(), canonical);
    assert_eq!(capability(canonical).to_string(), canonical);
    assert_eq!(Capability::everything().to_string(), r#"{"*":["*"]}"#);
}

#[test]
fn what_is_no_capability_is_refused() {
    let error = |text: &str| text.parse::<Capability>().unwrap_err();
    for text in ["", "x", "[]", "\"*\"", "null", "{"] {
        assert_eq!(error(text), CapabilityError::Form, "{text}");
    }
    assert_eq!(error(r#"{"a":["publish_"]}"#), CapabilityError::UnknownOperation("publish_".into()));
    assert_eq!(error(r#"{"a":["*","publish"]}"#), CapabilityError::AllAndMore);
    assert_eq!(error(r#"{"a":[]}"#), CapabilityError::Empty);
    for text in [r#"{"a":5}"#, r#"{"a":[5]}"#, r#"{"a":null}"#, r#"{"a":{}}"#] {
        assert_eq!(error(text), CapabilityError::Operations, "{text}");
    }
    for resource in ["", "[", "[x]a", "[*]", "[?rewind=1]a"] {
        let text = format!(r#"{{"{resource}":["publish"]}}"#);
        assert_eq!(error(&text), CapabilityError::Resource(resource.into()), "{text}");
    }
}

#[test]
fn a_capability_has_a_largest_size() {
    let of = |count: usize, name: &str| {
        let entries: Vec<String> = (0..count).map(|index| format!(r#""{name}{index}":["publish"]"#)).collect();
        format!("{{{}}}", entries.join(","))
    };
    assert!(of(MAX_RESOURCES, "c").parse::<Capability>().is_ok());
    assert_eq!(of(MAX_RESOURCES + 1, "c").parse::<Capability>(), Err(CapabilityError::TooLarge));
    assert_eq!(of(100, &"c".repeat(200)).parse::<Capability>(), Err(CapabilityError::TooLarge));
    let crossing = |pattern: fn(usize) -> String| {
        let entries: Vec<String> = (0..100).map(|index| format!(r#""{}":["publish"]"#, pattern(index))).collect();
        capability(&format!("{{{}}}", entries.join(",")))
    };
    let (one, other) = (crossing(|index| format!("{index}:*")), crossing(|index| format!("*:{index}")));
    assert_eq!(one.intersect(&other), Err(CapabilityError::TooLarge));
}

#[test]
fn patterns_match_whole_segments() {
    let cases = [
        ("*", "a", true),
        ("*", "a:b:c", true),
        ("[*]*", "a:b", true),
        ("[meta]*", "a", false),
        ("a", "a", true),
        ("a", "a:b", false),
        ("a:*", "a", false),
        ("a:*", "a:b", true),
        ("a:*", "a:b:c", true),
        ("a:*:c", "a:b:c", true),
        ("a:*:c", "a:b:b:c", false),
        ("*:c", "b:c", true),
        ("a*", "ab", false),
        ("a*", "a*", true),
        ("a:*", "a:", true),
    ];
    for (pattern, name, expected) in cases {
        let capability = capability(&format!(r#"{{"{pattern}":["publish"]}}"#));
        assert_eq!(capability.allows(&name.into(), Operation::Publish), expected, "{pattern} on {name}");
        assert!(!capability.allows(&name.into(), Operation::Subscribe));
    }
}

#[test]
fn what_several_resources_allow_adds_up() {
    let capability = capability(r#"{"a:*":["publish"],"a:b":["presence"],"c":["subscribe"]}"#);
    assert_eq!(capability.modes(&"a:b".into()), Flags::PUBLISH | Flags::PRESENCE);
    assert_eq!(capability.modes(&"c".into()), Flags::SUBSCRIBE | Flags::PRESENCE_SUBSCRIBE);
    assert_eq!(capability.modes(&"d".into()), Flags::empty());
    assert!(capability.allows_somewhere(Operation::Subscribe) && !capability.allows_somewhere(Operation::Stats));
}

#[test]
fn the_intersection_with_itself_is_the_capability() {
    for text in [SPACED, NUMBERED, r#"{"[*]*":["*"]}"#] {
        let canonical = capability(text).to_string();
        assert_common(text, text, &canonical);
    }
}

#[test]
fn only_operations_that_both_allow_stay() {
    assert_common(r#"{"channel2":["presence","subscribe"]}"#, NUMBERED, r#"{"channel2":["subscribe"]}"#);
    assert_common(r#"{"channel2":["*"]}"#, NUMBERED, r#"{"channel2":["publish","subscribe"]}"#);
    assert_common(r#"{"channel6":["publish"]}"#, NUMBERED, r#"{"channel6":["publish"]}"#);
    assert_eq!(intersection(r#"{"canpublish:test":["subscribe"]}"#, SPACED), None);
}

#[test]
fn only_channels_that_both_name_stay() {
    let two = r#"{"channel2":["presence","subscribe"],"channelx":["presence","subscribe"]}"#;
    assert_common(two, NUMBERED, r#"{"channel2":["subscribe"]}"#);
    assert_eq!(intersection(r#"{"channelx":["publish"]}"#, NUMBERED), None);
    assert_eq!(intersection("{}", NUMBERED), None);
}

#[test]
fn the_narrower_pattern_of_two_stays() {
    assert_common(r#"{"cansubscribe":["subscribe"]}"#, r#"{"*":["subscribe"]}"#, r#"{"cansubscribe":["subscribe"]}"#);
    assert_common(r#"{"canpublish:check":["publish"]}"#, SPACED, r#"{"canpublish:check":["publish"]}"#);
    assert_common(r#"{"a:*":["publish"]}"#, r#"{"*":["*"]}"#, r#"{"a:*":["publish"]}"#);
    assert_common(r#"{"a:*:c":["publish"]}"#, r#"{"*:b:*":["publish"]}"#, r#"{"a:b:c":["publish"]}"#);
    assert_common(r#"{"[*]*":["publish"]}"#, r#"{"a":["publish"]}"#, r#"{"a":["publish"]}"#);
    assert_common(r#"{"[*]*":["publish"]}"#, r#"{"[meta]*":["*"]}"#, r#"{"[meta]*":["publish"]}"#);
    assert_eq!(intersection(r#"{"*":["publish"]}"#, r#"{"[meta]*":["*"]}"#), None);
    assert_eq!(intersection(r#"{"a:*":["publish"]}"#, r#"{"a":["*"]}"#), None);
}

fn any_capability() -> impl Strategy<Value = Capability> {
    let resource = "(\\[\\*\\])?[ab*](:[ab*]){0,3}";
    let operations = prop::sample::subsequence(vec!["publish", "subscribe", "presence"], 1..3);
    prop::collection::btree_map(resource, operations, 1..5)
        .prop_map(|map| Capability::from_json(&serde_json::json!(map)).unwrap())
}

proptest! {
    #[test]
    fn an_intersection_allows_exactly_what_both_allow(
        one in any_capability(), other in any_capability(), name in "[abc](:[abc]){0,4}"
    ) {
        let common = one.intersect(&other).unwrap();
        for operation in [Operation::Publish, Operation::Subscribe, Operation::Presence] {
            let name = ChannelName::new(&name);
            let both = one.allows(&name, operation) && other.allows(&name, operation);
            prop_assert_eq!(common.as_ref().is_some_and(|common| common.allows(&name, operation)), both);
        }
    }

    #[test]
    fn what_is_written_is_read_back(capability in any_capability()) {
        prop_assert_eq!(capability.to_string().parse(), Ok(capability));
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in ".{0,64}", resource in ".{0,16}") {
        drop(text.parse::<Capability>());
        drop(Capability::from_json(&serde_json::json!({ resource: ["publish"] })));
    }
}
