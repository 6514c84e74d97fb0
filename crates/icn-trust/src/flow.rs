//! Maximum flow from seeds: for whatever grants money or votes.
//!
//! Each seed may hand out so much, each introduction carries so much, and what arrives at a member is the most that can be
//! granted to it. Whoever makes up a thousand identities gets no more for all of them together than the introductions into
//! them carry: the *cut*. The cut is also the explanation: "you are limited by these two introductions".
//!
//! [`flow_to`] asks what one member could get if nobody else took anything. It must not be summed up over members: for that
//! there is [`shares`], which divides one flow among all, so that every group of members gets at most its cut together, and
//! [`reached`], which tells who gets the same whole amount of one flow.
//!
//! The cut that is shown is the one nearest to the seeds; it is the same for every maximum flow. Sources: Levien, Advogato;
//! Bazaar (NSDI 2011) and credit networks (Dandekar et al.) for the bound on losses.

mod dinic;

use std::collections::{BTreeMap, BTreeSet};

use icn_types::Did;

pub(crate) use self::dinic::{CAPACITY_MAX, Dinic};
use crate::graph::PPM;
use crate::snapshot::{Introduction, Snapshot};

/// How many paths of a flow are told. More: the rest is summed up.
pub const PATHS_SHOWN_MAX: usize = 16;
/// In how many steps demands are raised when one flow is divided among many.
const ROUNDS: u64 = 16;

/// Something that carries no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limit {
    /// An introduction.
    Introduction {
        /// Who vouches.
        from: Did,
        /// For whom.
        to: Did,
        /// What it carries.
        capacity: u64,
    },
    /// What a seed may hand out in all.
    Seed {
        /// The seed.
        did: Did,
        /// How much that is.
        capacity: u64,
    },
    /// How many a member may bring in, itself included.
    Member {
        /// The member.
        did: Did,
        /// How far it is from the seeds.
        distance: u32,
        /// How many that is.
        capacity: u64,
    },
}

/// A part of a flow that went one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowPath {
    /// From a seed to the member, both included.
    pub members: Vec<Did>,
    /// How much.
    pub amount: u64,
}

/// What one member could get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// How much, at most what was asked for.
    pub amount: u64,
    /// What was asked for.
    pub demand: u64,
    /// What limits it, in order; none when all that was asked for arrives. Their capacities sum up to `amount`.
    pub cut: Vec<Limit>,
    /// How it goes, at most [`PATHS_SHOWN_MAX`] ways.
    pub paths: Vec<FlowPath>,
    /// What goes other ways than these.
    pub elsewhere: u64,
}

/// What each member gets of one flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shares {
    /// By member; who gets nothing is there with 0.
    pub given: BTreeMap<Did, u64>,
    /// What limits those who got less than they asked for, in order.
    pub cut: Vec<Limit>,
}

/// Finds out how much of `demand` can reach a member. `seeds` says what each seed may hand out, `capacity` what an
/// introduction carries, in any one unit.
#[must_use]
pub fn flow_to(
    snapshot: &Snapshot,
    seeds: &BTreeMap<Did, u64>,
    member: &Did,
    demand: u64,
    capacity: impl Fn(&Introduction) -> u64,
) -> Flow {
    let demand = demand.min(CAPACITY_MAX);
    let mut net = Network::new(snapshot, seeds, [*member], capacity);
    let sink = net.nodes.get(member).copied().unwrap_or_default();
    net.dinic.add(sink, net.sink, demand);
    let amount = net.dinic.run(net.source, net.sink);
    let cut = if amount == demand { Vec::new() } else { net.cut() };
    let paths = net.take_paths();
    let told: u64 = paths.iter().map(|path| path.amount).sum();
    Flow { amount, demand, cut, paths, elsewhere: amount.saturating_sub(told) }
}

/// Divides one flow among members, each getting at most its demand.
///
/// Demands are raised for all alike in sixteen steps, so that of members behind the same introduction none gets much while
/// another gets nothing; what a step leaves over goes to the nearest, then to the lowest DID.
#[must_use]
pub fn shares(
    snapshot: &Snapshot,
    seeds: &BTreeMap<Did, u64>,
    demands: &BTreeMap<Did, u64>,
    capacity: impl Fn(&Introduction) -> u64,
) -> Shares {
    let mut net = Network::new(snapshot, seeds, demands.keys().copied(), capacity);
    let mut takers = Vec::with_capacity(demands.len());
    for (did, demand) in demands {
        let node = net.nodes.get(did).copied().unwrap_or_default();
        takers.push((*did, (*demand).min(CAPACITY_MAX), net.dinic.add(node, net.sink, 0)));
    }
    for round in 1..=ROUNDS {
        let upto =
            |demand: u64, round: u64| (u128::from(demand) * u128::from(round)).div_ceil(u128::from(ROUNDS));
        for (_, demand, edge) in &takers {
            let more = upto(*demand, round) - upto(*demand, round - 1);
            net.dinic.raise(*edge, u64::try_from(more).unwrap_or_default());
        }
        net.dinic.run(net.source, net.sink);
    }
    let given: BTreeMap<Did, u64> =
        takers.iter().map(|(did, _, edge)| (*did, net.dinic.flow(*edge))).collect();
    let all = takers.iter().all(|(_, demand, edge)| net.dinic.flow(*edge) == *demand);
    let cut = if all { Vec::new() } else { net.cut() };
    Shares { given, cut }
}

/// Finds who of many gets the whole of one demand, which is the same for all, out of one flow: the nearest first, then the
/// lowest DID. So of every group no more are reached than the introductions into it carry demands.
#[must_use]
pub fn reached(
    snapshot: &Snapshot,
    seeds: &BTreeMap<Did, u64>,
    takers: &BTreeSet<Did>,
    demand: u64,
    capacity: impl Fn(&Introduction) -> u64,
) -> BTreeSet<Did> {
    let demand = demand.min(CAPACITY_MAX);
    let mut net = Network::new(snapshot, seeds, takers.iter().copied(), capacity);
    let mut edges = Vec::with_capacity(takers.len());
    for did in takers {
        let node = net.nodes.get(did).copied().unwrap_or_default();
        edges.push((*did, net.dinic.add(node, net.sink, demand)));
    }
    net.dinic.run(net.source, net.sink);
    edges.into_iter().filter(|(_, edge)| net.dinic.flow(*edge) == demand).map(|(did, _)| did).collect()
}

/// Divides one flow of trust in money from the stewards among members, in parts per million of full trust: what credit lines
/// grow by. All members behind some introductions get together no more than those carry. Stewards get nothing of it.
#[must_use]
pub fn credit(snapshot: &Snapshot, stewards: &BTreeSet<Did>, members: &BTreeSet<Did>) -> Shares {
    let full = u64::from(PPM);
    // A steward hands out as much as there are members; what bounds the flow is what introductions carry.
    let all = full.saturating_mul(members.len() as u64);
    let seeds = stewards.iter().map(|did| (*did, all)).collect();
    let demands = members.difference(stewards).map(|did| (*did, full)).collect();
    shares(snapshot, &seeds, &demands, |by| u64::from(by.score_ppm))
}

/// The flow network of a snapshot: a node for each member, one before all seeds, one behind all who take.
struct Network {
    dinic: Dinic,
    nodes: BTreeMap<Did, u32>,
    dids: Vec<Did>,
    source: u32,
    sink: u32,
    /// The ends and the capacity of each edge by half of its number; none for those that lead to the sink.
    limits: Vec<(u32, u32, u64)>,
}

impl Network {
    /// `takers` get nodes even if no edge names them.
    fn new(
        snapshot: &Snapshot,
        seeds: &BTreeMap<Did, u64>,
        takers: impl IntoIterator<Item = Did>,
        capacity: impl Fn(&Introduction) -> u64,
    ) -> Self {
        let mut dids = snapshot.members().to_vec();
        let mut nodes = BTreeMap::new();
        for did in seeds.keys().copied().chain(takers) {
            let next = dids.len() as u32;
            nodes.entry(did).or_insert_with(|| {
                snapshot.place(&did).unwrap_or_else(|| {
                    dids.push(did);
                    next
                })
            });
        }
        let source = dids.len() as u32;
        let sink = source + 1;
        let edges = snapshot.arcs_len() + seeds.len();
        let dinic = Dinic::new(dids.len() + 2, edges);
        let mut net = Self { dinic, nodes, dids, source, sink, limits: Vec::with_capacity(edges) };
        for (did, most) in seeds {
            let node = net.nodes.get(did).copied().unwrap_or_default();
            net.add(source, node, *most);
        }
        for from in 0..snapshot.len() as u32 {
            for arc in snapshot.arcs(from) {
                if let Some(by) = snapshot.introduction(from, arc) {
                    net.add(from, arc.to, capacity(&by));
                }
            }
        }
        net
    }

    /// Adds a seed or an introduction; those to the sink come after all of them.
    fn add(&mut self, from: u32, to: u32, capacity: u64) {
        let capacity = capacity.min(CAPACITY_MAX);
        if capacity > 0 {
            self.dinic.add(from, to, capacity);
            self.limits.push((from, to, capacity));
        }
    }

    /// What the edge with a number is; nothing if it leads to the sink.
    fn limit(&self, edge: u32) -> Option<Limit> {
        let (from, to, capacity) = *self.limits.get(edge as usize / 2)?;
        let to = *self.dids.get(to as usize)?;
        if from == self.source {
            return Some(Limit::Seed { did: to, capacity });
        }
        Some(Limit::Introduction { from: *self.dids.get(from as usize)?, to, capacity })
    }

    /// The full edges that lead out of what can still be reached.
    fn cut(&mut self) -> Vec<Limit> {
        let inside = self.dinic.reachable(self.source);
        let is_inside = |node: u32| inside.get(node as usize).copied().unwrap_or_default();
        let of = |node| self.dinic.of(node).filter(|(edge, to, _)| edge % 2 == 0 && !is_inside(*to));
        let out = (0..=self.sink).filter(|node| is_inside(*node)).flat_map(of);
        let mut cut: Vec<Limit> = out.filter_map(|(edge, _, _)| self.limit(edge)).collect();
        cut.sort_unstable();
        cut
    }

    /// Takes the flow apart into paths, the nearest first found; what goes in circles is dropped.
    fn take_paths(&mut self) -> Vec<FlowPath> {
        let mut paths = Vec::new();
        while paths.len() < PATHS_SHOWN_MAX {
            let Some(path) = self.take_path() else { break };
            paths.push(path);
        }
        paths
    }

    fn take_path(&mut self) -> Option<FlowPath> {
        let mut edges: Vec<(u32, u32)> = Vec::new();
        // By node, how many edges lead to it on this path.
        let mut met = BTreeMap::from([(self.source, 0)]);
        let mut node = self.source;
        while node != self.sink {
            let next = self.dinic.of(node).find(|(edge, _, _)| edge % 2 == 0 && self.dinic.flow(*edge) > 0);
            let (edge, to, _) = next?;
            edges.push((edge, to));
            if let Some(length) = met.get(&to).copied() {
                // A circle: without it the flow is the same.
                let circle = edges.split_off(length);
                self.take_off(&circle);
                circle.iter().filter(|(_, met_in)| *met_in != to).for_each(|(_, gone)| {
                    met.remove(gone);
                });
            } else {
                met.insert(to, edges.len());
            }
            node = to;
        }
        let amount = self.take_off(&edges);
        let members = edges.iter().filter_map(|(_, to)| self.dids.get(*to as usize).copied()).collect();
        Some(FlowPath { members, amount })
    }

    /// Takes what all of some edges carry off each of them.
    fn take_off(&mut self, edges: &[(u32, u32)]) -> u64 {
        let amount = edges.iter().map(|(edge, _)| self.dinic.flow(*edge)).min().unwrap_or_default();
        edges.iter().for_each(|(edge, _)| self.dinic.take(*edge, amount));
        amount
    }
}

impl Limit {
    /// Returns what it carries.
    #[must_use]
    pub const fn capacity(&self) -> u64 {
        match self {
            Self::Introduction { capacity, .. }
            | Self::Seed { capacity, .. }
            | Self::Member { capacity, .. } => *capacity,
        }
    }
}
