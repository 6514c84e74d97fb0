//! The common books of the node as the API sees them.
//!
//! Whatever is read is read from the replica under its lock, which is never held while something is waited for; whatever
//! is written goes through the loop that owns the replica, and is durable before it is answered.

mod acts;
mod audit;
mod convert;
mod disputes;
mod elsewhere;
mod export;
mod find;
mod follow;
mod following;
mod grants;
mod health;
mod identities;
mod invitations;
mod members;
mod money;
mod orders;
mod post;
mod read;
mod spaces;
mod standings;
mod statement;
mod steps;
mod treasuries;
mod verify;
mod who;
pub(super) mod words;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use icn_gateway::api::books::{
    AskRequest, Asked, Balance, Books, Budget, BudgetRequest, DebtClaim, DemurrageRule, Dispute,
    DisputeRequest, DisputeStepRequest, EntryStream, EntryView, Explain, Explanation, Export, FollowRequest,
    Fork, GrantRequest, Granted, HoldRequest, Invited, JoinRequest, LedgerHealth, LedgerVerdict, Listing,
    Member, Misbehaviour, Movement, NewIdentity, NewInvitation, NewSpace, Order, OrderTurn, OwnIdentity,
    PayRequest, PrepareRequest, Proposal, ProposalRequest, ProposalTurn, Quarantined, RuleRequest, Seal,
    Space, SplitRequest, Standing, StandingRequest, StatementRequest, Transfer, TurnRequest, UnfollowRequest,
    Unfollowed, WitnessSet, Written,
};
use icn_gateway::api::{ByteStream, Problem};
use icn_types::Page;

use crate::core::Node;

/// The books behind the API.
pub(crate) struct BooksFace(pub(crate) Arc<Node>);

#[async_trait]
impl Books for BooksFace {
    async fn identities(&self, part: Listing) -> Result<Page<OwnIdentity>, Problem> {
        self.list_identities(&part).await
    }

    async fn create_identity(&self, request: NewIdentity) -> Result<OwnIdentity, Problem> {
        self.new_identity(request).await
    }

    async fn spaces(&self, part: Listing) -> Result<Page<Space>, Problem> {
        self.list_spaces(&part).await
    }

    async fn create_space(&self, request: NewSpace) -> Result<Space, Problem> {
        self.found_space(request).await
    }

    async fn join_space(&self, request: JoinRequest) -> Result<Space, Problem> {
        self.take_up(request).await
    }

    async fn follow_space(&self, request: FollowRequest) -> Result<Space, Problem> {
        self.follow_books(request).await
    }

    async fn unfollow_space(&self, request: UnfollowRequest) -> Result<Unfollowed, Problem> {
        self.unfollow_books(request).await
    }

    async fn space(&self, space: &str) -> Result<Space, Problem> {
        self.show_one_space(space).await
    }

    async fn invite(&self, space: &str, request: NewInvitation) -> Result<Invited, Problem> {
        self.make_invitation(space, request).await
    }

    async fn members(&self, space: &str, part: Listing) -> Result<Page<Member>, Problem> {
        self.list_members(space, &part)
    }

    async fn rule(&self, space: &str, request: RuleRequest) -> Result<Written, Problem> {
        self.set_rule(space, request).await
    }

    async fn grant(&self, space: &str, request: GrantRequest) -> Result<Granted, Problem> {
        self.grant_lines(space, request).await
    }

    async fn witnesses(&self, space: &str) -> Result<WitnessSet, Problem> {
        self.show_witnesses(space)
    }

    async fn balances(&self, space: &str, part: Listing) -> Result<Page<Balance>, Problem> {
        self.list_balances(space, &part).await
    }

    async fn history(&self, space: &str, part: Listing) -> Result<Page<Movement>, Problem> {
        self.list_history(space, &part).await
    }

    async fn limits(&self, space: &str, part: Listing) -> Result<Page<Explanation>, Problem> {
        self.list_limits(space, &part).await
    }

    async fn explain(&self, space: &str, question: Explain) -> Result<Explanation, Problem> {
        self.explain_spending(space, question).await
    }

    async fn pay(&self, space: &str, request: PayRequest) -> Result<Order, Problem> {
        self.make_payment(space, request).await
    }

    async fn ask(&self, space: &str, request: AskRequest) -> Result<Asked, Problem> {
        self.ask_for(space, request).await
    }

    async fn requests(&self, space: &str, part: Listing) -> Result<Page<Asked>, Problem> {
        self.list_requests(space, &part).await
    }

    async fn decline_request(
        &self,
        space: &str,
        reference: &str,
        request: TurnRequest,
    ) -> Result<Asked, Problem> {
        self.refuse_request(space, reference, request).await
    }

    async fn place_hold(&self, space: &str, request: HoldRequest) -> Result<Order, Problem> {
        self.make_hold(space, request).await
    }

    async fn holds(&self, space: &str, part: Listing) -> Result<Page<Order>, Problem> {
        self.list_holds(space, &part).await
    }

    async fn order(&self, space: &str, reference: &str) -> Result<Order, Problem> {
        self.show_order(space, reference).await
    }

    async fn turn(
        &self,
        space: &str,
        reference: &str,
        turn: OrderTurn,
        request: TurnRequest,
    ) -> Result<Order, Problem> {
        self.take_turn(space, reference, turn, request).await
    }

    async fn split(&self, space: &str, request: SplitRequest) -> Result<Vec<Order>, Problem> {
        self.pay_several(space, request).await
    }

    async fn standings(&self, space: &str, part: Listing) -> Result<Page<Standing>, Problem> {
        self.list_standings(space, &part).await
    }

    async fn place_standing(&self, space: &str, request: StandingRequest) -> Result<Standing, Problem> {
        self.new_standing(space, request).await
    }

    async fn end_standing(
        &self,
        space: &str,
        reference: &str,
        request: TurnRequest,
    ) -> Result<Standing, Problem> {
        self.close_standing(space, reference, request).await
    }

    async fn proposals(&self, space: &str, part: Listing) -> Result<Page<Proposal>, Problem> {
        self.list_proposals(space, &part).await
    }

    async fn propose(&self, space: &str, request: ProposalRequest) -> Result<Proposal, Problem> {
        self.make_proposal(space, request).await
    }

    async fn proposal(&self, space: &str, reference: &str) -> Result<Proposal, Problem> {
        self.show_proposal(space, reference)
    }

    async fn turn_proposal(
        &self,
        space: &str,
        reference: &str,
        turn: ProposalTurn,
        request: TurnRequest,
    ) -> Result<Proposal, Problem> {
        self.take_proposal_turn(space, reference, turn, request).await
    }

    async fn budgets(&self, space: &str, part: Listing) -> Result<Page<Budget>, Problem> {
        self.list_budgets(space, &part).await
    }

    async fn allot_budget(&self, space: &str, request: BudgetRequest) -> Result<Budget, Problem> {
        self.new_budget(space, request).await
    }

    async fn end_budget(
        &self,
        space: &str,
        reference: &str,
        request: TurnRequest,
    ) -> Result<Budget, Problem> {
        self.close_budget(space, reference, request).await
    }

    async fn transfers(&self, space: &str, part: Listing) -> Result<Page<Transfer>, Problem> {
        self.list_transfers(space, &part).await
    }

    async fn demurrage(&self, space: &str, part: Listing) -> Result<Page<DemurrageRule>, Problem> {
        self.list_demurrage(space, &part)
    }

    async fn disputes(&self, space: &str, part: Listing) -> Result<Page<Dispute>, Problem> {
        self.list_disputes(space, &part).await
    }

    async fn file_dispute(&self, space: &str, request: DisputeRequest) -> Result<Dispute, Problem> {
        self.open_dispute(space, request).await
    }

    async fn dispute(&self, space: &str, reference: &str) -> Result<Dispute, Problem> {
        self.show_dispute(space, reference).await
    }

    async fn dispute_step(
        &self,
        space: &str,
        reference: &str,
        request: DisputeStepRequest,
    ) -> Result<Dispute, Problem> {
        self.take_step(space, reference, request).await
    }

    async fn entries(&self, space: &str, part: Listing) -> Result<Page<EntryView>, Problem> {
        self.list_entries(space, &part).await
    }

    async fn follow(&self, space: &str) -> Result<EntryStream, Problem> {
        self.follow_entries(space)
    }

    async fn prepare(&self, space: &str, request: PrepareRequest) -> Result<Bytes, Problem> {
        self.prepare_entry(space, request)
    }

    async fn append(&self, space: &str, entry: Bytes) -> Result<Written, Problem> {
        self.append_entry(space, entry).await
    }

    async fn forks(&self, space: &str, part: Listing) -> Result<Page<Fork>, Problem> {
        self.list_forks(space, &part)
    }

    async fn claims(&self, space: &str, part: Listing) -> Result<Page<DebtClaim>, Problem> {
        self.list_claims(space, &part)
    }

    async fn quarantine(&self, space: &str, part: Listing) -> Result<Page<Quarantined>, Problem> {
        self.list_quarantine(space, &part)
    }

    async fn misbehaviour(&self, space: &str, part: Listing) -> Result<Page<Misbehaviour>, Problem> {
        self.list_misbehaviour(space, &part)
    }

    async fn seals(&self, space: &str, part: Listing) -> Result<Page<Seal>, Problem> {
        self.list_seals(space, &part)
    }

    async fn verify(&self, space: &str) -> Result<LedgerVerdict, Problem> {
        self.verify_books(space).await
    }

    async fn export(&self, space: &str, wanted: Export) -> Result<ByteStream, Problem> {
        self.export_books(space, wanted).await
    }

    async fn health(&self, space: &str, currency: Option<String>) -> Result<LedgerHealth, Problem> {
        self.judge_health(space, currency).await
    }

    async fn statement(&self, space: &str, wanted: StatementRequest) -> Result<ByteStream, Problem> {
        self.write_statement(space, wanted).await
    }
}
