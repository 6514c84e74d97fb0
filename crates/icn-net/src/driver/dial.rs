//! Whom to dial, and when again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, DialError};
use libp2p::{Multiaddr, PeerId};

use super::redial::Redials;
use super::{Driver, give};
use crate::behaviour::peer_of;
use crate::config::Config;
use crate::error::NetError;
use crate::handle::Answer;
use crate::start::with_peer;

/// The pause before an address of the operator's that names no peer is dialled again: it doubles from the first to the
/// last.
const PAUSE_MIN: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// Somebody who waits for a peer waits so long for one dial, however often it is begun anew.
const DIAL_TIME: Duration = Duration::from_secs(5);
/// Peers of an earlier run that are dialled at start.
const KNOWN_MAX: usize = 32;
/// A node without any peer tries those that it knows again after so long.
const LONELY_PAUSE: Duration = Duration::from_secs(15);
/// Peers that are being connected to on somebody's behalf. Full: the next is an error.
const ATTEMPTS_MAX: usize = 1_024;

type Waiter = Answer<Result<PeerId, NetError>>;

/// Somebody waits for a peer to be connected.
#[derive(Debug)]
struct Attempt {
    since: Instant,
    waiters: Vec<Waiter>,
    /// Whether the DHT was asked for addresses.
    looked_up: bool,
    last_error: Option<String>,
}

/// An address that the operator gave without saying who is there.
#[derive(Debug)]
struct Bootstrap {
    address: Multiaddr,
    /// Who answered there.
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
    pub(super) redials: Redials,
    lonely_since: Instant,
}

impl Dials {
    pub(super) fn new(config: &Config) -> Self {
        let now = Instant::now();
        let me = config.keypair.public().to_peer_id();
        let (mut bootstrap, mut redials) = (Vec::new(), Redials::default());
        for address in config.peers.iter().cloned() {
            match peer_of(&address) {
                Some(peer) if peer == me => {}
                Some(peer) => redials.name(now, peer, address),
                None => bootstrap.push(Bootstrap {
                    address,
                    peer: None,
                    pause: PAUSE_MIN,
                    next: now,
                    dialling: None,
                }),
            }
        }
        Self { by_peer: HashMap::new(), by_connection: HashMap::new(), bootstrap, redials, lonely_since: now }
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
        let fresh =
            || Attempt { since: Instant::now(), waiters: Vec::new(), looked_up: false, last_error: None };
        let attempt = self.dials.by_peer.entry(peer).or_insert_with(fresh);
        attempt.waiters.push(answer);
        if attempt.waiters.len() == 1 {
            self.dial_peer(peer);
        }
    }

    pub(super) fn dial_peer(&mut self, peer: PeerId) {
        let options = DialOpts::peer_id(peer)
            .addresses(self.addresses(peer))
            .extend_addresses_through_behaviour()
            .condition(PeerCondition::DisconnectedAndNotDialing)
            .build();
        match self.swarm.dial(options) {
            // A dial that is under way already will tell.
            Ok(()) | Err(DialError::DialPeerConditionFalse(_)) => {}
            Err(error) => self.on_dial_failed(Some(peer), None, &error),
        }
    }

    /// Lists the addresses in the book as the library writes them. Written otherwise, one address would be dialled twice at
    /// once, and the second connection would end as soon as the other side has it, like that of a process that has ended.
    fn addresses(&self, peer: PeerId) -> Vec<Multiaddr> {
        let bare = self.shared.with_book(|book| book.addresses(&peer));
        bare.into_iter().map(|address| with_peer(address, peer)).collect()
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

    /// Dials whoever is to be connected, is not, and whose pause is over.
    pub(super) fn redial(&mut self, now: Instant) {
        let shared = Arc::clone(&self.shared);
        let is_connected = |peer: &PeerId| shared.is_connected(*peer);
        let stretch = || rand::random_range(0.8..1.2);
        for (peer, addresses) in self.dials.redials.due(now, is_connected, stretch) {
            self.dial_anew(peer, addresses);
        }
        let mut due = Vec::new();
        let redials = &self.dials.redials;
        for (place, bootstrap) in self.dials.bootstrap.iter_mut().enumerate() {
            // Who answered there and fell silent is dialled by name.
            let is_known = bootstrap.peer.is_some_and(|peer| is_connected(&peer) || redials.contains(&peer));
            if is_known {
                bootstrap.pause = PAUSE_MIN;
                bootstrap.next = now;
            } else if bootstrap.dialling.is_none()
                && now >= bootstrap.next
                && bootstrap.peer != Some(shared.peer_id)
            {
                bootstrap.next = now + bootstrap.pause.mul_f64(stretch());
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

    /// Dials a peer in place of the dials to it that are under way: what they wait for may have been lost long ago.
    fn dial_anew(&mut self, peer: PeerId, mut addresses: Vec<Multiaddr>) {
        if self.swarm.is_connected(&peer) {
            return;
        }
        // Not connected: this ends dials only.
        let _ = self.swarm.disconnect_peer_id(peer);
        if self.dials.by_peer.contains_key(&peer) {
            addresses.extend(self.addresses(peer));
        }
        let options =
            DialOpts::peer_id(peer).condition(PeerCondition::Disconnected).addresses(addresses).build();
        if let Err(error) = self.swarm.dial(options) {
            tracing::debug!(%peer, %error, "a peer cannot be dialled again");
        }
    }

    fn dial_bootstrap(&mut self, place: usize, address: Multiaddr) {
        let options = DialOpts::unknown_peer_id().address(address).build();
        let id = options.connection_id();
        self.shared.doors.invite(id);
        if self.swarm.dial(options).is_err() {
            self.shared.doors.redeem(id);
        } else if let Some(bootstrap) = self.dials.bootstrap.get_mut(place) {
            bootstrap.dialling = Some(id);
        }
    }

    pub(super) fn on_dialled(&mut self, peer: PeerId, connection: ConnectionId) {
        self.ringing.hang_up(peer);
        self.dials.redials.find(&peer);
        for bootstrap in &mut self.dials.bootstrap {
            if bootstrap.dialling == Some(connection) {
                bootstrap.dialling = None;
                bootstrap.peer = Some(peer);
                self.shared.limits.know(peer);
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
        let is_replaced = matches!(error, DialError::Aborted);
        if !is_replaced {
            self.dials.redials.fail(&peer);
        }
        let Some(attempt) = self.dials.by_peer.get_mut(&peer) else { return };
        if is_replaced && attempt.since.elapsed() < DIAL_TIME {
            return;
        }
        attempt.last_error =
            Some(if is_replaced { "it does not answer".to_owned() } else { error.to_string() });
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
