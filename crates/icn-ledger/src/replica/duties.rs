//! What a node does by itself for the members that it serves: accept what they are paid, vote, certify, seal.

use std::collections::BTreeMap;

use icn_gossip::{Idx, LiveMessage};
use icn_types::{Cid, Did, Duration, Timestamp};
use serde_bytes::ByteBuf;

use super::checked::Checked;
use super::event::{Effect, Write};
use super::{Replica, view};
use crate::act::{Act, OrderRef, PROOFS_MAX, Post};
use crate::books::{OrderStatus, OrderView};
use crate::certificate::Certificate;
use crate::policy::Finality;
use crate::witness::{Candidate, WitnessEffect};

/// Entries that a witness looks at again later. Full: one is forgotten, and its payer asks again by paying anew.
const UNDECIDED_MAX: usize = 65_536;
/// Orders that one entry accepts.
const ACCEPTED_AT_ONCE: usize = 128;
/// How often it is looked whether an epoch is over.
const SEAL_LOOK: Duration = Duration::from_millis(250);
/// How often a witness looks again at what it could not judge.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// Certificates that are kept. Full: one is forgotten; its votes come again.
const CERTIFICATES_MAX: usize = 65_536;

impl Replica {
    /// Does everything that is due.
    pub(super) fn duties(&mut self, now: Timestamp) -> Vec<Effect> {
        let fresh = std::mem::take(&mut self.fresh);
        let mut effects = self.vote(now, &fresh);
        if self.is_confirmed() {
            effects.extend(self.repair(now));
            // A seal that comes into force ends what expired before anybody accepts it in vain.
            effects.extend(self.certify(now));
            self.judge();
            effects.extend(self.accept(now));
            effects.extend(self.take_back(now));
            effects.extend(self.enact(now));
            effects.extend(self.pay_standing(now));
            effects.extend(self.seal(now));
        }
        if self.certificates.len() > CERTIFICATES_MAX {
            let mut certificates = std::mem::take(&mut self.certificates);
            certificates.retain(|entry, _| !self.is_written(entry));
            while certificates.len() > CERTIFICATES_MAX {
                certificates.pop_first();
            }
            self.certificates = certificates;
        }
        effects
    }

    /// Tells whether the members of this node may write without being asked.
    fn is_confirmed(&self) -> bool {
        !self.config.has_peers || self.own.values().all(|own| own.is_confirmed)
    }

    /// Lets the witnesses of this node look again at what came from a place on, and at what is open since before.
    pub(super) fn look_again(&mut self, from: Idx) {
        self.undecided.extend(self.log.ids_from(from));
        self.undecided.extend(self.books.open_entries());
    }

    /// Lets the witnesses of this node look at new entries, and again at those that they could not judge yet.
    fn vote(&mut self, now: Timestamp, fresh: &[Cid]) -> Vec<Effect> {
        let Some(set) = self.books.witness_set() else {
            self.undecided.clear();
            return Vec::new();
        };
        if self.looked_for != Some(set.number) {
            // A new set may certify what the one before did not.
            self.looked_for = Some(set.number);
            let sealed = self.books.last_seal().and_then(|seal| self.log.idx(&seal.entry));
            self.look_again(sealed.unwrap_or(Idx(0)));
        }
        let is_due = now >= self.next_look;
        let mut due: Vec<Cid> = fresh.to_vec();
        if is_due {
            self.next_look = now.plus(LOOK_AGAIN);
            due.extend(std::mem::take(&mut self.undecided));
            // In the order of the log, as every witness meets them: of two that exclude each other all vote for the first.
            due.sort_by_cached_key(|id| self.log.idx(id));
        }
        let mut writes = Vec::new();
        let mut votes = Vec::new();
        let mut witnesses = std::mem::take(&mut self.witnesses);
        for id in due {
            if self.is_certified(&id) {
                continue;
            }
            let Some(Checked { entry, post }) = self.read(&id) else { continue };
            let entry = entry.entry();
            let candidate =
                Candidate { id, author: entry.author, seq: entry.seq, prev: entry.prev, post: &post };
            for (did, witness) in &mut witnesses {
                if !set.members.contains(did) {
                    continue;
                }
                match witness.consider(now, &candidate, &view::View::new(self)) {
                    Ok(wanted) => {
                        for effect in wanted {
                            match effect {
                                WitnessEffect::Persist(record) => {
                                    writes.push(Write::Vote { witness: *did, record })
                                }
                                WitnessEffect::Send(vote) => votes.push((*did, vote)),
                            }
                        }
                    }
                    Err(refusal) if refusal.is_lasting() => {}
                    Err(_) => {
                        self.undecided.insert(id);
                    }
                }
            }
        }
        self.witnesses = witnesses;
        while self.undecided.len() > UNDECIDED_MAX {
            self.undecided.pop_first();
        }
        let mut effects = Vec::new();
        if !writes.is_empty() {
            effects.push(Effect::Persist(writes));
        }
        for (did, vote) in votes {
            let Some(signer) = self.own.get(&did).map(|own| std::sync::Arc::clone(&own.signer)) else {
                continue;
            };
            if let Ok(signed) = vote.sign(signer.as_ref()) {
                self.take_vote(now, &signed);
                effects.push(Effect::Publish(LiveMessage::Extra(ByteBuf::from(signed.encode()))));
            }
        }
        effects
    }

    /// Accepts what members of this node are paid, as soon as it has the level that the space calls final.
    fn accept(&mut self, now: Timestamp) -> Vec<Effect> {
        let mut effects = Vec::new();
        if !self.config.accepts {
            return effects;
        }
        let members: Vec<Did> = self.answering.iter().copied().collect();
        for member in members {
            while let Some((acts, certificates)) = self.acceptable(&member) {
                let more = self.write(now, member, Post { certificates, ..Post::new(acts) });
                if more.is_empty() {
                    // It is looked at again with the next turn of things.
                    break;
                }
                effects.extend(more);
            }
        }
        effects
    }

    /// Puts together what a member can accept now: as many as fit into one entry.
    fn acceptable(&mut self, member: &Did) -> Option<(Vec<Act>, Vec<Certificate>)> {
        let mut incoming = std::mem::take(&mut self.own.get_mut(member)?.incoming);
        if incoming.is_empty() {
            return None;
        }
        let policy = self.books.policy();
        let has_witnesses = self.books.witness_set().is_some();
        let mut acts = Vec::new();
        let mut certificates: BTreeMap<Cid, Certificate> = BTreeMap::new();
        let mut rooms: BTreeMap<String, i64> = BTreeMap::new();
        incoming.retain(|order| {
            let Some(view) = self.order(order) else { return false };
            let is_open =
                matches!(view.status, OrderStatus::Sent | OrderStatus::Captured) && view.declined.is_none();
            if !is_open {
                return false;
            }
            if acts.len() >= ACCEPTED_AT_ONCE {
                return true;
            }
            // What does not fit waits until the balance has come down, and holds up nothing else.
            let room = || self.books.room(member, &view.currency).unwrap_or(i64::MAX);
            let room = rooms.entry(view.currency.clone()).or_insert_with(room);
            if view.amount > *room {
                return true;
            }
            if has_witnesses && policy.final_at(view.amount, has_witnesses) != Finality::Accepted {
                // The acceptance carries what makes it spendable.
                match self.certificates.get(&order.entry) {
                    Some(_)
                        if certificates.len() >= PROOFS_MAX && !certificates.contains_key(&order.entry) =>
                    {
                        return true;
                    }
                    Some(certificate) => drop(certificates.insert(order.entry, certificate.clone())),
                    None => return true,
                }
            }
            *room -= view.amount;
            acts.push(Act::Accept { order: *order });
            true
        });
        if let Some(own) = self.own.get_mut(member) {
            own.incoming = incoming;
        }
        (!acts.is_empty()).then(|| (acts, certificates.into_values().collect()))
    }

    /// Takes back what payees declined.
    fn take_back(&mut self, now: Timestamp) -> Vec<Effect> {
        let mut effects = Vec::new();
        if !self.config.accepts {
            return effects;
        }
        let members: Vec<Did> = self.answering.iter().copied().collect();
        for member in members {
            let declined = self.own.get_mut(&member).map(|own| std::mem::take(&mut own.declined));
            let mut acts: Vec<Act> = declined
                .into_iter()
                .flatten()
                .filter_map(|order| {
                    let view = self.order(&order).filter(|view| view.status == OrderStatus::Declined)?;
                    Some(Act::Return { order, decline: view.declined? })
                })
                .collect();
            while !acts.is_empty() {
                let rest = acts.split_off(acts.len().min(ACCEPTED_AT_ONCE));
                // What cannot be taken back now is found again when the books are judged anew.
                effects.extend(self.write(now, member, Post::new(acts)));
                acts = rest;
            }
        }
        let own = &self.own;
        self.answering.retain(|member| {
            own.get(member).is_some_and(|own| !own.incoming.is_empty() || !own.declined.is_empty())
        });
        effects
    }

    /// Shows an order by its name.
    #[must_use]
    pub fn order(&self, order: &OrderRef) -> Option<OrderView> {
        self.books.order_at(self.log.idx(&order.entry)?.0, order.index)
    }

    /// Reads what one act of an entry says.
    #[must_use]
    pub fn act(&self, act: &OrderRef) -> Option<Act> {
        self.read(&act.entry)?.post.acts.into_iter().nth(usize::try_from(act.index).ok()?)
    }

    /// Writes an entry that carries certificates which decide something: of seals, of witness sets, of forked places.
    fn certify(&mut self, now: Timestamp) -> Vec<Effect> {
        let due = std::mem::take(&mut self.assembled);
        let mut decisive: Vec<Certificate> = Vec::new();
        for entry in due {
            let Some(certificate) = self.certificates.get(&entry) else { continue };
            if !self.is_written(&entry) && self.is_decisive(certificate) && decisive.len() < PROOFS_MAX {
                decisive.push(certificate.clone());
            }
        }
        // Whoever wrote the entry, or witnesses it, carries its certificate; more than one do no harm.
        let speaker = decisive.first().and_then(|certificate| {
            let author = Some(certificate.author).filter(|author| self.own.contains_key(author));
            let mut witnesses = certificate.votes.iter().map(|(witness, _)| *witness);
            author.or_else(|| witnesses.find(|witness| self.own.contains_key(witness)))
        });
        let Some(speaker) = speaker else { return Vec::new() };
        self.write(now, speaker, Post { certificates: decisive, ..Post::new(Vec::new()) })
    }

    fn is_decisive(&self, certificate: &Certificate) -> bool {
        if self.log.at(&certificate.author, certificate.seq).len() > 1 {
            return true;
        }
        let is_rule = |act: &Act| matches!(act, Act::Seal { .. } | Act::Witnesses { .. });
        self.read(&certificate.entry).is_some_and(|checked| checked.post.acts.iter().any(is_rule))
    }

    /// Ends an epoch when it is due and this node's turn.
    fn seal(&mut self, now: Timestamp) -> Vec<Effect> {
        if now < self.next_seal {
            return Vec::new();
        }
        self.next_seal = now.plus(SEAL_LOOK);
        let epoch = self.books.policy().epoch_seconds * 1_000;
        let last = self.books.last_seal();
        let covered = last.as_ref().and_then(|seal| self.log.idx(&seal.entry)).map_or(0, |idx| idx.0 + 1);
        if epoch == 0 {
            return Vec::new();
        }
        if !self.has_news(covered) && !self.books.awaits_seal(now) {
            // Looking through all orders is work: not so often.
            self.next_seal = now.plus(Duration::from_millis((epoch / 4).max(SEAL_LOOK.as_millis())));
            return Vec::new();
        }
        let sealers = self.books.witness_set().map_or_else(|| self.books.stewards(), |set| set.members);
        let proposed = self.books.seals();
        let number = proposed.iter().map(|seal| seal.number).max().unwrap_or(0) + 1;
        let last_time = last.as_ref().map_or_else(Timestamp::default, |seal| seal.time);
        // A proposal gets half an epoch to be certified before the next one is made.
        let latest = proposed.iter().map(|seal| seal.time).max().unwrap_or_default();
        let is_pending = latest > last_time && now.since(latest).as_millis() < epoch / 2;
        let since = now.since(last_time.max(self.started)).as_millis();
        if since < epoch || is_pending || sealers.is_empty() {
            return Vec::new();
        }
        // The first in turn seals when the epoch is over, the next half an epoch later, and so on.
        let late = (since - epoch) / (epoch / 2).max(1);
        let count = sealers.len() as u64;
        let turn = usize::try_from((number + late) % count).unwrap_or(0);
        let Some(sealer) = sealers.get(turn).copied().filter(|sealer| self.own.contains_key(sealer)) else {
            return Vec::new();
        };
        if self.sealed == Some((number, late / count)) {
            return Vec::new();
        }
        let parents: Vec<u32> = self
            .log
            .deps_for(&sealer)
            .into_iter()
            .chain(self.chain_head(&sealer).map(|(_, head)| head))
            .filter_map(|id| self.log.idx(&id).map(|idx| idx.0))
            .collect();
        let Some(digest) = self.books.cut_digest(&parents) else { return Vec::new() };
        self.sealed = Some((number, late / count));
        let act = Act::Seal {
            number,
            prev: last.map(|seal| seal.entry),
            time: now.max(last_time.plus(Duration::from_millis(1))),
            digest: ByteBuf::from(digest.to_vec()),
        };
        self.write(now, sealer, Post::new(vec![act]))
    }

    /// Tells whether something was written from a place on that is not about sealing itself.
    fn has_news(&self, from: u32) -> bool {
        let end = u32::try_from(self.log.len()).unwrap_or(u32::MAX);
        let is_news = |checked: Checked| checked.post.acts.iter().any(|act| !matches!(act, Act::Seal { .. }));
        (from..end).any(|idx| !self.books.is_sealed(idx) && self.read_at(idx).is_some_and(is_news))
    }
}
