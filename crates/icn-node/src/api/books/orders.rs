//! Payments, requests and holds.

use icn_gateway::api::Problem;
use icn_gateway::api::books::{
    AskRequest, AskStatus, Asked, HoldRequest, Listing, Order, OrderTurn, PayRequest, TurnRequest,
};
use icn_ledger::{Act, OrderKind, OrderRef, OrderView};
use icn_types::{Did, Page};

use super::words::Words;
use super::{BooksFace, convert, find, money, steps};
use crate::spaces::Space;

/// How long a hold lasts when nobody says otherwise, in seconds: a day.
const HOLD_SECONDS: u64 = 24 * 3_600;

impl BooksFace {
    pub(super) async fn make_payment(&self, space: &str, request: PayRequest) -> Result<Order, Problem> {
        let space = self.find(space)?;
        let author = self.actor(&space, request.identity.as_deref()).await?;
        let asked = match &request.request {
            Some(text) => Some(self.asked_for(&space, text).await?),
            None => None,
        };
        let words = Words::of(space.replica().books());
        let to = match &asked {
            Some(asked) if request.to.is_empty() => asked.from,
            Some(_) | None => self.member(&request.to, &words)?,
        };
        let (amount, currency) = match &asked {
            Some(asked) if request.amount.is_empty() => (asked.amount, asked.currency.clone()),
            Some(_) | None => {
                let amount = words.parse_positive(&request.amount)?;
                (amount.smallest, amount.currency)
            }
        };
        let now = self.0.clock.now().at;
        let act = Act::Pay {
            to,
            amount,
            currency,
            memo: request.memo,
            request: asked.map(|asked| asked.id),
            expires: request.expires_seconds.map(|seconds| convert::after(now, seconds)),
        };
        let posted = self.post(&space, author, vec![act], request.key).await?;
        shown(&space, &OrderRef { entry: posted.entry, index: 0 })
    }

    async fn asked_for(&self, space: &Space, text: &str) -> Result<OrderView, Problem> {
        let view = self.reference(space, text).await?;
        if view.kind == OrderKind::Request { Ok(view) } else { Err(not_a_request(&view.id)) }
    }

    pub(super) async fn ask_for(&self, space: &str, request: AskRequest) -> Result<Asked, Problem> {
        let space = self.find(space)?;
        let author = self.actor(&space, request.identity.as_deref()).await?;
        let words = Words::of(space.replica().books());
        let of = self.member(&request.of, &words)?;
        let amount = words.parse_positive(&request.amount)?;
        let now = self.0.clock.now().at;
        let act = Act::Request {
            of,
            amount: amount.smallest,
            currency: amount.currency,
            memo: request.memo,
            expires: request.expires_seconds.map(|seconds| convert::after(now, seconds)),
        };
        let posted = self.post(&space, author, vec![act], request.key).await?;
        self.shown_asked(&space, &OrderRef { entry: posted.entry, index: 0 })
    }

    pub(super) async fn list_requests(&self, space: &str, part: &Listing) -> Result<Page<Asked>, Problem> {
        let space = self.find(space)?;
        let account = self.account_of(&space, part).await?;
        let now = self.0.clock.now().at;
        let replica = space.replica();
        let words = Words::of(replica.books());
        let wanted = |order: &OrderView| {
            order.kind == OrderKind::Request
                && (part.all || convert::ask_status(order, now) == AskStatus::Open)
                && part.currency.as_ref().is_none_or(|code| *code == order.currency)
        };
        let page = money::chosen(replica.books(), &account, part, wanted);
        let show = |view: &OrderView| {
            let asked = convert::asked(&replica, &words, now, view)?;
            Some(Asked { payment: steps::answer_to(&replica, view), ..asked })
        };
        let items = page.items.iter().filter_map(show).collect();
        Ok(Page { items, total: page.total, has_more: page.has_more })
    }

    pub(super) async fn refuse_request(
        &self,
        space: &str,
        reference: &str,
        request: TurnRequest,
    ) -> Result<Asked, Problem> {
        let space = self.find(space)?;
        let asked = self.asked_for(&space, reference).await?;
        let author = self.party(&[asked.to], request.identity.as_deref()).await?;
        let act = Act::Decline { order: asked.id, reason: request.reason };
        self.post(&space, author, vec![act], request.key).await?;
        self.shown_asked(&space, &asked.id)
    }

    pub(super) async fn make_hold(&self, space: &str, request: HoldRequest) -> Result<Order, Problem> {
        let space = self.find(space)?;
        let author = self.actor(&space, request.identity.as_deref()).await?;
        let words = Words::of(space.replica().books());
        let to = self.member(&request.to, &words)?;
        let amount = words.parse_positive(&request.amount)?;
        let seconds = request.expires_seconds.unwrap_or(HOLD_SECONDS);
        let act = Act::Hold {
            to,
            amount: amount.smallest,
            currency: amount.currency,
            expires: convert::after(self.0.clock.now().at, seconds),
            purpose: request.purpose,
        };
        let posted = self.post(&space, author, vec![act], request.key).await?;
        shown(&space, &OrderRef { entry: posted.entry, index: 0 })
    }

    pub(super) async fn list_holds(&self, space: &str, part: &Listing) -> Result<Page<Order>, Problem> {
        let space = self.find(space)?;
        let account = self.account_of(&space, part).await?;
        let replica = space.replica();
        let words = Words::of(replica.books());
        let wanted = |order: &OrderView| {
            order.kind == OrderKind::Hold
                && (part.all || is_open(order))
                && part.currency.as_ref().is_none_or(|code| *code == order.currency)
        };
        let page = money::chosen(replica.books(), &account, part, wanted);
        let items = page.items.iter().filter_map(|view| convert::order(&replica, &words, view)).collect();
        Ok(Page { items, total: page.total, has_more: page.has_more })
    }

    pub(super) async fn show_order(&self, space: &str, reference: &str) -> Result<Order, Problem> {
        let space = self.find(space)?;
        let view = self.order_view(&space, reference).await?;
        shown(&space, &view.id)
    }

    /// Finds a payment or hold; a capture stands for its hold.
    pub(super) async fn order_view(&self, space: &Space, reference: &str) -> Result<OrderView, Problem> {
        let view = self.reference(space, reference).await?;
        match (view.kind, view.link) {
            (OrderKind::Pay | OrderKind::Hold, _) => Ok(view),
            (OrderKind::Capture, Some(hold)) => convert::order_of(&space.replica(), &hold)
                .ok_or_else(|| find::order_missing(&hold.to_string())),
            (OrderKind::Capture, None) => Err(find::order_missing(&view.id.to_string())),
            (OrderKind::Request, _) => Err(Problem::not_found(
                "order-not-found",
                "that is a request for a payment, not a payment: see `icn ledger requests`",
            )),
        }
    }

    pub(super) async fn take_turn(
        &self,
        space: &str,
        reference: &str,
        turn: OrderTurn,
        request: TurnRequest,
    ) -> Result<Order, Problem> {
        let space = self.find(space)?;
        let view = self.order_view(&space, reference).await?;
        let who = match turn {
            OrderTurn::Accept | OrderTurn::Decline | OrderTurn::Claim => vec![view.to],
            OrderTurn::Capture | OrderTurn::Return => vec![view.from],
            OrderTurn::Release => vec![view.to, view.from],
        };
        let author = self.party(&who, request.identity.as_deref()).await?;
        let words = Words::of(space.replica().books());
        let act = act_of(&words, &view, turn, author, &request)?;
        self.post(&space, author, vec![act], request.key).await?;
        shown(&space, &view.id)
    }

    /// Chooses who takes a turn: whom the request names, else the first of those who may whose key is here.
    pub(super) async fn party(&self, who: &[Did], identity: Option<&str>) -> Result<Did, Problem> {
        let found = match identity {
            Some(name) => Some(self.identity(Some(name)).await?.did()).filter(|did| who.contains(did)),
            None => {
                let own = self.own();
                who.iter().copied().find(|did| own.iter().any(|(_, known)| known == did))
            }
        };
        found.ok_or_else(|| {
            let parties: Vec<String> = who.iter().map(ToString::to_string).collect();
            Problem::refused(
                "not-a-party",
                format!("this is for {} to do, whose key is not at hand here", parties.join(" or ")),
            )
        })
    }

    fn shown_asked(&self, space: &Space, order: &OrderRef) -> Result<Asked, Problem> {
        let replica = space.replica();
        let words = Words::of(replica.books());
        let view = convert::order_of(&replica, order);
        let asked = view.and_then(|view| convert::asked(&replica, &words, self.0.clock.now().at, &view));
        asked.ok_or_else(|| find::order_missing(&order.to_string()))
    }
}

/// Makes the act that a turn is.
fn act_of(
    words: &Words,
    view: &OrderView,
    turn: OrderTurn,
    author: Did,
    request: &TurnRequest,
) -> Result<Act, Problem> {
    let is_hold = view.kind == OrderKind::Hold;
    let not_a_hold = || {
        Problem::new(409, "already-decided", "that is a payment, not a hold: accept, decline or return it")
    };
    let amount = || convert::part_of(words, request.amount.as_deref(), view);
    let reason = request.reason.clone();
    Ok(match turn {
        OrderTurn::Accept => {
            let order = if is_hold {
                // What is accepted of a hold is what was paid out of it.
                view.link.ok_or_else(|| {
                    Problem::new(
                        409,
                        "already-decided",
                        "nothing was paid out of the hold yet: wait, or claim it",
                    )
                })?
            } else {
                view.id
            };
            Act::Accept { order }
        }
        OrderTurn::Decline => Act::Decline { order: view.id, reason },
        OrderTurn::Return => {
            let decline = view.declined.ok_or_else(|| {
                Problem::new(
                    409,
                    "already-decided",
                    "the payee has not declined it: there is nothing to take back",
                )
            })?;
            Act::Return { order: view.id, decline }
        }
        OrderTurn::Capture | OrderTurn::Claim | OrderTurn::Release if !is_hold => return Err(not_a_hold()),
        OrderTurn::Capture => {
            if request.evidence.len() > 1 {
                return Err(Problem::invalid("bad-entry", "a capture takes at most one piece of evidence"));
            }
            Act::Capture { hold: view.id, amount: amount()?, evidence: request.evidence.first().copied() }
        }
        OrderTurn::Claim => {
            Act::Claim { hold: view.id, amount: amount()?, evidence: request.evidence.clone() }
        }
        OrderTurn::Release if author == view.to => Act::Decline { order: view.id, reason },
        OrderTurn::Release => Act::Capture { hold: view.id, amount: 0, evidence: None },
    })
}

/// Tells whether somebody can still do something about a hold.
const fn is_open(order: &OrderView) -> bool {
    use icn_ledger::OrderStatus as Is;
    match order.status {
        Is::Placed | Is::Captured | Is::Declined | Is::Claimed | Is::Sent | Is::Open => true,
        Is::Accepted
        | Is::Certified
        | Is::Sealed
        | Is::Returned
        | Is::Released
        | Is::Expired
        | Is::Void
        | Is::Invalid
        | Is::Paid => false,
    }
}

/// Shows a payment or hold with its steps.
pub(super) fn shown(space: &Space, order: &OrderRef) -> Result<Order, Problem> {
    let replica = space.replica();
    let words = Words::of(replica.books());
    let view = convert::order_of(&replica, order).ok_or_else(|| find::order_missing(&order.to_string()))?;
    let shown = convert::order(&replica, &words, &view);
    let shown = shown.ok_or_else(|| find::order_missing(&order.to_string()))?;
    Ok(Order { steps: steps::of(&replica, &view), ..shown })
}

fn not_a_request(order: &OrderRef) -> Problem {
    Problem::not_found(
        "order-not-found",
        format!("`{order}` is no request for a payment: see `icn ledger requests`"),
    )
}
