//! What policy above says about peers, and what it may ask about them. All of it holds at once, for peers that are
//! connected and for those that will be.

use icn_types::{Constraints, Timestamp, TopologyInfo};
use libp2p::PeerId;

use super::{Command, Handle};
use crate::doors::{Ban, Banned, Standing};
use crate::error::NetError;
use crate::limits::Share;
use crate::neighbors::NeighborCounts;

impl Handle {
    /// Sets the limits of one peer, which is no stranger from then on, and the group with which it shares others. No change
    /// of limits fills a burst; lower ones hold for the next message.
    pub fn set_constraints(&self, peer: PeerId, constraints: &Constraints, share: Option<Share>) {
        self.shared.limits.set(peer, constraints, share);
    }

    /// Takes back what was set for a peer: it gets what strangers get, or what known peers get when it is known.
    pub fn clear_constraints(&self, peer: PeerId) {
        let doors = &self.shared.doors;
        self.shared.limits.clear(peer, doors.from(&peer), doors.is_stranger(&peer));
    }

    /// Says whether the limits of strangers hold ([`crate::Config::strangers`]). Their places are limited always.
    pub fn limit_strangers(&self, is_limited: bool) {
        if self.shared.limits.limit_strangers(is_limited) {
            self.meet_all();
        }
    }

    /// Says what the class of a peer is called in metrics, such as `known`. Heeded for peers that have limits of their own
    /// or are connected.
    pub fn set_class(&self, peer: PeerId, class: &'static str) {
        self.shared.limits.classify(peer, class);
    }

    /// Says how much a peer is trusted: it decides about places for connections and among neighbours. A peer that the
    /// operator named stays protected.
    pub fn set_standing(&self, peer: PeerId, standing: Standing) {
        self.shared.doors.set_standing(peer, standing);
        if self.shared.is_connected(peer) {
            self.shared.meet(peer);
        }
        self.shared.place(peer);
    }

    /// Says how good all peers are, connected or not, the best first, in place of everything that was said before. Who is not
    /// named is a stranger. Of more than 65,536 the last are not noted.
    pub fn set_standings(&self, standings: impl IntoIterator<Item = (PeerId, Standing)>) {
        self.shared.doors.set_standings(standings);
        self.meet_all();
        self.shared.place_all();
    }

    fn meet_all(&self) {
        for peer in self.shared.connected() {
            self.shared.meet(peer);
        }
    }

    /// Bans a peer until then, in place of an earlier ban: its connections end, and none comes up. The fifth banned peer of
    /// one address group keeps every stranger from there out, until the last of these bans ends.
    pub fn ban(&self, peer: PeerId, until: Timestamp) {
        self.shared.doors.ban(peer, until, (self.shared.clock)());
        if self.commands.try_send(Command::Redial { peer }).is_err() {
            self.shared.metrics.dropped("commands");
        }
    }

    /// Ends a ban, and forgets what a peer was reported for; tells whether there was a ban. A group of addresses of which fewer than five peers are banned then is open
    /// to strangers again.
    pub fn unban(&self, banned: Banned) -> bool {
        if let Banned::Peer(peer) = banned
            && self.commands.try_send(Command::Pardon { peer }).is_err()
        {
            self.shared.metrics.dropped("commands");
        }
        self.shared.doors.unban(banned, (self.shared.clock)())
    }

    /// Lists the bans that hold, those of peers that were reported too often among them, to be kept over a restart
    /// ([`crate::Config::bans`]).
    #[must_use]
    pub fn bans(&self) -> Vec<Ban> {
        self.shared.doors.bans((self.shared.clock)())
    }

    /// Counts the neighbours of each kind.
    #[must_use]
    pub fn neighbors(&self) -> NeighborCounts {
        self.shared.with_neighbors(|sets| sets.counts())
    }

    /// Returns where this node stands.
    #[must_use]
    pub fn topology(&self) -> TopologyInfo {
        self.shared.with_neighbors(|sets| sets.own().clone())
    }

    /// Says where this node stands from now on; all peers are placed anew and told.
    ///
    /// # Errors
    ///
    /// [`NetError::TooLarge`] above 1 KiB, [`NetError::Closed`].
    pub async fn set_topology(&self, topology: TopologyInfo) -> Result<(), NetError> {
        let bytes = icn_types::codec::encode(&topology).map_or(usize::MAX, |bytes| bytes.len());
        super::check_size(bytes, crate::topology::TOPOLOGY_BYTES_MAX)?;
        self.shared.with_neighbors(|sets| sets.set_own(topology));
        self.shared.place_all();
        self.tell(Command::TellTopology).await
    }
}
