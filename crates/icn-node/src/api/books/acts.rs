//! Acts in a line for people.

use icn_ledger::{Act, DisputeAct, DisputeOutcome, Finality, OrderRef, OrderView};
use icn_types::{Did, format_score};

use super::words::Words;

/// How many characters of a CID are shown in a sentence.
const CID_CHARS_SHOWN: usize = 18;

/// Returns the stable word for the kind of an act: the key under which the form of the books has it.
pub(super) const fn kind(act: &Act) -> &'static str {
    match act {
        Act::Found { .. } => "found",
        Act::Policy(_) => "policy",
        Act::Appoint { .. } => "appoint",
        Act::Dismiss { .. } => "dismiss",
        Act::Admit { .. } => "admit",
        Act::Expel { .. } => "expel",
        Act::Join { .. } => "join",
        Act::Currency { .. } => "currency",
        Act::Line { .. } => "line",
        Act::Freeze { .. } => "freeze",
        Act::Unfreeze { .. } => "unfreeze",
        Act::Witnesses { .. } => "witnesses",
        Act::Treasury { .. } => "treasury",
        Act::Pay { .. } => "pay",
        Act::Request { .. } => "request",
        Act::Accept { .. } => "accept",
        Act::Decline { .. } => "decline",
        Act::Return { .. } => "return",
        Act::Hold { .. } => "hold",
        Act::Capture { .. } => "capture",
        Act::Claim { .. } => "claim",
        Act::Seal { .. } => "seal",
        Act::Repair { .. } => "repair",
        Act::Trust { .. } => "trust",
        Act::Rate { .. } => "rate",
        Act::Demurrage { .. } => "demurrage",
        Act::Dispute(_) => "dispute",
        Act::EndStanding { .. } => "end_standing",
        Act::Standing(_) => "standing",
        Act::WriteOff { .. } => "write_off",
        Act::Propose(_) => "propose",
        Act::Approve { .. } => "approve",
        Act::Withdraw { .. } => "withdraw",
        Act::Budget(_) => "budget",
        Act::EndBudget { .. } => "end_budget",
    }
}

/// Finds the order that an act speaks of.
pub(super) type Orders<'a> = &'a dyn Fn(&OrderRef) -> Option<OrderView>;

/// Says what an act does.
pub(super) fn text(act: &Act, words: &Words, orders: Orders<'_>) -> String {
    rule_text(act, words)
        .or_else(|| money_text(act, words, orders))
        .or_else(|| word_text(act, words))
        .unwrap_or_else(|| kind(act).to_owned())
}

fn rule_text(act: &Act, words: &Words) -> Option<String> {
    let who = |did: &Did| words.name(did);
    let all = |dids: &[Did]| match dids {
        [] => "nobody".to_owned(),
        some => some.iter().map(who).collect::<Vec<_>>().join(", "),
    };
    let named = |name: Option<&str>| name.map_or_else(String::new, |name| format!(" as {name}"));
    Some(match act {
        Act::Found { name, .. } => format!("founds the space {name}"),
        Act::Policy(policy) => {
            let tiers: Vec<String> = policy
                .finality
                .iter()
                .map(|tier| format!("{} from {} up", level(tier.level), tier.from))
                .collect();
            let tiers = if tiers.is_empty() { "as usual".to_owned() } else { tiers.join(", ") };
            let free = if policy.free_jobs { "free jobs allowed" } else { "no free jobs" };
            format!("sets the rules: final {tiers}; {free}; epochs of {} s", policy.epoch_seconds)
        }
        Act::Appoint { member } => format!("makes {} a steward", who(member)),
        Act::Dismiss { member } => format!("ends the stewardship of {}", who(member)),
        Act::Admit { member, nickname } => {
            format!("admits {}{}", who(member), named(nickname.as_deref()))
        }
        Act::Expel { member } => format!("expels {}", who(member)),
        Act::Join { invitation, nickname } => {
            format!("joins{} by an invitation of {}", named(nickname.as_deref()), who(&invitation.issuer))
        }
        Act::Currency { code, decimals, .. } => {
            format!("brings in or changes the currency {code} with {decimals} decimals")
        }
        Act::Line { account, currency, limit, number } => {
            format!(
                "sets the credit line of {} to {} (grant {number})",
                who(account),
                words.amount(*limit, currency).text
            )
        }
        Act::Freeze { account, reason, expires: None } => format!("freezes {}: {reason}", who(account)),
        Act::Freeze { account, reason, expires: Some(until) } => {
            format!("freezes {} until {until}: {reason}", who(account))
        }
        Act::Demurrage { currency, rule: Some(rule), fund } => {
            let fund = fund.as_ref().map_or_else(String::new, |fund| format!(" for {}", who(fund)));
            format!(
                "charges {} parts per million of what lies above {} every {} days{fund}",
                rule.rate_ppm,
                words.amount(rule.threshold, currency).text,
                rule.period_days
            )
        }
        Act::Demurrage { currency, rule: None, .. } => format!("ends the charge on balances in {currency}"),
        Act::WriteOff { account, currency, amount, number, reason } => {
            let amount = words.amount(*amount, currency).text;
            format!("writes off {amount} of the debt of {} ({number}): {reason}", who(account))
        }
        Act::Unfreeze { account } => format!("unfreezes {}", who(account)),
        Act::Witnesses { number, members } => format!("names witness set {number}: {}", all(members)),
        Act::Treasury { account, approvers, threshold } => {
            format!(
                "makes {} a treasury, for which {threshold} of these approve: {}",
                who(account),
                all(approvers)
            )
        }
        Act::Pay { .. }
        | Act::Request { .. }
        | Act::Accept { .. }
        | Act::Decline { .. }
        | Act::Return { .. }
        | Act::Hold { .. }
        | Act::Capture { .. }
        | Act::Claim { .. }
        | Act::Seal { .. }
        | Act::Repair { .. }
        | Act::Trust { .. }
        | Act::Rate { .. }
        | Act::Dispute(_)
        | Act::EndStanding { .. }
        | Act::Standing(_)
        | Act::Propose(_)
        | Act::Approve { .. }
        | Act::Withdraw { .. }
        | Act::Budget(_)
        | Act::EndBudget { .. } => return None,
    })
}

/// Says what a word about somebody says.
fn word_text(act: &Act, words: &Words) -> Option<String> {
    if let Act::Trust { of, context, score_ppm, expires, note } = act {
        let of = words.name(of);
        if *score_ppm == 0 {
            return Some(format!("trusts {of} no more ({context})"));
        }
        let until = expires.map_or_else(String::new, |time| format!(" until {time}"));
        let note = note.as_ref().map_or_else(String::new, |note| format!(": {note}"));
        return Some(format!("trusts {of} by {} ({context}){until}{note}", format_score(*score_ppm)));
    }
    let Act::Rate { executor, job, outcome, .. } = act else { return None };
    let job: String = job.to_string().chars().take(CID_CHARS_SHOWN).collect();
    Some(format!("says of the job {job} by {}: {outcome}", words.name(executor)))
}

fn money_text(act: &Act, words: &Words, orders: Orders<'_>) -> Option<String> {
    let who = |did: &Did| words.name(did);
    let sum = |amount: i64, currency: &str| words.amount(amount, currency).text;
    // What was ordered, from whoever ordered it.
    let named = |order: &OrderRef| match orders(order) {
        Some(known) => {
            format!("{} from {} ({})", sum(known.amount, &known.currency), who(&known.from), short(order))
        }
        None => short(order),
    };
    let part = |amount: i64, hold: &OrderRef| match orders(hold) {
        Some(known) => sum(amount, &known.currency),
        None => format!("{amount} of the smallest unit"),
    };
    let said = |memo: &Option<String>| memo.as_ref().map_or_else(String::new, |memo| format!(": {memo}"));
    Some(match act {
        Act::Pay { to, amount, currency, memo, .. } => {
            format!("pays {} to {}{}", sum(*amount, currency), who(to), said(memo))
        }
        Act::Request { of, amount, currency, memo, .. } => {
            format!("asks {} for {}{}", who(of), sum(*amount, currency), said(memo))
        }
        Act::Accept { order } => format!("accepts {}", named(order)),
        Act::Decline { order, reason } => format!("declines {}{}", named(order), said(reason)),
        Act::Return { order, .. } => format!("takes back {}", named(order)),
        Act::Hold { to, amount, currency, .. } => {
            format!("sets {} aside for {}", sum(*amount, currency), who(to))
        }
        Act::Capture { hold, amount: 0, .. } => format!("frees the hold {}", short(hold)),
        Act::Capture { hold, amount, .. } => {
            format!("pays out {} of the hold {}", part(*amount, hold), short(hold))
        }
        Act::Claim { hold, amount, .. } => {
            format!("claims {} of the hold {}", part(*amount, hold), short(hold))
        }
        Act::Seal { number, time, .. } => format!("seals epoch {number}, which ends at {time}"),
        Act::Repair { at, lost } => {
            format!("reports a fork of its own at place {at} and gives up {} entries", lost.len())
        }
        Act::Dispute(step) => dispute_text(step, words, orders),
        Act::Propose(proposal) => {
            let acts: Vec<String> = proposal.acts.iter().map(|act| text(act, words, orders)).collect();
            let budget =
                proposal.budget.map_or_else(String::new, |id| format!(" within the budget {}", short(&id)));
            format!("asks the treasury {}{budget}: {}", who(&proposal.treasury), acts.join("; "))
        }
        Act::Approve { proposal } => format!("approves the proposal {}", short(proposal)),
        Act::Withdraw { proposal } => format!("withdraws from the proposal {}", short(proposal)),
        Act::Budget(terms) => {
            let holder = terms.holder.as_ref().map_or_else(|| "its standing orders".to_owned(), who);
            let every = terms.every.map_or_else(|| "once".to_owned(), super::standings::every_text);
            let amount = sum(terms.amount, &terms.currency);
            format!("allots {amount} of {} to {holder} {every}{}", who(&terms.treasury), said(&terms.purpose))
        }
        Act::EndBudget { budget } => format!("ends the budget {}", short(budget)),
        Act::EndStanding { standing } => format!("ends the standing order {}", short(standing)),
        Act::Standing(terms) => {
            let every = super::standings::every_text(terms.every);
            let amount = sum(terms.amount, &terms.currency);
            format!(
                "pays {amount} to {} {every} from {} on{}",
                who(&terms.to),
                terms.start,
                said(&terms.memo)
            )
        }
        Act::Found { .. }
        | Act::Policy(_)
        | Act::Appoint { .. }
        | Act::Dismiss { .. }
        | Act::Admit { .. }
        | Act::Expel { .. }
        | Act::Join { .. }
        | Act::Currency { .. }
        | Act::Line { .. }
        | Act::Freeze { .. }
        | Act::Unfreeze { .. }
        | Act::Witnesses { .. }
        | Act::Treasury { .. }
        | Act::Trust { .. }
        | Act::Rate { .. }
        | Act::Demurrage { .. }
        | Act::WriteOff { .. } => return None,
    })
}

fn dispute_text(step: &DisputeAct, words: &Words, orders: Orders<'_>) -> String {
    match step {
        DisputeAct::File { order, reason, .. } => {
            let amount = orders(order).map(|known| words.amount(known.amount, &known.currency).text);
            let amount = amount.map_or_else(String::new, |amount| format!("{amount} of "));
            format!("disputes {amount}{}: {reason}", short(order))
        }
        DisputeAct::Evidence { dispute, items, .. } => {
            format!("shows {} pieces of evidence for the dispute {}", items.len(), short(dispute))
        }
        DisputeAct::Mediate { dispute, mediator } => {
            format!("names {} as mediator of the dispute {}", words.name(mediator), short(dispute))
        }
        DisputeAct::Escalate { dispute } => format!("hands the dispute {} to the stewards", short(dispute)),
        DisputeAct::Resolve { dispute, outcome } => {
            let what = match outcome {
                DisputeOutcome::EntryValid => "the payment stands".to_owned(),
                DisputeOutcome::EntryReversed => "the payment goes back".to_owned(),
                DisputeOutcome::PartialRefund { amount } => format!("{amount} of the smallest unit go back"),
                DisputeOutcome::WriteOff { amount } => {
                    format!("the fund pays {amount} of the smallest unit")
                }
            };
            format!("resolves the dispute {}: {what}", short(dispute))
        }
    }
}

const fn level(level: Finality) -> &'static str {
    match level {
        Finality::Accepted => "accepted",
        Finality::Certified => "certified",
        Finality::Sealed => "sealed",
    }
}

fn short(order: &OrderRef) -> String {
    let id: String = order.entry.to_string().chars().take(CID_CHARS_SHOWN).collect();
    if order.index == 0 { id } else { format!("{id}#{}", order.index) }
}
