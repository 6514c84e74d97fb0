//! Accounts whose departure splits the circle of trade.

use std::collections::{BTreeMap, BTreeSet};

use super::rule::ACTIVE_MIN;
use super::{Figure, Found, Subject, count, percent, share};

impl Subject<'_> {
    /// The most accounts that one departure would cut off from the largest part that remains, beside all active accounts.
    pub(super) fn bridges(&self) -> Found {
        let recent = self.facts.movements.iter().filter(|movement| movement.at >= self.long.from);
        let pairs = recent.map(|movement| (movement.from as usize, movement.to as usize));
        let graph = Graph::of(pairs);
        let mut cut = graph.cut_off();
        // A single account at the end of a line is no part.
        cut.retain(|_, lost| *lost >= 2);
        let mut who: Vec<usize> = cut.keys().copied().collect();
        let lost = |place: &usize| cut.get(place).copied().unwrap_or_default();
        who.sort_by_key(|place| (std::cmp::Reverse(lost(place)), *place));
        let most = who.first().map_or(0, lost);
        let active = graph.len();
        let figure = share(most as i128, active as i128);
        Found {
            figure,
            is_judged: active >= ACTIVE_MIN,
            more: vec![
                ("cut_off", Figure::Count(count(most))),
                ("parts", Figure::Count(count(graph.parts()))),
            ],
            finding: if who.is_empty() {
                format!("no single departure would split the {active} accounts that trade")
            } else {
                format!(
                    "{} accounts are bridges: without the most important one, {most} of {active} accounts ({}) lose touch",
                    who.len(),
                    percent(figure)
                )
            },
            who,
        }
    }
}

/// Who trades with whom.
pub(super) struct Graph {
    near: BTreeMap<usize, BTreeSet<usize>>,
}

/// One account on the way of the search.
struct Visit {
    /// When it was entered.
    entered: usize,
    /// The earliest that its part of the tree reaches back to.
    low: usize,
    /// How many accounts hang below it, itself with them.
    below: usize,
    /// The sizes of the parts that only it connects.
    parts: Vec<usize>,
}

impl Graph {
    pub(super) fn of(pairs: impl Iterator<Item = (usize, usize)>) -> Self {
        let mut near: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        for (a, b) in pairs.filter(|(a, b)| a != b) {
            near.entry(a).or_default().insert(b);
            near.entry(b).or_default().insert(a);
        }
        Self { near }
    }

    pub(super) fn len(&self) -> usize {
        self.near.len()
    }

    /// Counts the parts that have no trade with each other.
    pub(super) fn parts(&self) -> usize {
        self.trees().len()
    }

    /// Finds the accounts whose departure splits their part, with how many would be cut off from the largest rest.
    pub(super) fn cut_off(&self) -> BTreeMap<usize, usize> {
        let mut cut = BTreeMap::new();
        for (root, tree) in self.trees() {
            let total = tree.len();
            for (place, visit) in tree {
                let mut parts = visit.parts;
                if place != root {
                    let below: usize = parts.iter().sum();
                    parts.push(total - 1 - below);
                }
                let (sum, largest) = (parts.iter().sum::<usize>(), parts.iter().max().copied().unwrap_or(0));
                if parts.iter().filter(|size| **size > 0).count() > 1 {
                    cut.insert(place, sum - largest);
                }
            }
        }
        cut
    }

    /// Walks every part in depth, without recursion (Tarjan 1972): by its first account, what was found of each.
    fn trees(&self) -> Vec<(usize, BTreeMap<usize, Visit>)> {
        let mut seen: BTreeSet<usize> = BTreeSet::new();
        let mut trees = Vec::new();
        for root in self.near.keys() {
            if !seen.contains(root) {
                let tree = self.walk(*root);
                seen.extend(tree.keys());
                trees.push((*root, tree));
            }
        }
        trees
    }

    fn walk(&self, root: usize) -> BTreeMap<usize, Visit> {
        let neighbours = |place: usize| self.near.get(&place).into_iter().flatten().copied();
        let visit = |entered| Visit { entered, low: entered, below: 1, parts: Vec::new() };
        let mut tree = BTreeMap::from([(root, visit(0))]);
        let mut way = vec![(root, None, neighbours(root).collect::<Vec<usize>>())];
        while let Some((place, parent, left)) = way.last_mut() {
            let (place, parent) = (*place, *parent);
            if let Some(next) = left.pop() {
                if let Some(known) = tree.get(&next).map(|known| known.entered) {
                    if let Some(own) = tree.get_mut(&place).filter(|_| Some(next) != parent) {
                        own.low = own.low.min(known);
                    }
                } else {
                    tree.insert(next, visit(tree.len()));
                    way.push((next, Some(place), neighbours(next).collect()));
                }
                continue;
            }
            way.pop();
            let done = tree.get(&place).map(|own| (own.low, own.below));
            if let (Some((low, below)), Some(above)) = (done, parent.and_then(|parent| tree.get_mut(&parent)))
            {
                above.low = above.low.min(low);
                above.below += below;
                // Nothing below reaches past the one above: only it connects them with the rest.
                if low >= above.entered {
                    above.parts.push(below);
                }
            }
        }
        tree
    }
}
