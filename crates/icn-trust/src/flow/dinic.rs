//! Maximum flow by Dinic's algorithm, over numbered nodes.
//!
//! The `petgraph` crate has the same algorithm. It is not used here because capacities cannot be raised once it has run (a
//! fair division raises them step by step and goes on from the flow so far), and because each of its augmenting paths costs
//! time in the number of all nodes: at 10,000 members, most of whom take a path of their own, that is the difference between
//! milliseconds and seconds (`cargo xtask bench trust` measures both). The tests compare the two on random networks.

use std::collections::VecDeque;

/// No edge, no level.
const NONE: u32 = u32::MAX;

/// The most that one edge carries: with [`EDGES_MAX`](crate::EDGES_MAX) of them no sum overflows. More counts as this.
pub(crate) const CAPACITY_MAX: u64 = 1 << 42;

/// A network and the flow through it.
#[derive(Debug, Clone)]
pub(crate) struct Dinic {
    /// By node: its first and last edge, and the one to try next.
    first: Vec<u32>,
    last: Vec<u32>,
    cursor: Vec<u32>,
    level: Vec<u32>,
    /// Edges in pairs: `2i` as it was added, `2i + 1` back.
    edges: Vec<HalfEdge>,
}

#[derive(Debug, Clone, Copy)]
struct HalfEdge {
    to: u32,
    /// The next edge of the same node, in the order of adding.
    next: u32,
    /// What still goes through.
    left: u64,
}

impl Dinic {
    /// Makes a network of so many nodes, with room for so many edges.
    pub(crate) fn new(nodes: usize, edges: usize) -> Self {
        let none = vec![NONE; nodes];
        let edges = Vec::with_capacity(2 * edges);
        Self { first: none.clone(), last: none.clone(), cursor: none.clone(), level: none, edges }
    }

    /// Adds an edge and returns its number.
    pub(crate) fn add(&mut self, from: u32, to: u32, capacity: u64) -> u32 {
        let number = self.edges.len() as u32;
        self.edges.push(HalfEdge { to, next: NONE, left: capacity.min(CAPACITY_MAX) });
        self.edges.push(HalfEdge { to: from, next: NONE, left: 0 });
        self.append(from, number);
        self.append(to, number + 1);
        number
    }

    /// Lets an edge carry more.
    pub(crate) fn raise(&mut self, edge: u32, by: u64) {
        if let Some(edge) = self.edges.get_mut(edge as usize) {
            edge.left = edge.left.saturating_add(by).min(CAPACITY_MAX);
        }
    }

    /// Returns what flows through an edge.
    pub(crate) fn flow(&self, edge: u32) -> u64 {
        self.left(edge ^ 1)
    }

    /// Sends as much more as possible from one node to another, and returns how much.
    pub(crate) fn run(&mut self, source: u32, sink: u32) -> u64 {
        let mut sent = 0;
        while source != sink && self.find_levels(source, sink) {
            self.cursor.clone_from(&self.first);
            sent += self.block(source, sink);
        }
        sent
    }

    /// Tells for each node whether more could still be sent to it. What leads out of these nodes is the minimum cut nearest
    /// to the source, and the same for every maximum flow.
    pub(crate) fn reachable(&mut self, source: u32) -> Vec<bool> {
        self.find_levels(source, NONE);
        self.level.iter().map(|level| *level != NONE).collect()
    }

    /// The edges of a node: number, target, what still goes through.
    pub(crate) fn of(&self, node: u32) -> impl Iterator<Item = (u32, u32, u64)> + '_ {
        let mut edge = self.first.get(node as usize).copied().unwrap_or(NONE);
        std::iter::from_fn(move || {
            let half = self.edges.get(edge as usize)?;
            let item = (edge, half.to, half.left);
            edge = half.next;
            Some(item)
        })
    }

    /// Takes flow off an edge without sending it elsewhere, for taking paths out.
    pub(crate) fn take(&mut self, edge: u32, amount: u64) {
        if let Some(back) = self.edges.get_mut((edge ^ 1) as usize) {
            back.left = back.left.saturating_sub(amount);
        }
    }

    fn append(&mut self, node: u32, edge: u32) {
        let Some(last) = self.last.get_mut(node as usize) else { return };
        let before = std::mem::replace(last, edge);
        if let Some(before) = self.edges.get_mut(before as usize) {
            before.next = edge;
        } else if let Some(first) = self.first.get_mut(node as usize) {
            *first = edge;
        }
    }

    fn left(&self, edge: u32) -> u64 {
        self.edges.get(edge as usize).map_or(0, |edge| edge.left)
    }

    fn level(&self, node: u32) -> u32 {
        self.level.get(node as usize).copied().unwrap_or(NONE)
    }

    /// Numbers the nodes by distance; tells whether the sink was met.
    fn find_levels(&mut self, source: u32, sink: u32) -> bool {
        self.level.fill(NONE);
        let mut waiting = VecDeque::from([(source, 0)]);
        if let Some(level) = self.level.get_mut(source as usize) {
            *level = 0;
        }
        while let Some((node, level)) = waiting.pop_front() {
            // Nobody further away than the sink lies on a shortest way to it.
            if level >= self.level(sink) {
                break;
            }
            let mut edge = self.first.get(node as usize).copied().unwrap_or(NONE);
            while let Some(half) = self.edges.get(edge as usize).copied() {
                edge = half.next;
                let Some(slot) = self.level.get_mut(half.to as usize) else { continue };
                if half.left > 0 && *slot == NONE {
                    *slot = level + 1;
                    waiting.push_back((half.to, level + 1));
                }
            }
        }
        self.level(sink) != NONE
    }

    /// Fills the present levels until no path is left in them.
    fn block(&mut self, source: u32, sink: u32) -> u64 {
        let (mut sent, mut path, mut node) = (0, Vec::new(), source);
        loop {
            if node == sink {
                sent += self.augment(&mut path);
            } else if let Some(edge) = self.advance(node) {
                path.push(edge);
            } else {
                // A dead end: not entered again in these levels.
                if let Some(level) = self.level.get_mut(node as usize) {
                    *level = NONE;
                }
                if path.pop().is_none() {
                    return sent;
                }
            }
            node = path.last().and_then(|edge| self.edges.get(*edge as usize)).map_or(source, |edge| edge.to);
        }
    }

    /// The next edge of a node that leads a level further.
    fn advance(&mut self, node: u32) -> Option<u32> {
        let next_level = self.level(node).checked_add(1)?;
        let mut edge = self.cursor.get(node as usize).copied()?;
        while let Some(half) = self.edges.get(edge as usize) {
            if half.left > 0 && self.level(half.to) == next_level {
                break;
            }
            edge = half.next;
        }
        *self.cursor.get_mut(node as usize)? = edge;
        (edge != NONE).then_some(edge)
    }

    /// Sends what the path bears, and goes back to where it is full.
    fn augment(&mut self, path: &mut Vec<u32>) -> u64 {
        let amount = path.iter().map(|edge| self.left(*edge)).min().unwrap_or_default();
        let mut full = 0;
        for (index, edge) in path.iter().enumerate().rev() {
            if let Some(half) = self.edges.get_mut(*edge as usize) {
                half.left -= amount;
                if half.left == 0 {
                    full = index;
                }
            }
            if let Some(back) = self.edges.get_mut((*edge ^ 1) as usize) {
                back.left += amount;
            }
        }
        path.truncate(full);
        amount
    }
}

#[cfg(test)]
mod tests {
    use petgraph::graph::{DiGraph, NodeIndex};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn flow_and_cut_are_those_of_petgraph(
            edges in prop::collection::vec((0..12_u32, 0..12_u32, 1..50_u64), 0..60)
        ) {
            let mut ours = Dinic::new(12, 0);
            let mut theirs = DiGraph::<(), u64>::new();
            for _ in 0..12 {
                theirs.add_node(());
            }
            let numbers: Vec<u32> = edges.iter().map(|(from, to, most)| ours.add(*from, *to, *most)).collect();
            for (from, to, most) in &edges {
                theirs.add_edge(NodeIndex::new(*from as usize), NodeIndex::new(*to as usize), *most);
            }
            let sent = ours.run(0, 11);
            let (expected, _) = petgraph::algo::dinics(&theirs, NodeIndex::new(0), NodeIndex::new(11));
            prop_assert_eq!(sent, expected);

            let inside = ours.reachable(0);
            let cut: u64 = edges
                .iter()
                .filter(|(from, to, _)| inside[*from as usize] && !inside[*to as usize])
                .map(|(_, _, most)| *most)
                .sum();
            prop_assert_eq!(sent, cut);
            prop_assert!(!inside[11]);

            for node in 1..11_u32 {
                let sum = |pick: fn(&(u32, u32, u64), u32) -> bool| -> u64 {
                    let chosen = edges.iter().zip(&numbers).filter(|(edge, _)| edge.0 != edge.1 && pick(edge, node));
                    chosen.map(|(_, number)| ours.flow(*number)).sum()
                };
                prop_assert_eq!(sum(|edge, node| edge.0 == node), sum(|edge, node| edge.1 == node));
            }
        }

        #[test]
        fn raising_step_by_step_ends_where_one_run_does(
            edges in prop::collection::vec((0..8_u32, 0..8_u32, 1..20_u64), 0..40)
        ) {
            let (mut steps, mut whole) = (Dinic::new(8, 0), Dinic::new(8, 0));
            let numbers: Vec<u32> = edges.iter().map(|(from, to, _)| steps.add(*from, *to, 0)).collect();
            edges.iter().for_each(|(from, to, most)| { whole.add(*from, *to, *most); });
            let mut sent = 0;
            for step in 0..20 {
                for ((_, _, most), number) in edges.iter().zip(&numbers) {
                    if step < *most {
                        steps.raise(*number, 1);
                    }
                }
                sent += steps.run(0, 7);
            }
            prop_assert_eq!(sent, whole.run(0, 7));
        }
    }
}
