//! Which corner of the address space a peer comes from.
//!
//! A stranger has as many keys as it likes, and as many addresses as its provider gives it: in IPv6 a /48 or more, in
//! IPv4 often a whole /24. So strangers are counted by that much of their address.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;

/// Gives the group of a peer's address; none where addresses say nothing.
pub type GroupOf = Arc<dyn Fn(&Multiaddr) -> Option<AddressGroup> + Send + Sync>;

/// The addresses that count as one: a /24 of IPv4, a /48 of IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AddressGroup {
    /// The first 24 bits.
    V4([u8; 3]),
    /// The first 48 bits.
    V6([u8; 6]),
}

/// A text that names no group of addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a group of addresses: write `203.0.113.0/24` or `2001:db8:1::/48`")]
pub struct AddressGroupError(String);

impl AddressGroup {
    /// Returns the group of an address.
    #[must_use]
    pub fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => {
                let [a, b, c, _] = ip.octets();
                Self::V4([a, b, c])
            }
            IpAddr::V6(ip) => {
                let [a, b, c, d, e, f, ..] = ip.octets();
                Self::V6([a, b, c, d, e, f])
            }
        }
    }
}

/// Returns the group of an address of the public internet; none for peers on this machine or in a private network, and
/// for names that have not been looked up.
///
/// What is behind a private address is not known: a whole office, or the whole internet behind a proxy that all
/// connections seem to come from.
#[must_use]
pub fn address_group(address: &Multiaddr) -> Option<AddressGroup> {
    let ip = ip_of(address)?;
    (!is_private(ip)).then(|| AddressGroup::of(ip))
}

/// Returns the group of any address, private ones and this machine's among them: for networks in which a whole town has
/// private addresses.
#[must_use]
pub fn any_address_group(address: &Multiaddr) -> Option<AddressGroup> {
    ip_of(address).map(AddressGroup::of)
}

/// Tells whether an address means something else in each network: loopback, private (RFC 1918, RFC 4193), link-local, and
/// those that providers share among customers (RFC 6598).
fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            let is_shared = a == 100 && b & 0b1100_0000 == 64;
            ip.is_loopback() || ip.is_private() || ip.is_link_local() || is_shared
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

fn ip_of(address: &Multiaddr) -> Option<IpAddr> {
    match address.iter().next() {
        Some(Protocol::Ip4(ip)) => Some(ip.into()),
        Some(Protocol::Ip6(ip)) => Some(IpAddr::V6(ip).to_canonical()),
        _ => None,
    }
}

impl fmt::Display for AddressGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::V4([a, b, c]) => write!(f, "{}/24", Ipv4Addr::new(a, b, c, 0)),
            Self::V6([a, b, c, d, e, g]) => {
                let mut octets = [0; 16];
                for (to, from) in octets.iter_mut().zip([a, b, c, d, e, g]) {
                    *to = from;
                }
                write!(f, "{}/48", Ipv6Addr::from(octets))
            }
        }
    }
}

impl FromStr for AddressGroup {
    type Err = AddressGroupError;

    fn from_str(text: &str) -> Result<Self, AddressGroupError> {
        let fail = || AddressGroupError(text.chars().take(64).collect());
        let (ip, _) = text.split_once('/').ok_or_else(fail)?;
        let group = Self::of(ip.parse().map_err(|_| fail())?);
        // Only the first address of the group, with the right length, is its name.
        if group.to_string() == text { Ok(group) } else { Err(fail()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(address: &str) -> Option<String> {
        address_group(&address.parse().unwrap()).map(|group| group.to_string())
    }

    #[test]
    fn neighbours_in_the_address_space_are_one_group() {
        for (address, expected) in [
            ("/ip4/203.0.113.7/udp/1/quic-v1", Some("203.0.113.0/24")),
            ("/ip4/203.0.113.255/tcp/9", Some("203.0.113.0/24")),
            ("/ip4/203.0.112.7/tcp/9", Some("203.0.112.0/24")),
            ("/ip6/2001:db8:1:ffff::1/tcp/9", Some("2001:db8:1::/48")),
            ("/ip6/2001:db8:1::9/tcp/9", Some("2001:db8:1::/48")),
            ("/ip6/::ffff:203.0.113.9/tcp/9", Some("203.0.113.0/24")),
            ("/ip4/127.0.0.1/tcp/9", None),
            ("/ip6/::1/tcp/9", None),
            ("/ip4/10.1.2.3/tcp/9", None),
            ("/ip4/172.31.0.1/tcp/9", None),
            ("/ip4/172.32.0.1/tcp/9", Some("172.32.0.0/24")),
            ("/ip4/192.168.1.2/tcp/9", None),
            ("/ip4/169.254.0.1/tcp/9", None),
            ("/ip4/100.64.0.1/tcp/9", None),
            ("/ip4/100.127.255.1/tcp/9", None),
            ("/ip4/100.128.0.1/tcp/9", Some("100.128.0.0/24")),
            ("/ip6/fd00::1/tcp/9", None),
            ("/ip6/fe80::1/tcp/9", None),
            ("/ip6/::ffff:192.168.1.2/tcp/9", None),
            ("/dns4/example.org/tcp/9", None),
        ] {
            assert_eq!(group(address).as_deref(), expected, "{address}");
        }
    }

    #[test]
    fn private_addresses_are_told_apart_where_that_is_wanted() {
        for (address, expected) in [
            ("/ip4/10.1.2.3/tcp/9", Some("10.1.2.0/24")),
            ("/ip4/127.0.7.1/udp/9/quic-v1", Some("127.0.7.0/24")),
            ("/ip4/203.0.113.7/tcp/9", Some("203.0.113.0/24")),
            ("/dns4/example.org/tcp/9", None),
        ] {
            let group = any_address_group(&address.parse().unwrap()).map(|group| group.to_string());
            assert_eq!(group.as_deref(), expected, "{address}");
        }
    }

    #[test]
    fn names_are_read_back() {
        for text in ["203.0.113.0/24", "2001:db8:1::/48"] {
            assert_eq!(text.parse::<AddressGroup>().unwrap().to_string(), text);
        }
        for text in ["203.0.113.1/24", "203.0.113.0", "203.0.113.0/16", "x/24", "", "::ffff:1.2.3.0/48"] {
            assert!(text.parse::<AddressGroup>().is_err(), "{text}");
        }
    }
}
