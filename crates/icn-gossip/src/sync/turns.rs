//! What each side does when a message comes.

use std::collections::{BTreeMap, BTreeSet};

use icn_types::Did;
use serde_bytes::{ByteArray, ByteBuf};

use super::message::{Message, WireTip, cut, id_of, to_wire};
use super::{
    Hello, Outgoing, ROUNDS_MAX, Stage, Step, SyncError, SyncSession, TIPS_FEW, TIPS_MAX, WANT_IDS_MAX,
    WANTED_MAX, neg,
};
use crate::id::Digest;
use crate::log::{Idx, Log};

/// How many tips cost less than one difference in set reconciliation: a tip takes some 160 bytes both ways, a difference
/// among a million entries some 1,700.
const TIPS_PER_DIFFERENCE: u64 = 8;

impl SyncSession {
    pub(super) fn take_as_initiator(
        &mut self,
        log: &Log,
        message: Message,
        steps: &mut Vec<Step>,
    ) -> Result<(), SyncError> {
        match (self.stage, message) {
            (Stage::Hello, Message::Hello(hello)) => self.start(log, hello, steps),
            (Stage::Hello, Message::Refused { code, message }) => {
                self.stage = Stage::Over;
                steps.push(Step::Refused { code: cut(&code), message: cut(&message) });
                Ok(())
            }
            (Stage::Frontier, Message::Frontier { tips, clash }) => {
                let comparison = log.compare(&read_tips(&tips)?);
                let clash = read_clash(&clash)?;
                // They have more of these authors. They send it, unless they cannot tell what is here: their chain is as
                // long and clashes, or it is shorter, and ours looks to them as if it went on from theirs.
                self.is_inexact =
                    comparison.unknown.iter().any(|chain| chain.is_shorter || clash.contains(&chain.author));
                self.lacking = comparison.lacking;
                self.stage = Stage::Tails;
                Ok(())
            }
            (Stage::Tails, Message::Tails {}) => {
                self.summary.round_trips += 1;
                if self.wanted.is_none() && self.is_inexact {
                    self.begin_neg(log)?;
                } else {
                    let lacking = std::mem::take(&mut self.lacking);
                    self.finish(lacking);
                }
                Ok(())
            }
            (Stage::Neg, Message::Neg { bytes }) => self.advance_neg(log, &bytes),
            (Stage::Done, Message::Done {}) => {
                self.summary.round_trips += 1;
                self.stage = Stage::Over;
                if self.wanted.as_ref().is_some_and(|wanted| !wanted.is_empty()) {
                    self.summary.is_complete = false;
                }
                steps.push(Step::Done(self.summary));
                Ok(())
            }
            (_, message) => Err(SyncError::OutOfPlace(message.name())),
        }
    }

    fn start(&mut self, log: &Log, hello: Hello, steps: &mut Vec<Step>) -> Result<(), SyncError> {
        hello.check()?;
        if hello.log_id() != self.mine.log_id() {
            return Err(SyncError::WrongLog);
        }
        self.summary.round_trips += 1;
        let is_same = hello.digest == self.mine.digest;
        let by_tips = !self.is_neg_only && by_tips(&self.mine, &hello);
        self.theirs = Some(hello.clone());
        steps.push(Step::Peer(hello));
        self.open(log);
        let tips = if by_tips { own_tips(log) } else { None };
        if is_same {
            self.finish(Vec::new());
        } else if let Some(tips) = tips {
            self.queue(Message::Frontier { tips, clash: Vec::new() });
            self.stage = Stage::Frontier;
        } else {
            self.begin_neg(log)?;
        }
        Ok(())
    }

    fn begin_neg(&mut self, log: &Log) -> Result<(), SyncError> {
        let bytes = neg::begin(log.set())?;
        self.queue_neg(bytes);
        self.stage = Stage::Neg;
        Ok(())
    }

    fn queue_neg(&mut self, bytes: Vec<u8>) {
        self.summary.neg_bytes += bytes.len() as u64;
        self.queue(Message::Neg { bytes: ByteBuf::from(bytes) });
    }

    fn advance_neg(&mut self, log: &Log, frame: &[u8]) -> Result<(), SyncError> {
        self.summary.round_trips += 1;
        self.summary.neg_round_trips += 1;
        self.summary.neg_bytes += frame.len() as u64;
        let next = neg::advance(log.set(), frame, &mut self.found)?;
        // An honest answer names no own id twice.
        if self.found.have.len() > log.len() || self.found.need.len() > WANTED_MAX {
            return Err(SyncError::TooMany("ids"));
        }
        match next {
            Some(next) if self.summary.neg_round_trips < ROUNDS_MAX => self.queue_neg(next),
            next => {
                self.summary.is_complete = next.is_none();
                self.ask(log);
            }
        }
        Ok(())
    }

    /// Asks for what was found to be missing, or goes on to the end when nothing is.
    fn ask(&mut self, log: &Log) {
        let found = std::mem::take(&mut self.found);
        self.lacking = local_places(log, &found.have);
        let is_missing = |id: &Digest| !self.got.contains(id) && log.set().get(id).is_none();
        let wanted: BTreeSet<Digest> = found.need.into_iter().filter(is_missing).collect();
        if wanted.is_empty() {
            let lacking = std::mem::take(&mut self.lacking);
            self.finish(lacking);
            return;
        }
        let ids: Vec<ByteArray<32>> = wanted.iter().map(|id| ByteArray::new(*id)).collect();
        let mut lists = ids.chunks(WANT_IDS_MAX).peekable();
        while let Some(list) = lists.next() {
            self.queue(Message::Want { ids: list.to_vec(), more: lists.peek().is_some() });
        }
        self.wanted = Some(wanted);
        self.stage = Stage::Tails;
    }

    fn finish(&mut self, lacking: Vec<u32>) {
        self.queue_entries(lacking);
        self.queue(Message::Done {});
        self.stage = Stage::Done;
    }

    pub(super) fn take_as_responder(&mut self, log: &Log, message: Message) -> Result<(), SyncError> {
        match message {
            Message::Frontier { tips, .. } if !self.has_tips => {
                self.has_tips = true;
                self.summary.round_trips += 1;
                self.answer_tips(log, &tips)
            }
            Message::Neg { bytes } => {
                self.summary.round_trips += 1;
                self.summary.neg_round_trips += 1;
                if self.summary.neg_round_trips > ROUNDS_MAX {
                    return Err(SyncError::TooMany("rounds"));
                }
                self.summary.neg_bytes += bytes.len() as u64;
                let answer = neg::answer(log.set(), &bytes)?;
                self.open(log);
                self.queue_neg(answer);
                Ok(())
            }
            Message::Want { ids, more } if !self.has_asked => self.take_want(log, &ids, more),
            Message::Done {} => {
                self.summary.round_trips += 1;
                self.open(log);
                self.queue(Message::Done {});
                self.outbox.push_back(Outgoing::End);
                Ok(())
            }
            other @ (Message::Hello(_)
            | Message::Refused { .. }
            | Message::Proofs { .. }
            | Message::Votes { .. }
            | Message::Frontier { .. }
            | Message::Want { .. }
            | Message::Entries { .. }
            | Message::Tails {}) => Err(SyncError::OutOfPlace(other.name())),
        }
    }

    fn answer_tips(&mut self, log: &Log, tips: &[WireTip]) -> Result<(), SyncError> {
        let comparison = log.compare(&read_tips(tips)?);
        self.open(log);
        let tips = own_tips(log).unwrap_or_else(|| {
            // They became too many since the hello. Without them the initiator sends more than it had to, and the next
            // session goes another way.
            self.summary.is_complete = false;
            Vec::new()
        });
        let clashing = comparison.unknown.iter().filter(|chain| chain.is_taken);
        let clash = clashing.map(|chain| ByteArray::new(*chain.author.public_key())).collect();
        self.queue(Message::Frontier { tips, clash });
        self.queue_entries(comparison.lacking);
        self.queue(Message::Tails {});
        Ok(())
    }

    fn take_want(&mut self, log: &Log, ids: &[ByteArray<32>], more: bool) -> Result<(), SyncError> {
        super::check_list("want", ids.len(), ids.len() <= WANT_IDS_MAX)?;
        let ids: Vec<Digest> = ids.iter().map(|id| **id).collect();
        self.asked.extend(local_places(log, &ids));
        if self.asked.len() > WANTED_MAX {
            return Err(SyncError::TooMany("wanted ids"));
        }
        if !more {
            self.has_asked = true;
            self.summary.round_trips += 1;
            let mut asked = std::mem::take(&mut self.asked);
            asked.sort_unstable();
            asked.dedup();
            self.queue_entries(asked);
            self.queue(Message::Tails {});
        }
        Ok(())
    }
}

/// Tells whether tips are the way: they are few, or cheaper than to look for at least so many differences.
fn by_tips(mine: &Hello, theirs: &Hello) -> bool {
    let tips = mine.tips.max(theirs.tips);
    let gap = mine.entries.abs_diff(theirs.entries);
    tips <= TIPS_FEW || (tips <= TIPS_MAX as u64 && gap.saturating_mul(TIPS_PER_DIFFERENCE) >= tips)
}

fn own_tips(log: &Log) -> Option<Vec<WireTip>> {
    let tips = log.tips();
    (tips.len() <= TIPS_MAX).then(|| tips.iter().filter_map(to_wire).collect())
}

fn read_tips(tips: &[WireTip]) -> Result<BTreeMap<Did, Vec<(u64, Digest)>>, SyncError> {
    if tips.len() > TIPS_MAX {
        return Err(SyncError::TooMany("tips"));
    }
    if !tips.is_sorted_by(|a, b| a < b) {
        return Err(SyncError::Field("tips", "they are sorted, and each stands once"));
    }
    let mut read: BTreeMap<Did, Vec<(u64, Digest)>> = BTreeMap::new();
    for (author, seq, head) in tips {
        read.entry(Did::from_public_key(**author)).or_default().push((*seq, **head));
    }
    Ok(read)
}

fn read_clash(clash: &[ByteArray<32>]) -> Result<BTreeSet<Did>, SyncError> {
    if clash.len() > TIPS_MAX {
        return Err(SyncError::TooMany("clashing authors"));
    }
    Ok(clash.iter().map(|author| Did::from_public_key(**author)).collect())
}

/// Returns where entries stand, in causal order; unknown ones are left out.
fn local_places(log: &Log, ids: &[Digest]) -> Vec<u32> {
    let mut places: Vec<u32> =
        ids.iter().filter_map(|id| log.idx(&id_of(id))).map(|Idx(place)| place).collect();
    places.sort_unstable();
    places
}
