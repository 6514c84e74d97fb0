//! From the words of the books to those of the API, and back.

use icn_gateway::api::Problem;
use icn_gateway::api::books::{
    Amount, AskStatus, Asked, CreditRules, FinalityLevel, Order, OrderKind, OrderStatus,
};
use icn_ledger::replica::Replica;
use icn_ledger::{Act, Books, ClaimCause, ClaimRecord, CreditPolicy, Finality, OrderRef, OrderView, Reason};
use icn_types::{Did, Duration, Timestamp};

use super::read;
use super::words::Words;

/// The longest time that a request may give for something to lapse, in seconds: ten years.
const SECONDS_MAX: u64 = 10 * 366 * 24 * 3_600;

/// Returns the time so many seconds from now.
pub(super) fn after(now: Timestamp, seconds: u64) -> Timestamp {
    now.plus(Duration::from_secs(seconds.min(SECONDS_MAX)))
}

pub(super) const fn level(finality: Finality) -> FinalityLevel {
    match finality {
        Finality::Accepted => FinalityLevel::Accepted,
        Finality::Certified => FinalityLevel::Certified,
        Finality::Sealed => FinalityLevel::Sealed,
    }
}

pub(super) const fn finality(level: FinalityLevel) -> Finality {
    match level {
        FinalityLevel::Accepted => Finality::Accepted,
        FinalityLevel::Certified => Finality::Certified,
        FinalityLevel::Sealed => Finality::Sealed,
    }
}

pub(super) const fn credit_rules(policy: &CreditPolicy) -> CreditRules {
    let CreditPolicy {
        initial,
        max,
        growth,
        growth_per,
        trust_multiplier_ppm,
        ramp_days,
        required_cleared,
        per_counterparty_max,
        balance_max,
    } = *policy;
    CreditRules {
        initial,
        max,
        growth,
        growth_per,
        trust_multiplier_ppm,
        ramp_days,
        required_cleared,
        per_counterparty_max,
        balance_max,
    }
}

pub(super) const fn credit_policy(rules: &CreditRules) -> CreditPolicy {
    let CreditRules {
        initial,
        max,
        growth,
        growth_per,
        trust_multiplier_ppm,
        ramp_days,
        required_cleared,
        per_counterparty_max,
        balance_max,
    } = *rules;
    CreditPolicy {
        initial,
        max,
        growth,
        growth_per,
        trust_multiplier_ppm,
        ramp_days,
        required_cleared,
        per_counterparty_max,
        balance_max,
    }
    .magnitudes()
}

/// Returns the stable word for a reason, with hyphens as everywhere in the API.
pub(super) fn reason_code(reason: &Reason) -> String {
    match reason {
        Reason::Forked(_) => "fork".to_owned(),
        Reason::NotAMember(_)
        | Reason::NotASteward(_)
        | Reason::NotAWitness(_)
        | Reason::NotTheFounder
        | Reason::Root
        | Reason::UnknownCurrency
        | Reason::Decimals
        | Reason::SelfPayment
        | Reason::Amount
        | Reason::LimitExceeded { .. }
        | Reason::Uncovered
        | Reason::Overflow
        | Reason::Frozen
        | Reason::Void
        | Reason::OrderVoid
        | Reason::OrderInvalid
        | Reason::NoSuchOrder
        | Reason::NotYours
        | Reason::NotCaptured
        | Reason::AlreadyDone
        | Reason::NotDeclined
        | Reason::DeclineVoid
        | Reason::Expired
        | Reason::Repeated
        | Reason::Approvals { .. }
        | Reason::Invitation
        | Reason::Number(_)
        | Reason::SealPrev
        | Reason::SealTime
        | Reason::SealDigest
        | Reason::OwnWord
        | Reason::TooManyEdges
        | Reason::Pending
        | Reason::BalanceMax { .. }
        | Reason::Full
        | Reason::NotAccepted
        | Reason::NotTheMediator
        | Reason::TooEarly
        | Reason::NoFund
        | Reason::StillAMember(_)
        | Reason::NotATreasury(_)
        | Reason::NotAnApprover(_)
        | Reason::NoSuchProposal
        | Reason::ProposalOver
        | Reason::NotProposed
        | Reason::NoSuchBudget
        | Reason::BudgetEnded
        | Reason::OverBudget { .. }
        | Reason::ForkedHolder => reason.code().replace('_', "-"),
    }
}

/// Finds an order by its name.
pub(super) fn order_of(replica: &Replica, order: &OrderRef) -> Option<OrderView> {
    replica.books().order_at(replica.log().idx(&order.entry)?.0, order.index)
}

/// Tells how far a payment or hold has come; nothing for a request.
pub(super) const fn status(status: icn_ledger::OrderStatus) -> Option<OrderStatus> {
    use icn_ledger::OrderStatus as From;
    Some(match status {
        From::Sent => OrderStatus::Sent,
        From::Accepted => OrderStatus::Accepted,
        From::Certified => OrderStatus::Certified,
        From::Sealed => OrderStatus::Sealed,
        From::Declined => OrderStatus::Declined,
        From::Returned => OrderStatus::Returned,
        From::Placed => OrderStatus::Placed,
        From::Captured => OrderStatus::Captured,
        From::Released => OrderStatus::Released,
        From::Expired => OrderStatus::Expired,
        From::Claimed => OrderStatus::Claimed,
        From::Void | From::Invalid => OrderStatus::Void,
        From::Open | From::Paid => return None,
    })
}

/// Tells what an order is to people; nothing for a request, and for a capture, which is a step of its hold.
pub(super) const fn kind(kind: icn_ledger::OrderKind) -> Option<OrderKind> {
    match kind {
        icn_ledger::OrderKind::Pay => Some(OrderKind::Payment),
        icn_ledger::OrderKind::Hold => Some(OrderKind::Hold),
        icn_ledger::OrderKind::Capture | icn_ledger::OrderKind::Request => None,
    }
}

/// A hold is final once its capture is.
pub(super) fn is_final(replica: &Replica, order: &OrderView) -> bool {
    match (order.kind, order.link) {
        (icn_ledger::OrderKind::Hold, Some(capture)) => {
            order_of(replica, &capture).is_some_and(|capture| capture.is_final)
        }
        (_, _) => order.is_final,
    }
}

/// Shows a payment or hold, without its steps; nothing when it is neither.
pub(super) fn order(replica: &Replica, words: &Words, view: &OrderView) -> Option<Order> {
    let books = replica.books();
    let amount = |smallest: i64| words.amount(smallest, &view.currency);
    let has_witnesses = books.witness_set().is_some();
    let (memo, request, purpose) = match read::act(replica, &view.id) {
        Some(Act::Pay { memo, request, .. }) => (memo, request, None),
        Some(Act::Hold { purpose, .. }) => (None, None, purpose),
        Some(_) | None => (None, None, None),
    };
    let claimed = || claim_of(books, &view.id).map(|claim| claim.amount);
    let captured = match (view.kind, view.status) {
        (icn_ledger::OrderKind::Hold, icn_ledger::OrderStatus::Claimed) => claimed().or(view.captured),
        (icn_ledger::OrderKind::Hold, _) => view.captured,
        (_, _) => None,
    };
    Some(Order {
        reference: view.id.to_string(),
        kind: kind(view.kind)?,
        status: status(view.status)?,
        is_final: is_final(replica, view),
        final_at: level(books.policy().final_at(captured.unwrap_or(view.amount), has_witnesses)),
        from: words.party(view.from),
        to: words.party(view.to),
        amount: amount(view.amount),
        captured: captured.map(amount),
        memo,
        request: request.map(|request| request.to_string()),
        purpose,
        expires: view.expires,
        reason: reason_of(replica, view),
        at: view.at,
        steps: Vec::new(),
    })
}

/// Finds what the payee of a hold claims of it.
pub(super) fn claim_of(books: &Books, hold: &OrderRef) -> Option<ClaimRecord> {
    let is_of = |claim: &ClaimRecord| claim.order == *hold && claim.cause == ClaimCause::Hold;
    books.claims().into_iter().find(is_of)
}

/// Tells why an order stands as it does.
fn reason_of(replica: &Replica, view: &OrderView) -> Option<String> {
    use icn_ledger::OrderStatus as Is;
    match view.status {
        Is::Declined | Is::Returned => {
            let (_, post) = read::entry(replica, view.declined.as_ref()?)?;
            let mut declines = post.acts.into_iter().filter_map(|act| {
                if let Act::Decline { order, reason } = act { Some((order, reason)) } else { None }
            });
            declines.find(|(order, _)| *order == view.id)?.1
        }
        Is::Void | Is::Invalid => {
            let idx = replica.log().idx(&view.id.entry)?.0;
            let verdicts = replica.books().verdicts(idx);
            let verdict = verdicts.into_iter().nth(usize::try_from(view.id.index).ok()?)?;
            let usual = "its entry lost against another one, or what it relied on did";
            Some(verdict.err().map_or_else(|| usual.to_owned(), |reason| reason.to_string()))
        }
        Is::Expired => Some("a sealed epoch ended after its time".to_owned()),
        Is::Sent => no_room(replica, view),
        Is::Accepted
        | Is::Certified
        | Is::Sealed
        | Is::Placed
        | Is::Captured
        | Is::Released
        | Is::Claimed
        | Is::Open
        | Is::Paid => None,
    }
}

/// Says that a payment waits because its payee may not hold more.
fn no_room(replica: &Replica, view: &OrderView) -> Option<String> {
    let room = replica.books().room(&view.to, &view.currency).filter(|room| *room < view.amount)?;
    let words = Words::of(replica.books());
    Some(format!(
        "{} has room for {} until its balance is as high as the currency allows: it is accepted once there is more",
        words.name(&view.to),
        words.amount(room.max(0), &view.currency).text
    ))
}

/// Shows a request, without the payment that answers it; nothing when it is no request.
pub(super) fn asked(replica: &Replica, words: &Words, now: Timestamp, view: &OrderView) -> Option<Asked> {
    if view.kind != icn_ledger::OrderKind::Request {
        return None;
    }
    let memo = match read::act(replica, &view.id) {
        Some(Act::Request { memo, .. }) => memo,
        Some(_) | None => None,
    };
    Some(Asked {
        reference: view.id.to_string(),
        status: ask_status(view, now),
        by: words.party(view.from),
        of: words.party(view.to),
        amount: words.amount(view.amount, &view.currency),
        memo,
        expires: view.expires,
        payment: None,
        at: view.at,
    })
}

pub(super) fn ask_status(view: &OrderView, now: Timestamp) -> AskStatus {
    use icn_ledger::OrderStatus as Is;
    match view.status {
        // The time of a request binds nobody: it is for display.
        Is::Open if view.expires.is_some_and(|expires| expires <= now) => AskStatus::Expired,
        Is::Open => AskStatus::Open,
        Is::Declined | Is::Returned => AskStatus::Declined,
        Is::Expired => AskStatus::Expired,
        Is::Void | Is::Invalid => AskStatus::Void,
        Is::Paid
        | Is::Sent
        | Is::Accepted
        | Is::Certified
        | Is::Sealed
        | Is::Placed
        | Is::Captured
        | Is::Released
        | Is::Claimed => AskStatus::Paid,
    }
}

/// Says why an account cannot spend, if it cannot.
pub(super) fn frozen(books: &Books, account: &Did) -> Option<String> {
    let fork = books.forks().into_iter().find(|fork| {
        fork.author == *account && !fork.is_lifted && fork.rule != icn_ledger::ForkRule::Repaired
    });
    if let Some(fork) = fork {
        return Some(format!(
            "it has signed two entries at place {} of its chain, and a steward has not lifted that",
            fork.seq
        ));
    }
    let members = books.members();
    let is_frozen = members.iter().any(|member| member.did == *account && member.is_frozen);
    is_frozen.then(|| "a steward has frozen it".to_owned())
}

/// Reads how much of a hold is meant: an amount of its currency, or all of it.
pub(super) fn part_of(words: &Words, text: Option<&str>, hold: &OrderView) -> Result<i64, Problem> {
    let Some(text) = text else { return Ok(hold.amount) };
    let all = words.amount(hold.amount, &hold.currency);
    let currencies = [(hold.currency.as_str(), words.decimals(&hold.currency))];
    let amount = Amount::parse(text, currencies)?;
    if amount.smallest > hold.amount {
        let detail = format!("the hold is of {}: that is the most that can be paid out of it", all.text);
        return Err(Problem::invalid("bad-amount", detail));
    }
    Ok(amount.smallest)
}

/// Reads an amount of one currency, whose name may be left out.
pub(super) fn amount_in(words: &Words, text: &str, currency: &str) -> Result<Amount, Problem> {
    Amount::parse(text, [(currency, words.decimals(currency))])
}
