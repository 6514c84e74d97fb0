//! Certifying: what a witness signs, and when it keeps silent.
//!
//! A certificate says that a quorum of ⌊2n/3⌋ + 1 witnesses saw one entry, and no other, at one place of a chain. Any two
//! quorums share more witnesses than may lie, so two certificates at one place would need an honest witness that signed
//! twice. Everything here serves that one sentence: a witness signs at most one entry per place, ever; its vote is durable
//! before it leaves; it keeps silent after a start until it has caught up; and a new set takes over only what the old set can
//! no longer add to.
//!
//! What this cannot do: a witness that lost votes which nobody else has seen counts among those that may lie. And when two
//! stewards name different sets at the same time, the votes may split and neither set is ever certified, because each
//! witness hands over once only: stewards should agree before they name witnesses.

mod refusal;
mod table;
mod tally;
mod view;

use std::collections::BTreeMap;

use icn_types::{Cid, Did, Duration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::act::{Act, Post};
use crate::certificate::{Vote, faults, quorum};
use table::{Cast, VoteTable};

pub use refusal::{Refusal, Standing};
pub use tally::{Counted, Tally};
pub use view::{Handover, WitnessSet, WitnessView};

/// How far the time of a seal may be from the own clock.
pub const SEAL_SKEW_MAX: Duration = Duration::from_secs(5 * 60);

/// What must be durable before a vote leaves: at most one entry per author and place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoteRecord {
    /// The author of the entry.
    pub author: Did,
    /// Its place in the author's chain.
    pub seq: u64,
    /// The one entry that this witness ever votes for there.
    pub entry: Cid,
    /// The number of the latest witness set for which it did.
    pub set: u64,
    /// When the entry names a witness set: its number. The set before does not vote any more after this.
    pub hands_over: Option<u64>,
}

/// What the shell is to do, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WitnessEffect {
    /// Write the record to disk; nothing after it may happen before it is durable. Writing it again is harmless.
    Persist(VoteRecord),
    /// Sign the vote and send it to all.
    Send(Vote),
}

/// Whether the shell can promise that no vote of this witness was lost since it last ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// It can: the disk is the one that was last written.
    Kept,
    /// It cannot, which is the rule: after a start nobody can tell a disk from yesterday's copy of it.
    Unsure,
}

/// A moment in the life of a witness; what a session brings counts from the moment at which the session began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Era(u64);

/// An applied entry that may be voted for.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// The entry.
    pub id: Cid,
    /// Its author.
    pub author: Did,
    /// Its place in the author's chain.
    pub seq: u64,
    /// The author's entry before.
    pub prev: Option<Cid>,
    /// What it says.
    pub post: &'a Post,
}

/// Returns with how many of `n` witnesses one must merge to meet an honest voter of every certificate that stands: of
/// any quorum they leave out at most `n − quorum`, and at most `faults` of the rest withhold it.
#[must_use]
pub const fn merges_needed(n: usize) -> usize {
    faults(n) + n + 1 - quorum(n)
}

/// One witness. It decides which entries it votes for; the shell keeps its records and signs.
#[derive(Debug)]
pub struct Witness {
    space: Did,
    me: Did,
    memory: Memory,
    votes: VoteTable,
    era: Era,
    current: Option<Current>,
    /// With whom it merged, and when the latest such session began. Only members of the current set and the one before.
    merged: BTreeMap<Did, Era>,
}

/// What it knows of the set in force.
#[derive(Debug)]
struct Current {
    number: u64,
    /// From when a session with the set before counts.
    since: Era,
    /// From when a session with this set counts: a certificate of it is known, so most of its members have taken over.
    working: Option<Era>,
    /// Whose sessions are of interest.
    partners: Vec<Did>,
}

impl Witness {
    /// Makes the witness `me` of a space; it has no records yet.
    #[must_use]
    pub const fn new(space: Did, me: Did, memory: Memory) -> Self {
        let votes = VoteTable::new();
        Self { space, me, memory, votes, era: Era(0), current: None, merged: BTreeMap::new() }
    }

    /// Takes a record from disk. Before anything else; the order does not matter.
    pub fn restore(&mut self, record: &VoteRecord) {
        self.votes.insert(record);
    }

    /// Returns the moment that a session which begins now counts from.
    pub fn sync_began(&mut self, view: &dyn WitnessView) -> Era {
        self.observe(view);
        self.era
    }

    /// Notes that a session with a witness has ended well, and that everything it brought is applied or refused.
    pub fn merged(&mut self, with: Did, began: Era) {
        if self.current.as_ref().is_some_and(|current| current.partners.contains(&with)) {
            let era = self.merged.entry(with).or_insert(began);
            *era = (*era).max(began);
        }
    }

    /// Tells whether it would vote now. When this turns true, uncertified entries should be considered again.
    pub fn is_voting(&mut self, view: &dyn WitnessView) -> bool {
        self.standing(view) == Standing::Voting
    }

    /// Tells what it does at present, and what it waits for.
    pub fn standing(&mut self, view: &dyn WitnessView) -> Standing {
        let Some(set) = self.observe(view) else { return Standing::NoWitness };
        if !set.members.contains(&self.me) {
            Standing::NoWitness
        } else if let Some((merged, needed)) = self.waits_for(&set) {
            Standing::Abstaining { merged, needed }
        } else if self.votes.handed_over() > set.number {
            Standing::HandedOver
        } else {
            Standing::Voting
        }
    }

    /// Returns the entry that it voted for at a place, unless that is forgotten.
    #[must_use]
    pub fn voted(&self, author: &Did, seq: u64) -> Option<Cid> {
        match self.votes.at(author, seq) {
            Some(Cast::For { entry, .. }) => Some(entry),
            Some(Cast::Forgotten) | None => None,
        }
    }

    /// Forgets the vote at a place whose certificate is in the log: it will never vote there again. Saves memory.
    pub fn forget(&mut self, author: &Did, seq: u64) {
        self.votes.forget(author, seq);
    }

    /// Decides whether to vote for an applied entry. Asked again about an entry that it voted for, it repeats the vote.
    ///
    /// # Errors
    ///
    /// [`Refusal`] with the reason; see [`Refusal::is_lasting`].
    pub fn consider(
        &mut self,
        now: Timestamp,
        candidate: &Candidate<'_>,
        view: &dyn WitnessView,
    ) -> Result<Vec<WitnessEffect>, Refusal> {
        let set = self.observe(view).ok_or(Refusal::NotAWitness)?;
        if !set.members.contains(&self.me) {
            return Err(Refusal::NotAWitness);
        }
        let hands_over = named_set(candidate.post)?;
        let record = VoteRecord {
            author: candidate.author,
            seq: candidate.seq,
            entry: candidate.id,
            set: set.number,
            hands_over,
        };
        match self.votes.at(&candidate.author, candidate.seq) {
            Some(Cast::Forgotten) => return Err(Refusal::Decided),
            Some(Cast::For { entry, .. }) if entry != candidate.id => {
                return Err(Refusal::VotedOtherwise(entry));
            }
            // The same words again bind nobody to anything new, whatever has happened since.
            Some(Cast::For { set: voted_in, .. }) if voted_in == set.number => return Ok(self.cast(record)),
            Some(Cast::For { .. }) | None => {}
        }
        self.check(now, candidate, &set, view)?;
        if hands_over.is_some_and(|number| number != set.number + 1) {
            return Err(Refusal::SetNumber);
        }
        if !self.votes.insert(&record) {
            return Err(Refusal::Invalid);
        }
        Ok(self.cast(record))
    }

    fn check(
        &self,
        now: Timestamp,
        candidate: &Candidate<'_>,
        set: &WitnessSet,
        view: &dyn WitnessView,
    ) -> Result<(), Refusal> {
        let Candidate { id, author, seq, prev, post } = candidate;
        if let Some((merged, needed)) = self.waits_for(set) {
            return Err(Refusal::Abstaining { merged, needed });
        }
        if self.votes.handed_over() > set.number {
            return Err(Refusal::HandedOver(self.votes.handed_over()));
        }
        let before = seq.checked_sub(1).and_then(|seq| self.voted(author, seq));
        if before.is_some() && before != *prev {
            return Err(Refusal::OtherBranch);
        }
        if !view.is_alone(author, *seq) {
            return Err(Refusal::NotAlone);
        }
        if view.is_forked(author) {
            return Err(Refusal::Forked);
        }
        if !view.is_valid(id) {
            return Err(Refusal::Invalid);
        }
        if view.exceeds_known_line(id) {
            return Err(Refusal::AboveLine);
        }
        for (act, index) in post.acts.iter().zip(0..) {
            if let Act::Seal { time, .. } = act {
                if now.since(*time).max(time.since(now)) > SEAL_SKEW_MAX {
                    return Err(Refusal::SealTime);
                }
                if !view.seal_is_right(id, index) {
                    return Err(Refusal::Seal);
                }
            }
        }
        Ok(())
    }

    fn cast(&self, record: VoteRecord) -> Vec<WitnessEffect> {
        let VoteRecord { author, seq, entry, set, .. } = record;
        let vote = Vote { space: self.space, author, seq, entry, set };
        vec![WitnessEffect::Persist(record), WitnessEffect::Send(vote)]
    }

    /// Looks which set is in force. A new set, and the first certificate of a set, begin a new era.
    fn observe(&mut self, view: &dyn WitnessView) -> Option<WitnessSet> {
        let Some(set) = view.witness_set() else {
            self.current = None;
            return None;
        };
        if self.current.as_ref().is_none_or(|current| current.number != set.number) {
            self.era.0 += 1;
            let before = set.before.iter().flat_map(|before| &before.members);
            let partners: Vec<Did> = before.chain(&set.members).copied().collect();
            self.merged.retain(|did, _| partners.contains(did));
            self.current = Some(Current { number: set.number, since: self.era, working: None, partners });
        }
        if let Some(current) = &mut self.current
            && current.working.is_none()
            && view.set_has_certified(set.number)
        {
            self.era.0 += 1;
            current.working = Some(self.era);
        }
        Some(set)
    }

    /// Returns with how many witnesses it has merged and must; none when it has caught up.
    fn waits_for(&self, set: &WitnessSet) -> Option<(usize, usize)> {
        let current = self.current.as_ref()?;
        let needed = merges_needed(set.members.len()).min(set.members.len().saturating_sub(1));
        let among = |dids: &[Did], since: Era| {
            let is_fresh =
                |did: &&Did| **did != self.me && self.merged.get(*did).is_some_and(|era| *era >= since);
            dids.iter().filter(is_fresh).count()
        };
        if self.memory == Memory::Unsure {
            let merged = among(&set.members, Era(0));
            if merged < needed {
                return Some((merged, needed));
            }
        }
        let Some(before) = &set.before else { return None };
        // Whoever voted in this set had taken over before, and its log has kept what it took over.
        if self.votes.latest_set() >= set.number {
            return None;
        }
        if current.working.is_some_and(|working| among(&set.members, working) >= needed) {
            return None;
        }
        // Its own log holds whatever it voted for itself before it handed over. A copy of a disk that has the handover has
        // all before it: votes are written in the order in which they are cast.
        let remembers = before.members.contains(&self.me) && self.votes.has_handed_over_to(set.number);
        let own = usize::from(remembers);
        let mut needed = merges_needed(before.members.len());
        // A voter that has forgotten its vote is itself one of those that may lie, so all others of the smallest quorum
        // suffice; it would wait forever for more.
        if !remembers && before.voters.contains(&self.me) {
            needed = needed.min(before.voters.len().saturating_sub(1));
        }
        let merged = own + among(&before.voters, current.since);
        (merged < needed).then_some((merged, needed))
    }
}

/// Finds the number of the witness set that a post names.
fn named_set(post: &Post) -> Result<Option<u64>, Refusal> {
    let mut named = None;
    for act in &post.acts {
        if let Act::Witnesses { number, .. } = act
            && named.replace(*number).is_some()
        {
            return Err(Refusal::SetNumber);
        }
    }
    Ok(named)
}

#[cfg(test)]
mod schedules;
#[cfg(test)]
mod tests;
