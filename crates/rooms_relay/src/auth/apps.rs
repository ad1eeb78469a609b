//! The applications that the relay serves, and their keys.
//!
//! It knows which application has which key. What the clients of an application do, the hub decides.

use std::{collections::BTreeMap, sync::Arc};

use rand::Rng;
use serde_json::{Value, json};
use smol_str::SmolStr;

use super::key::{ApiKey, AppId};
use crate::{error::invalid_credentials, random::random_text};
use rooms_protocol::{ChannelName, ErrorCode, ErrorInfo, PresenceMessage};

/// Most applications that test suites make. They are small, and most suites delete what they made.
const MAX_SANDBOX_APPS: usize = 1_024;

/// Most keys of one application: suites ask for six.
const MAX_KEYS: usize = 64;

/// Most members that a suite may put on its channels from the start.
const MAX_FIXTURES: usize = 256;

/// The highest limit of members that a suite may set for its channels.
const MAX_MEMBERS: usize = 10_000;

/// Bytes of random names: so many that two names do not match by chance.
const NAME_BYTES: usize = 6;

/// Bytes of random secrets: 128 bits, so that they cannot be guessed.
const SECRET_BYTES: usize = 16;

/// All applications, with those that test suites made.
#[derive(Debug, Default)]
pub(crate) struct Apps {
    by_id: BTreeMap<AppId, App>,
}

/// One application.
#[derive(Debug, Default)]
struct App {
    keys: Vec<Arc<ApiKey>>,
    /// Most members of a channel, where the application has a limit of its own.
    max_members: Option<usize>,
    /// Whether a test suite made it.
    is_sandbox: bool,
}

/// A member that is on a channel from the start.
#[derive(Debug)]
pub(crate) struct Fixture {
    pub(crate) channel: ChannelName,
    pub(crate) member: PresenceMessage,
}

impl Apps {
    pub(crate) fn new(keys: &[ApiKey]) -> Self {
        let mut apps = Self::default();
        for key in keys {
            apps.by_id.entry(key.app().clone()).or_default().keys.push(Arc::new(key.clone()));
        }
        apps
    }

    /// Takes other keys. Applications that test suites made stay.
    pub(crate) fn replace(&mut self, keys: &[ApiKey]) {
        let before = std::mem::replace(self, Self::new(keys));
        for (id, app) in before.by_id.into_iter().filter(|(_, app)| app.is_sandbox) {
            self.by_id.entry(id).or_insert(app);
        }
    }

    /// The key that `text` shows, with its secret.
    ///
    /// # Errors
    /// 40101 for a wrong secret and for what is no key, 40400 where there is no such key, or no such application.
    pub(crate) fn key(&self, text: &str) -> Result<&Arc<ApiKey>, ErrorInfo> {
        let (name, secret) = text.split_once(':').unwrap_or((text, ""));
        if let Some(key) = self.with_secret(name, secret) {
            return Ok(key);
        }
        let app = AppId::of_key_name(name);
        if app.is_some_and(|app| app.is_of_cloud() || self.by_id.contains_key(&app)) {
            self.keys_named(name)?;
        }
        Err(invalid_credentials("the API key is not one of this relay's"))
    }

    /// The key with this name and secret.
    pub(crate) fn with_secret(&self, name: &str, secret: &str) -> Option<&Arc<ApiKey>> {
        self.named(name).find(|key| key.is(name, secret))
    }

    /// The keys with this name. There are several while a secret is replaced.
    pub(crate) fn named(&self, name: &str) -> impl Iterator<Item = &Arc<ApiKey>> {
        let keys = AppId::of_key_name(name).and_then(|app| self.by_id.get(&app)).map(|app| &app.keys);
        keys.into_iter().flatten().filter(move |key| key.name() == name)
    }

    /// The keys with this name, at least one.
    ///
    /// # Errors
    /// 40400 where there is no such application, or it has no such key.
    pub(crate) fn keys_named(&self, name: &str) -> Result<Vec<&Arc<ApiKey>>, ErrorInfo> {
        let app = AppId::of_key_name(name).filter(|app| self.by_id.contains_key(app));
        if app.is_none() {
            let why = "the relay does not serve the application of this key";
            return Err(ErrorInfo::new(ErrorCode::NOT_FOUND, 404, why));
        }
        let keys: Vec<&Arc<ApiKey>> = self.named(name).collect();
        if keys.is_empty() {
            // The cloud answers this with 401, though with 404 where the application is missing.
            return Err(ErrorInfo::new(ErrorCode::NOT_FOUND, 401, "the application has no such key"));
        }
        Ok(keys)
    }

    /// How many members a channel of `app` may have, where the app has a limit of its own.
    pub(crate) fn max_members(&self, app: &AppId) -> Option<usize> {
        self.by_id.get(app)?.max_members
    }

    /// Makes an application from what a test suite posts. Returns the answer and the members to begin with.
    ///
    /// # Errors
    /// 40000 for a description that makes no sense, 40113 where there are too many.
    pub(crate) fn create(
        &mut self,
        body: &Value,
        random: &mut impl Rng,
    ) -> Result<(AppId, Value, Vec<Fixture>), ErrorInfo> {
        let sandboxes = self.by_id.values().filter(|app| app.is_sandbox).count();
        if sandboxes >= MAX_SANDBOX_APPS {
            let why = "there are too many test applications; delete some";
            return Err(ErrorInfo::new(ErrorCode::SERVER_FULL_OF_CHANNELS, 429, why));
        }
        let list = |name: &str| body.get(name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        if !body.is_object() || list("keys").len() > MAX_KEYS {
            return Err(bad_request("an application is described by an object with 64 keys at most"));
        }
        let id = AppId::new(&random_name(random));
        let mut keys = Vec::new();
        for description in list("keys") {
            let mut key: ApiKey = format!("{}.{}:{}", id.as_str(), random_name(random), random_secret(random))
                .parse()
                .map_err(|_| ErrorInfo::new(ErrorCode::INTERNAL, 500, "no key could be made"))?;
            if let Some(text) = description.get("capability").and_then(Value::as_str) {
                let capability = text.parse();
                key = key.with_capability(capability.map_err(|error| bad_request(&format!("a key: {error}")))?);
            }
            keys.push(Arc::new(key));
        }
        let fixtures = fixtures(list("channels"))?;
        let answer = json!({
            "accountId": id.as_str(),
            "appId": id.as_str(),
            "id": id.as_str(),
            "status": "enabled",
            "tlsOnly": false,
            "keys": keys.iter().zip(list("keys")).map(describe).collect::<Vec<_>>(),
            "namespaces": list("namespaces"),
            "channels": list("channels"),
        });
        let members = body.pointer("/limits/presence/maxMembers").and_then(Value::as_u64);
        let max_members = members.map(|most| usize::try_from(most).unwrap_or(usize::MAX).min(MAX_MEMBERS));
        self.by_id.insert(id.clone(), App { keys, max_members, is_sandbox: true });
        Ok((id, answer, fixtures))
    }

    /// Deletes an application that a test suite made. Returns whether there was one.
    pub(crate) fn delete(&mut self, app: &AppId) -> bool {
        let is_sandbox = self.by_id.get(app).is_some_and(|app| app.is_sandbox);
        is_sandbox && self.by_id.remove(app).is_some()
    }
}

/// A key in the form in which its test suite reads it.
fn describe((key, description): (&Arc<ApiKey>, &Value)) -> Value {
    let id = key.name().split_once('.').map_or("", |(_, id)| id);
    json!({
        "id": id,
        "value": format!("{}:{}", key.name(), key.secret()),
        "keyName": key.name(),
        "keySecret": key.secret(),
        "keyStr": format!("{}:{}", key.name(), key.secret()),
        "capability": key.capability().to_string(),
        "revocableTokens": description.get("revocableTokens").and_then(Value::as_bool).unwrap_or_default(),
    })
}

fn fixtures(channels: &[Value]) -> Result<Vec<Fixture>, ErrorInfo> {
    let mut fixtures = Vec::new();
    for channel in channels {
        let name = channel.get("name").and_then(Value::as_str).unwrap_or_default();
        for member in channel.get("presence").and_then(Value::as_array).into_iter().flatten() {
            let member = serde_json::from_value(member.clone()).map_err(|_| bad_request("a member makes no sense"))?;
            fixtures.push(Fixture { channel: name.into(), member });
            if fixtures.len() > MAX_FIXTURES {
                return Err(bad_request("an application may begin with 256 members at most"));
            }
        }
    }
    Ok(fixtures)
}

/// A name that needs no escapes in addresses.
fn random_name(random: &mut impl Rng) -> SmolStr {
    plain(random_text::<NAME_BYTES>(random)).into()
}

fn random_secret(random: &mut impl Rng) -> String {
    plain(random_text::<SECRET_BYTES>(random))
}

/// The text without the two characters that are neither letters nor digits.
fn plain(text: String) -> String {
    text.replace('-', "x").replace('_', "y")
}

fn bad_request(message: &str) -> ErrorInfo {
    ErrorInfo::new(ErrorCode::BAD_REQUEST, 400, message)
}
