//! Introducer subtrees: so that a thousand members behind one introduction get what one gets.
//!
//! Who came in through whom makes a tree below the trusted members. Everybody hangs in one *group*: the branch, right below a
//! trusted member, through which it came. A group shares one allowance among its members, whatever their number. A trusted
//! member has an allowance of its own, and the groups right below it have together at most
//! [`GROUPS_PER_INTRODUCER`]: one who lets in two hundred identities one by one makes them five allowances, not two hundred.
//!
//! Whoever is trusted as a partner would stand for itself, but a crowd whose members vouch for each other in full is a crowd of
//! partners by the best path. So a member stands for itself when, besides, one flow from the sources reaches it that all
//! partners share ([`Subtrees::read`]): behind an introduction no more stand for themselves than it carries.
//!
//! Strangers can be made without end, each with a name never heard before. Whoever limits them should therefore keep one
//! bucket for each [`Group`], not one for each stranger.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use icn_types::{Constraints, Did};

use crate::flow::reached;
use crate::graph::PPM;
use crate::path::Paths;
use crate::snapshot::{Introduction, Snapshot};

/// How many allowances the groups below one trusted member have together. Full: they share them.
pub const GROUPS_PER_INTRODUCER: u64 = 5;

/// What the peers of one branch get together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BranchLimits {
    /// Messages a second, sustained.
    pub messages_per_second: u32,
    /// Messages at once.
    pub burst: u32,
    /// Streams open at once.
    pub streams_max: u32,
}

/// Where somebody hangs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// A trusted member, alone.
    Trusted(Did),
    /// The branch below `introducer` that starts with `branch`.
    Below {
        /// The trusted member.
        introducer: Did,
        /// Whom it let in: the first of the branch.
        branch: Did,
    },
    /// All whose row of introducers leads to nobody who is trusted.
    Strangers,
}

/// What somebody may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Where it hangs.
    pub group: Group,
    /// How many share with it, itself included. A stranger whom the map does not name counts as one of the strangers it does.
    pub members: u64,
    /// How many groups hang right below the same introducer; 1 for others.
    pub groups: u64,
    /// Its part of one member's allowance, in parts per million, rounded down.
    pub share_ppm: u32,
}

/// The groups of all members.
#[derive(Debug, Clone, Default)]
pub struct Subtrees {
    group_of: BTreeMap<Did, Group>,
    members: BTreeMap<Group, u64>,
    groups_below: BTreeMap<Did, u64>,
}

impl Subtrees {
    /// Finds everybody's group. `introducers` says through whom each member came in; roots are not in it. Rows that lead in a
    /// circle lead to nobody.
    #[must_use]
    pub fn new(introducers: &BTreeMap<Did, Did>, trusted: &BTreeSet<Did>) -> Self {
        let mut trees = Self::default();
        for did in trusted {
            trees.group_of.insert(*did, Group::Trusted(*did));
        }
        for did in introducers.keys() {
            trees.place(*did, introducers);
        }
        for group in trees.group_of.values() {
            *trees.members.entry(*group).or_default() += 1;
        }
        for group in trees.members.keys() {
            if let Group::Below { introducer, .. } = group {
                *trees.groups_below.entry(*introducer).or_default() += 1;
            }
        }
        trees
    }

    /// Finds everybody's group in a web. The sources and all partners whom one flow from the sources reaches stand for
    /// themselves; an introduction carries [`GROUPS_PER_INTRODUCER`] times its score, and each of them takes the score of a
    /// partner. Whom nobody let in hangs below whoever lifts it most with its word.
    #[must_use]
    pub fn read(
        snapshot: &Snapshot,
        paths: &Paths,
        sources: &BTreeSet<Did>,
        mut introducers: BTreeMap<Did, Did>,
        partner_ppm: u32,
    ) -> Self {
        let is_partner = |did: &&Did| !sources.contains(*did) && paths.score(snapshot, did) >= partner_ppm;
        let partners: BTreeSet<Did> = snapshot.members().iter().filter(is_partner).copied().collect();
        let seeds = sources.iter().map(|did| (*did, u64::MAX)).collect();
        let carries = |by: &Introduction| GROUPS_PER_INTRODUCER * u64::from(by.score_ppm);
        let mut trusted = reached(snapshot, &seeds, &partners, u64::from(partner_ppm), carries);
        trusted.extend(sources);
        for did in snapshot.members() {
            if trusted.contains(did) || introducers.contains_key(did) {
                continue;
            }
            let path = paths.path(snapshot, did);
            if let Some(hop) = path.as_ref().and_then(|path| path.hops.last()) {
                introducers.insert(*did, hop.by.from);
            }
        }
        Self::new(&introducers, &trusted)
    }

    /// Returns the branch through which somebody came who does not stand for itself.
    #[must_use]
    pub fn branch(&self, did: &Did) -> Option<Did> {
        match self.group(did) {
            Group::Below { branch, .. } => Some(branch),
            Group::Trusted(_) | Group::Strangers => None,
        }
    }

    /// Returns the part of one member's limits that such a branch gets, in parts per million.
    #[must_use]
    pub fn part_ppm(&self, did: &Did) -> Option<u32> {
        self.branch(did)?;
        let groups = self.allowance(did).groups.max(1);
        u32::try_from(GROUPS_PER_INTRODUCER.min(groups) * u64::from(PPM) / groups).ok()
    }

    /// Returns somebody's group.
    #[must_use]
    pub fn group(&self, did: &Did) -> Group {
        self.group_of.get(did).copied().unwrap_or(Group::Strangers)
    }

    /// Returns what somebody may use.
    #[must_use]
    pub fn allowance(&self, did: &Did) -> Allowance {
        let group = self.group(did);
        let members = self.members.get(&group).copied().unwrap_or_default().max(1);
        let (groups, allowances) = match group {
            Group::Below { introducer, .. } => {
                let groups = self.groups_below.get(&introducer).copied().unwrap_or_default().max(1);
                (groups, groups.min(GROUPS_PER_INTRODUCER))
            }
            Group::Trusted(_) | Group::Strangers => (1, 1),
        };
        let share = u128::from(PPM) * u128::from(allowances) / (u128::from(groups) * u128::from(members));
        Allowance { group, members, groups, share_ppm: u32::try_from(share).unwrap_or(PPM) }
    }

    /// Finds the group of a member and of all on its way up.
    fn place(&mut self, did: Did, introducers: &BTreeMap<Did, Did>) {
        let mut way = Vec::new();
        let mut met = BTreeSet::new();
        let mut at = did;
        let group = loop {
            if let Some(group) = self.group_of.get(&at) {
                break match group {
                    Group::Trusted(introducer) => way
                        .last()
                        .map_or(*group, |branch| Group::Below { introducer: *introducer, branch: *branch }),
                    Group::Below { .. } | Group::Strangers => *group,
                };
            }
            if !met.insert(at) {
                break Group::Strangers;
            }
            way.push(at);
            match introducers.get(&at) {
                Some(introducer) => at = *introducer,
                None => break Group::Strangers,
            }
        };
        self.group_of.extend(way.into_iter().map(|did| (did, group)));
    }
}

impl BranchLimits {
    /// Finds what the peers of each branch get together: as much as the best of them gets alone, or the part of it that is
    /// left where one member let in many. A part of a limit that lets something through lets one through. `peers` tells of
    /// each its branch, its part in parts per million ([`Subtrees::part_ppm`]) and what it may do alone.
    #[must_use]
    pub fn of_branches<'a>(
        peers: impl IntoIterator<Item = (Did, u32, &'a Constraints)>,
    ) -> BTreeMap<Did, Self> {
        let mut branches: BTreeMap<Did, Self> = BTreeMap::new();
        for (branch, part_ppm, constraints) in peers {
            let part = |value: u32| {
                let part = u64::from(value) * u64::from(part_ppm) / u64::from(PPM);
                u32::try_from(part).unwrap_or(value).max(1)
            };
            let limits = Self {
                messages_per_second: part(constraints.messages_per_second),
                burst: part(constraints.burst),
                streams_max: part(constraints.streams_max),
            };
            let best = branches.entry(branch).or_insert(limits);
            if best.messages_per_second < limits.messages_per_second {
                *best = limits;
            }
        }
        branches
    }
}

impl fmt::Display for Allowance {
    /// Writes what is shared with whom, in a sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { members, groups, share_ppm, .. } = self;
        match self.group {
            Group::Trusted(_) => write!(f, "a whole allowance of its own"),
            Group::Below { introducer, branch } => write!(
                f,
                "{share_ppm} of 1000000 parts of an allowance: one of {members} who came in through {branch}, one of {groups} \
                 whom {introducer} let in"
            ),
            Group::Strangers => write!(
                f,
                "{share_ppm} of 1000000 parts of an allowance: one of {members} whom nobody trusted let in"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use icn_types::{Timestamp, TrustContext};
    use proptest::prelude::*;

    use super::*;
    use crate::graph::{Edge, TrustGraph};
    use crate::settings::PathSettings;

    fn did(number: u16) -> Did {
        let mut key = [1; 32];
        key[..2].copy_from_slice(&number.to_be_bytes());
        Did::from_public_key(key)
    }

    fn trees(rows: &[(u16, u16)], trusted: &[u16]) -> Subtrees {
        let introducers = rows.iter().map(|(member, by)| (did(*member), did(*by))).collect();
        Subtrees::new(&introducers, &trusted.iter().copied().map(did).collect())
    }

    #[test]
    fn a_branch_shares_one_allowance() {
        //  0 (seed) ── 1 ── 2 ── 3        4 ── 0        5 ── 6 ── 5 (a circle)        8 ── 9 (a root nobody trusts)
        //              └─── 7
        let trees = trees(&[(1, 0), (2, 1), (3, 2), (7, 1), (4, 0), (5, 6), (6, 5), (8, 9)], &[0]);
        let below = |branch| Group::Below { introducer: did(0), branch: did(branch) };
        for (member, group, share) in [
            (0, Group::Trusted(did(0)), 1_000_000),
            (1, below(1), 250_000),
            (2, below(1), 250_000),
            (3, below(1), 250_000),
            (7, below(1), 250_000),
            (4, below(4), 1_000_000),
            (5, Group::Strangers, 250_000),
            (6, Group::Strangers, 250_000),
            (8, Group::Strangers, 250_000),
            (9, Group::Strangers, 250_000),
        ] {
            let allowance = trees.allowance(&did(member));
            assert_eq!((allowance.group, allowance.share_ppm), (group, share), "{member}");
        }
        assert!(trees.allowance(&did(3)).to_string().starts_with("250000 of 1000000 parts"));
    }

    #[test]
    fn two_hundred_let_in_one_by_one_get_five_allowances() {
        let rows: Vec<(u16, u16)> = (1..=200).map(|member| (member, 0)).collect();
        let trees = trees(&rows, &[0]);
        let sum: u64 = (1..=200).map(|member| u64::from(trees.allowance(&did(member)).share_ppm)).sum();
        assert_eq!(sum, GROUPS_PER_INTRODUCER * 1_000_000);
        assert_eq!(trees.allowance(&did(0)).share_ppm, 1_000_000, "the introducer keeps its own");
    }

    fn vouch(graph: &mut TrustGraph, from: u16, to: u16, score_ppm: u32) {
        let (from, to) = (did(from), did(to));
        let given = Timestamp::from_millis(0);
        let edge = Edge { from, to, graph: TrustContext::General, score_ppm, given, expires: None };
        graph.set(&edge).unwrap();
    }

    /// The groups of a web that is read from member 0.
    fn read(graph: &TrustGraph, rows: &[(u16, u16)]) -> Subtrees {
        let snapshot = Snapshot::new(graph, TrustContext::General, Timestamp::from_millis(0), 365);
        let sources = BTreeSet::from([did(0)]);
        let paths = Paths::new(&snapshot, &sources, &PathSettings::default());
        let introducers = rows.iter().map(|(member, by)| (did(*member), did(*by))).collect();
        Subtrees::read(&snapshot, &paths, &sources, introducers, 300_000)
    }

    /// Found by the simulation of a sybil region: members of a crowd that vouch for each other in full are all partners by the
    /// best path, and each of them had an allowance of its own, however few introductions led to the crowd.
    #[test]
    fn a_crowd_that_vouches_for_itself_stands_for_itself_only_as_far_as_its_introduction_carries() {
        let mut graph = TrustGraph::new();
        vouch(&mut graph, 0, 1, 900_000);
        (2..=200).for_each(|sybil| vouch(&mut graph, 1, sybil, 1_000_000));
        let rows: Vec<(u16, u16)> = (1..=200).map(|sybil| (sybil, 0)).collect();
        for rows in [&rows[..], &[]] {
            let trees = read(&graph, rows);
            let alone =
                (1..=200).filter(|sybil| matches!(trees.group(&did(*sybil)), Group::Trusted(_))).count();
            assert_eq!(alone, 15, "5 · 0.9 / 0.3");
            assert!((1..=200).all(|sybil| trees.group(&did(sybil)) != Group::Strangers));
        }
        // Without a row of who let whom in, the crowd hangs below the one whose word lifts it.
        let trees = read(&graph, &[]);
        let below =
            |sybil: u16| trees.group(&did(sybil)) == Group::Below { introducer: did(1), branch: did(sybil) };
        assert!((2..=200).filter(|sybil| below(*sybil)).count() >= 185);
        assert_eq!(trees.part_ppm(&did(200)), Some(5 * 1_000_000 / 185));
    }

    #[test]
    fn partners_whom_the_sources_know_stand_for_themselves() {
        let mut graph = TrustGraph::new();
        for member in 1..=40 {
            vouch(&mut graph, 0, member, 500_000);
            vouch(&mut graph, member, 100 + member, 900_000);
        }
        vouch(&mut graph, 0, 200, 100_000);
        let trees = read(&graph, &[(200, 0), (1, 0)]);
        let is_alone = |member: u16| trees.group(&did(member)) == Group::Trusted(did(member));
        assert!((0..=40).chain(101..=140).all(is_alone), "0.5 · 0.9 · 0.8 is a partner");
        assert_eq!((trees.branch(&did(200)), trees.branch(&did(1))), (Some(did(200)), None));
        assert_eq!((trees.part_ppm(&did(200)), trees.part_ppm(&did(1))), (Some(1_000_000), None));
    }

    #[test]
    fn a_branch_gets_what_its_best_peer_gets_alone_or_the_part_that_is_left() {
        let constraints = |rate| Constraints {
            messages_per_second: rate,
            burst: rate * 10,
            streams_max: 2,
            ..Constraints::default()
        };
        let (low, high) = (constraints(1), constraints(100));
        let branches = BranchLimits::of_branches([
            (did(1), 250_000, &low),
            (did(1), 250_000, &high),
            (did(1), 250_000, &low),
            (did(2), 1_000_000, &low),
            (did(3), 1, &high),
        ]);
        let row = |branch: u16| {
            let limits = branches[&did(branch)];
            (limits.messages_per_second, limits.burst, limits.streams_max)
        };
        assert_eq!((row(1), row(2), row(3)), ((25, 250, 1), (1, 10, 2), (1, 1, 1)));
    }

    proptest! {
        #[test]
        fn nobody_below_gets_more_by_being_more(
            rows in prop::collection::btree_map(1..60_u16, 0..60_u16, 0..60),
            trusted in prop::collection::btree_set(0..60_u16, 0..4)
        ) {
            let rows: Vec<(u16, u16)> = rows.into_iter().collect();
            let list: Vec<u16> = trusted.iter().copied().collect();
            let trees = trees(&rows, &list);
            let mut sums: BTreeMap<Group, u64> = BTreeMap::new();
            let mut introducers: BTreeMap<Did, u64> = BTreeMap::new();
            for member in 0..60 {
                let allowance = trees.allowance(&did(member));
                let share = u64::from(allowance.share_ppm);
                prop_assert!(share <= 1_000_000);
                // Whoever no row names and nobody trusts is no stranger of the map.
                if !rows.iter().any(|(who, _)| *who == member) && !trusted.contains(&member) {
                    continue;
                }
                *sums.entry(allowance.group).or_default() += share;
                if let Group::Below { introducer, .. } = allowance.group {
                    *introducers.entry(introducer).or_default() += share;
                }
            }
            prop_assert!(sums.values().all(|sum| *sum <= 1_000_000), "{sums:?}");
            prop_assert!(introducers.values().all(|sum| *sum <= GROUPS_PER_INTRODUCER * 1_000_000), "{introducers:?}");
        }
    }
}
