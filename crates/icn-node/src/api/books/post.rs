//! Saying something in the books, and what a refusal is to whoever asked.

use icn_gateway::api::Problem;
use icn_ledger::replica::{PostRequest, Posted, Refusal};
use icn_ledger::{Act, Reason};
use icn_types::Did;

use super::words::Words;
use super::{BooksFace, money};
use crate::receipt;
use crate::spaces::Space;

impl BooksFace {
    /// Writes an entry as a member of this node and waits until it is durable.
    pub(in crate::api) async fn post(
        &self,
        space: &Space,
        author: Did,
        acts: Vec<Act>,
        key: Option<String>,
    ) -> Result<Posted, Problem> {
        let result = self.try_post(space, author, acts.clone(), key).await;
        self.answered(space, author, &acts, result)
    }

    /// Turns the answer of the books into that of the API.
    pub(super) fn answered(
        &self,
        space: &Space,
        author: Did,
        acts: &[Act],
        result: Result<Posted, Refusal>,
    ) -> Result<Posted, Problem> {
        let posted = result.map_err(|refusal| self.problem(space, author, acts, &refusal))?;
        if posted.is_repeat && !says_the_same(space, &posted, acts) {
            return Err(Problem::new(
                409,
                "key-reused",
                "the key was used before for something else: choose another one",
            ));
        }
        Ok(posted)
    }

    /// The same, with the refusal as the books give it.
    pub(super) async fn try_post(
        &self,
        space: &Space,
        author: Did,
        acts: Vec<Act>,
        key: Option<String>,
    ) -> Result<Posted, Refusal> {
        space.post(PostRequest { author, acts, approvals: Vec::new(), key, is_offline: false }).await
    }

    /// Says why something was not written.
    pub(super) fn problem(&self, space: &Space, author: Did, acts: &[Act], refusal: &Refusal) -> Problem {
        let detail = receipt::chain(refusal);
        match refusal {
            Refusal::NoKey(_) => Problem::not_found("identity-not-found", detail),
            Refusal::Books { index, reason } => self.broken_rule(space, author, acts.get(*index), *reason),
            Refusal::Post(_) => Problem::invalid("bad-entry", detail),
            Refusal::Unconfirmed(_) => Problem::new(503, "recovering", detail),
            Refusal::Busy => Problem::new(503, "busy", detail),
            Refusal::NotNext(_) => Problem::new(409, "not-next", detail),
            Refusal::NotAMember(_) => Problem::refused("not-a-member", detail),
            Refusal::Closed => Problem::new(503, "stopping", detail),
        }
    }

    fn broken_rule(&self, space: &Space, author: Did, act: Option<&Act>, reason: Reason) -> Problem {
        let detail = reason.to_string();
        let refused = |code: &str| Problem::refused(code, detail.clone());
        let wrong = |code: &str| Problem::invalid(code, detail.clone());
        let decided = |code: &str| Problem::new(409, code, detail.clone());
        match reason {
            Reason::LimitExceeded { available, requested } => {
                self.limit_exceeded(space, author, act, available, requested)
            }
            Reason::NotAMember(_) => refused("not-a-member"),
            Reason::NotASteward(_) => refused("not-a-steward"),
            Reason::NotAWitness(_) => refused("not-a-witness"),
            Reason::NotTheFounder => refused("not-the-founder"),
            Reason::Root => refused("root"),
            Reason::NotYours => refused("not-a-party"),
            Reason::Frozen | Reason::Forked(_) => refused("frozen"),
            Reason::Uncovered => refused("uncovered"),
            Reason::Approvals { found, needed } => Problem::refused(
                "approvals-missing",
                format!(
                    "the treasury needs {needed} approvals and has {found}: propose it, such as with \
                     `icn ledger pay TO AMOUNT --from TREASURY`"
                ),
            ),
            Reason::Invitation => refused("invitation-refused"),
            Reason::Void => refused("void"),
            Reason::UnknownCurrency => wrong("unknown-currency"),
            Reason::SelfPayment => wrong("self-payment"),
            Reason::Amount => wrong("bad-amount"),
            Reason::Overflow => wrong("overflow"),
            Reason::NoSuchOrder => Problem::not_found("order-not-found", detail),
            Reason::NotCaptured
            | Reason::AlreadyDone
            | Reason::NotDeclined
            | Reason::DeclineVoid
            | Reason::Expired
            | Reason::OrderVoid
            | Reason::OrderInvalid => decided("already-decided"),
            Reason::Decimals => decided("decimals-fixed"),
            Reason::Repeated => decided("key-reused"),
            Reason::Number(_) => decided("number-taken"),
            Reason::SealPrev | Reason::SealTime | Reason::SealDigest => decided("seal-refused"),
            Reason::OwnWord => wrong("own-word"),
            Reason::TooManyEdges => refused("too-many-edges"),
            Reason::Pending => Problem::new(503, "busy", detail),
            Reason::BalanceMax { .. } => refused("balance-max"),
            Reason::Full => refused("too-many"),
            Reason::NotAccepted => decided("not-accepted"),
            Reason::NotTheMediator => refused("not-the-mediator"),
            Reason::TooEarly => decided("too-early"),
            Reason::NoFund => decided("no-fund"),
            Reason::StillAMember(_) => decided("still-a-member"),
            Reason::NotATreasury(_) => wrong("not-a-treasury"),
            Reason::NotAnApprover(_) => refused("not-an-approver"),
            Reason::NoSuchProposal => Problem::not_found("proposal-not-found", detail),
            Reason::NoSuchBudget => Problem::not_found("budget-not-found", detail),
            Reason::ProposalOver => decided("already-decided"),
            Reason::NotProposed => decided("not-proposed"),
            Reason::BudgetEnded => refused("budget-ended"),
            Reason::OverBudget { .. } => refused("over-budget"),
            Reason::ForkedHolder => refused("frozen"),
        }
    }

    fn limit_exceeded(
        &self,
        space: &Space,
        author: Did,
        act: Option<&Act>,
        available: i64,
        requested: i64,
    ) -> Problem {
        let currency = match act {
            Some(Act::Pay { currency, .. } | Act::Hold { currency, .. }) => currency.as_str(),
            _ => "",
        };
        let replica = space.replica();
        let words = Words::of(replica.books());
        let explanation = money::explain(replica.books(), &words, author, currency, Some(requested));
        drop(replica);
        let detail = format!(
            "{} can spend {}, but this takes {}: lower the amount or ask a steward for a higher credit line",
            words.name(&author),
            words.amount(available, currency).text,
            words.amount(requested, currency).text
        );
        Problem::refused("limit-exceeded", detail).with_explanation(explanation)
    }
}

/// Tells whether an earlier entry does what was asked for now. Times do not count: they follow the clock.
fn says_the_same(space: &Space, posted: &Posted, acts: &[Act]) -> bool {
    let Some(post) = super::read::post(space, &posted.entry) else { return true };
    let strip = |acts: &[Act]| acts.iter().cloned().map(timeless).collect::<Vec<_>>();
    strip(&post.acts) == strip(acts)
}

fn timeless(act: Act) -> Act {
    match act {
        Act::Pay { to, amount, currency, memo, request, expires: _ } => {
            Act::Pay { to, amount, currency, memo, request, expires: None }
        }
        Act::Request { of, amount, currency, memo, expires: _ } => {
            Act::Request { of, amount, currency, memo, expires: None }
        }
        Act::Hold { to, amount, currency, expires: _, purpose } => {
            Act::Hold { to, amount, currency, expires: icn_types::Timestamp::default(), purpose }
        }
        Act::Trust { of, context, score_ppm, expires: _, note } => {
            Act::Trust { of, context, score_ppm, expires: None, note }
        }
        Act::Line { account, currency, limit, number: _ } => {
            Act::Line { account, currency, limit, number: 0 }
        }
        Act::Witnesses { number: _, members } => Act::Witnesses { number: 0, members },
        Act::WriteOff { account, currency, amount, number: _, reason } => {
            Act::WriteOff { account, currency, amount, number: 0, reason }
        }
        Act::Freeze { account, reason, expires: _ } => Act::Freeze { account, reason, expires: None },
        Act::Standing(mut terms) => {
            terms.start = icn_types::Timestamp::default();
            terms.until = None;
            Act::Standing(terms)
        }
        Act::Propose(mut proposal) => {
            proposal.expires = None;
            proposal.acts = proposal.acts.into_iter().map(timeless).collect();
            Act::Propose(proposal)
        }
        Act::Budget(mut terms) => {
            terms.start = icn_types::Timestamp::default();
            terms.until = None;
            Act::Budget(terms)
        }
        other @ (Act::Found { .. }
        | Act::Policy(_)
        | Act::Appoint { .. }
        | Act::Dismiss { .. }
        | Act::Admit { .. }
        | Act::Expel { .. }
        | Act::Join { .. }
        | Act::Currency { .. }
        | Act::Unfreeze { .. }
        | Act::Treasury { .. }
        | Act::Accept { .. }
        | Act::Decline { .. }
        | Act::Return { .. }
        | Act::Capture { .. }
        | Act::Claim { .. }
        | Act::Seal { .. }
        | Act::Repair { .. }
        | Act::Rate { .. }
        | Act::Demurrage { .. }
        | Act::Dispute(_)
        | Act::EndStanding { .. }
        | Act::Approve { .. }
        | Act::Withdraw { .. }
        | Act::EndBudget { .. }) => other,
    }
}
