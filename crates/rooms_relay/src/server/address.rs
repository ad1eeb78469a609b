//! The addresses under which clients reach the relay.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Where a client on the same machine reaches `addr`. An address that stands for all interfaces is reached over loopback.
pub(super) fn url(addr: SocketAddr, has_tls: bool) -> String {
    let ip = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    let scheme = if has_tls { "wss" } else { "ws" };
    format!("{scheme}://{}", SocketAddr::new(ip, addr.port()))
}

/// The address of this machine that leads to other networks. Finding it sends nothing.
pub(super) fn address_on_the_network() -> Option<IpAddr> {
    // An address that is reserved for documentation. Any that is not on this machine would do.
    const ELSEWHERE: (Ipv4Addr, u16) = (Ipv4Addr::new(192, 0, 2, 1), 9);
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect(ELSEWHERE).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_on_all_interfaces_is_reached_over_loopback() {
        let url = |addr: &str| url(addr.parse().unwrap(), false);
        assert_eq!(url("0.0.0.0:80"), "ws://127.0.0.1:80");
        assert_eq!(url("[::]:80"), "ws://[::1]:80");
        assert_eq!(url("192.168.1.2:80"), "ws://192.168.1.2:80");
        assert_eq!(super::url("[::1]:443".parse().unwrap(), true), "wss://[::1]:443");
    }
}
