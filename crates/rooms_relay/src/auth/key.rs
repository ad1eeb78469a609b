//! API keys and the applications that they belong to.

use std::{fmt, str::FromStr, sync::Arc};

use smol_str::SmolStr;
use subtle::ConstantTimeEq;

use crate::{Capability, CapabilityError};
use rooms_protocol::DEVELOPMENT_KEY;

/// The name of a key that is made for one run of a relay.
#[cfg(all(feature = "server", not(target_arch = "wasm32")))]
const OF_RUN: &str = "rooms.page";

/// The length of an application's id in Ably's cloud.
const CLOUD_ID_LENGTH: usize = 6;

/// An application. Keys of the same application share their channels. Those of others never see them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AppId(SmolStr);

impl AppId {
    /// The application of a key's name, `APP.KEYID`.
    pub(crate) fn of_key_name(name: &str) -> Option<Self> {
        let (app, id) = name.split_once('.')?;
        (!app.is_empty() && !id.is_empty()).then(|| Self(app.into()))
    }

    pub(crate) fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// Whether it could be of an application in Ably's cloud, which reads no other ids out of a key.
    pub(crate) fn is_of_cloud(&self) -> bool {
        self.0.len() == CLOUD_ID_LENGTH
            && self.0.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An API key, `APP.KEYID:SECRET`, and what it allows. The secret is never printed.
#[derive(Clone)]
pub struct ApiKey {
    app: AppId,
    /// `APP.KEYID`, the public part.
    name: SmolStr,
    secret: SmolStr,
    capability: Arc<Capability>,
}

/// Why a text is not an API key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApiKeyError {
    /// It does not have the three parts.
    #[error("an API key looks like APP.KEYID:SECRET, with none of the three parts empty")]
    Form,
    /// What it allows cannot be read.
    #[error("what the API key allows: {0}")]
    Capability(#[from] CapabilityError),
}

impl ApiKey {
    /// The key that everybody knows, see [`DEVELOPMENT_KEY`].
    pub fn development() -> Self {
        let (name, secret) = DEVELOPMENT_KEY.split_once(':').unwrap_or_default();
        Self {
            app: AppId::new("rooms"),
            name: name.into(),
            secret: secret.into(),
            capability: Capability::everything(),
        }
    }

    /// Whether this is the key that everybody knows.
    pub fn is_development(&self) -> bool {
        let known = Self::development();
        self.is(&known.name, &known.secret)
    }

    /// A key of the development key's application for one run of a relay, with random bytes as its secret.
    #[cfg(all(feature = "server", not(target_arch = "wasm32")))]
    pub(crate) fn of_run(random: [u8; 16]) -> Self {
        let secret: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        Self { name: OF_RUN.into(), secret: secret.into(), ..Self::development() }
    }

    /// Whether it was made for one run of a relay.
    #[cfg(all(feature = "server", not(target_arch = "wasm32")))]
    pub(crate) fn is_of_run(&self) -> bool {
        self.name == OF_RUN
    }

    /// The same key with what it allows. Defaults to everything.
    pub fn with_capability(self, capability: Capability) -> Self {
        Self { capability: Arc::new(capability), ..self }
    }

    /// The public part, `APP.KEYID`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The application that the key belongs to.
    pub fn app(&self) -> &AppId {
        &self.app
    }

    /// What the key allows.
    pub fn capability(&self) -> &Arc<Capability> {
        &self.capability
    }

    /// The secret part, for signatures and nothing else.
    pub(crate) fn secret(&self) -> &str {
        &self.secret
    }

    /// Whether it has this name and secret. Takes the same time wherever secrets differ, so that the time does not reveal one.
    pub(crate) fn is(&self, name: &str, secret: &str) -> bool {
        self.name == name && bool::from(self.secret.as_bytes().ct_eq(secret.as_bytes()))
    }
}

impl FromStr for ApiKey {
    type Err = ApiKeyError;

    /// Reads `APP.KEYID:SECRET`, with or without `={"channel":["operation"]}` after it.
    fn from_str(text: &str) -> Result<Self, ApiKeyError> {
        // A secret may contain an equals sign, as base64 does, but no brace.
        let (key, capability) = match text.find("={") {
            Some(end) => (text.get(..end), text.get(end + 1..)),
            None => (Some(text), None),
        };
        let (name, secret) = key.and_then(|key| key.split_once(':')).ok_or(ApiKeyError::Form)?;
        let app = AppId::of_key_name(name).ok_or(ApiKeyError::Form)?;
        if secret.is_empty() {
            return Err(ApiKeyError::Form);
        }
        let capability = match capability {
            Some(text) => Arc::new(text.parse()?),
            None => Capability::everything(),
        };
        Ok(Self { app, name: name.into(), secret: secret.into(), capability })
    }
}

impl PartialEq for ApiKey {
    fn eq(&self, other: &Self) -> bool {
        self.is(&other.name, &other.secret) && self.capability == other.capability
    }
}

impl Eq for ApiKey {}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey({}:…)", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Operation;

    #[test]
    fn the_development_key_is_the_documented_one() {
        assert_eq!(DEVELOPMENT_KEY.parse(), Ok(ApiKey::development()));
        assert!(ApiKey::development().is_development() && ApiKey::development().app().as_str() == "rooms");
    }

    #[test]
    fn a_key_needs_all_three_parts_and_its_secret_may_hold_colons() {
        for text in ["", "app", "app.id", "app.id:", "app:secret", ".id:secret", "app.:secret"] {
            assert_eq!(ApiKey::from_str(text), Err(ApiKeyError::Form), "{text}");
        }
        let key: ApiKey = "app.id:se:cret".parse().unwrap();
        assert_eq!((key.name(), key.app().as_str()), ("app.id", "app"));
        assert_ne!(Ok(key), "app.id:se".parse());
    }

    #[test]
    fn a_key_allows_everything_unless_it_says_what() {
        let all: ApiKey = "app.id:c2VjcmV0==".parse().unwrap();
        assert!(all.is("app.id", "c2VjcmV0==") && all.capability().allows(&"c".into(), Operation::Publish));
        let some: ApiKey = r#"app.id:c2VjcmV0=={"a":["subscribe"]}"#.parse().unwrap();
        assert!(some.is("app.id", "c2VjcmV0=") && !some.capability().allows(&"a".into(), Operation::Publish));
        let wrong = r#"app.id:s={"a":["fly"]}"#.parse::<ApiKey>();
        assert!(matches!(wrong, Err(ApiKeyError::Capability(_))), "{wrong:?}");
    }

    #[test]
    fn a_secret_does_not_show_in_debug_output() {
        let debug = format!("{:?}", ApiKey::development());
        assert!(debug.contains("rooms.dev") && !debug.contains("insecure"), "{debug}");
    }
}
