//! Trust: lookups and readings of a large graph beside `petgraph` doing the same, and what sybils get.

#[path = "../../icn-trust/tests/support/community.rs"]
#[allow(dead_code, reason = "the tests of `icn-trust` use all of it")]
mod community;
mod peer;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use icn_bench::Context;
use icn_bench::measure::Samples;
use icn_bench::report::{Row, Section, Unit};
use icn_trust::{
    Admission, AdmissionRule, Edge, Introduction, PathSettings, Paths, Snapshot, TrustGraph, Walk,
    WalkSettings, flow_to, shares,
};
use icn_types::{Did, Timestamp, TrustContext};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;

use self::community::{Community, GIVEN, Plan, community};
use self::peer::Peer;

/// For how many others each member vouches.
const OUT: usize = 10;
/// What the specification asks for (issue 4, "Done when" 4).
const LOOKUPS_FLOOR: f64 = 50_000.0;
const COLD_FLOOR_US: f64 = 100_000.0;
/// Full trust.
const FULL: u64 = 1_000_000;

/// A large graph without any shape: nobody is far from anybody.
struct World {
    members: Vec<Did>,
    edges: Vec<Edge>,
    /// Whom paths start from.
    sources: BTreeSet<Did>,
    /// Whom flows start from.
    seeds: BTreeSet<Did>,
    now: Timestamp,
    rng: ChaCha20Rng,
}

impl World {
    fn new(len: usize) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(7);
        let members: Vec<Did> = (0..len).map(|_| Did::from_public_key(rng.random())).collect();
        let mut edges = Vec::with_capacity(len * OUT);
        for from in &members {
            let mut met = BTreeSet::from([*from]);
            while met.len() <= OUT {
                let Some(to) = members.get(rng.random_range(0..len)).copied().filter(|to| met.insert(*to))
                else {
                    continue;
                };
                let score_ppm = rng.random_range(500_000..=950_000);
                edges.push(Edge {
                    from: *from,
                    to,
                    graph: TrustContext::General,
                    score_ppm,
                    given: GIVEN,
                    expires: None,
                });
            }
        }
        let first = |len| members.iter().take(len).copied().collect();
        let (sources, seeds) = (first(1), first(5));
        Self { members, edges, sources, seeds, now: GIVEN, rng }
    }

    fn graph(&self) -> Result<TrustGraph> {
        let mut graph = TrustGraph::new();
        for edge in &self.edges {
            graph.set(edge)?;
        }
        Ok(graph)
    }

    fn any_member(&mut self) -> Result<Did> {
        let index = self.rng.random_range(0..self.members.len());
        self.members.get(index).copied().context("no members")
    }
}

/// Measures lookups and readings.
pub(crate) fn measure(context: &Context) -> Result<Section> {
    let mut world = World::new(context.plan.trust_members);
    let each = context.plan.each;
    let title = format!("trust, {} members, {} edges", world.members.len(), world.edges.len());
    let mut section = Section::new(title);
    lookups(&world, each, &mut section)?;
    cold(&mut world, each, &mut section)?;
    flows(&mut world, each, &mut section)?;
    admission(&world, &mut section)?;
    walks(&world, each, &mut section)?;
    section.note(
        "A cold lookup comes after an edge has changed: the graph is read anew and every member's best path found. petgraph's \
         graph is built from edges that carry numbers already; its Dijkstra has no limit of hops, so it answers an easier \
         question. Flows of both were compared and are equal.",
    );
    Ok(section)
}

/// What a node keeps of one graph until an edge or time changes it (`icn-node`, `trust/web.rs`).
struct Reading {
    snapshot: Snapshot,
    paths: Paths,
}

impl Reading {
    fn new(world: &World, graph: &TrustGraph) -> Self {
        let snapshot = Snapshot::new(graph, TrustContext::General, world.now, 365);
        let paths = Paths::new(&snapshot, &world.sources, &PathSettings::default());
        Self { snapshot, paths }
    }

    fn score(&self, did: &Did) -> u32 {
        self.paths.score(&self.snapshot, did)
    }
}

fn lookups(world: &World, each: Duration, section: &mut Section) -> Result<()> {
    let reading = Reading::new(world, &world.graph()?);
    let plain: HashMap<Did, u32> = world.members.iter().map(|did| (*did, 1)).collect();
    let mut next = world.members.iter().cycle();
    let ours = Samples::collect(each, || {
        let did = next.next().context("no members")?;
        black_box(reading.score(black_box(did)));
        Ok(())
    })?;
    let mut next = world.members.iter().cycle();
    let bare = Samples::collect(each, || {
        let did = next.next().context("no members")?;
        black_box(plain.get(black_box(did)));
        Ok(())
    })?;
    let row = Row::new("scores of all members in turn, nothing changed", ours.per_second(), Unit::PerSecond);
    section.push(row.beside(bare.per_second(), "bare hash map").floor(LOOKUPS_FLOOR));
    Ok(())
}

fn cold(world: &mut World, each: Duration, section: &mut Section) -> Result<()> {
    let mut graph = world.graph()?;
    let members: Vec<Did> = (0..1_000).map(|_| world.any_member()).collect::<Result<_>>()?;
    let mut changed = world.edges.iter().cycle();
    let mut asked = members.iter().cycle();
    let mut score = 500_000;
    let mut durations = Vec::new();
    let start = Instant::now();
    while start.elapsed() < each || durations.len() < 20 {
        score = 500_000 + (score + 1) % 400_000;
        let (edge, did) = changed.next().zip(asked.next()).context("no edges")?;
        graph.set(&Edge { score_ppm: score, ..edge.clone() })?;
        let before = Instant::now();
        black_box(Reading::new(world, &graph).score(did));
        durations.push(before.elapsed());
    }
    let ours = Samples::of(&durations, start.elapsed())?;
    let peer = Peer::new(&world.members, &world.edges);
    let theirs = Samples::collect(each, || {
        let network = peer.network();
        black_box(peer.dijkstra(&network));
        Ok(())
    })?;
    for (name, share) in [("p50", 0.5), ("p99", 0.99)] {
        let row = Row::new(
            format!("first score after a change, {name}"),
            ours.quantile_us(share),
            Unit::Microseconds,
        );
        let what = format!("petgraph, build and Dijkstra, {name}");
        section.push(row.beside(theirs.quantile_us(share), what).floor(COLD_FLOOR_US));
    }
    Ok(())
}

fn flows(world: &mut World, each: Duration, section: &mut Section) -> Result<()> {
    let graph = world.graph()?;
    let snapshot = Snapshot::new(&graph, TrustContext::General, world.now, 365);
    let seeds: BTreeMap<Did, u64> = world.seeds.iter().map(|did| (*did, FULL)).collect();
    let capacity = |by: &Introduction| u64::from(by.score_ppm);
    let sinks: Vec<Did> = (0..50).map(|_| world.any_member()).collect::<Result<_>>()?;
    let peer = Peer::new(&world.members, &world.edges);
    for sink in sinks.iter().take(5) {
        let ours = flow_to(&snapshot, &seeds, sink, FULL * 100, capacity).amount;
        let theirs = peer.flow(&seeds, sink);
        ensure!(ours == theirs, "a flow of {ours} is {theirs} for petgraph");
    }
    let mut next = sinks.iter().cycle();
    let ours = Samples::collect(each, || {
        let sink = next.next().context("no members")?;
        black_box(flow_to(&snapshot, &seeds, sink, FULL * 100, capacity));
        Ok(())
    })?;
    let mut next = sinks.iter().cycle();
    let theirs = Samples::collect(each, || {
        let sink = next.next().context("no members")?;
        black_box(peer.flow(&seeds, sink));
        Ok(())
    })?;
    let row = Row::new(
        "maximum flow to a member, with cut and ways, p50",
        ours.quantile_us(0.5),
        Unit::Microseconds,
    );
    section.push(row.beside(theirs.quantile_us(0.5), "petgraph, build and dinics"));

    let demands: BTreeMap<Did, u64> = world.members.iter().map(|did| (*did, 1_000)).collect();
    let start = Instant::now();
    black_box(shares(&snapshot, &seeds, &demands, capacity));
    section.push(Row::new(
        "one flow divided among all members",
        start.elapsed().as_secs_f64() * 1e6,
        Unit::Microseconds,
    ));
    Ok(())
}

fn admission(world: &World, section: &mut Section) -> Result<()> {
    let graph = world.graph()?;
    let snapshot = Snapshot::new(&graph, TrustContext::General, world.now, 365);
    let members = u32::try_from(world.members.len())?;
    let rule = AdmissionRule::for_members(members, 5, 8);
    let start = Instant::now();
    let admission = Admission::new(&snapshot, &world.seeds, &rule);
    let ours = start.elapsed();
    let peer = Peer::new(&world.members, &world.edges);
    let start = Instant::now();
    let theirs = peer.admitted(&world.seeds, &rule);
    let theirs_took = start.elapsed();
    ensure!(
        admission.accepted().len() as u64 == theirs,
        "{} and {theirs} are admitted",
        admission.accepted().len()
    );
    let us = |took: Duration| took.as_secs_f64() * 1e6;
    section.push(
        Row::new(
            format!("admission of {} members", admission.accepted().len()),
            us(ours),
            Unit::Microseconds,
        )
        .beside(us(theirs_took), "petgraph, build and dinics"),
    );
    Ok(())
}

fn walks(world: &World, each: Duration, section: &mut Section) -> Result<()> {
    let graph = world.graph()?;
    let snapshot = Snapshot::new(&graph, TrustContext::General, world.now, 365);
    let walk = Samples::collect(each, || {
        black_box(Walk::new(&snapshot, &world.seeds, &WalkSettings::default()));
        Ok(())
    })?;
    section.push(Row::new("walk of 12 steps, p50", walk.quantile_us(0.5), Unit::Microseconds));
    Ok(())
}

/// Counts the sybils that each reading lets in: the set-up of `icn-trust/tests/sybils.rs`.
pub(crate) fn sybils(_: &Context) -> Result<Section> {
    let mut section =
        Section::new("sybils let in, of 1,000 (500 honest members, 5 seeds, mean of 3 communities)");
    for attack_edges in [1, 5, 10, 20, 40] {
        let (mut path, mut walk, mut flow, mut honest) = (0, 0, 0, 0);
        for seed in 1..=3 {
            let community = community(Plan { seed, honest: 500, sybils: 1_000, attack_edges, seeds: 5 });
            let snapshot = Snapshot::new(&community.graph, TrustContext::General, GIVEN, 365);
            let paths = Paths::new(&snapshot, &community.seeds, &PathSettings::default());
            path += above(&community, |did| u64::from(paths.score(&snapshot, did)));
            let steps = Walk::new(&snapshot, &community.seeds, &WalkSettings::default());
            walk += above(&community, |did| steps.rank(&snapshot, did));
            let admission =
                Admission::new(&snapshot, &community.seeds, &AdmissionRule::for_members(500, 5, 9));
            let admitted =
                |group: &[Did]| group.iter().filter(|did| admission.accepted().contains(did)).count();
            flow += admitted(&community.sybils);
            honest += admitted(&community.honest);
        }
        let mean = |sum: usize| sum as f64 / 3.0;
        let row = |name: &str, sum| {
            Row::new(format!("{attack_edges} attack edges, {name}"), mean(sum), Unit::Count)
        };
        section.push(row("best path", path));
        section.push(row("walk", walk));
        let admitted = row("maximum flow", flow);
        section.push(if attack_edges == 20 { admitted.floor(10.0) } else { admitted });
        section.push(row("honest members by maximum flow", honest));
    }
    section.note(
        "Best path and walk let in from the score that 95 % of the honest members reach; the maximum flow by its rule.",
    );
    Ok(section)
}

fn above(community: &Community, score: impl Fn(&Did) -> u64) -> usize {
    let mut honest: Vec<u64> = community.honest.iter().map(&score).collect();
    honest.sort_unstable();
    let threshold = honest.get(honest.len() / 20).copied().unwrap_or_default();
    community.sybils.iter().filter(|did| score(did) >= threshold).count()
}
