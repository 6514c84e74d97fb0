//! What members want: payments, requests, holds, and changes of the rules.

use std::sync::Arc;

use icn_gossip::LiveMessage;
use icn_ledger::replica::{Checked, Event, Live, PostRequest, Posted, Refusal};
use icn_ledger::{
    Act, Demurrage, DisputeAct, DisputeOutcome, Every, Invitation, InvitationTerms, OrderKind, OrderRef,
    Post, StandingOrder,
};
use icn_types::{Cid, Did, Timestamp};

use super::outside::{HOURS, Outside};
use super::planted::Planted;
use super::world::{BEGIN_MS, Federation};

/// A day, in milliseconds.
const DAY_MS: u64 = 24 * 3_600 * 1_000;
/// How many payments a standing order makes.
pub(super) const STANDING_COUNT: u32 = 3;

/// How often a user asks again.
const ATTEMPTS_MAX: u32 = 60;

/// Something that a member wants, under one key, until it has an answer.
#[derive(Debug, Clone)]
pub(super) struct Intent {
    pub(super) at: usize,
    pub(super) author: Did,
    pub(super) acts: Vec<Act>,
    pub(super) attempts: u32,
    pub(super) answer: Option<Option<Cid>>,
}

impl Federation {
    pub(super) fn intend(&mut self, at: usize, author: Did, acts: Vec<Act>) -> usize {
        self.intents.push(Intent { at, author, acts, attempts: 0, answer: None });
        let intent = self.intents.len() - 1;
        self.ask(intent);
        intent
    }

    /// Asks a node for what its member wants.
    pub(super) fn ask(&mut self, number: usize) {
        let Some(intent) = self.intents.get_mut(number) else { return };
        intent.attempts += 1;
        let Intent { at, author, acts, attempts, answer } = intent.clone();
        if answer.is_some() && attempts > ATTEMPTS_MAX {
            return;
        }
        if self.nodes.get(at).is_none_or(|node| !node.is_up()) {
            return self.ask_again(number);
        }
        if self.planted == Some(Planted::NoPreview) && acts.iter().all(|act| matches!(act, Act::Pay { .. })) {
            return self.write_unasked(number, at, author, acts);
        }
        let ticket = self.number();
        if let Some(node) = self.nodes.get_mut(at) {
            node.tickets.insert(ticket, number);
        }
        let key = (self.planted != Some(Planted::KeyLost)).then(|| format!("wish {number}"));
        self.say(|it| format!("{} wants no. {number} from n{at}: {}", it.name(&author), it.acts_line(&acts)));
        let request = PostRequest { author, acts, approvals: Vec::new(), key, is_offline: false };
        self.turn(at, Event::Post { ticket, request });
    }

    pub(super) fn ask_again(&mut self, intent: usize) {
        let later = self.random.within((300, 2_500));
        self.come(later, Outside::Ask(intent));
    }

    pub(super) fn answered(&mut self, at: usize, ticket: u64, result: Result<Posted, Refusal>) {
        let Some(number) = self.nodes.get_mut(at).and_then(|node| node.tickets.remove(&ticket)) else {
            return;
        };
        self.story.tell(self.now_ms, || match &result {
            Ok(posted) => {
                format!("n{at} answers no. {number}: entry {} {}", posted.seq, posted.entry.short())
            }
            Err(refusal) => format!("n{at} refuses no. {number}: {refusal}"),
        });
        let answer = match result {
            Ok(posted) => Some(posted.entry),
            Err(Refusal::Unconfirmed(_) | Refusal::Busy | Refusal::Closed) => return self.ask_again(number),
            Err(Refusal::NotAMember(_))
                if self.intents.get(number).is_some_and(|intent| intent.attempts < 5) =>
            {
                return self.ask_again(number);
            }
            Err(
                Refusal::Books { .. }
                | Refusal::NoKey(_)
                | Refusal::Post(_)
                | Refusal::NotNext(_)
                | Refusal::NotAMember(_),
            ) => None,
        };
        let again = self.random.chance(100_000);
        let Some(intent) = self.intents.get_mut(number) else { return };
        let before = intent.answer.replace(answer);
        let Some(entry) = answer else {
            self.report.refused += 1;
            return self.ensure(before.flatten().is_none(), || {
                format!("wish {number} was answered with an entry before, and is refused now")
            });
        };
        let earlier = before.flatten();
        self.ensure(earlier.is_none_or(|earlier| earlier == entry), || {
            format!("wish {number} was answered with {earlier:?} and now with {entry}")
        });
        if earlier.is_none() {
            self.report.acknowledged += 1;
        }
        if number == 0 {
            let acts = self.intents.first().map_or_else(Vec::new, |intent| intent.acts.clone());
            self.note_budgets(entry, &acts);
        }
        if let Some(node) = self.nodes.get_mut(at) {
            node.told.push(entry);
        }
        if again {
            self.come(700, Outside::Ask(number));
        }
    }

    /// The planted bug: an entry is written although nobody asked the books.
    fn write_unasked(&mut self, number: usize, at: usize, author: Did, acts: Vec<Act>) {
        let now = self.clock(at);
        let post = Post { key: Some(format!("wish {number}")), ..Post::new(acts) };
        let node = self.nodes.get(at);
        let signer =
            node.and_then(|node| node.signers.iter().find(|signer| signer.did() == author)).map(Arc::clone);
        let entry = self.replica(at).and_then(|replica| replica.next_entry(now, author, &post).ok());
        let (Some(signer), Some(entry)) = (signer, entry) else { return };
        let Ok(signed) = entry.sign(signer.as_ref()) else { return };
        let id = signed.id();
        let Ok(checked) = Checked::new(signed.signed().clone(), self.verifier.as_ref()) else { return };
        if let Some(intent) = self.intents.get_mut(number) {
            intent.answer = Some(Some(id));
        }
        let message = Live::Entry(Box::new(checked));
        self.turn(at, Event::Live { from: author, ticket: 0, message });
        if let Ok(bytes) = LiveMessage::Entry(signed.signed().clone()).encode() {
            self.publish(at, &bytes);
        }
    }

    /// Picks a member and the node that serves it.
    fn somebody(&mut self) -> (usize, Did) {
        let at = self.random.index(self.nodes.len());
        let served = self.nodes.get(at).map_or(0, |node| node.signers.len());
        let place = self.random.index(served);
        let did = self.nodes.get(at).and_then(|node| node.signers.get(place)).map(|signer| signer.did());
        (at, did.unwrap_or(self.space))
    }

    /// A member wants something new.
    pub(super) fn work(&mut self) {
        let ((at, author), (_, to)) = (self.somebody(), self.somebody());
        if author == to || self.nodes.get(at).is_none_or(|node| node.is_new) {
            return;
        }
        let amount = i64::try_from(self.random.within((1, 45))).unwrap_or(1);
        let ends = BEGIN_MS + self.now_ms + self.random.within((2_000, 20_000));
        let expires = Timestamp::from_millis(ends);
        let currency = HOURS.to_owned();
        let memo = Some(format!("wish {}", self.intents.len()));
        let derives = self.plan.derives;
        if self.pot.is_some() && self.random.chance(350_000) {
            return self.ask_the_pot();
        }
        if derives && self.random.chance(120_000) {
            return self.complain(at, author);
        }
        let act = match self.random.index(if derives { 11 } else { 10 }) {
            // Two payments are overdue, and the third is due at midnight.
            10 => Act::Standing(StandingOrder {
                to,
                amount: amount.min(9),
                currency,
                memo,
                start: Timestamp::from_millis((BEGIN_MS / DAY_MS - 1) * DAY_MS),
                every: Every::Days(1),
                count: Some(STANDING_COUNT),
                until: None,
                budget: None,
            }),
            0 | 1 => Act::Hold { to, amount, currency, expires, purpose: None },
            2 => Act::Request { of: to, amount, currency, memo, expires: None },
            3 => Act::Pay { to, amount, currency, memo, request: None, expires: Some(expires) },
            _ => Act::Pay { to, amount, currency, memo, request: None, expires: None },
        };
        let goes_on = matches!(act, Act::Hold { .. } | Act::Request { .. });
        let intent = self.intend(at, author, vec![act]);
        if goes_on {
            let later = self.random.within((500, 12_000));
            self.come(later, Outside::Follow(intent));
        }
    }

    /// A member complains about a payment that was accepted.
    fn complain(&mut self, at: usize, author: Did) {
        let Some(replica) = self.replica(at) else { return };
        let orders = replica.books().history(&author, 0, 50);
        let taken: Vec<_> = orders
            .into_iter()
            .filter(|order| order.kind == OrderKind::Pay)
            .filter_map(|order| Some((order.id, order.accepted?)))
            .collect();
        let place = self.random.index(taken.len());
        let Some((order, acceptance)) = taken.get(place).copied() else { return };
        let act = DisputeAct::File { order, acceptance, reason: "late".to_owned(), evidence: Vec::new() };
        let intent = self.intend(at, author, vec![Act::Dispute(act)]);
        let later = self.random.within((500, 8_000));
        self.come(later, Outside::Follow(intent));
    }

    /// The root takes the next step of a dispute, once it has heard of it.
    fn settle_dispute(&mut self, step: &DisputeAct, entry: Cid) {
        let has = |it: &Self, entry: &Cid| it.replica(0).is_some_and(|replica| replica.log().contains(entry));
        let next = match step {
            DisputeAct::File { .. } if has(self, &entry) => {
                let dispute = OrderRef { entry, index: 0 };
                DisputeAct::Mediate { dispute, mediator: self.space }
            }
            DisputeAct::Mediate { dispute, .. } => {
                let outcome = match self.random.index(4) {
                    0 => DisputeOutcome::EntryValid,
                    1 | 2 => DisputeOutcome::EntryReversed,
                    _ => DisputeOutcome::PartialRefund { amount: 1 },
                };
                DisputeAct::Resolve { dispute: *dispute, outcome }
            }
            DisputeAct::File { .. }
            | DisputeAct::Evidence { .. }
            | DisputeAct::Escalate { .. }
            | DisputeAct::Resolve { .. } => return,
        };
        let intent = self.intend(0, self.space, vec![Act::Dispute(next)]);
        let later = self.random.within((500, 8_000));
        self.come(later, Outside::Follow(intent));
    }

    /// Goes on with a hold or request: by whoever's turn it is.
    pub(super) fn follow(&mut self, intent: usize) {
        let Some(Intent { at, author, acts, answer: Some(Some(entry)), .. }) =
            self.intents.get(intent).cloned()
        else {
            return;
        };
        let order = OrderRef { entry, index: 0 };
        match acts.first() {
            Some(Act::Hold { to, amount, .. }) => {
                let part =
                    i64::try_from(self.random.within((0, u64::try_from(*amount).unwrap_or(0)))).unwrap_or(0);
                match self.random.index(5) {
                    0 | 1 => {
                        self.intend(
                            at,
                            author,
                            vec![Act::Capture { hold: order, amount: part, evidence: None }],
                        );
                    }
                    2 => self.as_payee(*to, Act::Decline { order, reason: None }),
                    3 => {
                        let amount = part.max(1);
                        self.as_payee(*to, Act::Claim { hold: order, amount, evidence: Vec::new() });
                    }
                    _ => {}
                }
            }
            Some(Act::Request { of, amount, currency, .. }) => {
                let (amount, currency) = (*amount, currency.clone());
                let act = Act::Pay {
                    to: author,
                    amount,
                    currency,
                    memo: None,
                    request: Some(order),
                    expires: None,
                };
                self.as_payee(*of, act);
            }
            Some(Act::Propose(_)) => self.hand_round(order, author),
            Some(Act::Dispute(step)) => self.settle_dispute(&step.clone(), entry),
            Some(_) | None => {}
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "members do nothing else as payees here")]
    fn as_payee(&mut self, member: Did, act: Act) {
        let serves = |node: &super::node::Node| node.signers.iter().any(|signer| signer.did() == member);
        let Some(at) = self.nodes.iter().position(serves) else { return };
        let named = match &act {
            Act::Decline { order, .. } | Act::Claim { hold: order, .. } => Some(*order),
            Act::Pay { request, .. } => *request,
            _ => None,
        };
        // One acts on what one has seen.
        let has =
            named.is_some_and(|order| self.replica(at).is_some_and(|it| it.log().contains(&order.entry)));
        if has {
            self.intend(at, member, vec![act]);
        }
    }

    /// Members accept or decline what they are paid, where that is not done for them, and take back what was declined.
    pub(super) fn by_hand(&mut self, at: usize, accepts_all: bool) {
        if at == 0 {
            self.lift_the_pot();
        }
        let Some(node) = self.nodes.get(at).filter(|node| node.is_up()) else { return };
        let accepts = node.plan.accepts;
        let members: Vec<Did> = node.signers.iter().map(|signer| signer.did()).collect();
        for member in members {
            let Some(books) = self.replica(at).map(icn_ledger::replica::Replica::books) else { return };
            let (open, declined) = (books.open_to(&member), books.declined_of(&member));
            let is_planted = self.planted == Some(Planted::AcceptUncertified);
            for view in open.into_iter().filter(|_| !accepts || is_planted) {
                let order = view.id;
                if self.is_wanted(&member, &order) {
                    continue;
                }
                let declines = view.link.is_none() && !accepts_all && self.random.chance(250_000);
                let act = if declines { Act::Decline { order, reason: None } } else { Act::Accept { order } };
                let is_certified = self.replica(at).is_some_and(|it| it.is_certified(&order.entry));
                let waits = self.plan.witnesses > 0 && !is_certified;
                if declines || !waits || is_planted {
                    self.intend(at, member, vec![act]);
                }
            }
            for view in declined {
                if let Some(decline) = view.declined.filter(|_| !self.is_wanted(&member, &view.id)) {
                    self.intend(at, member, vec![Act::Return { order: view.id, decline }]);
                }
            }
        }
    }

    /// Tells whether a member has decided about an order already and waits for the answer.
    #[expect(clippy::wildcard_enum_match_arm, reason = "only these three decide about an order")]
    fn is_wanted(&self, member: &Did, wanted: &OrderRef) -> bool {
        self.intents.iter().filter(|intent| intent.author == *member && intent.answer != Some(None)).any(
            |intent| {
                intent.acts.iter().any(|act| match act {
                    Act::Accept { order } | Act::Decline { order, .. } | Act::Return { order, .. } => {
                        order == wanted
                    }
                    _ => false,
                })
            },
        )
    }

    /// A steward changes a rule.
    pub(super) fn rule(&mut self) {
        let (_, account) = self.somebody();
        if account == self.space {
            return;
        }
        let act = match self.random.index(if self.plan.derives { 9 } else { 6 }) {
            6 | 7 => {
                let rule = Demurrage { threshold: 10, rate_ppm: 200_000, period_days: 1 };
                let is_end = self.random.chance(200_000);
                Act::Demurrage {
                    currency: HOURS.to_owned(),
                    rule: (!is_end).then_some(rule),
                    fund: (!is_end).then_some(self.space),
                }
            }
            8 => {
                self.watch.limited.insert(account);
                let until = BEGIN_MS + self.now_ms + self.random.within((2_000, 20_000));
                let expires = Some(Timestamp::from_millis(until));
                Act::Freeze { account, reason: "to be clarified".to_owned(), expires }
            }
            0..=2 => {
                let limit = i64::try_from(self.random.within((20, 180))).unwrap_or(20);
                let number = self.watch.grant(account, limit);
                Act::Line { account, currency: HOURS.to_owned(), limit, number }
            }
            3 => {
                self.watch.limited.insert(account);
                Act::Freeze { account, reason: "to be clarified".to_owned(), expires: None }
            }
            4 => Act::Unfreeze { account },
            _ => match self.next_witnesses() {
                Some(act) => act,
                None => return,
            },
        };
        self.intend(0, self.space, vec![act]);
    }

    /// Names the same witnesses but one.
    fn next_witnesses(&self) -> Option<Act> {
        let set = self.replica(0)?.books().witness_set()?;
        let at = |did: &Did| self.by_did.get(did).and_then(|at| self.nodes.get(*at));
        let is_bad =
            |did: &Did| at(did).is_none_or(|node| !node.is_honest() || node.plan.skew_ms.abs() > 120_000);
        let gone = set.members.iter().find(|did| is_bad(did)).or_else(|| set.members.first()).copied()?;
        let members: Vec<Did> = set.members.iter().filter(|did| **did != gone).copied().collect();
        let liars = members.iter().filter(|did| is_bad(did)).count();
        let is_safe = members.len() >= 2 && liars <= icn_ledger::faults(members.len());
        is_safe.then_some(Act::Witnesses { number: set.number + 1, members })
    }

    /// Gives a node that comes late its invitation.
    pub(super) fn invite(&mut self, at: usize) {
        let (space, now) = (self.space, self.now_ms);
        let terms = InvitationTerms {
            space,
            name: "bakery".to_owned(),
            member: None,
            expires: Timestamp::from_millis(BEGIN_MS + now + 90 * 24 * 3_600_000),
            nonce: [7; 16],
            peers: Vec::new(),
        };
        let invitation = Invitation::issue(self.root.as_ref(), terms).ok();
        if let Some(node) = self.nodes.get_mut(at) {
            node.invitation = invitation;
            node.disk.has_peers = true;
        }
    }

    pub(super) fn join(&mut self, at: usize) {
        let Some(node) = self.nodes.get(at) else { return };
        let Some(invitation) = node.invitation.clone() else { return };
        let members: Vec<Did> = node.signers.iter().map(|signer| signer.did()).collect();
        for member in members {
            let act = Act::Join { invitation: Box::new(invitation.clone()), nickname: None };
            self.intend(at, member, vec![act]);
        }
    }
}
