//! What the region does: get in, grow, buy words, vouch for itself, change names, swap edges, be found out.

use std::collections::BTreeSet;

use icn_types::{Did, TrustContext};

use super::people::{People, Sybil, draw_ppm, name};
use super::plan::{Door, Plan, Pose, SYBILS, Style};
use crate::random::Random;

/// In how many steps the region grows to its size.
const GROWS_IN: usize = 4;
/// For how many others a sybil vouches in a dense region.
const DENSE: usize = 12;
/// How often a sybil vouches for an honest member too, as if to be its friend.
const FLATTERS_PPM: u64 = 20_000;
/// How often a new name waits a step until somebody lets it in: a stranger until then.
const WAITS_PPM: u64 = 300_000;
/// How often a bought word is about one matter alone, and how often it has an end.
const APART_PPM: u64 = 200_000;
const ENDS_PPM: u64 = 200_000;
/// How often it is a word of a steward, or of a member whose node is looked at.
const CLOSE_PPM: u64 = 50_000;

/// A word that the region got out of an honest member.
#[derive(Debug, Clone, Copy)]
struct Bought {
    graph: TrustContext,
    from: Did,
    to: Did,
}

/// The region, as far as nobody else sees it.
#[derive(Debug)]
pub(super) struct Region {
    plan: Plan,
    /// The names that honest members are made to vouch for.
    entries: BTreeSet<Did>,
    bought: Vec<Bought>,
    /// The stewards that let sybils in.
    stewards: Vec<Did>,
    /// How many names it gave up.
    pub(super) renamed: u64,
    /// How many deceived members found out.
    pub(super) discovered: u64,
    is_over: bool,
}

impl Region {
    pub(super) fn new(plan: &Plan, people: &People, random: &mut Random) -> Self {
        let mut stewards: Vec<Did> = people.stewards.iter().copied().collect();
        while stewards.len() > plan.deceived_stewards {
            stewards.swap_remove(random.index(stewards.len()));
        }
        Self {
            plan: plan.clone(),
            entries: BTreeSet::new(),
            bought: Vec::new(),
            stewards,
            renamed: 0,
            discovered: 0,
            is_over: false,
        }
    }

    /// One step of the region.
    pub(super) fn step(&mut self, number: usize, people: &mut People, random: &mut Random) {
        self.enter(people, random);
        let size = SYBILS * (number + 1).min(GROWS_IN) / GROWS_IN;
        while people.sybils.len() < size {
            self.invent(people, random);
        }
        self.rename(people, random);
        if self.is_over {
            return;
        }
        if random.chance(self.plan.discovery_ppm)
            && let Some(bought) = self.bought.get(random.index(self.bought.len())).copied()
        {
            self.discover(bought.from, people);
        }
        if random.chance(self.plan.swap_ppm) && !self.bought.is_empty() {
            let swapped = self.bought.swap_remove(random.index(self.bought.len()));
            people.words.take_back(swapped.graph, swapped.from, swapped.to);
        }
        self.bought.retain(|word| people.word(word.graph, word.from, word.to).is_some());
        let wanted = self.plan.attack_edges * (number + 1).min(GROWS_IN).div_ceil(GROWS_IN);
        let tries = 4 * self.plan.attack_edges;
        for _ in 0..tries {
            if self.bought.len() < wanted {
                self.buy(people, random);
            }
        }
    }

    /// Everybody finds out: all words of honest members about the region are taken back, and no other is to be had.
    pub(super) fn end(&mut self, people: &mut People) {
        let deceived: BTreeSet<Did> = people.attack_edges().map(|word| word.from).collect();
        for from in deceived {
            self.discover(from, people);
        }
        self.is_over = true;
    }

    /// A deceived member finds out, and takes back every word about the region.
    fn discover(&mut self, from: Did, people: &mut People) {
        self.discovered += 1;
        let names = &people.names;
        people.words.take_back_all(|word| word.from == from && names.contains(&word.to));
    }

    /// An honest member is made to vouch for an entry.
    fn buy(&mut self, people: &mut People, random: &mut Random) {
        let mut number = random.index(people.honest.len());
        if random.chance(CLOSE_PPM) {
            let close: Vec<usize> = (0..people.honest.len())
                .filter(|number| people.honest.get(*number).is_some_and(|member| member.stays))
                .collect();
            number = close.get(random.index(close.len())).copied().unwrap_or(number);
        }
        let Some(from) = people.honest.get(number).filter(|member| member.is_here).map(|member| member.did)
        else {
            return;
        };
        let entries: Vec<Did> = self.entries.iter().copied().collect();
        let Some(to) = entries.get(random.index(entries.len())).copied() else { return };
        let graphs = [TrustContext::Ledger, TrustContext::Governance];
        let apart = graphs.get(random.index(graphs.len())).copied().filter(|_| random.chance(APART_PPM));
        let graph = apart.unwrap_or_default();
        if people.word(graph, from, to).is_some() {
            return;
        }
        let for_days = random.chance(ENDS_PPM).then(|| random.within((1, 40)));
        let score = draw_ppm(random, 300_000, self.plan.word_ppm);
        people.say(graph, (from, to), score, 0, for_days);
        people.say(TrustContext::General, (to, from), 1_000_000, 0, None);
        self.bought.push(Bought { graph, from, to });
    }

    /// Makes up a member of the region.
    fn invent(&mut self, people: &mut People, random: &mut Random) {
        let did = name(random);
        people.names.insert(did);
        // As the anchors have it: one more for every five attack edges.
        if self.entries.len() < 1 + self.plan.attack_edges / 5 {
            self.entries.insert(did);
        }
        let corner = random.index(self.plan.corners);
        let any = Pose::ALL.get(random.index(Pose::ALL.len())).copied().unwrap_or(Pose::Elsewhere);
        let pose = self.plan.pose.unwrap_or(any);
        people.sybils.push(Sybil { did, is_member: false, corner, pose });
        let waits = random.chance(WAITS_PPM);
        if !waits {
            self.let_in(people.sybils.len() - 1, people, random);
        }
        self.wire(did, people, random);
    }

    /// Lets those in who were to wait.
    fn enter(&self, people: &mut People, random: &mut Random) {
        for number in 0..people.sybils.len() {
            self.let_in(number, people, random);
        }
    }

    fn let_in(&self, number: usize, people: &mut People, random: &mut Random) {
        let Some(sybil) = people.sybils.get_mut(number).filter(|sybil| !sybil.is_member) else { return };
        let steward = self.stewards.get(random.index(self.stewards.len())).copied();
        let gates: Vec<Did> = self.entries.iter().filter(|gate| **gate != sybil.did).copied().collect();
        let gate = gates.get(random.index(gates.len())).copied();
        let is_gate = self.entries.contains(&sybil.did);
        let by = if self.plan.door == Door::Gates && !is_gate { gate.or(steward) } else { steward };
        if let Some(by) = by {
            sybil.is_member = true;
            people.introducers.insert(sybil.did, by);
        }
    }

    /// Lets a sybil vouch for others, and others for it.
    fn wire(&self, did: Did, people: &mut People, random: &mut Random) {
        let full = 1_000_000;
        if self.plan.style != Style::Dense {
            for entry in &self.entries {
                people.say(TrustContext::General, (*entry, did), full, 0, None);
                people.say(TrustContext::General, (did, *entry), full, 0, None);
            }
        }
        if self.plan.style != Style::Star {
            for _ in 0..DENSE {
                let other = people.sybils.get(random.index(people.sybils.len())).map(|sybil| sybil.did);
                if let Some(other) = other {
                    people.say(TrustContext::General, (did, other), full, 0, None);
                    people.say(TrustContext::General, (other, did), full, 0, None);
                }
            }
        }
        let friend = people.honest.get(random.index(people.honest.len())).map(|member| member.did);
        if let Some(friend) = friend.filter(|_| random.chance(FLATTERS_PPM)) {
            people.say(TrustContext::General, (did, friend), full, 0, None);
        }
    }

    /// Some leave, and come back under names never heard before.
    fn rename(&mut self, people: &mut People, random: &mut Random) {
        let mut gone = BTreeSet::new();
        for _ in 0..self.plan.new_names {
            if people.sybils.len() > 1 {
                let sybil = people.sybils.swap_remove(random.index(people.sybils.len()));
                gone.insert(sybil.did);
            }
        }
        let names = &people.names;
        people.words.take_back_all(|word| {
            gone.contains(&word.from) || (gone.contains(&word.to) && names.contains(&word.from))
        });
        self.entries.retain(|entry| !gone.contains(entry));
        // An end of an attack edge that is gone is of no use any more.
        for word in self.bought.extract_if(.., |word| gone.contains(&word.to)) {
            people.words.take_back(word.graph, word.from, word.to);
        }
        self.renamed += gone.len() as u64;
        for _ in 0..gone.len() {
            self.invent(people, random);
        }
    }
}
