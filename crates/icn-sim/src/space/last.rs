//! A run from its founding to its quiet end, and what must be true there.

use std::collections::{BTreeMap, BTreeSet};

use icn_ledger::{Act, ClaimCause, OrderKind, OrderRef, OrderStatus, ProposalStatus, Reason, Verdict};
use icn_types::{Cid, Did};

use super::SpaceReport;
use super::check::{is_taken, read};
use super::world::Federation;

/// How long it may take until everybody has the founding, in milliseconds.
const FOUNDING_MS: u64 = 30_000;
/// How long after the last fault everybody must agree and be done, in milliseconds.
const BOUND_MS: u64 = 120_000;
/// How long everybody must stay so, in milliseconds.
const QUIET_MS: u64 = 2_000;
/// No reconciliation takes longer in a calm world, in milliseconds.
const SESSION_MS: u64 = 10_000;

impl Federation {
    pub(super) fn run(&mut self) -> Result<(), String> {
        let early: Vec<usize> =
            (0..self.nodes.len()).filter(|at| self.nodes.get(*at).is_some_and(|node| !node.is_new)).collect();
        for at in &early {
            // Everybody but the founder has come by an invitation, so it knows that there are others.
            if let Some(node) = self.nodes.get_mut(*at) {
                node.disk.has_peers = *at != 0;
            }
            self.start(*at);
        }
        self.found();
        let end = self.now_ms + FOUNDING_MS;
        while early.iter().any(|at| self.replica(*at).is_none_or(|replica| replica.log().is_empty())) {
            if self.now_ms > end {
                return Err("the founding has not reached everybody".to_owned());
            }
            self.run_until(self.now_ms + 200)?;
        }
        self.is_founded = true;
        self.is_calm = false;
        self.story.tell(self.now_ms, || "trouble begins".to_owned());
        self.draw_outside();
        self.run_until(self.now_ms + self.plan.trouble_ms)?;
        self.calm();
        let end = self.now_ms + BOUND_MS;
        let mut quiet_since = None;
        loop {
            self.run_until(self.now_ms + 500)?;
            (0..self.nodes.len()).for_each(|at| self.by_hand(at, true));
            match self.unfinished() {
                None => {
                    let since = *quiet_since.get_or_insert(self.now_ms);
                    if self.now_ms >= since + QUIET_MS {
                        break;
                    }
                }
                Some(what) => {
                    quiet_since = None;
                    if self.now_ms > end {
                        return Err(format!(
                            "{} ms after the last fault {what}",
                            self.now_ms - end + BOUND_MS
                        ));
                    }
                }
            }
        }
        self.check_end()
    }

    /// Ends all faults: everybody is up and hears everybody.
    fn calm(&mut self) {
        self.is_calm = true;
        self.story.tell(self.now_ms, || "trouble ends".to_owned());
        self.groups = vec![0; self.nodes.len()];
        for at in 0..self.nodes.len() {
            if let Some(node) = self.nodes.get_mut(at) {
                node.dropped_until = 0;
            }
            self.outside(super::outside::Outside::Start(at));
        }
        self.relink();
    }

    /// Says what is not done yet.
    fn unfinished(&self) -> Option<String> {
        let first = self.replica(0)?;
        let frontier = first.log().frontier_digest();
        for (at, node) in self.nodes.iter().enumerate() {
            let Some(replica) = &node.replica else { return Some(format!("n{at} is down")) };
            if replica.log().frontier_digest() != frontier {
                let (mine, others) = (replica.log().len(), first.log().len());
                return Some(format!("n{at} has {mine} entries, and n0 has {others}"));
            }
            if replica.books().needs_rejudge() {
                return Some(format!("the books of n{at} wait to be judged anew"));
            }
            if let Some(intent) = node.tickets.values().next() {
                return Some(format!("wish {intent} waits on n{at} for an answer"));
            }
            let unready = node.signers.iter().find(|signer| !replica.is_ready(&signer.did()));
            if let Some(signer) = unready {
                return Some(format!("the head of {} is not confirmed", self.name(&signer.did())));
            }
        }
        let stuck = self.ends.iter().find(|(_, end)| self.now_ms > end.began + SESSION_MS);
        if let Some((session, end)) = stuck.filter(|_| self.is_calm) {
            return Some(format!("session {} of n{} with n{} is stuck", session.0, end.node, end.peer_node));
        }
        if let Some(open) = self.intents.iter().position(|intent| intent.answer.is_none()) {
            return Some(format!("wish {open} has no answer"));
        }
        self.open_payment().or_else(|| self.open_proposal())
    }

    /// Finds a payment between honest members that should have been decided.
    fn open_payment(&self) -> Option<String> {
        let replica = self.replica(0)?;
        let books = replica.books();
        for did in self.nodes.iter().flat_map(|node| node.signers.iter().map(|signer| signer.did())) {
            if self.watch.limited.contains(&did) || !self.is_honest(&did) || did == self.space {
                continue;
            }
            for view in books.history(&did, 0, usize::MAX) {
                let is_open = match view.kind {
                    OrderKind::Pay => {
                        view.status == OrderStatus::Sent || view.status == OrderStatus::Declined
                    }
                    OrderKind::Capture => view.status == OrderStatus::Captured && view.amount > 0,
                    OrderKind::Hold | OrderKind::Request => false,
                };
                let is_plain = view.kind == OrderKind::Capture || view.expires.is_none();
                if is_open
                    && is_plain
                    && view.from == did
                    && self.is_honest(&view.to)
                    && view.declined.is_none()
                {
                    return Some(format!(
                        "the {:?} of {} from {} to {} in {} is {:?}",
                        view.kind,
                        view.amount,
                        self.name(&view.from),
                        self.name(&view.to),
                        view.id.entry.short(),
                        view.status
                    ));
                }
            }
        }
        None
    }

    /// What must be true when all is quiet.
    fn check_end(&mut self) -> Result<(), String> {
        let digests: BTreeSet<String> =
            (0..self.nodes.len()).filter_map(|at| Some(self.replica(at)?.books().digest())).collect();
        if digests.len() != 1 {
            return Err("all have the same entries, and the books differ".to_owned());
        }
        for at in 0..self.nodes.len() {
            let Some(node) = self.nodes.get(at) else { continue };
            let Some(replica) = &node.replica else { continue };
            if let Some(lost) = node.told.iter().find(|id| !replica.log().contains(id)) {
                return Err(format!("n{at} has told a user of entry {lost}, and it is gone"));
            }
            if let Some(missing) = self
                .intents
                .iter()
                .filter_map(|it| it.answer.flatten())
                .find(|id| !replica.log().contains(id))
            {
                return Err(format!("entry {missing} was acknowledged, and n{at} does not have it"));
            }
        }
        let picked = self.random.index(self.nodes.len());
        if self.replica(picked).is_some_and(|replica| !replica.books().verify(replica.items())) {
            return Err(format!("the books of n{picked} do not follow from its entries"));
        }
        self.check_wishes()?;
        self.check_standings()?;
        self.check_pot()?;
        self.check_claims()
    }

    /// No standing order has paid more often than it says, whatever happened to its node.
    fn check_standings(&self) -> Result<(), String> {
        let Some(replica) = self.replica(0) else { return Ok(()) };
        let mut paid: BTreeMap<String, u32> = BTreeMap::new();
        let memos = self.standing_memos();
        for (idx, id) in replica.log().ids_from(icn_gossip::Idx(0)).enumerate() {
            let Some((.., post)) = replica.entry(&id).and_then(|signed| read(&signed)) else { continue };
            let verdicts = replica.books().verdicts(u32::try_from(idx).unwrap_or(u32::MAX));
            for (act, verdict) in post.acts.iter().zip(verdicts) {
                if let Act::Pay { memo: Some(memo), .. } = act
                    && verdict.is_valid()
                    && memos.contains(memo)
                {
                    *paid.entry(memo.clone()).or_default() += 1;
                }
            }
        }
        match paid.into_iter().find(|(_, count)| *count > super::work::STANDING_COUNT) {
            Some((memo, count)) => Err(format!("the standing order of {memo} has paid {count} times")),
            None => Ok(()),
        }
    }

    fn standing_memos(&self) -> BTreeSet<String> {
        let acts = self.intents.iter().flat_map(|intent| &intent.acts);
        let asked = |act: &'_ Act| {
            if let Act::Propose(it) = act { it.acts.first().cloned() } else { Some(act.clone()) }
        };
        acts.filter_map(asked)
            .filter_map(|act| if let Act::Standing(terms) = act { terms.memo } else { None })
            .collect()
    }

    /// What was acknowledged counts, and nothing was paid twice.
    fn check_wishes(&self) -> Result<(), String> {
        let Some(replica) = self.replica(0) else { return Ok(()) };
        let mut paid: BTreeMap<String, Cid> = BTreeMap::new();
        let standing = self.standing_memos();
        for id in replica.log().ids_from(icn_gossip::Idx(0)) {
            let Some((author, _, _, post)) = replica.entry(&id).and_then(|signed| read(&signed)) else {
                continue;
            };
            if !self.is_honest(&author) {
                continue;
            }
            let verdicts =
                replica.log().idx(&id).map(|idx| replica.books().verdicts(idx.0)).unwrap_or_default();
            for (act, verdict) in post.acts.iter().zip(verdicts) {
                if let Verdict::Invalid(reason) = verdict {
                    // The voids of others reach honest members too; what a member writes itself is judged before.
                    let comes_from_others = matches!(
                        reason,
                        Reason::Uncovered
                            | Reason::OrderVoid
                            | Reason::Expired
                            | Reason::OrderInvalid
                            | Reason::DeclineVoid
                    ) || (matches!(act, Act::Dispute(_))
                        // What was disputed was accepted in an entry that is void, or is void itself.
                        && matches!(reason, Reason::NotAccepted | Reason::NoSuchOrder))
                        || self.comes_from_the_pot(act, reason);
                    if !comes_from_others {
                        return Err(format!(
                            "{} of {} does not count: {reason}",
                            self.acts_line(std::slice::from_ref(act)),
                            self.name(&author)
                        ));
                    }
                    continue;
                }
                if let Act::Pay { memo: Some(memo), .. } = act
                    && !standing.contains(memo)
                    && let Some(first) = paid.insert(memo.clone(), id)
                {
                    return Err(format!("{memo} is paid twice: in {first} and {id}"));
                }
            }
        }
        Ok(())
    }

    /// What somebody honest had taken and lost again is what is claimed.
    fn check_claims(&mut self) -> Result<(), String> {
        let Some(replica) = self.replica(0) else { return Ok(()) };
        let claims = replica.books().claims();
        let void: BTreeMap<OrderRef, i64> = claims
            .iter()
            .filter(|claim| {
                claim.cause == ClaimCause::Void && !claim.is_settled && self.is_honest(&claim.creditor)
            })
            .map(|claim| (claim.order, claim.amount))
            .collect();
        for (order, taken) in &self.watch.taken {
            let status = replica.order(order).map(|view| view.status);
            let stands = status.is_some_and(is_taken);
            let payee = self.name(&taken.payee);
            if !stands && void.get(order) != Some(&taken.amount) && !self.is_paid_elsewhere(replica, order) {
                return Err(format!(
                    "{payee} had taken {} in {order}, which is {status:?} now: no claim",
                    taken.amount
                ));
            }
            if stands && void.contains_key(order) {
                return Err(format!("{payee} has taken {} in {order}, and claims it", taken.amount));
            }
            if !stands && self.plan.witnesses > 0 && !taken.can_expire {
                return Err(format!(
                    "{payee} took {} in {order} when it was final, and it is {status:?}",
                    taken.amount
                ));
            }
        }
        if let Some(order) = void.keys().find(|order| !self.watch.taken.contains_key(order)) {
            return Err(format!("there is a claim for {order}, which nobody had taken"));
        }
        Ok(())
    }

    /// Sums up a run that went well.
    pub(super) fn report(&self) -> SpaceReport {
        let lines = self.story.lines();
        let last = lines.len().saturating_sub(self.story_lines);
        let mut report = SpaceReport {
            virtual_ms: self.now_ms,
            story: lines.into_iter().skip(last).collect(),
            ..self.report.clone()
        };
        let Some(replica) = self.replica(0) else { return report };
        let books = replica.books();
        report.entries = replica.log().len();
        report.forks = books.forks().len();
        report.claims = books.claims().len();
        report.seals = books.seals().iter().filter(|seal| seal.is_in_line).count();
        report.without_effect = books.invalid_counts().values().sum();
        let is_enacted = |one: &icn_ledger::ProposalView| matches!(one.status, ProposalStatus::Enacted(_));
        report.enacted = books.proposals(None).iter().filter(|one| is_enacted(one)).count();
        report.budgeted = books.budgets(None).iter().map(|budget| budget.spent).sum();
        let claims = books.claims();
        let settled = claims.iter().filter(|claim| claim.cause == ClaimCause::Void && claim.is_settled);
        report.settled = settled.count();
        let mut seen = BTreeSet::new();
        let dids: Vec<Did> =
            self.nodes.iter().flat_map(|node| node.signers.iter().map(|signer| signer.did())).collect();
        for view in dids.iter().flat_map(|did| books.history(did, 0, usize::MAX)) {
            if seen.insert(view.id) {
                report.accepted += usize::from(is_taken(view.status));
                report.expired += usize::from(view.status == OrderStatus::Expired);
            }
        }
        report
    }
}
