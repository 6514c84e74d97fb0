//! The loop: what happens next, to whom, and whether all promises still hold.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use icn_identity::{Signer, Verifier};
use icn_ledger::replica::{Event, Replica, SessionId};
use icn_ledger::{APPROVAL_SIGNATURE, VOTE_SIGNATURE};
use icn_types::{Did, Timestamp};

use super::check::Watch;
use super::network::End;
use super::node::Node;
use super::outside::Outside;
use super::plan::Plan;
use super::planted::Planted;
use super::pot::Pot;
use super::work::Intent;
use super::{SpaceOptions, SpaceReport, SpaceViolation};
use crate::keys;
use crate::random::Random;
use crate::story::Story;

/// The moment 0 of every world, in Unix milliseconds.
pub(super) const BEGIN_MS: u64 = 1_700_006_380_000;
/// How often a node looks whether something is due, in milliseconds.
const TICK_MS: u64 = 200;
/// The number of the root's key.
const ROOT: usize = 100_000;
/// The number of the treasury's key.
const POT: usize = 50_000;
/// The number of the first second member's key.
const SECOND: usize = 10_000;

/// Something that happens at a moment.
pub(super) enum Happening {
    /// A live message arrives.
    Live { from: usize, to: usize, bytes: Vec<u8> },
    /// Something happens to a replica.
    Event { node: usize, boot: u64, event: Event },
    /// A stream is open for one of its sides.
    Opened { session: SessionId, other: Did, is_ours: bool },
    /// A frame arrives on a stream.
    Frame { session: SessionId, bytes: Vec<u8> },
    /// The other side of a stream says nothing more.
    Ended { session: SessionId },
    /// Writes up to this one are durable.
    Durable { node: usize, boot: u64, number: u64 },
    /// Some time has passed.
    Tick { node: usize, boot: u64 },
    /// Users and fate.
    Outside(Outside),
}

/// A federation of replicas of one space.
pub(super) struct Federation {
    pub(super) plan: Plan,
    pub(super) planted: Option<Planted>,
    pub(super) random: Random,
    pub(super) now_ms: u64,
    queue: BTreeMap<(u64, u64), Happening>,
    numbers: u64,
    pub(super) nodes: Vec<Node>,
    pub(super) by_did: BTreeMap<Did, usize>,
    /// Nodes in different groups do not hear each other.
    pub(super) groups: Vec<u8>,
    /// Who is connected with whom: the lower number first.
    pub(super) links: BTreeSet<(usize, usize)>,
    pub(super) ends: BTreeMap<SessionId, End>,
    pub(super) space: Did,
    pub(super) pot: Option<Pot>,
    pub(super) root: Arc<dyn Signer>,
    pub(super) verifier: Arc<dyn Verifier>,
    pub(super) intents: Vec<Intent>,
    pub(super) watch: Watch,
    pub(super) story: Story,
    pub(super) story_lines: usize,
    pub(super) report: SpaceReport,
    pub(super) is_calm: bool,
    pub(super) is_founded: bool,
}

impl Federation {
    pub(super) fn new(plan: Plan, options: &SpaceOptions) -> Self {
        let signer = |number: usize| keys::signer(plan.real_signatures, plan.seed, number);
        let root = signer(ROOT);
        let nodes: Vec<Node> = plan
            .nodes
            .iter()
            .enumerate()
            .map(|(at, node)| {
                let mut signers = vec![signer(at)];
                if node.has_second {
                    signers.push(signer(SECOND + at));
                }
                if at == 0 {
                    signers.push(Arc::clone(&root));
                }
                if plan.pot == Some(at) {
                    signers.push(signer(POT));
                }
                Node::new(node.clone(), signers)
            })
            .collect();
        let verifier = keys::verifier(plan.real_signatures);
        let early: Vec<Did> = nodes.iter().filter(|node| !node.is_new).map(|node| node.did).collect();
        let verifier = match options.planted {
            Some(Planted::AnyCertificate) => super::cheat::believing(verifier, VOTE_SIGNATURE),
            Some(Planted::AnyApproval) => super::cheat::believing(verifier, APPROVAL_SIGNATURE),
            Some(_) | None => verifier,
        };
        Self {
            planted: options.planted,
            random: Random::new(plan.seed),
            now_ms: 0,
            queue: BTreeMap::new(),
            numbers: 0,
            by_did: nodes.iter().enumerate().map(|(at, node)| (node.did, at)).collect(),
            groups: vec![0; nodes.len()],
            links: BTreeSet::new(),
            ends: BTreeMap::new(),
            pot: plan.pot.map(|at| Pot::new(signer(POT).did(), at, &early)),
            space: root.did(),
            root,
            verifier,
            intents: Vec::new(),
            watch: Watch::default(),
            story: Story::new(options.story > 0),
            story_lines: options.story,
            report: SpaceReport {
                seed: plan.seed,
                nodes: nodes.len(),
                witnesses: plan.witnesses,
                ..SpaceReport::default()
            },
            is_calm: true,
            is_founded: false,
            nodes,
            plan,
        }
    }

    pub(super) fn violation(&self, what: String) -> SpaceViolation {
        let lines = self.story.lines();
        let last = lines.len().saturating_sub(self.story_lines);
        SpaceViolation {
            seed: self.plan.seed,
            at_ms: self.now_ms,
            what,
            world: self.plan.describe(),
            story: lines.into_iter().skip(last).collect(),
        }
    }

    pub(super) fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    pub(super) fn after(&mut self, ms: u64, happening: Happening) {
        let number = self.number();
        self.queue.insert((self.now_ms + ms, number), happening);
    }

    /// Runs until a moment.
    pub(super) fn run_until(&mut self, end_ms: u64) -> Result<(), String> {
        while let Some(entry) = self.queue.first_entry() {
            if entry.key().0 > end_ms {
                break;
            }
            self.now_ms = entry.key().0;
            let happening = entry.remove();
            self.happen(happening);
            if let Some(what) = self.watch.broken.take() {
                return Err(what);
            }
        }
        self.now_ms = end_ms;
        Ok(())
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Live { from, to, bytes } => self.live_arrives(from, to, &bytes),
            Happening::Event { node, boot, event } => {
                if self.is_same(node, boot) {
                    self.turn(node, event);
                }
            }
            Happening::Opened { session, other, is_ours } => self.session_opened(session, other, is_ours),
            Happening::Frame { session, bytes } => self.frame_arrives(session, bytes),
            Happening::Ended { session } => self.session_ended(session),
            Happening::Durable { node, boot, number } => {
                if self.is_same(node, boot) {
                    if let Some(node) = self.nodes.get_mut(node) {
                        node.disk.sync(number);
                    }
                    self.advance(node);
                }
            }
            Happening::Tick { node, boot } => {
                if self.is_same(node, boot) {
                    self.turn(node, Event::Tick);
                    self.after(TICK_MS, Happening::Tick { node, boot });
                }
            }
            Happening::Outside(outside) => self.outside(outside),
        }
    }

    pub(super) fn is_same(&self, node: usize, boot: u64) -> bool {
        self.nodes.get(node).is_some_and(|node| node.boot == boot && node.is_up())
    }

    /// The time by the clock of a node.
    pub(super) fn clock(&self, node: usize) -> Timestamp {
        let skew = self.nodes.get(node).map_or(0, |node| node.plan.skew_ms);
        Timestamp::from_millis((BEGIN_MS + self.now_ms).saturating_add_signed(skew))
    }

    pub(super) fn replica(&self, node: usize) -> Option<&Replica> {
        self.nodes.get(node)?.replica.as_ref()
    }

    pub(super) fn ensure(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds && self.watch.broken.is_none() {
            self.watch.broken = Some(what());
        }
    }

    /// Adds a line to the story, if somebody listens.
    pub(super) fn say(&mut self, line: impl FnOnce(&Self) -> String) {
        if self.story.is_listening() {
            let line = line(self);
            self.story.tell(self.now_ms, || line);
        }
    }

    /// Names a member for people.
    pub(super) fn name(&self, did: &Did) -> String {
        if *did == self.space {
            return "root".to_owned();
        }
        if self.pot.as_ref().is_some_and(|pot| pot.did == *did) {
            return "pot".to_owned();
        }
        let known = self.nodes.iter().enumerate().find_map(|(at, node)| {
            let place = node.signers.iter().position(|signer| signer.did() == *did)?;
            Some(if place == 0 { format!("n{at}") } else { format!("n{at}b") })
        });
        known.unwrap_or_else(|| did.short().to_string())
    }

    /// Returns the signer of the treasury.
    pub(super) fn pot_signer(&self) -> Option<Arc<dyn Signer>> {
        let pot = self.pot.as_ref()?;
        let signers = &self.nodes.get(pot.at)?.signers;
        signers.iter().find(|signer| signer.did() == pot.did).map(Arc::clone)
    }

    pub(super) fn tick_soon(&mut self, node: usize) {
        let boot = self.nodes.get(node).map_or(0, |node| node.boot);
        let soon = self.random.within((1, TICK_MS));
        self.after(soon, Happening::Tick { node, boot });
    }
}
