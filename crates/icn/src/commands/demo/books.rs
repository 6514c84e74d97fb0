//! The common books of the demonstration: a co-op that its nodes found and join, and what a job costs in it.

use std::time::Instant;

use icn_gateway::api::Job;
use icn_gateway::api::books::{
    Balance, Invited, JoinRequest, Movement, NewCurrency, NewInvitation, NewSpace, OrderStatus, Space, Way,
};
use icn_types::{Did, Page};
use serde::Serialize;

use super::nodes::{DemoNode, Nodes};
use super::story::Story;
use super::{LOOK_PAUSE, MEETING_TIMEOUT};
use crate::client::{BooksClient, Query};
use crate::error::CliError;

/// What the demonstration's co-op is called.
const NAME: &str = "Demo Co-op";

/// What was paid for the job, as both sides have it in their books.
#[derive(Debug, Serialize)]
pub(super) struct Payment {
    space: Did,
    pub(super) reference: String,
    pub(super) amount: String,
    pub(super) status: OrderStatus,
    pub(super) payer: Side,
    pub(super) payee: Side,
    /// Whether both nodes have the same books.
    pub(super) agree: bool,
}

/// One side of a payment.
#[derive(Debug, Serialize)]
pub(super) struct Side {
    pub(super) did: Did,
    pub(super) balance: String,
}

impl Payment {
    /// Tells whether the books are as they should be.
    pub(super) fn is_good(&self) -> bool {
        self.agree
    }
}

/// Founds a co-op at the first node and lets the others join.
pub(super) async fn found(story: &Story<'_>, nodes: &Nodes) -> Result<Space, CliError> {
    story.title("Founding a co-op");
    let first = nodes.submitter()?;
    let request = NewSpace {
        name: NAME.to_owned(),
        nickname: Some("node-0".to_owned()),
        currency: Some(NewCurrency { code: "hours".to_owned(), decimals: Some(0) }),
        identity: None,
    };
    let space = first.client.create_space(&request).await?;
    story.say(&format!("{NAME}, with the currency `hours`: {}", space.id));
    let books = BooksClient::new(first.client.clone(), &space.id.to_string());
    let invited: Invited = books.invite(&NewInvitation::default()).await?;
    for (number, node) in nodes.iter().enumerate().skip(1) {
        let request = JoinRequest {
            invitation: invited.invitation.clone(),
            nickname: Some(format!("node-{number}")),
            identity: None,
        };
        node.client.join_space(&request).await?;
        story.say(&format!("{} has joined as node-{number}", node.file.did.short()));
    }
    let members = nodes.iter().count() as u64;
    wait(nodes, "knows every member", async || {
        for node in nodes.iter() {
            if books_of(node, &space).space().await?.members < members {
                return Ok(None);
            }
        }
        Ok(Some(()))
    })
    .await?;
    Ok(space)
}

/// Waits until the job is paid, and shows what both nodes have in their books.
pub(super) async fn payment(
    story: &Story<'_>,
    nodes: &Nodes,
    space: &Space,
    job: &Job,
) -> Result<Option<Payment>, CliError> {
    let payer = nodes.submitter()?;
    let Some(payee) = nodes.iter().find(|node| Some(node.file.did) == job.executor) else { return Ok(None) };
    story.title("Paying");
    let paid = wait(nodes, "has the payment in its books", async || {
        let seen_by_payee = last_payment(payee, space, Way::In).await?;
        let seen_by_payer = last_payment(payer, space, Way::Out).await?;
        Ok(seen_by_payer.zip(seen_by_payee).map(|(movement, _)| movement))
    })
    .await?;
    let payment = Payment {
        space: space.id,
        reference: paid.reference,
        amount: paid.amount.text,
        status: paid.status,
        payer: side(payer, space).await?,
        payee: side(payee, space).await?,
        agree: wait(nodes, "has the same books", async || {
            let (one, other) =
                (books_of(payer, space).verify().await?, books_of(payee, space).verify().await?);
            Ok((one.ok && other.ok && one.digest == other.digest).then_some(true))
        })
        .await?,
    };
    story.payment(&payment);
    Ok(Some(payment))
}

fn books_of(node: &DemoNode, space: &Space) -> BooksClient {
    BooksClient::new(node.client.clone(), &space.id.to_string())
}

/// Finds the latest payment that was accepted.
async fn last_payment(node: &DemoNode, space: &Space, way: Way) -> Result<Option<Movement>, CliError> {
    let history: Page<Movement> = books_of(node, space).get("history", &Query::new()).await?;
    let is_paid = |movement: &Movement| {
        matches!(movement.status, OrderStatus::Accepted | OrderStatus::Certified | OrderStatus::Sealed)
    };
    Ok(history.items.into_iter().find(|movement| movement.way == way && is_paid(movement)))
}

async fn side(node: &DemoNode, space: &Space) -> Result<Side, CliError> {
    let balances: Page<Balance> = books_of(node, space).get("balances", &Query::new()).await?;
    let balance = balances.items.first().map_or_else(String::new, |balance| balance.balance.text.clone());
    Ok(Side { did: node.file.did, balance })
}

/// Looks at something until it is there.
async fn wait<T>(
    nodes: &Nodes,
    what: &str,
    mut look: impl AsyncFnMut() -> Result<Option<T>, CliError>,
) -> Result<T, CliError> {
    let deadline = Instant::now() + MEETING_TIMEOUT;
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        if Instant::now() > deadline {
            let seconds = MEETING_TIMEOUT.as_secs();
            return Err(CliError::Failed(format!(
                "after {seconds} s not every node {what}: {}",
                nodes.log_hint()
            )));
        }
        tokio::time::sleep(LOOK_PAUSE).await;
    }
}
