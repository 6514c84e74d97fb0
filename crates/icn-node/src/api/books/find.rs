//! Finding an order by its reference or a beginning of it.

use std::collections::BTreeSet;

use icn_gateway::api::Problem;
use icn_gossip::Idx;
use icn_ledger::{OrderRef, OrderView};
use icn_types::Cid;

use super::{BooksFace, convert};
use crate::spaces::Space;

/// The shortest beginning of a CID that is looked up.
const PREFIX_CHARS_MIN: usize = 8;
/// How many ids are looked at while the books are held.
const LOOK_AT_ONCE: usize = 4_096;
/// How many matches are told apart.
const MATCHES_MAX: usize = 4;

impl BooksFace {
    /// Finds an order or request: by `<CID>#<n>`, or a beginning of it that no other order shares. Orders of this node's
    /// members are looked at first, and then those of everybody.
    pub(super) async fn reference(&self, space: &Space, text: &str) -> Result<OrderView, Problem> {
        let shown: String = text.chars().take(80).collect();
        let (entry, index) = text.split_once('#').unwrap_or((text, "0"));
        let Ok(index) = index.parse::<u32>() else {
            return Err(Problem::invalid(
                "bad-reference",
                format!("`{shown}` is no reference: expected `<CID of an entry>#<number of the act>`"),
            ));
        };
        if let Ok(entry) = entry.parse::<Cid>() {
            let order = OrderRef { entry, index };
            return convert::order_of(&space.replica(), &order).ok_or_else(|| order_missing(&shown));
        }
        if entry.len() < PREFIX_CHARS_MIN {
            return Err(Problem::invalid(
                "bad-reference",
                format!(
                    "`{shown}` is too short: give at least {PREFIX_CHARS_MIN} characters of the reference"
                ),
            ));
        }
        let mut found = self.among_own(space, entry, index);
        if found.is_empty() {
            found = among_all(space, entry, index).await;
        }
        let mut found = found.into_iter();
        match (found.next(), found.next()) {
            (Some(only), None) => {
                convert::order_of(&space.replica(), &only).ok_or_else(|| order_missing(&shown))
            }
            (None, _) => Err(order_missing(&shown)),
            (Some(_), Some(_)) => Err(Problem::new(
                409,
                "order-ambiguous",
                format!("`{shown}` is the beginning of several references: give more of it"),
            )),
        }
    }

    fn among_own(&self, space: &Space, prefix: &str, index: u32) -> BTreeSet<OrderRef> {
        let mut found = BTreeSet::new();
        for (_, did) in self.own() {
            let len = space.replica().books().history_len(&did);
            for offset in (0..len).step_by(LOOK_AT_ONCE) {
                let orders = space.replica().books().history(&did, offset, LOOK_AT_ONCE);
                let orders = orders.into_iter().map(|order| order.id);
                found.extend(orders.filter(|order| order.index == index && begins(&order.entry, prefix)));
                if found.len() >= MATCHES_MAX {
                    return found;
                }
            }
        }
        found
    }
}

async fn among_all(space: &Space, prefix: &str, index: u32) -> BTreeSet<OrderRef> {
    let mut found = BTreeSet::new();
    let mut at = 0_u32;
    loop {
        let ids: Vec<Cid> = space.replica().log().ids_from(Idx(at)).take(LOOK_AT_ONCE).collect();
        if ids.is_empty() || found.len() >= MATCHES_MAX {
            return found;
        }
        at = at.saturating_add(u32::try_from(ids.len()).unwrap_or(u32::MAX));
        let matching = ids.into_iter().filter(|id| begins(id, prefix));
        let orders: Vec<OrderRef> = matching.map(|entry| OrderRef { entry, index }).collect();
        found.extend(orders.into_iter().filter(|order| convert::order_of(&space.replica(), order).is_some()));
        tokio::task::yield_now().await;
    }
}

fn begins(id: &Cid, prefix: &str) -> bool {
    id.to_string().starts_with(prefix)
}

pub(super) fn order_missing(shown: &str) -> Problem {
    Problem::not_found(
        "order-not-found",
        format!("the books have no order `{shown}`: see `icn ledger history` and `icn ledger hold list`"),
    )
}
