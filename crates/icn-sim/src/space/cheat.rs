//! Members and nodes that break the rules.

use std::sync::Arc;

use icn_gossip::{Entry, LiveMessage, SignedEntry, VerifiedEntry};
use icn_identity::{SignatureError, Signer, Verifier};
use icn_ledger::{Act, Certificate, Post, Vote, quorum};
use icn_types::{Cid, Did, Timestamp};
use serde_bytes::ByteBuf;

use super::outside::HOURS;
use super::world::Federation;

/// A verifier that believes whatever is signed under one name: a planted bug.
struct Believing(Arc<dyn Verifier>, &'static str);

impl Verifier for Believing {
    fn verify(
        &self,
        did: &Did,
        at: Timestamp,
        name: &str,
        body: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        if name == self.1 { Ok(()) } else { self.0.verify(did, at, name, body, signature) }
    }
}

pub(super) fn believing(verifier: Arc<dyn Verifier>, name: &'static str) -> Arc<dyn Verifier> {
    Arc::new(Believing(verifier, name))
}

impl Federation {
    fn signer_of(&self, at: usize) -> Option<Arc<dyn Signer>> {
        self.nodes.get(at)?.signers.first().map(Arc::clone)
    }

    /// Picks a node that is up, whose view of things a cheat writes from.
    pub(super) fn view(&mut self) -> Option<usize> {
        let up: Vec<usize> = (0..self.nodes.len())
            .filter(|at| self.nodes.get(*at).is_some_and(super::node::Node::is_up))
            .collect();
        up.get(self.random.index(up.len())).copied()
    }

    fn payment(&mut self, from: &Did, low: u64, high: u64) -> Act {
        let payees: Vec<Did> = self.nodes.iter().map(|node| node.did).filter(|did| did != from).collect();
        let to = payees.get(self.random.index(payees.len())).copied().unwrap_or(self.space);
        let amount = i64::try_from(self.random.within((low, high))).unwrap_or(1);
        let memo = Some(format!("cheat {}", self.number()));
        Act::Pay { to, amount, currency: HOURS.to_owned(), memo, request: None, expires: None }
    }

    /// Signs two to four entries at one place and shows them to different nodes.
    pub(super) fn fork(&mut self, at: usize) {
        let is_pot = self.pot.as_ref().is_some_and(|pot| pot.at == at) && self.random.chance(600_000);
        let signer = if is_pot { self.pot_signer() } else { self.signer_of(at) };
        let (Some(signer), Some(base)) = (signer, self.view()) else { return };
        let cheat = signer.did();
        let (now, width) = (self.clock(at), self.random.within((2, 4)));
        let Some(mut head) = self.replica(base).map(|replica| replica.log().head_of(&cheat)) else { return };
        if is_pot && self.random.chance(600_000) {
            head = self.before(base, head);
        }
        if head.is_none() && self.nodes.get(at).is_some_and(|node| node.is_new) {
            return;
        }
        let mut branches: Vec<VerifiedEntry> = Vec::new();
        for _ in 0..width {
            let Some(view) = self.view() else { return };
            let post = if is_pot {
                self.draft_for_the_pot(view)
            } else {
                Some(Post::new(vec![self.payment(&cheat, 20, 95)]))
            };
            let drafted = post.and_then(|post| self.replica(view)?.next_entry(now, cheat, &post).ok());
            let Some(mut entry) = drafted else { continue };
            entry.seq = head.map_or(1, |(seq, _)| seq + 1);
            entry.prev = head.map(|(_, head)| head);
            entry.deps.retain(|dep| Some(*dep) != entry.prev);
            branches.extend(entry.sign(signer.as_ref()).ok());
        }
        let names: Vec<String> = branches.iter().map(|branch| branch.id().short().to_string()).collect();
        self.story.tell(self.now_ms, || format!("n{at} forks its chain: {names:?}"));
        let by_group = self.random.chance(500_000);
        for to in (0..self.nodes.len()).filter(|to| *to != at || branches.len() > 2) {
            let group = self.groups.get(to).copied().map_or(0, usize::from);
            let place = if by_group { group } else { self.random.index(branches.len()) };
            if let Some(branch) = branches.get(place % branches.len().max(1)) {
                self.show(at, to, branch.signed().clone());
            }
        }
        self.lie(&branches);
        self.pretend_certified(at, signer.as_ref(), &branches);
    }

    /// Returns the place before a head: what was done there may have been relied upon.
    fn before(&self, base: usize, head: Option<(u64, Cid)>) -> Option<(u64, Cid)> {
        let (seq, id) = head?;
        let raw = self.replica(base)?.entry(&id)?.check().ok()?;
        Some((seq.checked_sub(1)?, raw.unverified().prev?))
    }

    pub(super) fn show(&mut self, from: usize, to: usize, signed: SignedEntry) {
        if let Ok(bytes) = LiveMessage::Entry(signed).encode() {
            self.slip(from, to, bytes);
        }
    }

    /// Brings something to a node that may not be connected to the cheat: cheats have friends.
    fn slip(&mut self, from: usize, to: usize, bytes: Vec<u8>) {
        let via = (0..self.nodes.len()).find(|via| self.is_linked(*via, to));
        let from = if self.is_linked(from, to) { Some(from) } else { via };
        if let Some(from) = from {
            self.bring(from, to, bytes);
        }
    }

    /// Witnesses that lie vote for every branch.
    fn lie(&mut self, branches: &[VerifiedEntry]) {
        let Some(set) = self.view().and_then(|view| self.replica(view)?.books().witness_set()) else {
            return;
        };
        let liars: Vec<(usize, Arc<dyn Signer>)> = (0..self.nodes.len())
            .filter(|at| self.nodes.get(*at).is_some_and(|node| !node.is_honest()))
            .filter_map(|at| Some((at, self.signer_of(at)?)))
            .filter(|(_, signer)| set.members.contains(&signer.did()))
            .collect();
        for branch in branches {
            for (at, signer) in &liars {
                let Entry { author, seq, .. } = branch.entry();
                let vote = Vote {
                    space: self.space,
                    author: *author,
                    seq: *seq,
                    entry: branch.id(),
                    set: set.number,
                };
                let Ok(vote) = vote.sign(signer.as_ref()) else { continue };
                let Ok(bytes) = LiveMessage::Extra(ByteBuf::from(vote.encode())).encode() else { continue };
                for to in 0..self.nodes.len() {
                    self.slip(*at, to, bytes.clone());
                }
            }
        }
    }

    /// Goes on with each branch by an entry that carries a certificate which nobody gave.
    fn pretend_certified(&mut self, at: usize, signer: &dyn Signer, branches: &[VerifiedEntry]) {
        let Some(set) = self.view().and_then(|view| self.replica(view)?.books().witness_set()) else {
            return;
        };
        for branch in branches {
            let entry = branch.entry();
            let voters = set.members.iter().take(quorum(set.members.len()));
            let votes = voters.map(|voter| (*voter, ByteBuf::from(vec![9; 64]))).collect();
            let Entry { author, seq, .. } = entry;
            let forged =
                Certificate { author: *author, seq: *seq, entry: branch.id(), set: set.number, votes };
            // One voter, and its vote is real: the cheat itself.
            let own = forged.vote(self.space).sign(signer).ok().map(|vote| (vote.by, vote.sig));
            let thin = Certificate { votes: own.into_iter().collect(), ..forged.clone() };
            let certificate = if self.random.chance(600_000) { forged } else { thin };
            let post = Post { certificates: vec![certificate], ..Post::new(Vec::new()) };
            let Ok(body) = post.encode() else { continue };
            let next =
                Entry { seq: seq + 1, prev: Some(branch.id()), deps: Vec::new(), body, ..entry.clone() };
            let Ok(signed) = next.sign(signer) else { continue };
            for to in 0..self.nodes.len() {
                self.show(at, to, signed.signed().clone());
            }
        }
    }

    /// Pays far more than there is.
    pub(super) fn overdraw(&mut self, at: usize) {
        let (Some(signer), Some(view)) = (self.signer_of(at), self.view()) else { return };
        let act = self.payment(&signer.did(), 150, 10_000);
        let now = self.clock(at);
        let drafted =
            self.replica(view).and_then(|it| it.next_entry(now, signer.did(), &Post::new(vec![act])).ok());
        let Some(signed) = drafted.and_then(|entry| entry.sign(signer.as_ref()).ok()) else { return };
        self.report.overdrawn += 1;
        self.story.tell(self.now_ms, || format!("n{at} pays what it does not have: {}", signed.id().short()));
        for to in 0..self.nodes.len() {
            self.show(at, to, signed.signed().clone());
        }
    }

    /// Publishes entries that nobody signed, or parts of entries.
    pub(super) fn forge(&mut self, at: usize) {
        let Some(view) = self.view() else { return };
        let Some(replica) = self.replica(view) else { return };
        let known: Vec<Cid> = replica.log().ids_from(icn_gossip::Idx(0)).collect();
        let pick = self.random.index(known.len());
        let entry = known.get(pick).and_then(|id| self.replica(view)?.entry(id));
        let Some(signed) = entry else { return };
        let (bytes, sig) = (signed.entry().to_vec(), signed.sig().to_vec());
        let forged = match self.random.index(3) {
            0 => SignedEntry::new(self.damage(bytes), sig),
            1 => SignedEntry::new(bytes, self.damage(sig)),
            _ => {
                // The same words at the next place of somebody else's chain.
                let next = signed.check().ok().map(|raw| raw.unverified().clone());
                let Some(entry) = next else { return };
                let moved =
                    Entry { seq: entry.seq + 1, prev: known.get(pick).copied(), deps: Vec::new(), ..entry };
                let Ok(bytes) = icn_types::codec::encode(&moved) else { return };
                SignedEntry::new(bytes, sig)
            }
        };
        for to in 0..self.nodes.len() {
            self.show(at, to, forged.clone());
        }
    }

    /// Cuts bytes short, or changes one.
    pub(super) fn damage(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        let place = self.random.index(bytes.len());
        if self.random.chance(400_000) {
            bytes.truncate(place);
        } else if let Some(byte) = bytes.get_mut(place) {
            *byte ^= 1 << (self.random.next() % 8);
        }
        bytes
    }
}
