//! Who gets one of the places for connections: a pure decision.
//!
//! Strangers have a pool of their own, of which known peers leave them half, so that a new member can always come in, and
//! of which a fifth is for those that this node dials itself, so that a crowd at the door does not decide whom it meets. A
//! stranger never takes anybody's place. A known peer may, when all places are taken: first that of the worst stranger,
//! while there are more of them than half of their pool, then that of a known peer that is trusted less, then that of one
//! whose group (those behind one introducer) has more places than its own. Peers that are protected are let in always and
//! never put out.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use libp2p::PeerId;

pub use super::Refusal;
use crate::address::AddressGroup;
use crate::limits::ShareId;
use crate::shared::Direction;

/// Peers that are put out for better ones: so many at once, then one in so long (B-05). Beyond it newcomers are refused.
const EVICTIONS_BURST: u32 = 8;
const EVICTION_EVERY: Duration = Duration::from_secs(10);
/// Strangers of one address group that are let in: twice as many as may be here at once, then one in so long. Beyond it
/// they are refused.
const ARRIVAL_EVERY: Duration = Duration::from_secs(5);
/// Address groups whose arrivals are counted. Full: those that have had their rest are forgotten, then any.
const GROUPS_MAX: usize = 4_096;

/// How good a peer is, as far as policy says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// How much it is trusted, in parts per million. Whoever is trusted at all is known.
    pub trust_ppm: u32,
    /// Whether policy knows it, trusted or not.
    pub is_known: bool,
    /// Whether it is let in always and never put out.
    pub is_protected: bool,
    /// With whom it shares what it gets; none when it stands for itself.
    pub group: Option<ShareId>,
}

impl Standing {
    /// Tells whether nothing at all was said of the peer.
    #[must_use]
    pub fn is_stranger(&self) -> bool {
        *self == Self::default()
    }

    /// Orders peers from the worst up, strangers first.
    fn worth(&self) -> (bool, u32) {
        (!self.is_stranger(), self.trust_ppm)
    }
}

/// How many places there are, and for whom.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// In all.
    pub peers_max: usize,
    /// For peers that came by themselves, the protected ones not counted.
    pub inbound_max: usize,
    /// For strangers.
    pub strangers_max: usize,
    /// How many of them may have come by themselves.
    pub strangers_inbound_max: usize,
    /// Places that known peers leave to strangers.
    pub strangers_kept: usize,
    /// The most strangers of one address group; none without a policy for strangers.
    pub per_group_max: Option<usize>,
    /// Whoever is trusted less has none, in parts per million.
    pub trust_ppm_min: u32,
}

/// A peer that has a place.
#[derive(Debug, Clone, Copy)]
pub struct Member {
    /// How good it is.
    pub standing: Standing,
    /// Who dialled.
    pub direction: Direction,
    /// Where it comes from.
    pub from: Option<AddressGroup>,
    /// Since when it is here.
    pub since: Instant,
    /// How long its connections hold, from 0 up.
    pub steadiness: u32,
    /// Breaks ties, and nobody can guess it.
    pub tie: u64,
    /// Whether its connections are being closed.
    pub is_leaving: bool,
}

/// What becomes of a newcomer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// There is room, or it needs none.
    Enter,
    /// It enters, and this peer goes.
    Replace(PeerId),
    /// It does not enter.
    Refuse(Refusal),
}

/// Something that happens so often at once, and then once in so long: GCRA.
#[derive(Debug, Clone, Copy, Default)]
struct Pace(Option<Instant>);

impl Pace {
    fn take(&mut self, now: Instant, every: Duration, burst: u32) -> bool {
        let from = self.0.map_or(now, |at| at.max(now));
        if from.duration_since(now) > every * burst.saturating_sub(1) {
            return false;
        }
        self.0 = Some(from + every);
        true
    }
}

/// The peers that have a place.
#[derive(Debug)]
pub struct Slots {
    rules: Rules,
    members: HashMap<PeerId, Member>,
    evictions: Pace,
    arrivals: HashMap<AddressGroup, Pace>,
}

impl Rules {
    /// Derives them from how many peers there may be, how many strangers among them and of one address group (none: strangers
    /// are not told apart), and the trust that everybody needs.
    #[must_use]
    pub fn new(peers_max: u32, strangers: Option<(u32, u32)>, trust_ppm_min: u32) -> Self {
        let peers_max = peers_max.max(1) as usize;
        let (strangers_max, strangers_kept, per_group_max) =
            strangers.map_or((peers_max, 0, None), |(places, per_group)| {
                let places = (places as usize).min(peers_max);
                (places, places / 2, Some(per_group as usize))
            });
        let is_told_apart = strangers.is_some();
        Self {
            peers_max,
            inbound_max: (peers_max - peers_max / 5).max(1),
            strangers_max,
            strangers_inbound_max: if is_told_apart {
                strangers_max - strangers_max / 5
            } else {
                strangers_max
            },
            strangers_kept,
            per_group_max,
            trust_ppm_min,
        }
    }
}

impl Member {
    fn is_stranger(&self) -> bool {
        self.standing.is_stranger()
    }

    /// Orders members from the worst up.
    fn rank(&self) -> ((bool, u32), u32, std::cmp::Reverse<Instant>, u64) {
        (self.standing.worth(), self.steadiness, std::cmp::Reverse(self.since), self.tie)
    }
}

impl Slots {
    /// Makes them, all free.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self { rules, members: HashMap::new(), evictions: Pace::default(), arrivals: HashMap::new() }
    }

    /// Returns who has a place.
    #[must_use]
    pub fn get(&self, peer: &PeerId) -> Option<&Member> {
        self.members.get(peer)
    }

    /// Returns who has a place, to be changed.
    pub fn get_mut(&mut self, peer: &PeerId) -> Option<&mut Member> {
        self.members.get_mut(peer)
    }

    /// Goes through all who have one, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&PeerId, &Member)> {
        self.members.iter()
    }

    /// Gives a place to a peer that may come in; one that has a place keeps it as it is.
    pub fn enter(&mut self, peer: PeerId, member: Member) {
        self.members.entry(peer).or_insert(member);
    }

    /// Frees the place of a peer; returns what it had.
    pub fn leave(&mut self, peer: &PeerId) -> Option<Member> {
        self.members.remove(peer)
    }

    /// Decides about a newcomer; one that has a place already keeps it.
    pub fn ask(
        &mut self,
        now: Instant,
        peer: &PeerId,
        standing: Standing,
        direction: Direction,
        from: Option<AddressGroup>,
    ) -> Answer {
        if standing.is_protected || self.members.contains_key(peer) {
            return Answer::Enter;
        }
        if standing.trust_ppm < self.rules.trust_ppm_min {
            return Answer::Refuse(Refusal::TrustTooLow);
        }
        if standing.is_stranger() {
            return self.ask_stranger(now, direction, from).map_or_else(Answer::Refuse, |()| Answer::Enter);
        }
        let is_known_full =
            self.count(|member| !member.is_stranger()) + self.rules.strangers_kept >= self.rules.peers_max;
        if !is_known_full && self.has_room(direction) {
            return Answer::Enter;
        }
        let strangers = self.count(Member::is_stranger);
        let must_be_inbound = direction == Direction::Inbound && self.is_inbound_full();
        let may_go = |member: &Member| {
            !member.standing.is_protected
                && !member.is_leaving
                && (!must_be_inbound || member.direction == Direction::Inbound)
                && (!member.is_stranger() || (!is_known_full && strangers > self.rules.strangers_kept))
        };
        let is_worse = |member: &Member| standing.worth() > member.standing.worth();
        let is_better = |member: &Member| standing.worth() < member.standing.worth();
        let worse = self.worst(|member| may_go(member) && is_worse(member));
        let crowding = || {
            let crowd = self.largest_group(|member| may_go(member) && !is_better(member))?;
            // Who goes for it must not be able to come back for the same reason.
            let is_crowd =
                self.count_group(crowd) > standing.group.map_or(0, |group| self.count_group(group)) + 1;
            self.worst(|member| {
                is_crowd && may_go(member) && !is_better(member) && member.standing.group == Some(crowd)
            })
        };
        let Some(worst) = worse.or_else(crowding) else {
            return Answer::Refuse(Refusal::Full);
        };
        if self.evictions.take(now, EVICTION_EVERY, EVICTIONS_BURST) {
            Answer::Replace(worst)
        } else {
            Answer::Refuse(Refusal::Churn)
        }
    }

    /// Returns the strangers that are more than their pool holds, the worst first: those who became strangers here.
    #[must_use]
    pub fn surplus(&self) -> Vec<PeerId> {
        let mut strangers: Vec<_> =
            self.members.iter().filter(|(_, member)| member.is_stranger() && !member.is_leaving).collect();
        let surplus = strangers.len().saturating_sub(self.rules.strangers_max);
        strangers.sort_by_key(|(_, member)| member.rank());
        strangers.into_iter().take(surplus).map(|(peer, _)| *peer).collect()
    }

    fn ask_stranger(
        &mut self,
        now: Instant,
        direction: Direction,
        from: Option<AddressGroup>,
    ) -> Result<(), Refusal> {
        let has_come = |member: &Member| member.is_stranger() && member.direction == Direction::Inbound;
        let is_full = self.count(Member::is_stranger) >= self.rules.strangers_max
            || (direction == Direction::Inbound && self.count(has_come) >= self.rules.strangers_inbound_max);
        if is_full {
            return Err(Refusal::Strangers);
        }
        if !self.has_room(direction) {
            return Err(Refusal::Full);
        }
        let (Some(from), Some(max)) = (from, self.rules.per_group_max) else { return Ok(()) };
        if self.count(|member| member.is_stranger() && member.from == Some(from)) >= max {
            return Err(Refusal::AddressGroup);
        }
        if self.arrivals.len() >= GROUPS_MAX && !self.arrivals.contains_key(&from) {
            self.arrivals.retain(|_, pace| pace.0.is_some_and(|at| at > now));
            if self.arrivals.len() >= GROUPS_MAX {
                self.arrivals.clear();
            }
        }
        let burst = u32::try_from(max.saturating_mul(2)).unwrap_or(u32::MAX);
        if self.arrivals.entry(from).or_default().take(now, ARRIVAL_EVERY, burst) {
            Ok(())
        } else {
            Err(Refusal::Churn)
        }
    }

    /// Finds the worst of those that may go.
    fn worst(&self, may_go: impl Fn(&Member) -> bool) -> Option<PeerId> {
        let going = self.members.iter().filter(|(_, member)| may_go(member));
        going.min_by_key(|(_, member)| member.rank()).map(|(peer, _)| *peer)
    }

    /// Finds the group that has most places, of those of which somebody may go.
    fn largest_group(&self, may_go: impl Fn(&Member) -> bool) -> Option<ShareId> {
        let going = self.members.values().filter(|member| may_go(member));
        let groups: BTreeSet<ShareId> = going.filter_map(|member| member.standing.group).collect();
        groups.into_iter().max_by_key(|group| self.count_group(*group))
    }

    fn count_group(&self, group: ShareId) -> usize {
        self.count(|member| member.standing.group == Some(group))
    }

    fn count(&self, of: impl Fn(&Member) -> bool) -> usize {
        self.members.values().filter(|member| !member.is_leaving && of(member)).count()
    }

    fn has_room(&self, direction: Direction) -> bool {
        self.count(|_| true) < self.rules.peers_max
            && (direction == Direction::Outbound || !self.is_inbound_full())
    }

    fn is_inbound_full(&self) -> bool {
        self.count(|member| member.direction == Direction::Inbound && !member.standing.is_protected)
            >= self.rules.inbound_max
    }
}

#[cfg(test)]
mod tests;
