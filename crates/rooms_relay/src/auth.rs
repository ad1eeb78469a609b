//! Who a client is and what it may do: keys and tokens in, a [`Principal`] out.
//!
//! [`authorizer`] decides whom to let in, [`token`] how tokens are signed, and [`capability`] what is allowed. Where clients
//! ask for something, the hub decides.

pub(crate) mod apps;
pub(crate) mod authorizer;
pub(crate) mod capability;
mod credentials;
mod identity;
mod key;
pub(crate) mod owner;
mod principal;
pub(crate) mod revocations;
pub(crate) mod token;

pub(crate) use self::authorizer::Authorizer;
pub use self::{
    capability::{Capability, CapabilityError, Operation},
    credentials::Credentials,
    identity::Identity,
    key::{ApiKey, ApiKeyError, AppId},
    principal::Principal,
    token::{TokenDetails, game::TokenEndpoint},
};
