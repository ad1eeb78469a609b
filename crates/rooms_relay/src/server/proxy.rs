//! The address of a client: of its socket, or what a proxy says that the operator trusts.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

use axum::http::HeaderMap;

/// Most addresses of one header that are looked at. A request goes through a few proxies, not through many.
const MOST_HOPS: usize = 32;

/// The addresses of a proxy: one, or all with a common beginning, as in `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRange {
    address: IpAddr,
    prefix: u8,
}

/// A text that is not an [`AddressRange`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a proxy's address is one such as 10.0.0.7 or 2001:db8::7, or a range such as 10.0.0.0/8")]
pub struct AddressRangeError;

impl AddressRange {
    /// Whether an address is one of these.
    pub fn contains(&self, address: IpAddr) -> bool {
        let shared = |own: u128, other: u128, bits: u32| {
            let rest = bits.saturating_sub(u32::from(self.prefix));
            // A shift by all bits is none that there is.
            own.checked_shr(rest).unwrap_or(0) == other.checked_shr(rest).unwrap_or(0)
        };
        match (self.address, plain(address)) {
            (IpAddr::V4(own), IpAddr::V4(other)) => shared(own.to_bits().into(), other.to_bits().into(), 32),
            (IpAddr::V6(own), IpAddr::V6(other)) => shared(own.to_bits(), other.to_bits(), 128),
            _ => false,
        }
    }
}

impl FromStr for AddressRange {
    type Err = AddressRangeError;

    fn from_str(text: &str) -> Result<Self, AddressRangeError> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address = plain(address.trim().parse().map_err(|_| AddressRangeError)?);
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(longest), |prefix| prefix.trim().parse().map_err(|_| AddressRangeError))?;
        if prefix > longest { Err(AddressRangeError) } else { Ok(Self { address, prefix }) }
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// The address of the client behind `socket`. The headers count only where `trusted` holds the socket's own address: the client
/// is then the last address in them that is no proxy's. What stands before it, the client may have made up.
pub(super) fn client_address(socket: IpAddr, headers: &HeaderMap, trusted: &[AddressRange]) -> IpAddr {
    let socket = plain(socket);
    let is_trusted = |address: IpAddr| trusted.iter().any(|range| range.contains(address));
    if !is_trusted(socket) {
        return socket;
    }
    let mut client = socket;
    for hop in hops(headers) {
        // What no proxy writes is not read past.
        let Some(address) = hop else { break };
        client = address;
        if !is_trusted(address) {
            break;
        }
    }
    client
}

/// The addresses in `X-Forwarded-For`, or else in `Forwarded`, the last first. `None` for one that cannot be read.
fn hops(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let list = |name: &str| -> Vec<String> {
        let values = headers.get_all(name).into_iter().map(|value| value.to_str().unwrap_or("?"));
        let mut list: Vec<String> = values.flat_map(|value| value.split(',')).map(str::to_owned).collect();
        list.reverse();
        list.truncate(MOST_HOPS);
        list
    };
    let simple = list("x-forwarded-for");
    if !simple.is_empty() {
        return simple.iter().map(|hop| parse(hop)).collect();
    }
    let of = |element: &String| {
        let pairs = element.split(';').filter_map(|pair| pair.split_once('='));
        let mut named = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("for"));
        parse(named.next()?.1)
    };
    list("forwarded").iter().map(of).collect()
}

/// An address with or without quotes, brackets and a port.
fn parse(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    if let Some(rest) = text.strip_prefix('[') {
        return rest.split_once(']')?.0.parse().ok().map(plain);
    }
    let alone =
        || text.rsplit_once(':').and_then(|(address, _)| address.parse::<std::net::Ipv4Addr>().ok()).map(Into::into);
    text.parse().ok().or_else(alone).map(plain)
}

/// The same address, as IPv4 where it is one in the clothes of IPv6.
fn plain(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => Ipv6Addr::to_canonical(&v6),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(socket: &str, headers: &[(&'static str, &str)], trusted: &[&str]) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let trusted: Vec<AddressRange> = trusted.iter().map(|range| range.parse().unwrap()).collect();
        client_address(socket.parse().unwrap(), &map, &trusted).to_string()
    }

    #[test]
    fn a_header_counts_only_from_a_trusted_proxy() {
        let told = [("x-forwarded-for", "192.0.2.1")];
        assert_eq!(client("10.0.0.1", &told, &[]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &told, &["10.0.0.2"]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &told, &["10.0.0.0/8"]), "192.0.2.1");
        assert_eq!(client("::ffff:10.0.0.1", &told, &["10.0.0.1"]), "192.0.2.1");
        assert_eq!(client("10.0.0.1", &[], &["10.0.0.1"]), "10.0.0.1");
    }

    #[test]
    fn the_client_is_the_last_address_that_is_no_proxy() {
        let trusted = ["10.0.0.0/8", "2001:db8::/32"];
        let header = |value| client("10.0.0.1", &[("x-forwarded-for", value)], &trusted);
        assert_eq!(header("made.up, 198.51.100.7, 192.0.2.1 , 10.9.9.9"), "192.0.2.1");
        assert_eq!(header("10.1.1.1, 2001:db8::5"), "10.1.1.1", "all are proxies");
        assert_eq!(header("192.0.2.1, unknown, 10.1.1.1"), "10.1.1.1", "nothing is read past what is no address");
        let twice = [("x-forwarded-for", "192.0.2.1"), ("x-forwarded-for", "192.0.2.2")];
        assert_eq!(client("10.0.0.1", &twice, &trusted), "192.0.2.2");
    }

    #[test]
    fn both_headers_and_all_forms_of_an_address_are_read() {
        let header = |name, value| client("10.0.0.1", &[(name, value)], &["10.0.0.1"]);
        assert_eq!(header("x-forwarded-for", "192.0.2.1:4711"), "192.0.2.1");
        assert_eq!(header("x-forwarded-for", "2001:db8::1"), "2001:db8::1");
        assert_eq!(header("forwarded", "for=192.0.2.1;proto=https;by=203.0.113.4"), "192.0.2.1");
        assert_eq!(header("forwarded", "for=198.51.100.1, For=\"[2001:db8::1]:4711\""), "2001:db8::1");
        assert_eq!(header("forwarded", "proto=https"), "10.0.0.1");
    }

    #[test]
    fn a_range_has_a_prefix_that_fits() {
        for wrong in ["", "x", "10.0.0.0/33", "::/129", "10.0.0.0/x", "10.0.0"] {
            assert_eq!(wrong.parse::<AddressRange>(), Err(AddressRangeError), "{wrong}");
        }
        let everywhere: AddressRange = "0.0.0.0/0".parse().unwrap();
        assert!(everywhere.contains("192.0.2.1".parse().unwrap()) && !everywhere.contains("::1".parse().unwrap()));
        assert_eq!("10.0.0.0/8".parse::<AddressRange>().unwrap().to_string(), "10.0.0.0/8");
    }
}
