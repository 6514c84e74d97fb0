//! Who is kept out, and until when.

use std::collections::HashMap;

use icn_types::Timestamp;
use libp2p::PeerId;

use crate::address::AddressGroup;

/// Peers, and address groups, that are banned. Full: the one whose ban ends first is forgiven.
const PEERS_MAX: usize = 1_024;
const GROUPS_MAX: usize = 1_024;
/// So many banned peers of one address group close the door to every stranger from there (Lighthouse's figure for one
/// address).
const GROUP_BANNED_AT: usize = 5;

/// Who is banned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Banned {
    /// One peer.
    Peer(PeerId),
    /// Every stranger from a group of addresses.
    Group(AddressGroup),
}

/// One ban. It is kept in memory only: what should outlast a restart goes through [`crate::Handle::bans`] and
/// [`crate::Config::bans`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ban {
    /// Who is kept out.
    pub banned: Banned,
    /// When it ends.
    pub until: Timestamp,
    /// Where a banned peer came from, if it was connected then.
    pub from: Option<AddressGroup>,
}

#[derive(Debug, Clone, Copy)]
struct PeerBan {
    until: Timestamp,
    /// Where the peer came from, when it was connected then.
    from: Option<AddressGroup>,
}

/// All bans.
#[derive(Debug, Default)]
pub(super) struct Bans {
    peers: HashMap<PeerId, PeerBan>,
    groups: HashMap<AddressGroup, Timestamp>,
}

impl Bans {
    /// Bans a peer in place of an earlier ban of it; returns the group that is banned with it, when it is one too many.
    pub(super) fn ban(
        &mut self,
        peer: PeerId,
        from: Option<AddressGroup>,
        until: Timestamp,
        now: Timestamp,
    ) -> Option<AddressGroup> {
        let from = from.or_else(|| self.peers.get(&peer)?.from);
        self.peers.insert(peer, PeerBan { until, from });
        if self.peers.len() > PEERS_MAX
            && let Some(first) = self.peers.iter().min_by_key(|(_, ban)| ban.until).map(|(peer, _)| *peer)
        {
            self.peers.remove(&first);
        }
        let from = from?;
        let (count, end) = self.of_group(from, now);
        if count < GROUP_BANNED_AT {
            return None;
        }
        self.ban_group(from, end?);
        Some(from)
    }

    /// Counts the banned peers of a group, and tells when the last of these bans ends.
    fn of_group(&self, group: AddressGroup, now: Timestamp) -> (usize, Option<Timestamp>) {
        let bans = self.peers.values().filter(|ban| ban.from == Some(group) && ban.until > now);
        bans.fold((0, None), |(count, end), ban| (count + 1, end.max(Some(ban.until))))
    }

    pub(super) fn ban_group(&mut self, group: AddressGroup, until: Timestamp) {
        let end = self.groups.entry(group).or_insert(until);
        *end = until.max(*end);
        if self.groups.len() > GROUPS_MAX
            && let Some(first) = self.groups.iter().min_by_key(|(_, until)| **until).map(|(group, _)| *group)
        {
            self.groups.remove(&first);
        }
    }

    /// Ends a ban; tells whether there was one. Who was banned says nothing about its group any more: with too few others
    /// left, the ban of the group ends with it.
    pub(super) fn unban(&mut self, banned: Banned, now: Timestamp) -> bool {
        match banned {
            Banned::Peer(peer) => {
                let Some(ban) = self.peers.remove(&peer) else { return false };
                if let Some(group) = ban.from
                    && self.of_group(group, now).0 < GROUP_BANNED_AT
                {
                    self.groups.remove(&group);
                }
                true
            }
            Banned::Group(group) => self.groups.remove(&group).is_some(),
        }
    }

    pub(super) fn has_peer(&self, peer: &PeerId, now: Timestamp) -> bool {
        self.peers.get(peer).is_some_and(|ban| ban.until > now)
    }

    pub(super) fn has_group(&self, group: Option<AddressGroup>, now: Timestamp) -> bool {
        group.and_then(|group| self.groups.get(&group)).is_some_and(|until| *until > now)
    }

    /// Forgets what is over; returns the peers whose ban ended.
    pub(super) fn expire(&mut self, now: Timestamp) -> Vec<PeerId> {
        let over: Vec<PeerId> =
            self.peers.iter().filter(|(_, ban)| ban.until <= now).map(|(peer, _)| *peer).collect();
        for peer in &over {
            self.peers.remove(peer);
        }
        self.groups.retain(|_, until| *until > now);
        over
    }

    /// Lists the bans that hold, in a fixed order.
    pub(super) fn list(&self, now: Timestamp) -> Vec<Ban> {
        let peers = self.peers.iter().map(|(peer, ban)| Ban {
            banned: Banned::Peer(*peer),
            until: ban.until,
            from: ban.from,
        });
        let groups = self.groups.iter().map(|(group, until)| Ban {
            banned: Banned::Group(*group),
            until: *until,
            from: None,
        });
        let mut bans: Vec<Ban> = peers.chain(groups).filter(|ban| ban.until > now).collect();
        bans.sort();
        bans
    }

    /// Counts banned peers and groups.
    pub(super) fn len(&self) -> (usize, usize) {
        (self.peers.len(), self.groups.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CORNER: Option<AddressGroup> = Some(AddressGroup::V4([203, 0, 113]));

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    #[test]
    fn bans_end() {
        let (mut bans, peer) = (Bans::default(), PeerId::random());
        assert_eq!(bans.ban(peer, None, at(100), at(0)), None);
        assert!(bans.has_peer(&peer, at(99)));
        assert!(!bans.has_peer(&peer, at(100)));
        assert_eq!(bans.list(at(99)), [Ban { banned: Banned::Peer(peer), until: at(100), from: None }]);
        assert_eq!(bans.expire(at(100)), [peer]);
        assert!(bans.list(at(0)).is_empty());
        bans.ban(peer, None, at(100), at(0));
        assert!(bans.unban(Banned::Peer(peer), at(0)) && !bans.has_peer(&peer, at(0)));
        assert!(!bans.unban(Banned::Peer(peer), at(0)));
    }

    #[test]
    fn who_is_forgiven_opens_its_corner_again() {
        let mut bans = Bans::default();
        let peers: Vec<PeerId> = (0..=GROUP_BANNED_AT).map(|_| PeerId::random()).collect();
        for peer in &peers {
            bans.ban(*peer, CORNER, at(100), at(0));
        }
        // One of six is one too many still.
        assert!(bans.unban(Banned::Peer(peers[0]), at(0)) && bans.has_group(CORNER, at(0)));
        assert!(bans.unban(Banned::Peer(peers[1]), at(0)) && !bans.has_group(CORNER, at(0)));
        assert!(bans.has_peer(&peers[2], at(0)));
    }

    #[test]
    fn five_of_one_corner_close_it_until_the_last_is_out() {
        let mut bans = Bans::default();
        for n in 1..GROUP_BANNED_AT as u64 {
            assert_eq!(bans.ban(PeerId::random(), CORNER, at(100 + n), at(0)), None);
        }
        let last = PeerId::random();
        // One whose ban is over does not count any more.
        assert_eq!(bans.ban(last, CORNER, at(300), at(101)), None);
        assert_eq!(bans.ban(PeerId::random(), CORNER, at(50), at(0)), CORNER);
        assert!(bans.has_group(CORNER, at(299)) && !bans.has_group(CORNER, at(300)));
        assert!(!bans.has_group(Some(AddressGroup::V4([203, 0, 112])), at(0)));
        assert!(!bans.has_group(None, at(0)));
        // The same peer, banned again, is one peer.
        let mut bans = Bans::default();
        let again = PeerId::random();
        for n in 0..20 {
            assert_eq!(bans.ban(again, CORNER, at(100 + n), at(0)), None);
        }
    }

    #[test]
    fn bans_are_bounded_and_the_longest_stay() {
        let (mut bans, worst) = (Bans::default(), PeerId::random());
        bans.ban(worst, None, at(1_000_000), at(0));
        for n in 0..PEERS_MAX as u64 * 2 {
            bans.ban(PeerId::random(), None, at(100 + n), at(0));
            let [_, a, b, c, ..] = n.to_be_bytes().map(|_| (n % 251) as u8);
            bans.ban_group(AddressGroup::V6([a, b, c, (n / 251) as u8, 0, 0]), at(100 + n));
        }
        assert_eq!(bans.len(), (PEERS_MAX, GROUPS_MAX));
        assert!(bans.has_peer(&worst, at(0)));
    }
}
