//! Addresses of peers, remembered over restarts.

use std::collections::{HashMap, VecDeque};

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

/// Peers remembered. Full: the one heard of least recently goes, never one that was reached before one that was not.
const PEERS_MAX: usize = 1_024;
/// Addresses remembered for a peer, best first. Full: the last goes.
const ADDRESSES_MAX: usize = 8;

#[derive(Debug, Default)]
struct Entry {
    addresses: VecDeque<Multiaddr>,
    /// Whether a connection to it ever succeeded.
    reached: bool,
    /// When it was last heard of, in the order of events.
    heard: u64,
}

/// The address book. Addresses are kept without their `/p2p` part.
#[derive(Debug, Default)]
pub(crate) struct Book {
    entries: HashMap<PeerId, Entry>,
    clock: u64,
}

impl Book {
    /// Notes addresses that somebody told.
    pub(crate) fn add(&mut self, peer: PeerId, addresses: impl IntoIterator<Item = Multiaddr>) {
        for address in addresses.into_iter().take(ADDRESSES_MAX) {
            let Some(address) = bare(address, peer) else { continue };
            let entry = self.entry(peer);
            if !entry.addresses.contains(&address) {
                entry.addresses.push_back(address);
                entry.addresses.truncate(ADDRESSES_MAX);
            }
        }
        self.evict();
    }

    /// Notes that an address has worked: it comes first from now on.
    pub(crate) fn reached(&mut self, peer: PeerId, address: Multiaddr) {
        let Some(address) = bare(address, peer) else { return };
        let entry = self.entry(peer);
        entry.reached = true;
        entry.addresses.retain(|known| *known != address);
        entry.addresses.push_front(address);
        entry.addresses.truncate(ADDRESSES_MAX);
        self.evict();
    }

    pub(crate) fn addresses(&self, peer: &PeerId) -> Vec<Multiaddr> {
        self.entries.get(peer).map(|entry| entry.addresses.iter().cloned().collect()).unwrap_or_default()
    }

    /// Lists the peers that were reached, most recent first.
    pub(crate) fn known(&self) -> Vec<(PeerId, Vec<Multiaddr>)> {
        let mut reached: Vec<_> = self.entries.iter().filter(|(_, entry)| entry.reached).collect();
        reached.sort_by_key(|(_, entry)| std::cmp::Reverse(entry.heard));
        reached.into_iter().map(|(peer, entry)| (*peer, entry.addresses.iter().cloned().collect())).collect()
    }

    fn entry(&mut self, peer: PeerId) -> &mut Entry {
        self.clock += 1;
        let entry = self.entries.entry(peer).or_default();
        entry.heard = self.clock;
        entry
    }

    fn evict(&mut self) {
        while self.entries.len() > PEERS_MAX {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| (entry.reached, entry.heard));
            let Some(peer) = oldest.map(|(peer, _)| *peer) else { return };
            self.entries.remove(&peer);
        }
    }
}

/// Takes the `/p2p` part off; none when it names somebody else or nothing is left.
fn bare(mut address: Multiaddr, peer: PeerId) -> Option<Multiaddr> {
    if let Some(Protocol::P2p(named)) = address.iter().last() {
        if named != peer {
            return None;
        }
        address.pop();
    }
    (!address.is_empty()).then_some(address)
}

/// Tells whether an address can only mean something on the machine that said it.
pub(crate) fn is_loopback(address: &Multiaddr) -> bool {
    match address.iter().next() {
        Some(Protocol::Ip4(ip)) => ip.is_loopback(),
        Some(Protocol::Ip6(ip)) => ip.is_loopback(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> Multiaddr {
        format!("/ip4/10.0.0.1/tcp/{port}").parse().unwrap()
    }

    #[test]
    fn what_worked_comes_first_and_is_kept() {
        let mut book = Book::default();
        let peer = PeerId::random();
        book.add(peer, (1..20).map(address));
        assert_eq!(book.addresses(&peer).len(), ADDRESSES_MAX);
        assert!(book.known().is_empty(), "nothing was reached yet");
        book.reached(peer, address(99));
        assert_eq!(book.addresses(&peer)[0], address(99));
        for _ in 0..PEERS_MAX * 2 {
            book.add(PeerId::random(), [address(1)]);
        }
        assert_eq!(book.entries.len(), PEERS_MAX);
        assert_eq!(book.known()[0].0, peer);
    }

    #[test]
    fn an_address_of_somebody_else_is_refused() {
        let mut book = Book::default();
        let (peer, other) = (PeerId::random(), PeerId::random());
        book.add(peer, [address(1).with(Protocol::P2p(other))]);
        assert!(book.addresses(&peer).is_empty());
        book.add(peer, [address(1).with(Protocol::P2p(peer))]);
        assert_eq!(book.addresses(&peer), [address(1)]);
    }
}
