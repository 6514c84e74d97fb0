//! Common books that refuse everything and say in the refusal what they were asked.

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use icn_gateway::api::books::*;
use icn_gateway::api::{ByteStream, Problem};
use icn_types::{Cid, Page, Timestamp};
use serde_json::{Value, json};

/// The fake.
pub(crate) struct FakeBooks;

fn called(what: &str, space: &str, with: Value) -> Problem {
    Problem::new(409, "called", format!("{what} {space} {with}"))
}

fn part(part: &Listing) -> Value {
    json!([part.account, part.currency, part.identity, part.all, part.offset, part.limit])
}

type Got<T> = Result<T, Problem>;

#[async_trait]
impl Books for FakeBooks {
    async fn identities(&self, listing: Listing) -> Got<Page<OwnIdentity>> {
        Err(called("identities", "-", part(&listing)))
    }
    async fn create_identity(&self, request: NewIdentity) -> Got<OwnIdentity> {
        Ok(OwnIdentity { name: request.name, did: None, node: false, locked: request.passphrase.is_some() })
    }
    async fn spaces(&self, listing: Listing) -> Got<Page<Space>> {
        Err(called("spaces", "-", part(&listing)))
    }
    async fn create_space(&self, request: NewSpace) -> Got<Space> {
        Err(called("create_space", "-", json!(request)))
    }
    async fn join_space(&self, request: JoinRequest) -> Got<Space> {
        Err(called("join_space", "-", json!(request)))
    }
    async fn follow_space(&self, request: FollowRequest) -> Got<Space> {
        Err(called("follow_space", "-", json!(request)))
    }
    async fn unfollow_space(&self, request: UnfollowRequest) -> Got<Unfollowed> {
        Err(called("unfollow_space", &request.space, json!(request.delete)))
    }
    async fn space(&self, space: &str) -> Got<Space> {
        Err(called("space", space, json!(null)))
    }
    async fn invite(&self, space: &str, request: NewInvitation) -> Got<Invited> {
        Err(called("invite", space, json!(request)))
    }
    async fn members(&self, space: &str, listing: Listing) -> Got<Page<Member>> {
        Err(called("members", space, part(&listing)))
    }
    async fn grant(&self, space: &str, request: GrantRequest) -> Got<Granted> {
        Err(called("grant", space, json!(request)))
    }
    async fn rule(&self, space: &str, request: RuleRequest) -> Got<Written> {
        Err(called("rule", space, json!(request.act)))
    }
    async fn witnesses(&self, space: &str) -> Got<WitnessSet> {
        Err(called("witnesses", space, json!(null)))
    }
    async fn split(&self, space: &str, request: SplitRequest) -> Got<Vec<Order>> {
        Err(called("split", space, json!(request)))
    }
    async fn standings(&self, space: &str, listing: Listing) -> Got<Page<Standing>> {
        Err(called("standings", space, part(&listing)))
    }
    async fn place_standing(&self, space: &str, request: StandingRequest) -> Got<Standing> {
        Err(called("place_standing", space, json!(request)))
    }
    async fn end_standing(&self, space: &str, reference: &str, request: TurnRequest) -> Got<Standing> {
        Err(called("end_standing", space, json!([reference, request.key])))
    }
    async fn proposals(&self, space: &str, listing: Listing) -> Got<Page<Proposal>> {
        Err(called("proposals", space, part(&listing)))
    }
    async fn propose(&self, space: &str, request: ProposalRequest) -> Got<Proposal> {
        Err(called("propose", space, json!(request)))
    }
    async fn proposal(&self, space: &str, reference: &str) -> Got<Proposal> {
        Err(called("proposal", space, json!(reference)))
    }
    async fn turn_proposal(
        &self,
        space: &str,
        reference: &str,
        turn: ProposalTurn,
        request: TurnRequest,
    ) -> Got<Proposal> {
        Err(called("turn_proposal", space, json!([reference, format!("{turn:?}"), request.key])))
    }
    async fn budgets(&self, space: &str, listing: Listing) -> Got<Page<Budget>> {
        Err(called("budgets", space, part(&listing)))
    }
    async fn allot_budget(&self, space: &str, request: BudgetRequest) -> Got<Budget> {
        Err(called("allot_budget", space, json!(request)))
    }
    async fn end_budget(&self, space: &str, reference: &str, request: TurnRequest) -> Got<Budget> {
        Err(called("end_budget", space, json!([reference, request.key])))
    }
    async fn transfers(&self, space: &str, listing: Listing) -> Got<Page<Transfer>> {
        Err(called("transfers", space, part(&listing)))
    }
    async fn demurrage(&self, space: &str, listing: Listing) -> Got<Page<DemurrageRule>> {
        Err(called("demurrage", space, part(&listing)))
    }
    async fn disputes(&self, space: &str, listing: Listing) -> Got<Page<Dispute>> {
        Err(called("disputes", space, part(&listing)))
    }
    async fn file_dispute(&self, space: &str, request: DisputeRequest) -> Got<Dispute> {
        Err(called("file_dispute", space, json!([request.order, request.reason])))
    }
    async fn dispute(&self, space: &str, reference: &str) -> Got<Dispute> {
        Err(called("dispute", space, json!(reference)))
    }
    async fn dispute_step(&self, space: &str, reference: &str, request: DisputeStepRequest) -> Got<Dispute> {
        Err(called("dispute_step", space, json!([reference, request.step])))
    }
    async fn balances(&self, space: &str, listing: Listing) -> Got<Page<Balance>> {
        Err(called("balances", space, part(&listing)))
    }
    async fn history(&self, space: &str, listing: Listing) -> Got<Page<Movement>> {
        Err(called("history", space, part(&listing)))
    }
    async fn limits(&self, space: &str, listing: Listing) -> Got<Page<Explanation>> {
        Err(called("limits", space, part(&listing)))
    }
    async fn explain(&self, space: &str, question: Explain) -> Got<Explanation> {
        Err(called("explain", space, json!([question.account, question.currency, question.amount])))
    }
    async fn pay(&self, _space: &str, request: PayRequest) -> Got<Order> {
        let amount = Amount::parse(&request.amount, [("hours", 2)])?;
        let zero = || Amount::new(0, "hours", 2);
        let account = Party { did: super::did(), nickname: None };
        let explanation = Explanation {
            account,
            requested: Some(amount),
            allowed: Some(false),
            rule: "the line".to_owned(),
            line: zero(),
            line_from: None,
            booked: zero(),
            derived: None,
            reserved: zero(),
            pending: zero(),
            available: zero(),
            recommended: None,
            frozen: None,
            would_raise: vec![],
        };
        Err(Problem::refused("limit-exceeded", "too much").with_explanation(explanation))
    }
    async fn ask(&self, space: &str, request: AskRequest) -> Got<Asked> {
        Err(called("ask", space, json!(request.of)))
    }
    async fn requests(&self, space: &str, listing: Listing) -> Got<Page<Asked>> {
        Err(called("requests", space, part(&listing)))
    }
    async fn decline_request(&self, space: &str, reference: &str, request: TurnRequest) -> Got<Asked> {
        Err(called("decline_request", space, json!([reference, request.reason])))
    }
    async fn place_hold(&self, space: &str, request: HoldRequest) -> Got<Order> {
        Err(called("place_hold", space, json!(request.to)))
    }
    async fn holds(&self, space: &str, listing: Listing) -> Got<Page<Order>> {
        Err(called("holds", space, part(&listing)))
    }
    async fn order(&self, space: &str, reference: &str) -> Got<Order> {
        Err(called("order", space, json!(reference)))
    }
    async fn turn(&self, space: &str, reference: &str, turn: OrderTurn, request: TurnRequest) -> Got<Order> {
        Err(called("turn", space, json!([reference, turn, request.amount])))
    }
    async fn entries(&self, space: &str, listing: Listing) -> Got<Page<EntryView>> {
        Err(called("entries", space, part(&listing)))
    }
    async fn follow(&self, space: &str) -> Got<EntryStream> {
        if space != "Bakery" {
            return Err(called("follow", space, json!(null)));
        }
        let entry = |certified| EntryView {
            id: Cid::of_dag_cbor(b"entry"),
            author: Party { did: super::did(), nickname: None },
            seq: 1,
            at: Timestamp::default(),
            acts: Vec::new(),
            certified,
            sealed_in: None,
            forked: false,
        };
        Ok(futures::stream::iter([entry(false), entry(true)]).boxed())
    }
    async fn prepare(&self, _space: &str, request: PrepareRequest) -> Got<Bytes> {
        Ok(format!("{} acts", request.acts.len()).into())
    }
    async fn append(&self, space: &str, entry: Bytes) -> Got<Written> {
        Err(called("append", space, json!(entry.len())))
    }
    async fn forks(&self, space: &str, listing: Listing) -> Got<Page<Fork>> {
        Err(called("forks", space, part(&listing)))
    }
    async fn claims(&self, space: &str, listing: Listing) -> Got<Page<DebtClaim>> {
        Err(called("claims", space, part(&listing)))
    }
    async fn quarantine(&self, space: &str, listing: Listing) -> Got<Page<Quarantined>> {
        Err(called("quarantine", space, part(&listing)))
    }
    async fn misbehaviour(&self, space: &str, listing: Listing) -> Got<Page<Misbehaviour>> {
        Err(called("misbehaviour", space, part(&listing)))
    }
    async fn seals(&self, space: &str, listing: Listing) -> Got<Page<Seal>> {
        Err(called("seals", space, part(&listing)))
    }
    async fn verify(&self, space: &str) -> Got<LedgerVerdict> {
        Err(called("verify", space, json!(null)))
    }
    async fn export(&self, space: &str, wanted: Export) -> Got<ByteStream> {
        let text = format!("{space} {} {:?}", wanted.format, wanted.account);
        Ok(futures::stream::iter([Ok(Bytes::from(text))]).boxed())
    }
    async fn health(&self, space: &str, currency: Option<String>) -> Got<LedgerHealth> {
        Err(called("health", space, json!(currency)))
    }
    async fn statement(&self, space: &str, wanted: StatementRequest) -> Got<ByteStream> {
        let StatementRequest { account, identity, currency, from, to, month, format } = wanted;
        let text = format!("{space} {}", json!([account, identity, currency, from, to, month, format]));
        Ok(futures::stream::iter([Ok(Bytes::from(text))]).boxed())
    }
}
