//! Whose a connection or a channel is, for its share: the client's, the key's, and the address's.

use std::net::{IpAddr, Ipv6Addr};

use smol_str::SmolStr;

use super::{identity::Identity, key::AppId, principal::Principal};
use rooms_protocol::ClientId;

/// The bits by which IPv6 addresses differ inside one household or machine, which has them all.
const OWN_BITS: u32 = 64;

/// Who brought something into being.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) holder: Holder,
    pub(crate) key: SmolStr,
    pub(crate) address: Option<Address>,
}

/// Whose share something counts towards first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Holder {
    /// A client with an id.
    Client(AppId, ClientId),
    /// All without an id that come from one address with one key or its tokens. Who may be anybody does not share with those
    /// who are nobody.
    Nameless { key: SmolStr, address: Option<Address>, may_be_anybody: bool },
}

/// An address as shares count it: IPv6 by its first half.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Address(IpAddr);

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Self {
        Self(match address {
            IpAddr::V6(v6) => match v6.to_canonical() {
                IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> OWN_BITS << OWN_BITS).into(),
                v4 => v4,
            },
            v4 => v4,
        })
    }
}

impl Owner {
    /// Whose is what a client with these credentials, from this address, brings into being.
    pub(crate) fn of(principal: &Principal, address: Option<IpAddr>) -> Self {
        let (key, address) = (principal.key.clone(), address.map(Address::from));
        let holder = match &principal.identity {
            Identity::Known(id) => Holder::Client(principal.app.clone(), id.clone()),
            nameless => {
                let may_be_anybody = *nameless == Identity::Any;
                Holder::Nameless { key: key.clone(), address, may_be_anybody }
            }
        };
        Self { holder, key, address }
    }

    /// Whether it is a client with an id.
    pub(crate) fn has_name(&self) -> bool {
        matches!(self.holder, Holder::Client(..))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::ApiKey;

    #[test]
    fn a_client_id_has_one_share_wherever_it_comes_from_and_nameless_clients_one_for_each_address() {
        let owner = |identity, address: &str| {
            let principal = Principal::of_key(&Arc::new(ApiKey::development()), identity);
            Owner::of(&principal, Some(address.parse().unwrap())).holder
        };
        let ada = || Identity::Known("ada".into());
        assert_eq!(owner(ada(), "10.0.0.1"), owner(ada(), "10.0.0.2"));
        assert_ne!(owner(ada(), "10.0.0.1"), owner(Identity::Known("bob".into()), "10.0.0.1"));
        assert_ne!(owner(Identity::Any, "10.0.0.1"), owner(Identity::Any, "10.0.0.2"));
        assert_ne!(owner(Identity::Any, "10.0.0.1"), owner(Identity::Anonymous, "10.0.0.1"));
        assert_eq!(owner(Identity::Any, "2001:db8::1"), owner(Identity::Any, "2001:db8::ffff:1"));
        assert_ne!(owner(Identity::Any, "2001:db8::1"), owner(Identity::Any, "2001:db8:0:1::1"));
        assert_eq!(owner(Identity::Any, "::ffff:10.0.0.1"), owner(Identity::Any, "10.0.0.1"));
    }
}
