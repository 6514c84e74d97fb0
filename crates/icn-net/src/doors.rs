//! Whom connections are for: bans, standings, places.
//!
//! The state stands behind a lock, since policy changes it through the handle at any time; the [`crate::gate`] asks it about
//! each connection. Nothing here reads a clock.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use icn_types::Timestamp;
use libp2p::PeerId;
use libp2p::swarm::ConnectionId;

use crate::address::AddressGroup;
use crate::behaviour::peer_of;
use crate::config::Config;
use crate::shared::Direction;

mod bans;
mod history;
pub mod slots;

use bans::Bans;
pub use bans::{Ban, Banned};
use history::History;
pub use slots::Standing;
use slots::{Answer, Member, Rules, Slots};

/// Standings that are remembered, of peers that are connected or not. Full: a further one is not noted; its peer counts as
/// a stranger.
const STANDINGS_MAX: usize = 65_536;

/// Why a connection is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The peer is banned.
    Banned,
    /// Its address group is.
    BannedGroup,
    /// It is trusted less than everybody must be.
    TrustTooLow,
    /// All places of strangers are taken.
    Strangers,
    /// Too many strangers of its address group are here.
    AddressGroup,
    /// Too many come and go.
    Churn,
    /// All places are taken by peers that are no worse.
    Full,
}

/// The doorkeeper's knowledge.
pub(crate) struct Doors {
    salt: [u8; 32],
    state: Mutex<State>,
}

struct State {
    slots: Slots,
    standings: HashMap<PeerId, Standing>,
    /// Peers that the operator named: protected, whatever policy says.
    named: HashSet<PeerId>,
    /// Dials to addresses that the operator named without saying who is there.
    invited: HashSet<ConnectionId>,
    bans: Bans,
    history: History,
    /// Peers whose connections are to be closed.
    closing: VecDeque<PeerId>,
    waker: Option<Waker>,
}

/// What the rank of a connected peer comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rank {
    pub(crate) standing: Standing,
    pub(crate) since: Instant,
    pub(crate) steadiness: u32,
}

impl Refusal {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Banned => "banned",
            Self::BannedGroup => "banned_group",
            Self::TrustTooLow => "trust_too_low",
            Self::Strangers => "strangers",
            Self::AddressGroup => "address_group",
            Self::Churn => "churn",
            Self::Full => "full",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Banned => "the peer is banned: wait until the ban ends or lift it",
            Self::BannedGroup => "peers from these addresses are banned: wait until the ban ends or lift it",
            Self::TrustTooLow => "the peer is trusted too little: have somebody vouch for it",
            Self::Strangers => {
                "all places for strangers are taken: have somebody vouch for the peer, or try later"
            }
            Self::AddressGroup => {
                "too many strangers come from these addresses: have somebody vouch for the peer"
            }
            Self::Churn => "too many peers come and go: try again in a minute",
            Self::Full => "all places are taken: try later",
        })
    }
}

impl std::error::Error for Refusal {}

impl Doors {
    pub(crate) fn new(config: &Config) -> Self {
        let mut bans = Bans::default();
        let now = (config.clock)();
        for ban in &config.bans {
            match ban.banned {
                Banned::Peer(peer) => drop(bans.ban(peer, ban.from, ban.until, now)),
                Banned::Group(group) => bans.ban_group(group, ban.until),
            }
        }
        let state = State {
            slots: Slots::new(rules(config)),
            standings: HashMap::new(),
            named: config.peers.iter().filter_map(peer_of).collect(),
            invited: HashSet::new(),
            bans,
            history: History::default(),
            closing: VecDeque::new(),
            waker: None,
        };
        Self { salt: rand::random(), state: Mutex::new(state) }
    }

    /// Tells whether a peer may come in; whoever has to go for it goes.
    pub(crate) fn ask(
        &self,
        now: (Instant, Timestamp),
        peer: PeerId,
        direction: Direction,
        from: Option<AddressGroup>,
    ) -> Result<(), Refusal> {
        let mut state = self.lock();
        let standing = state.standing(&peer);
        if state.bans.has_peer(&peer, now.1) {
            return Err(Refusal::Banned);
        }
        if standing.is_stranger() && state.bans.has_group(from, now.1) {
            return Err(Refusal::BannedGroup);
        }
        state.refresh(now.0);
        match state.slots.ask(now.0, &peer, standing, direction, from) {
            Answer::Enter => Ok(()),
            Answer::Replace(victim) => {
                state.close(victim);
                Ok(())
            }
            Answer::Refuse(refusal) => Err(refusal),
        }
    }

    /// Notes that the first connection to a peer is up.
    pub(crate) fn entered(
        &self,
        now: Instant,
        peer: PeerId,
        direction: Direction,
        from: Option<AddressGroup>,
    ) {
        let tie = self.tie(&peer);
        let mut state = self.lock();
        let standing = state.standing(&peer);
        let steadiness = state.history.steadiness(&peer, std::time::Duration::ZERO);
        let member = Member { standing, direction, from, since: now, steadiness, tie, is_leaving: false };
        state.slots.enter(peer, member);
    }

    /// Notes that the last connection to a peer has ended.
    pub(crate) fn left(&self, now: Instant, peer: PeerId) {
        let mut state = self.lock();
        if let Some(member) = state.slots.leave(&peer) {
            state.history.ended(peer, now.saturating_duration_since(member.since));
        }
    }

    /// Lets the answer to a dial in, whoever it is, and protects it from then on.
    pub(crate) fn invite(&self, dial: ConnectionId) {
        self.lock().invited.insert(dial);
    }

    /// Takes an invitation; tells whether there was one.
    pub(crate) fn redeem(&self, dial: ConnectionId) -> bool {
        self.lock().invited.remove(&dial)
    }

    /// Protects a peer that the operator named.
    pub(crate) fn name(&self, peer: PeerId) {
        let mut state = self.lock();
        state.named.insert(peer);
        state.restand(peer);
    }

    /// Says how good a peer is, connected or not.
    pub(crate) fn set_standing(&self, peer: PeerId, standing: Standing) {
        let mut state = self.lock();
        if standing == Standing::default() {
            state.standings.remove(&peer);
        } else if state.standings.len() < STANDINGS_MAX || state.standings.contains_key(&peer) {
            state.standings.insert(peer, standing);
        }
        state.restand(peer);
        state.close_surplus();
    }

    /// Says how good all peers are, in place of everything that was said before.
    pub(crate) fn set_standings(&self, standings: impl IntoIterator<Item = (PeerId, Standing)>) {
        let heard = standings.into_iter().filter(|(_, standing)| !standing.is_stranger());
        let standings = heard.take(STANDINGS_MAX).collect();
        let mut state = self.lock();
        state.standings = standings;
        let peers: Vec<PeerId> = state.slots.iter().map(|(peer, _)| *peer).collect();
        for peer in peers {
            state.restand(peer);
        }
        state.close_surplus();
    }

    /// Tells whether nothing was said of a peer.
    pub(crate) fn is_stranger(&self, peer: &PeerId) -> bool {
        self.lock().standing(peer).is_stranger()
    }

    /// Returns what a peer's rank comes from; none when it is not connected.
    pub(crate) fn rank(&self, now: Instant, peer: &PeerId) -> Option<Rank> {
        let state = self.lock();
        let member = state.slots.get(peer)?;
        let steadiness = state.history.steadiness(peer, now.saturating_duration_since(member.since));
        Some(Rank { standing: member.standing, since: member.since, steadiness })
    }

    /// Returns where a connected peer comes from.
    pub(crate) fn from(&self, peer: &PeerId) -> Option<AddressGroup> {
        self.lock().slots.get(peer)?.from
    }

    /// Bans a peer; closes its connections, and those of the strangers of its address group when that is banned too.
    pub(crate) fn ban(&self, peer: PeerId, until: Timestamp, now: Timestamp) {
        let mut state = self.lock();
        let from = state.slots.get(&peer).and_then(|member| member.from);
        let group = state.bans.ban(peer, from, until, now);
        state.close(peer);
        let Some(group) = group else { return };
        let strangers: Vec<PeerId> = state
            .slots
            .iter()
            .filter(|(_, member)| member.from == Some(group))
            .filter(|(_, member)| member.standing.is_stranger())
            .map(|(peer, _)| *peer)
            .collect();
        for stranger in strangers {
            state.close(stranger);
        }
    }

    pub(crate) fn unban(&self, banned: Banned, now: Timestamp) -> bool {
        self.lock().bans.unban(banned, now)
    }

    pub(crate) fn bans(&self, now: Timestamp) -> Vec<Ban> {
        self.lock().bans.list(now)
    }

    /// Forgets the bans that are over; returns the peers that may come again, and how many peers and groups are banned.
    pub(crate) fn expire(&self, now: Timestamp) -> (Vec<PeerId>, (usize, usize)) {
        let mut state = self.lock();
        let over = state.bans.expire(now);
        (over, state.bans.len())
    }

    /// Gives the next peer whose connections are to be closed.
    pub(crate) fn poll_close(&self, context: &Context<'_>) -> Poll<PeerId> {
        let mut state = self.lock();
        if let Some(peer) = state.closing.pop_front() {
            return Poll::Ready(peer);
        }
        state.waker = Some(context.waker().clone());
        Poll::Pending
    }

    fn tie(&self, peer: &PeerId) -> u64 {
        let hash = blake3::keyed_hash(&self.salt, &peer.to_bytes());
        hash.as_bytes().iter().take(8).fold(0, |tie, byte| tie << 8 | u64::from(*byte))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn standing(&self, peer: &PeerId) -> Standing {
        let standing = self.standings.get(peer).copied().unwrap_or_default();
        Standing { is_protected: standing.is_protected || self.named.contains(peer), ..standing }
    }

    fn restand(&mut self, peer: PeerId) {
        let standing = self.standing(&peer);
        if let Some(member) = self.slots.get_mut(&peer) {
            member.standing = standing;
        }
    }

    /// Brings up to date how steady each member is.
    fn refresh(&mut self, now: Instant) {
        let peers: Vec<PeerId> = self.slots.iter().map(|(peer, _)| *peer).collect();
        for peer in peers {
            let Some(member) = self.slots.get_mut(&peer) else { continue };
            member.steadiness = self.history.steadiness(&peer, now.saturating_duration_since(member.since));
        }
    }

    /// Closes the connections of strangers that are more than their places.
    fn close_surplus(&mut self) {
        for stranger in self.slots.surplus() {
            self.close(stranger);
        }
    }

    fn close(&mut self, peer: PeerId) {
        if let Some(member) = self.slots.get_mut(&peer) {
            member.is_leaving = true;
        }
        self.closing.push_back(peer);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

fn rules(config: &Config) -> Rules {
    let strangers = config.strangers.as_ref().map(|it| (it.slots_max, it.slots_per_group_max));
    Rules::new(config.peers_max, strangers, config.trust_ppm_min)
}
