//! Whom to dial, and when again.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, DialError};
use libp2p::{Multiaddr, PeerId};

use super::{Driver, give};
use crate::behaviour::peer_of;
use crate::config::Config;
use crate::error::NetError;
use crate::handle::Answer;

/// The pause before a bootstrap peer is dialled again: it doubles from the first to the last. The last is short, because a
/// cable that was plugged in again should be noticed while somebody still looks at it, and a dial costs one packet.
const PAUSE_MIN: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// Peers of an earlier run that are dialled at start.
const KNOWN_MAX: usize = 32;
/// A node without any peer tries those that it knows again after so long.
const LONELY_PAUSE: Duration = Duration::from_secs(15);
/// Peers that are being connected to on somebody's behalf. Full: the next is an error.
const ATTEMPTS_MAX: usize = 1_024;

type Waiter = Answer<Result<PeerId, NetError>>;

/// Somebody waits for a peer to be connected.
#[derive(Debug, Default)]
struct Attempt {
    waiters: Vec<Waiter>,
    /// Whether the DHT was asked for addresses.
    looked_up: bool,
    last_error: Option<String>,
}

/// One of the peers that the operator named.
#[derive(Debug)]
struct Bootstrap {
    address: Multiaddr,
    /// Who answers there: named in the address, or learnt.
    peer: Option<PeerId>,
    pause: Duration,
    next: Instant,
    dialling: Option<ConnectionId>,
}

/// What is being dialled.
#[derive(Debug)]
pub(super) struct Dials {
    by_peer: HashMap<PeerId, Attempt>,
    by_connection: HashMap<ConnectionId, Vec<Waiter>>,
    bootstrap: Vec<Bootstrap>,
    lonely_since: Instant,
}

impl Dials {
    pub(super) fn new(config: &Config) -> Self {
        let now = Instant::now();
        let bootstrap = config.peers.iter().map(|address| Bootstrap {
            peer: peer_of(address),
            address: address.clone(),
            pause: PAUSE_MIN,
            next: now,
            dialling: None,
        });
        Self {
            by_peer: HashMap::new(),
            by_connection: HashMap::new(),
            bootstrap: bootstrap.collect(),
            lonely_since: now,
        }
    }
}

impl Driver {
    /// Connects to a peer by its known addresses, and by those of the DHT when they fail.
    pub(super) fn connect(&mut self, peer: PeerId, answer: Waiter) {
        if peer == self.shared.peer_id {
            return give(answer, Err(NetError::Myself(peer)));
        }
        if self.shared.is_connected(peer) {
            return give(answer, Ok(peer));
        }
        if self.dials.by_peer.len() >= ATTEMPTS_MAX && !self.dials.by_peer.contains_key(&peer) {
            return give(answer, Err(NetError::Full("list of peers to dial")));
        }
        let attempt = self.dials.by_peer.entry(peer).or_default();
        attempt.waiters.push(answer);
        if attempt.waiters.len() == 1 {
            self.dial_peer(peer);
        }
    }

    pub(super) fn dial_peer(&mut self, peer: PeerId) {
        let addresses = self.shared.with_book(|book| book.addresses(&peer));
        let options = DialOpts::peer_id(peer)
            .addresses(addresses)
            .extend_addresses_through_behaviour()
            .condition(PeerCondition::DisconnectedAndNotDialing)
            .build();
        match self.swarm.dial(options) {
            // A dial that is under way already will tell.
            Ok(()) | Err(DialError::DialPeerConditionFalse(_)) => {}
            Err(error) => self.on_dial_failed(Some(peer), None, &error),
        }
    }

    /// Connects to an address.
    pub(super) fn dial(&mut self, address: Multiaddr, answer: Waiter) {
        if let Some(peer) = peer_of(&address) {
            self.shared.with_book(|book| book.add(peer, [address]));
            return self.connect(peer, answer);
        }
        let known = self.shared.infos().into_iter().find(|info| info.address == address);
        if let Some(info) = known {
            return give(answer, Ok(info.peer_id));
        }
        let options = DialOpts::unknown_peer_id().address(address.clone()).build();
        let id = options.connection_id();
        match self.swarm.dial(options) {
            Ok(()) => self.dials.by_connection.entry(id).or_default().push(answer),
            Err(error) => give(answer, Err(failed(address.to_string(), error.to_string()))),
        }
    }

    pub(super) fn dial_known(&mut self) {
        let known: Vec<PeerId> = self.config.known_peers.iter().map(|(peer, _)| *peer).collect();
        for peer in known.into_iter().take(KNOWN_MAX) {
            self.dial_if_room(peer);
        }
    }

    /// Connects to a peer that somebody told us of, while fewer than half of the places are taken.
    pub(super) fn dial_if_room(&mut self, peer: PeerId) {
        let connected = self.shared.with_peers(|peers| peers.len());
        if peer != self.shared.peer_id && connected < self.config.peers_max as usize / 2 {
            self.dial_peer(peer);
        }
    }

    /// Dials the bootstrap peers that are not connected and whose pause is over.
    pub(super) fn redial(&mut self, now: Instant) {
        let shared = &self.shared;
        let mut due = Vec::new();
        for (place, bootstrap) in self.dials.bootstrap.iter_mut().enumerate() {
            let is_connected = bootstrap.peer.is_some_and(|peer| shared.is_connected(peer));
            if is_connected {
                bootstrap.pause = PAUSE_MIN;
                bootstrap.next = now;
            } else if bootstrap.dialling.is_none()
                && now >= bootstrap.next
                && bootstrap.peer != Some(shared.peer_id)
            {
                bootstrap.next = now + bootstrap.pause.mul_f64(rand::random_range(0.8..1.2));
                bootstrap.pause = (bootstrap.pause * 2).min(PAUSE_MAX);
                due.push((place, bootstrap.address.clone()));
            }
        }
        for (place, address) in due {
            self.dial_bootstrap(place, address);
        }
        if self.shared.with_peers(|peers| !peers.is_empty()) {
            self.dials.lonely_since = now;
        } else if now.duration_since(self.dials.lonely_since) > LONELY_PAUSE {
            self.dials.lonely_since = now;
            for (peer, _) in self.shared.with_book(|book| book.known()).into_iter().take(KNOWN_MAX) {
                self.dial_peer(peer);
            }
        }
    }

    fn dial_bootstrap(&mut self, place: usize, address: Multiaddr) {
        // A named peer that is connected is not dialled; an unnamed address cannot be told from others.
        let options = match peer_of(&address) {
            // Another address of the same peer may be dialling in vain: it must not keep this one from its turn.
            Some(peer) => DialOpts::peer_id(peer)
                .condition(PeerCondition::Disconnected)
                .addresses(vec![address])
                .build(),
            None => DialOpts::unknown_peer_id().address(address).build(),
        };
        let id = options.connection_id();
        if self.swarm.dial(options).is_ok()
            && let Some(bootstrap) = self.dials.bootstrap.get_mut(place)
        {
            bootstrap.dialling = Some(id);
        }
    }

    pub(super) fn on_dialled(&mut self, peer: PeerId, connection: ConnectionId) {
        for bootstrap in &mut self.dials.bootstrap {
            if bootstrap.dialling == Some(connection) {
                bootstrap.dialling = None;
                bootstrap.peer = Some(peer);
            }
        }
        let by_connection = self.dials.by_connection.remove(&connection).unwrap_or_default();
        let by_peer = self.dials.by_peer.remove(&peer).map(|attempt| attempt.waiters).unwrap_or_default();
        for waiter in by_connection.into_iter().chain(by_peer) {
            give(waiter, Ok(peer));
        }
    }

    pub(super) fn on_dial_failed(
        &mut self,
        peer: Option<PeerId>,
        connection: Option<ConnectionId>,
        error: &DialError,
    ) {
        for bootstrap in &mut self.dials.bootstrap {
            if connection.is_some() && bootstrap.dialling == connection {
                bootstrap.dialling = None;
                tracing::debug!(address = %bootstrap.address, %error, "a bootstrap peer does not answer");
            }
        }
        if let Some(waiters) = connection.and_then(|id| self.dials.by_connection.remove(&id)) {
            for waiter in waiters {
                give(waiter, Err(failed("the address".to_owned(), error.to_string())));
            }
        }
        let Some(peer) = peer else { return };
        let Some(attempt) = self.dials.by_peer.get_mut(&peer) else { return };
        attempt.last_error = Some(error.to_string());
        let is_first = !std::mem::replace(&mut attempt.looked_up, true);
        if !is_first || !self.look_up(peer) {
            self.give_up(peer);
        }
    }

    /// The DHT has answered: one more try, when it knew anything.
    pub(super) fn looked_up(&mut self, peer: PeerId) {
        if !self.dials.by_peer.contains_key(&peer) {
            return;
        }
        if self.shared.with_book(|book| book.addresses(&peer).is_empty()) {
            self.give_up(peer);
        } else {
            self.dial_peer(peer);
        }
    }

    fn give_up(&mut self, peer: PeerId) {
        let Some(attempt) = self.dials.by_peer.remove(&peer) else { return };
        let reason = attempt.last_error.unwrap_or_else(|| "no address of it is known".to_owned());
        for waiter in attempt.waiters {
            give(waiter, Err(failed(peer.to_string(), reason.clone())));
        }
    }
}

fn failed(target: String, reason: String) -> NetError {
    NetError::Dial { target, reason }
}
