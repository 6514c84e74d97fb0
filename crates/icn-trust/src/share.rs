//! Introducer subtrees: so that a thousand members behind one introduction get what one gets.
//!
//! Who came in through whom makes a tree below the trusted members. Everybody hangs in one *group*: the branch, right below a
//! trusted member, through which it came. A group shares one allowance among its members, whatever their number. A trusted
//! member has an allowance of its own, and the groups right below it have together at most
//! [`GROUPS_PER_INTRODUCER`]: one who lets in two hundred identities one by one makes them five allowances, not two hundred.
//!
//! Strangers can be made without end, each with a name never heard before. Whoever limits them should therefore keep one
//! bucket for each [`Group`], not one for each stranger.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use icn_types::Did;

use crate::graph::PPM;

/// How many allowances the groups below one trusted member have together. Full: they share them.
pub const GROUPS_PER_INTRODUCER: u64 = 5;

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
    use proptest::prelude::*;

    use super::*;

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
