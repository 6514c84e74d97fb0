//! Nodes in different corners of the address space: on Linux all of 127.0.0.0/8 is this machine, so that nodes of one test
//! can stand in different /24s.

use std::sync::Arc;

use icn_net::{AddressGroup, Config, Multiaddr};

/// Counts loopback addresses like any others.
pub(crate) fn tell_apart(config: &mut Config) {
    config.group_of = Arc::new(|address: &Multiaddr| {
        let text = address.to_string();
        let ip = text.split('/').nth(2)?.parse().ok()?;
        Some(AddressGroup::of(ip))
    });
}

/// Puts a node into a corner: it listens there, and dials from there.
pub(crate) fn stand_in(config: &mut Config, corner: u8) {
    config.listen = vec![format!("/ip4/127.0.{corner}.1/udp/0/quic-v1").parse().unwrap()];
}
