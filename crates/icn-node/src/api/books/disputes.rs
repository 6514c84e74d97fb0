//! Disputes about accepted payments.

use icn_gateway::api::Problem;
use icn_gateway::api::books::{
    Dispute, DisputeOutcome as Wanted, DisputeRequest, DisputeStatus, DisputeStep, DisputeStepRequest,
    Exhibit, Listing,
};
use icn_ledger::replica::Replica;
use icn_ledger::{Act, DisputeAct, DisputeOutcome, DisputeView, OrderKind, OrderRef};
use icn_types::{Page, Timestamp};

use super::words::Words;
use super::{BooksFace, convert, read};
use crate::spaces::Space;

impl BooksFace {
    pub(super) async fn list_disputes(&self, space: &str, part: &Listing) -> Result<Page<Dispute>, Problem> {
        let space = self.find(space)?;
        let account = match &part.account {
            Some(_) => Some(self.account_of(&space, part).await?),
            None => None,
        };
        let replica = space.replica();
        let words = Words::of(replica.books());
        let all = replica.books().disputes().into_iter();
        let all: Vec<DisputeView> = all
            .filter(|one| {
                (part.all || one.outcome.is_none())
                    && account.is_none_or(|account| one.payer == account || one.payee == account)
                    && part.currency.as_ref().is_none_or(|code| *code == one.currency)
            })
            .collect();
        let page = Page::cut(all.into_iter(), part.offset, part.limit);
        let items = page.items.iter().map(|one| shown(&replica, &words, one)).collect();
        Ok(Page { items, total: page.total, has_more: page.has_more })
    }

    pub(super) async fn open_dispute(
        &self,
        space: &str,
        request: DisputeRequest,
    ) -> Result<Dispute, Problem> {
        let space = self.find(space)?;
        let view = self.order_view(&space, &request.order).await?;
        // What is disputed of a hold is what was paid out of it.
        let view = match (view.kind, view.link) {
            (OrderKind::Hold, Some(capture)) => convert::order_of(&space.replica(), &capture).unwrap_or(view),
            (_, _) => view,
        };
        let author = self.party(&[view.from, view.to], request.identity.as_deref()).await?;
        let acceptance = view.accepted.ok_or_else(|| {
            Problem::new(
                409,
                "not-accepted",
                "the payment was not accepted: the payer takes it back, or the payee declines it",
            )
        })?;
        let (order, reason, evidence) = (view.id, request.reason, request.evidence);
        let act = Act::Dispute(DisputeAct::File { order, acceptance, reason, evidence });
        self.post(&space, author, vec![act], request.key).await?;
        self.one_dispute(&space, &order)
    }

    pub(super) async fn show_dispute(&self, space: &str, reference: &str) -> Result<Dispute, Problem> {
        let space = self.find(space)?;
        let view = self.dispute_of(&space, reference)?;
        self.one_dispute(&space, &view.order)
    }

    pub(super) async fn take_step(
        &self,
        space: &str,
        reference: &str,
        request: DisputeStepRequest,
    ) -> Result<Dispute, Problem> {
        let space = self.find(space)?;
        let view = self.dispute_of(&space, reference)?;
        let words = Words::of(space.replica().books());
        let amount = |text: &str| {
            let amount = convert::amount_in(&words, text, &view.currency)?;
            if amount.smallest > view.amount {
                let all = words.amount(view.amount, &view.currency).text;
                return Err(Problem::invalid(
                    "bad-amount",
                    format!("the payment was of {all}: that is the most"),
                ));
            }
            Ok(amount.smallest)
        };
        let dispute = view.id;
        let parties = [view.payer, view.payee];
        let (author, step) = match request.step {
            DisputeStep::Evidence { items, note } => (
                self.party(&parties, request.identity.as_deref()).await?,
                DisputeAct::Evidence { dispute, items, note },
            ),
            DisputeStep::Mediate { mediator } => {
                let mediator = self.member(&mediator, &words)?;
                let author = match self.party(&parties, request.identity.as_deref()).await {
                    Ok(party) => party,
                    Err(_) => self.actor(&space, request.identity.as_deref()).await?,
                };
                (author, DisputeAct::Mediate { dispute, mediator })
            }
            DisputeStep::Escalate => {
                (self.actor(&space, request.identity.as_deref()).await?, DisputeAct::Escalate { dispute })
            }
            DisputeStep::Resolve { outcome } => {
                let outcome = match outcome {
                    Wanted::Valid => DisputeOutcome::EntryValid,
                    Wanted::Reversed => DisputeOutcome::EntryReversed,
                    Wanted::Refund(text) => DisputeOutcome::PartialRefund { amount: amount(&text)? },
                    Wanted::WriteOff(text) => DisputeOutcome::WriteOff { amount: amount(&text)? },
                };
                let author = match (view.mediator, request.identity.as_deref()) {
                    (Some(mediator), None) => match self.party(&[mediator], None).await {
                        Ok(mediator) => mediator,
                        Err(_) => self.actor(&space, None).await?,
                    },
                    (_, identity) => self.actor(&space, identity).await?,
                };
                (author, DisputeAct::Resolve { dispute, outcome })
            }
        };
        self.post(&space, author, vec![Act::Dispute(step)], request.key).await?;
        self.one_dispute(&space, &view.order)
    }

    /// Finds a dispute by its own reference, by that of the payment, or by a beginning of one.
    fn dispute_of(&self, space: &Space, text: &str) -> Result<DisputeView, Problem> {
        let prefix: String = text.chars().take(100).collect();
        let is_meant = |id: &OrderRef| id.to_string().starts_with(&prefix);
        let mut found = space.replica().books().disputes().into_iter();
        let mut found = found.by_ref().filter(|one| is_meant(&one.id) || is_meant(&one.order));
        match (found.next(), found.next()) {
            (Some(only), None) => Ok(only),
            (None, _) => Err(missing(&prefix)),
            (Some(_), Some(_)) => Err(Problem::new(
                409,
                "order-ambiguous",
                format!("`{prefix}` is the beginning of several references: give more of it"),
            )),
        }
    }

    fn one_dispute(&self, space: &Space, order: &OrderRef) -> Result<Dispute, Problem> {
        let replica = space.replica();
        let words = Words::of(replica.books());
        let view = replica.books().dispute_about(order).ok_or_else(|| missing(&order.to_string()))?;
        Ok(shown(&replica, &words, &view))
    }
}

fn missing(shown: &str) -> Problem {
    Problem::not_found(
        "dispute-not-found",
        format!("there is no dispute `{shown}`: see `icn ledger dispute list --all`"),
    )
}

fn shown(replica: &Replica, words: &Words, view: &DisputeView) -> Dispute {
    let said = |id: &OrderRef| match read::act(replica, id) {
        Some(Act::Dispute(step)) => Some(step),
        Some(_) | None => None,
    };
    let at = |id: &OrderRef| {
        read::entry(replica, &id.entry).map_or_else(Timestamp::default, |(entry, _)| entry.at)
    };
    let (reason, items) = match said(&view.id) {
        Some(DisputeAct::File { reason, evidence, .. }) => (reason, evidence),
        Some(_) | None => (String::new(), Vec::new()),
    };
    let mut evidence = Vec::new();
    if !items.is_empty() {
        evidence.push(Exhibit { by: words.party(view.by), items, note: None, at: at(&view.id) });
    }
    for (by, id) in &view.evidence {
        if let Some(DisputeAct::Evidence { items, note, .. }) = said(id) {
            evidence.push(Exhibit { by: words.party(*by), items, note, at: at(id) });
        }
    }
    let amount = |smallest: i64| words.amount(smallest, &view.currency);
    let outcome = view.outcome.map(|outcome| match outcome {
        DisputeOutcome::EntryValid => "the payment stands".to_owned(),
        DisputeOutcome::EntryReversed => format!("{} went back to the payer", amount(view.amount).text),
        DisputeOutcome::PartialRefund { amount: back } => {
            format!("{} went back to the payer", amount(back).text)
        }
        DisputeOutcome::WriteOff { amount: loss } => {
            format!("the payment stands, and the fund paid {}", amount(loss).text)
        }
    });
    Dispute {
        reference: view.id.to_string(),
        order: view.order.to_string(),
        by: words.party(view.by),
        payer: words.party(view.payer),
        payee: words.party(view.payee),
        amount: amount(view.amount),
        reason,
        status: match view.status {
            icn_ledger::DisputeStatus::Contested => DisputeStatus::Contested,
            icn_ledger::DisputeStatus::UnderMediation => DisputeStatus::UnderMediation,
            icn_ledger::DisputeStatus::Escalated => DisputeStatus::Escalated,
            icn_ledger::DisputeStatus::Resolved => DisputeStatus::Resolved,
        },
        mediator: view.mediator.map(|mediator| words.party(mediator)),
        outcome,
        escalates_at: view.escalates_at,
        evidence,
        at: at(&view.id),
    }
}
