//! Taking entries, proofs and votes in, from wherever they come.

use icn_gossip::{Admitted, Applied, ForkProof, LiveMessage};
use icn_types::{Cid, Did, Timestamp};
use serde_bytes::ByteBuf;

use super::checked::{CheckError, Checked};
use super::event::{Arrived, Effect, Live, SessionId, Verdict, Write};
use super::{Replica, view};
use crate::act::{Act, OrderRef, Post, post_of};
use crate::books::Item;
use crate::certificate::SignedVote;
use crate::misbehaviour::{Evidence, Violation};
use crate::witness::Counted;

/// What became of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// It, and perhaps others that waited for it, stand in the log now.
    Applied,
    /// It was known.
    Known,
    /// It waits for its past.
    Waiting,
    /// Its author was never let in.
    Stranger,
    /// It cannot stand.
    Refused,
}

impl Replica {
    /// Hears a live message.
    pub(super) fn hear_live(&mut self, now: Timestamp, from: Did, ticket: u64, message: Live) -> Vec<Effect> {
        let (mut effects, verdict) = match message {
            Live::Entry(checked) => {
                let author = checked.entry.entry().author;
                let (taken, effects) = self.admit_and_tell(now, *checked);
                let verdict = match taken {
                    Taken::Applied => Verdict::Accept,
                    Taken::Waiting => {
                        self.miss(now, from);
                        // Who has its past may use it.
                        Verdict::Accept
                    }
                    Taken::Known | Taken::Stranger => Verdict::Ignore,
                    Taken::Refused => {
                        self.offend(
                            now,
                            author,
                            Violation::Malformed,
                            "an entry that cannot stand in its chain",
                        );
                        Verdict::Reject
                    }
                };
                (effects, verdict)
            }
            Live::Proof(proof) => {
                let (is_new, effects) = self.take_proof(now, &proof);
                (effects, if is_new { Verdict::Accept } else { Verdict::Ignore })
            }
            Live::Vote(vote) => {
                let is_new = self.take_vote(now, &vote);
                (Vec::new(), if is_new { Verdict::Accept } else { Verdict::Ignore })
            }
        };
        effects.push(Effect::Verdict { ticket, verdict });
        effects
    }

    /// Hears what a reconciliation brought.
    pub(super) fn hear_checked(
        &mut self,
        now: Timestamp,
        session: SessionId,
        arrived: Arrived,
    ) -> Vec<Effect> {
        let Arrived { entries, proofs, votes } = arrived;
        let mut effects = Vec::new();
        for proof in proofs {
            effects.extend(self.take_proof(now, &proof).1);
        }
        for entry in entries {
            match entry {
                Ok(checked) => {
                    let (taken, more) = self.admit_and_tell(now, checked);
                    effects.extend(more);
                    if !matches!(taken, Taken::Applied | Taken::Known) {
                        self.partial(session);
                    }
                }
                Err(error) => {
                    self.partial(session);
                    self.refuse_entry(now, session, &error);
                }
            }
        }
        for vote in votes {
            self.take_vote(now, &vote);
        }
        effects.extend(self.session_checked(now, session));
        effects
    }

    /// Takes an entry in and notes whose fork it shows.
    pub(super) fn admit_and_tell(&mut self, now: Timestamp, checked: Checked) -> (Taken, Vec<Effect>) {
        let (taken, applied) = self.admit(checked);
        let mut effects = Vec::new();
        let mut writes = Vec::new();
        let mut changed = Vec::new();
        let mut forks = Vec::new();
        for one in applied {
            writes.push(Write::Entry { idx: one.position.idx.0, entry: one.entry.signed().clone() });
            changed.push(one.entry.id());
            if one.forks {
                forks.push((one.entry.entry().author, one.entry.entry().seq));
            }
        }
        if !writes.is_empty() {
            effects.push(Effect::Persist(writes));
            effects.push(Effect::Changed(changed));
        }
        for (author, seq) in forks {
            effects.extend(self.tell_fork(now, author, seq));
        }
        (taken, effects)
    }

    /// Takes an entry into log and books.
    pub(super) fn admit(&mut self, checked: Checked) -> (Taken, Vec<Applied>) {
        let Checked { entry, post } = checked;
        if !self.may_write(&entry.entry().author, &post) {
            return (Taken::Stranger, Vec::new());
        }
        let id = entry.id();
        match self.log.admit(entry, post.refs()) {
            Admitted::Applied(applied) => {
                let mut given = Some((id, post));
                for one in &applied {
                    let post = match given.take_if(|(id, _)| *id == one.entry.id()) {
                        Some((_, post)) => Ok(post),
                        None => post_of(one.entry.entry()),
                    };
                    // What waited was read once before.
                    if let Ok(post) = post {
                        self.apply(one, post);
                    }
                }
                (Taken::Applied, applied)
            }
            Admitted::Known => (Taken::Known, Vec::new()),
            Admitted::Waiting { .. } => (Taken::Waiting, Vec::new()),
            Admitted::Refused(_) => (Taken::Refused, Vec::new()),
        }
    }

    fn apply(&mut self, applied: &Applied, post: Post) {
        let entry = applied.entry.entry();
        self.let_in(&entry.author, &post);
        self.recent.insert(applied.position.idx.0, applied.entry.signed().clone());
        if let (Some(own), Some(key)) = (self.own.get_mut(&entry.author), &post.key) {
            own.keys.entry(key.clone()).or_insert((applied.entry.id(), entry.seq));
        }
        self.note_incoming(applied, &post);
        let told = post.certificates.iter().map(|certificate| certificate.entry);
        let mut told: Vec<Cid> = told.filter(|entry| !self.is_certified(entry)).collect();
        let item = view::item(&self.log, applied, post);
        if self.books.apply(item).rejudge {
            self.must_rejudge = true;
        }
        told.retain(|entry| self.is_written(entry));
        self.certified.extend(told);
        self.fresh.push(applied.entry.id());
    }

    /// Notes what members of this node are paid, and what comes back to them.
    fn note_incoming(&mut self, applied: &Applied, post: &Post) {
        for (index, act) in post.acts.iter().enumerate() {
            if let Act::Decline { order, .. } = act {
                let payer = self.order(order).map(|order| order.from);
                if let Some((payer, own)) = payer.and_then(|payer| Some((payer, self.own.get_mut(&payer)?))) {
                    own.declined.insert(*order);
                    self.answering.insert(payer);
                }
                continue;
            }
            let to = if let Act::Pay { to, .. } = act {
                Some(*to)
            } else if let Act::Capture { hold, amount: 1.., .. } = act {
                self.order(hold).map(|hold| hold.to)
            } else {
                None
            };
            let own = to.and_then(|to| Some((to, self.own.get_mut(&to)?)));
            if let (Some((to, own)), Ok(index)) = (own, u32::try_from(index)) {
                own.incoming.insert(OrderRef { entry: applied.entry.id(), index });
                self.answering.insert(to);
            }
        }
    }

    /// Tells whether an author may append at all: whoever was let in, or comes with an invitation.
    fn may_write(&self, author: &Did, post: &Post) -> bool {
        self.writers.contains(author) || post.acts.iter().any(|act| self.is_join(act))
    }

    fn is_join(&self, act: &Act) -> bool {
        matches!(act, Act::Join { invitation, .. } if self.writers.contains(&invitation.issuer))
    }

    /// Notes whom an entry lets in. Who was let in once may append for good; whether it counts is for the books to say.
    fn let_in(&mut self, author: &Did, post: &Post) {
        for act in &post.acts {
            if let Act::Admit { member, .. } | Act::Treasury { account: member, .. } = act {
                self.writers.insert(*member);
            } else if self.is_join(act) {
                self.writers.insert(*author);
            }
        }
    }

    /// Judges everything anew: a fork, or what decides one, came to light.
    pub(super) fn rejudge(&mut self) {
        self.must_rejudge = false;
        let items = self.items();
        self.books.rejudge(items);
        self.find_incoming();
    }

    /// Finds out anew what members of this node are paid and have not answered.
    pub(super) fn find_incoming(&mut self) {
        let members: Vec<Did> = self.own.keys().copied().collect();
        for member in members {
            let open = self.books.open_to(&member).into_iter().map(|order| order.id).collect();
            let declined = self.books.declined_of(&member).into_iter().map(|order| order.id);
            if let Some(own) = self.own.get_mut(&member) {
                own.incoming = open;
                own.declined = declined.collect();
                self.answering.insert(member);
            }
        }
    }

    /// Reads every entry again, in the order of application.
    #[must_use]
    pub fn items(&self) -> Vec<Item> {
        let read = |idx: usize| {
            let idx = u32::try_from(idx).ok()?;
            let Checked { entry, post } = self.read_at(idx)?;
            Some(view::item(&self.log, &view::applied(&self.log, idx, entry)?, post))
        };
        (0..self.log.len()).filter_map(read).collect()
    }

    /// Takes in a proof that somebody signed two entries at one place.
    fn take_proof(&mut self, now: Timestamp, proof: &ForkProof) -> (bool, Vec<Effect>) {
        let mut effects = Vec::new();
        let mut is_new = false;
        // Its branches are entries like others; the fork follows from them.
        for signed in [&proof.first, &proof.second] {
            // Its signature was checked; what its body carries was not.
            let Ok(checked) = Checked::new(signed.clone(), self.verifier.as_ref()) else { continue };
            let (taken, more) = self.admit_and_tell(now, checked);
            is_new |= matches!(taken, Taken::Applied | Taken::Waiting);
            effects.extend(more);
        }
        (is_new, effects)
    }

    /// Tells everybody of a fork, ahead of all else, and records it.
    fn tell_fork(&mut self, now: Timestamp, author: Did, seq: u64) -> Vec<Effect> {
        let branches: Vec<Cid> = self.log.at(&author, seq);
        self.assembled.extend(branches.iter().copied());
        let mut signed = branches.iter().filter_map(|id| self.entry(id));
        let (Some(first), Some(second)) = (signed.next(), signed.next()) else { return Vec::new() };
        let Ok(proof) = ForkProof::new(first, second) else { return Vec::new() };
        let evidence = Evidence::Bytes(ByteBuf::from(proof.to_bytes()));
        let detail = format!("two entries at place {seq}");
        self.record(now, author, Violation::Equivocation, &detail, evidence);
        vec![Effect::Publish(LiveMessage::Proof(proof))]
    }

    /// Counts a vote; true when it is new.
    pub(super) fn take_vote(&mut self, now: Timestamp, vote: &SignedVote) -> bool {
        if vote.vote.space != self.config.space {
            return false;
        }
        let Some(members) = self.books.witnesses_of(vote.vote.set) else { return false };
        match self.tally.add(vote, &members) {
            Counted::New => true,
            Counted::Certified(certificate) => {
                self.assembled.insert(certificate.entry);
                if !self.is_written(&certificate.entry) {
                    self.certified.push(certificate.entry);
                }
                self.certificates.insert(certificate.entry, certificate);
                true
            }
            Counted::Conflict(pair) => {
                let evidence = Evidence::Bytes(ByteBuf::from(pair.0.encode()));
                self.record(now, vote.by, Violation::Equivocation, "two votes for one place", evidence);
                false
            }
            Counted::Known | Counted::NotAWitness => false,
        }
    }

    fn refuse_entry(&mut self, now: Timestamp, session: SessionId, error: &CheckError) {
        if let Some(node) = self.session_node(session) {
            let detail = format!("an entry that does not hold came by reconciliation: {error}");
            self.offend(now, node, Violation::InvalidSignature, &detail);
        }
    }

    pub(super) fn offend(&mut self, now: Timestamp, offender: Did, violation: Violation, detail: &str) {
        self.record(now, offender, violation, detail, Evidence::None);
    }

    /// Records who broke a rule; it is written down with the next turn.
    fn record(
        &mut self,
        now: Timestamp,
        offender: Did,
        violation: Violation,
        detail: &str,
        evidence: Evidence,
    ) {
        if self.offences.record(now, offender, violation, detail, evidence)
            && let Some(offence) = self.offences.of(&offender).last()
        {
            self.notes.push(Write::Offence { offender, offence: Box::new(offence.clone()) });
        }
    }
}
