//! What policy above says about peers, and what it may ask about them. All of it holds at once, for peers that are
//! connected and for those that will be.

use icn_types::{Constraints, Scope, Timestamp, TopologyInfo};
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

    /// Takes back what was set for a peer: it gets what strangers get.
    pub fn clear_constraints(&self, peer: PeerId) {
        self.shared.limits.clear(peer, self.shared.doors.from(&peer));
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
        self.shared.place(peer);
    }

    /// Bans a peer until then, in place of an earlier ban: its connections end, and none comes up. The fifth banned peer of
    /// one address group keeps every stranger from there out, until the last of these bans ends.
    pub fn ban(&self, peer: PeerId, until: Timestamp) {
        self.shared.doors.ban(peer, until, (self.shared.clock)());
        if self.commands.try_send(Command::Redial { peer }).is_err() {
            self.shared.metrics.dropped("commands");
        }
    }

    /// Ends a ban; tells whether there was one.
    pub fn unban(&self, banned: Banned) -> bool {
        self.shared.doors.unban(banned)
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

    /// Picks so many neighbours of a scope at random, each once; fewer when there are fewer.
    #[must_use]
    pub fn sample(&self, scope: Scope, count: usize) -> Vec<PeerId> {
        self.shared.sample(scope, count)
    }

    /// Picks the neighbours to push something of this scope to: as many as [`crate::Config::fanout`] says.
    #[must_use]
    pub fn fanout(&self, scope: Scope) -> Vec<PeerId> {
        let picked = self.shared.sample(scope, self.shared.fanout.of(scope));
        self.shared.metrics.fanned_out(scope, picked.len());
        picked
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
