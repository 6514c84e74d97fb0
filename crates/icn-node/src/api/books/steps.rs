//! What became of an order, and of a request.

use icn_gateway::api::books::{OrderStatus, OrderStep};
use icn_ledger::replica::Replica;
use icn_ledger::{Act, OrderKind, OrderView};
use icn_types::Cid;

use super::{audit, convert, read};

/// How many payments are read to find the one that answers a request. Full: it is not shown.
const ANSWERS_READ_MAX: usize = 64;

/// Lists what happened to an order.
pub(super) fn of(replica: &Replica, view: &OrderView) -> Vec<OrderStep> {
    let is_hold = view.kind == OrderKind::Hold;
    let capture = view.link.filter(|_| is_hold).and_then(|capture| convert::order_of(replica, &capture));
    let claim = convert::claim_of(replica.books(), &view.id);
    let paid = if is_hold { capture.as_ref() } else { Some(view) };
    let accepted = paid.and_then(|paid| paid.accepted);
    let sealed = paid.filter(|_| accepted.is_some()).and_then(|paid| {
        let idx = replica.log().idx(&paid.id.entry)?.0;
        let number = audit::sealed_in(replica, idx)?;
        let seals = replica.books().seals();
        seals.into_iter().find(|seal| seal.is_in_line && seal.number == number).map(|seal| seal.entry)
    });
    let first = if is_hold { OrderStatus::Placed } else { OrderStatus::Sent };
    let captured = if capture.as_ref().is_some_and(|capture| capture.amount == 0) {
        OrderStatus::Released
    } else {
        OrderStatus::Captured
    };
    let known: [(OrderStatus, Option<Cid>); 6] = [
        (first, Some(view.id.entry)),
        (captured, capture.as_ref().map(|capture| capture.id.entry)),
        (OrderStatus::Accepted, accepted),
        (OrderStatus::Declined, view.declined),
        (OrderStatus::Claimed, claim.map(|claim| claim.by.entry)),
        (OrderStatus::Sealed, sealed),
    ];
    let mut steps: Vec<(u32, OrderStep)> = known
        .into_iter()
        .filter_map(|(status, entry)| {
            let entry = entry?;
            let (written, _) = read::entry(replica, &entry)?;
            let idx = replica.log().idx(&entry)?.0;
            Some((idx, OrderStep { status, entry, at: written.at }))
        })
        .collect();
    // A seal counts for an order once the payee has taken it, which may be later.
    steps.sort_by_key(|(idx, step)| (step.status == OrderStatus::Sealed, *idx));
    steps.into_iter().map(|(_, step)| step).collect()
}

/// Finds the payment that answers a request.
pub(super) fn answer_to(replica: &Replica, asked: &OrderView) -> Option<String> {
    if asked.status != icn_ledger::OrderStatus::Paid {
        return None;
    }
    let books = replica.books();
    let len = books.history_len(&asked.to);
    let between = |order: &OrderView| {
        order.kind == OrderKind::Pay
            && order.from == asked.to
            && order.to == asked.from
            && order.currency == asked.currency
    };
    let payments = books.history(&asked.to, 0, len).into_iter().filter(between).take(ANSWERS_READ_MAX);
    let mut answers = payments.filter(|payment| {
        matches!(
            read::act(replica, &payment.id),
            Some(Act::Pay { request: Some(request), .. }) if request == asked.id
        )
    });
    answers.next().map(|payment| payment.id.to_string())
}
