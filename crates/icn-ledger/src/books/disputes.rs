//! Disputes about accepted payments: who may take which step, and where each stands.
//!
//! What is disputed is one payment, whoever opened it: two who open one at once have one dispute. Whose word counts follows
//! from an entry's past; of two resolutions that did not know of each other the first by the order of rules counts.

use icn_types::{Cid, Did, Timestamp};
use sha2::{Digest, Sha256};

use super::Books;
use super::derived::Moved;
use super::judge::Judge;
use super::lens::Lens;
use super::reason::Reason;
use super::state::{DisputeStep, Event, Kind, NONE, Order, Rule, cid_of};
use super::views::{DisputeStatus, DisputeView};
use crate::act::OrderRef;
use crate::dispute::{DisputeAct, Outcome};

/// How often one member names a mediator in one dispute. More is refused.
const NAMINGS_MAX: usize = 8;
/// How often a party shows evidence in one dispute. More is refused.
const EVIDENCE_POSTS_MAX: usize = 16;

impl Judge<'_> {
    pub(super) fn dispute(&mut self, index: u32, step: &DisputeAct) -> Result<(), Reason> {
        let by = self.draft.author;
        match step {
            DisputeAct::File { order, acceptance, .. } => {
                let (number, _) = self.disputable(order, acceptance)?;
                if self.lens().dispute(number).is_some() {
                    return Err(Reason::AlreadyDone);
                }
                self.event(index, Rule::Dispute { order: number, by, step: DisputeStep::File });
                Ok(())
            }
            DisputeAct::Evidence { dispute, .. } => {
                let (number, order) = self.open_dispute(dispute)?;
                if by != order.from && by != order.to {
                    return Err(Reason::NotYours);
                }
                let shown = self.state.evidence.get(&(number, by)).map_or(0, Vec::len);
                if shown + self.draft.evidence.len() >= EVIDENCE_POSTS_MAX {
                    return Err(Reason::Full);
                }
                self.draft.evidence.push((number, index));
                Ok(())
            }
            DisputeAct::Mediate { dispute, mediator } => {
                let (number, order) = self.open_dispute(dispute)?;
                let who = self.account(*mediator);
                let lens = self.lens();
                let is_party = by == order.from || by == order.to;
                if !is_party && !lens.is_steward(by) {
                    return Err(Reason::NotYours);
                }
                if who == order.from || who == order.to {
                    return Err(Reason::NotTheMediator);
                }
                if !lens.is_member(who) {
                    return Err(Reason::NotAMember(*mediator));
                }
                if lens.namings(number, by) >= NAMINGS_MAX {
                    return Err(Reason::Full);
                }
                self.event(index, Rule::Dispute { order: number, by, step: DisputeStep::Mediate(who) });
                Ok(())
            }
            DisputeAct::Escalate { dispute } => {
                let (number, order) = self.open_dispute(dispute)?;
                let lens = self.lens();
                if lens.is_escalated(number) {
                    return Err(Reason::AlreadyDone);
                }
                if lens.mediator(number, &order) != Some(by) && !lens.is_overdue(number) {
                    return Err(Reason::TooEarly);
                }
                self.event(index, Rule::Dispute { order: number, by, step: DisputeStep::Escalate });
                Ok(())
            }
            DisputeAct::Resolve { dispute, outcome } => self.resolve(index, dispute, *outcome),
        }
    }

    /// Finds a payment that the author is a party of, and that was accepted in the entry's past.
    fn disputable(&self, named: &OrderRef, acceptance: &Cid) -> Result<(u32, Order), Reason> {
        let (number, order) = self.order(named).ok_or(Reason::NoSuchOrder)?;
        match order.kind {
            Kind::Pay | Kind::Capture => {}
            Kind::Hold | Kind::Request => return Err(Reason::NoSuchOrder),
        }
        if order.from != self.draft.author && order.to != self.draft.author {
            return Err(Reason::NotYours);
        }
        if order.accepted == NONE || self.referred(acceptance) != Some(order.accepted) {
            return Err(Reason::NotAccepted);
        }
        Ok((number, order))
    }

    /// Finds a dispute by the act that opened it, unless it is resolved.
    fn open_dispute(&self, named: &OrderRef) -> Result<(u32, Order), Reason> {
        let entry = self.referred(&named.entry).ok_or(Reason::NoSuchOrder)?;
        let number = self.state.filings.get(&(entry, named.index)).ok_or(Reason::NoSuchOrder)?;
        let order = self.order_at(*number).ok_or(Reason::NoSuchOrder)?;
        if self.lens().resolution(*number).is_some() {
            Err(Reason::AlreadyDone)
        } else {
            Ok((*number, order))
        }
    }

    fn resolve(&mut self, index: u32, named: &OrderRef, outcome: Outcome) -> Result<(), Reason> {
        let by = self.draft.author;
        let (number, order) = self.open_dispute(named)?;
        let lens = self.lens();
        let is_neutral_steward = lens.is_steward(by) && by != order.from && by != order.to;
        let may_resolve = if lens.is_escalated(number) {
            is_neutral_steward
        } else {
            lens.mediator(number, &order) == Some(by)
        };
        if !may_resolve {
            return Err(Reason::NotTheMediator);
        }
        let back = |amount| Some(Moved { from: order.to, to: order.from, currency: order.currency, amount });
        let (moved, is_refund) = match outcome {
            Outcome::EntryValid => (None, false),
            Outcome::EntryReversed => (back(order.amount), true),
            Outcome::PartialRefund { amount } => (back(amount), true),
            Outcome::WriteOff { amount } => {
                if !is_neutral_steward {
                    return Err(Reason::NotASteward(self.item.author));
                }
                let fund = self.lens().policy().fund.ok_or(Reason::NoFund)?;
                let from = self.account(fund);
                let filed = self.referred(&named.entry).and_then(|idx| self.state.entry(idx));
                let to = filed.map_or(order.from, |entry| entry.author);
                if from == to {
                    return Err(Reason::SelfPayment);
                }
                (Some(Moved { from, to, currency: order.currency, amount }), false)
            }
        };
        if moved.is_some_and(|moved| moved.amount > order.amount) {
            return Err(Reason::Amount);
        }
        let step = DisputeStep::Resolve { outcome, moved, is_refund };
        self.event(index, Rule::Dispute { order: number, by, step });
        Ok(())
    }
}

impl<'a> Lens<'a> {
    fn steps(&self, order: u32) -> &'a [u32] {
        self.state.disputes.get(&order).map_or(&[][..], Vec::as_slice)
    }

    fn first_step(&self, order: u32, wanted: impl Fn(&DisputeStep) -> bool) -> Option<&'a Event> {
        self.first(self.steps(order), |rule| {
            matches!(rule, Rule::Dispute { order: which, step, .. } if *which == order && wanted(step))
        })
    }

    /// Returns the act that opened a dispute about an order.
    pub(super) fn dispute(&self, order: u32) -> Option<&'a Event> {
        self.first_step(order, |step| matches!(step, DisputeStep::File))
    }

    /// Returns the resolution that counts.
    pub(super) fn resolution(&self, order: u32) -> Option<&'a Event> {
        self.first_step(order, |step| matches!(step, DisputeStep::Resolve { .. }))
    }

    pub(super) fn is_escalated(&self, order: u32) -> bool {
        self.first_step(order, |step| matches!(step, DisputeStep::Escalate)).is_some()
    }

    fn namings(&self, order: u32, author: u32) -> usize {
        let by_author = |event: &&Event| {
            matches!(event.rule, Rule::Dispute { order: which, by, step: DisputeStep::Mediate(_) }
                if which == order && by == author)
        };
        self.seen(self.steps(order)).filter(by_author).count()
    }

    /// Returns who was named last by those that `counts` lets in.
    fn named(&self, order: u32, counts: impl Fn(u32) -> bool) -> Option<u32> {
        let latest = self.latest(self.steps(order), |rule| {
            matches!(rule, Rule::Dispute { order: which, by, step: DisputeStep::Mediate(_) }
                if *which == order && counts(*by))
        })?;
        let Rule::Dispute { step: DisputeStep::Mediate(mediator), .. } = latest.rule else { return None };
        Some(mediator)
    }

    /// Returns who mediates: whom a steward named, else whom both parties named, else one of the space's list once there
    /// was time to agree.
    pub(super) fn mediator(&self, number: u32, order: &Order) -> Option<u32> {
        let is_party = |who: u32| who == order.from || who == order.to;
        if let Some(named) = self.named(number, |by| !is_party(by)) {
            return Some(named);
        }
        let by_payer = self.named(number, |by| by == order.from);
        if by_payer.is_some() && by_payer == self.named(number, |by| by == order.to) {
            return by_payer;
        }
        let policy = self.policy().disputes.unwrap_or_default();
        if !self.has_passed(number, policy.assign_seconds) {
            return None;
        }
        let known = |did: &Did| self.state.by_did.get(did).copied();
        let fit = policy.mediators.iter().filter_map(known);
        let fit: Vec<u32> = fit.filter(|who| !is_party(*who) && self.is_member(*who)).collect();
        let mut hash = Sha256::new();
        hash.update(self.state.id(order.entry));
        hash.update(u32::from(order.index).to_be_bytes());
        let hash: [u8; 32] = hash.finalize().into();
        let choice = u64::from_be_bytes(*hash.first_chunk().unwrap_or(&[0; 8]));
        let place = choice.checked_rem(fit.len() as u64)?;
        fit.get(usize::try_from(place).ok()?).copied()
    }

    /// Tells whether the time for mediation is over.
    fn is_overdue(&self, order: u32) -> bool {
        self.has_passed(order, self.policy().disputes.unwrap_or_default().mediation_seconds)
    }

    fn has_passed(&self, order: u32, seconds: u64) -> bool {
        let since =
            self.disputed_since(order).map(|since| since.saturating_add(seconds.saturating_mul(1_000)));
        since.zip(self.sealed_time()).is_some_and(|(due, now)| now >= due)
    }

    /// Lists the times at which something becomes of an open dispute, in milliseconds.
    pub(super) fn times_of(&self, order: u32) -> Vec<u64> {
        if self.resolution(order).is_some() || self.is_escalated(order) {
            return Vec::new();
        }
        let policy = self.policy().disputes.unwrap_or_default();
        let after = |since: u64, seconds: u64| since.saturating_add(seconds.saturating_mul(1_000));
        let since = self.disputed_since(order).into_iter();
        since
            .flat_map(|since| {
                [policy.assign_seconds, policy.mediation_seconds].map(|time| after(since, time))
            })
            .collect()
    }

    /// Returns the time of the first seal that has the dispute in its cut: from then on its time counts.
    fn disputed_since(&self, order: u32) -> Option<u64> {
        let entry = self.dispute(order)?.entry;
        let place = self.state.sealed(entry);
        let is_known = place != NONE && place < self.view.seals;
        self.facts.line.get(place as usize).filter(|_| is_known).map(|seal| seal.time)
    }
}

impl Books {
    /// Lists the disputes, the latest first. Each is named by the act that opened it.
    #[must_use]
    pub fn disputes(&self) -> Vec<DisputeView> {
        let view = self.everything();
        let lens = self.lens(&view);
        let mut list: Vec<(u32, DisputeView)> =
            self.state.disputes.keys().filter_map(|order| self.show_dispute(&lens, *order)).collect();
        list.sort_by_key(|(entry, _)| std::cmp::Reverse(*entry));
        list.into_iter().map(|(_, dispute)| dispute).collect()
    }

    /// Finds the dispute about an order.
    #[must_use]
    pub fn dispute_about(&self, order: &OrderRef) -> Option<DisputeView> {
        self.disputes().into_iter().find(|dispute| dispute.order == *order)
    }

    fn show_dispute(&self, lens: &Lens<'_>, number: u32) -> Option<(u32, DisputeView)> {
        let state = &self.state;
        let (filed, order) = (lens.dispute(number)?, state.order(number)?);
        let Rule::Dispute { by, .. } = filed.rule else { return None };
        let named = |event: &Event| OrderRef { entry: cid_of(&state.id(event.entry)), index: event.index };
        let mediator = lens.mediator(number, order).map(|who| state.did(who));
        let resolution = lens.resolution(number);
        let outcome = resolution.and_then(|event| {
            let Rule::Dispute { step: DisputeStep::Resolve { outcome, .. }, .. } = event.rule else {
                return None;
            };
            Some(outcome)
        });
        let status = if outcome.is_some() {
            DisputeStatus::Resolved
        } else if lens.is_escalated(number) {
            DisputeStatus::Escalated
        } else if mediator.is_some() {
            DisputeStatus::UnderMediation
        } else {
            DisputeStatus::Contested
        };
        let policy = lens.policy().disputes.unwrap_or_default();
        let due = lens.disputed_since(number);
        let due = due.map(|since| since.saturating_add(policy.mediation_seconds.saturating_mul(1_000)));
        let evidence = [order.from, order.to].into_iter().flat_map(|party| {
            let shown = state.evidence.get(&(number, party)).into_iter().flatten();
            shown.map(move |(entry, index)| {
                (state.did(party), OrderRef { entry: cid_of(&state.id(*entry)), index: *index })
            })
        });
        let view = DisputeView {
            id: named(filed),
            order: state.order_ref(order),
            by: state.did(by),
            payer: state.did(order.from),
            payee: state.did(order.to),
            amount: order.amount,
            currency: state.code(order.currency).to_owned(),
            status,
            mediator,
            outcome,
            resolved_by: resolution.map(named),
            escalates_at: due.map(Timestamp::from_millis),
            evidence: evidence.collect(),
        };
        Some((filed.entry, view))
    }
}
