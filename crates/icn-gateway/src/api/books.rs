//! What the API asks of common books, and the JSON that goes over it.
//!
//! Members are named as people name them: by DID, by a nickname that only one member of the space has, or by the name
//! of an identity of this node. Amounts are read as text (`2.50 hours`) and answered as [`Amount`]: the text, and the
//! whole number of the currency's smallest unit.

mod amount;
mod audit;
mod dispute;
mod health;
mod ledger;
mod names;
mod order;
mod rule;
mod space;
mod standing;
mod statement;
mod treasury;

use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use futures::Stream;
use icn_types::Page;

pub use self::amount::{Amount, amount_text};
pub use self::audit::{
    Branch, CurrencySum, DebtClaim, EntryView, Export, ExportFormat, Fork, JudgedAct, LedgerVerdict,
    Misbehaviour, Quarantined, Seal,
};
pub use self::dispute::{
    Dispute, DisputeOutcome, DisputeRequest, DisputeStatus, DisputeStep, DisputeStepRequest, Exhibit,
};
pub use self::health::{HealthFigure, HealthLevel, HealthSign, HealthUnit, LedgerHealth, NamedFigure};
pub use self::ledger::{Balance, Explain, Explanation, Listing, Movement, PrepareRequest, Way};
pub use self::names::{find_member, find_space};
pub use self::order::{
    AskRequest, AskStatus, Asked, HoldRequest, Order, OrderKind, OrderStatus, OrderStep, OrderTurn,
    PayRequest, TurnRequest,
};
pub use self::rule::{
    CreditRules, FinalityLevel, FinalityTier, Grant, GrantRequest, Granted, Rule, RuleRequest, SpaceRules,
    Written,
};
pub use self::space::{
    Currency, FollowRequest, Invited, JoinRequest, Member, NewCurrency, NewIdentity, NewInvitation, NewSpace,
    OwnIdentity, OwnMember, Party, Space, SpaceState, UnfollowRequest, Unfollowed, WitnessSet,
};
pub use self::standing::{DemurrageRule, Every, Share, SplitRequest, Standing, StandingRequest, Transfer};
pub use self::statement::{StatementFormat, StatementRequest};
pub use self::treasury::{
    Budget, BudgetRequest, BudgetTerms, Proposal, ProposalRequest, ProposalStatus, ProposalTurn, Proposed,
};
use super::{ByteStream, Problem};

/// Entries as they come, and again when they are certified; without end.
pub type EntryStream = Pin<Box<dyn Stream<Item = EntryView> + Send>>;

/// The common books of a node: its identities, its spaces and their ledgers.
///
/// `space` is a root DID, a beginning of its base58 that no other space of this node shares, or the name of the space
/// if only one has it ([`find_space`]). Where a request names nobody (`as`), the node's own identity acts if it is a
/// member, else the only member that this node has. A refusal by a rule of the space is a [`Problem`] with status 403
/// and, where a limit was met, an explanation.
#[async_trait]
pub trait Books: Send + Sync + 'static {
    /// Lists the identities in the node's keystore, its own first, then by name.
    async fn identities(&self, part: Listing) -> Result<Page<OwnIdentity>, Problem>;
    /// Makes an identity. Fails with 409 `identity-exists` when the name is taken.
    async fn create_identity(&self, request: NewIdentity) -> Result<OwnIdentity, Problem>;

    /// Lists the spaces that this node keeps books of, by name.
    async fn spaces(&self, part: Listing) -> Result<Page<Space>, Problem>;
    /// Founds a space and brings in its first currency.
    async fn create_space(&self, request: NewSpace) -> Result<Space, Problem>;
    /// Takes up an invitation: fetches the books and writes the new member's first entry.
    async fn join_space(&self, request: JoinRequest) -> Result<Space, Problem>;
    /// Opens a space for reading whose members trust this node enough; fetches the books. Fails with 503 `not-read-yet` as long as
    /// nobody shows them, and goes on.
    async fn follow_space(&self, request: FollowRequest) -> Result<Space, Problem>;
    /// Stops reading a space, and deletes the books if that is wanted. Fails with 409 `is-member` where a member of it is on this
    /// node, and with 404 `not-followed`.
    async fn unfollow_space(&self, request: UnfollowRequest) -> Result<Unfollowed, Problem>;
    /// Shows one space.
    async fn space(&self, space: &str) -> Result<Space, Problem>;
    /// Makes an invitation. Stewards only.
    async fn invite(&self, space: &str, request: NewInvitation) -> Result<Invited, Problem>;
    /// Lists the members, by nickname, then by DID.
    async fn members(&self, space: &str, part: Listing) -> Result<Page<Member>, Problem>;
    /// Writes a rule act. Stewards only.
    async fn rule(&self, space: &str, request: RuleRequest) -> Result<Written, Problem>;
    /// Grants credit lines as the policies of the currencies suggest them now, where they are higher than those that stand.
    /// Stewards only.
    async fn grant(&self, space: &str, request: GrantRequest) -> Result<Granted, Problem>;
    /// Shows the witness set that counts now.
    async fn witnesses(&self, space: &str) -> Result<WitnessSet, Problem>;

    /// Lists balances: of one account in every currency, or of all accounts (`all`).
    async fn balances(&self, space: &str, part: Listing) -> Result<Page<Balance>, Problem>;
    /// Lists what one account received and gave, newest first.
    async fn history(&self, space: &str, part: Listing) -> Result<Page<Movement>, Problem>;
    /// Explains the credit line of one account in each currency, or in one.
    async fn limits(&self, space: &str, part: Listing) -> Result<Page<Explanation>, Problem>;
    /// Explains whether an account can spend an amount, by which rule, and what would change it.
    async fn explain(&self, space: &str, question: Explain) -> Result<Explanation, Problem>;

    /// Pays. The same `key` a second time gives the order of the first time.
    async fn pay(&self, space: &str, request: PayRequest) -> Result<Order, Problem>;
    /// Asks a member for a payment.
    async fn ask(&self, space: &str, request: AskRequest) -> Result<Asked, Problem>;
    /// Lists requests to and by one account, newest first; `all`: those that are no longer open, too.
    async fn requests(&self, space: &str, part: Listing) -> Result<Page<Asked>, Problem>;
    /// Refuses a request. Only whoever was asked can.
    async fn decline_request(
        &self,
        space: &str,
        reference: &str,
        request: TurnRequest,
    ) -> Result<Asked, Problem>;
    /// Sets credit aside for a payee.
    async fn place_hold(&self, space: &str, request: HoldRequest) -> Result<Order, Problem>;
    /// Lists holds for and by one account, newest first; `all`: those that have ended, too.
    async fn holds(&self, space: &str, part: Listing) -> Result<Page<Order>, Problem>;
    /// Shows a payment or hold with its steps, found by its reference or a unique beginning of it.
    async fn order(&self, space: &str, reference: &str) -> Result<Order, Problem>;
    /// Takes a payment or hold one step further.
    async fn turn(
        &self,
        space: &str,
        reference: &str,
        turn: OrderTurn,
        request: TurnRequest,
    ) -> Result<Order, Problem>;

    /// Pays several at once, in one entry: all of it is sent or none.
    async fn split(&self, space: &str, request: SplitRequest) -> Result<Vec<Order>, Problem>;
    /// Lists the standing orders of one account, oldest first; `all`: those that have ended, too.
    async fn standings(&self, space: &str, part: Listing) -> Result<Page<Standing>, Problem>;
    /// Places a standing order: this node pays whenever it is due.
    async fn place_standing(&self, space: &str, request: StandingRequest) -> Result<Standing, Problem>;
    /// Ends a standing order, found by its reference or a beginning of it. Only its payer can.
    async fn end_standing(
        &self,
        space: &str,
        reference: &str,
        request: TurnRequest,
    ) -> Result<Standing, Problem>;
    /// Lists what treasuries are asked to do, newest first: one treasury (`account`), or all; `all`: what is over, too.
    async fn proposals(&self, space: &str, part: Listing) -> Result<Page<Proposal>, Problem>;
    /// Asks a treasury to do something. For the treasury itself, its approvers, and holders of its budgets.
    async fn propose(&self, space: &str, request: ProposalRequest) -> Result<Proposal, Problem>;
    /// Shows a proposal, found by its reference or a beginning of it.
    async fn proposal(&self, space: &str, reference: &str) -> Result<Proposal, Problem>;
    /// Approves a proposal, or takes that back.
    async fn turn_proposal(
        &self,
        space: &str,
        reference: &str,
        turn: ProposalTurn,
        request: TurnRequest,
    ) -> Result<Proposal, Problem>;
    /// Lists budgets of treasuries, oldest first: of one treasury (`account`), or of all; `all`: those that have ended, too.
    async fn budgets(&self, space: &str, part: Listing) -> Result<Page<Budget>, Problem>;
    /// Allots a budget. Stewards only; approvers propose it.
    async fn allot_budget(&self, space: &str, request: BudgetRequest) -> Result<Budget, Problem>;
    /// Ends a budget. For stewards and its holder; approvers propose it.
    async fn end_budget(&self, space: &str, reference: &str, request: TurnRequest)
    -> Result<Budget, Problem>;
    /// Lists what seals and acts of others have moved into and out of one account, newest first.
    async fn transfers(&self, space: &str, part: Listing) -> Result<Page<Transfer>, Problem>;
    /// Lists how idle balances are charged, by currency.
    async fn demurrage(&self, space: &str, part: Listing) -> Result<Page<DemurrageRule>, Problem>;
    /// Lists disputes, newest first; `all`: those that are over, too.
    async fn disputes(&self, space: &str, part: Listing) -> Result<Page<Dispute>, Problem>;
    /// Opens a dispute about an accepted payment. For its payer and payee.
    async fn file_dispute(&self, space: &str, request: DisputeRequest) -> Result<Dispute, Problem>;
    /// Shows a dispute, found by its reference, that of the payment, or a unique beginning of one.
    async fn dispute(&self, space: &str, reference: &str) -> Result<Dispute, Problem>;
    /// Takes a dispute one step further.
    async fn dispute_step(
        &self,
        space: &str,
        reference: &str,
        request: DisputeStepRequest,
    ) -> Result<Dispute, Problem>;

    /// Lists entries, newest first by arrival here; with `account`, that author's only.
    async fn entries(&self, space: &str, part: Listing) -> Result<Page<EntryView>, Problem>;
    /// Follows the books from now on: each entry once it is applied and durable here, and again once a quorum of witnesses
    /// has certified it. The stream ends with the node, and when its reader takes less than comes: the entries that it
    /// missed are in the list.
    async fn follow(&self, space: &str) -> Result<EntryStream, Problem>;
    /// Prepares an entry for an author whose key is elsewhere, and gives the canonical bytes to be signed.
    async fn prepare(&self, space: &str, request: PrepareRequest) -> Result<Bytes, Problem>;
    /// Takes the DAG-CBOR bytes of an entry that was signed elsewhere. Durable before it answers.
    async fn append(&self, space: &str, entry: Bytes) -> Result<Written, Problem>;

    /// Lists places at which an author signed two entries.
    async fn forks(&self, space: &str, part: Listing) -> Result<Page<Fork>, Problem>;
    /// Lists what members owe outside the books because an accepted payment was voided.
    async fn claims(&self, space: &str, part: Listing) -> Result<Page<DebtClaim>, Problem>;
    /// Lists acts that do not count now but may later.
    async fn quarantine(&self, space: &str, part: Listing) -> Result<Page<Quarantined>, Problem>;
    /// Lists recorded misbehaviour with its evidence, newest first.
    async fn misbehaviour(&self, space: &str, part: Listing) -> Result<Page<Misbehaviour>, Problem>;
    /// Lists sealed epochs, newest first.
    async fn seals(&self, space: &str, part: Listing) -> Result<Page<Seal>, Problem>;
    /// Computes everything again from the entries and compares.
    async fn verify(&self, space: &str) -> Result<LedgerVerdict, Problem>;
    /// Writes the books, or those of one account, in a format that other programs read.
    async fn export(&self, space: &str, wanted: Export) -> Result<ByteStream, Problem>;
    /// Judges how healthy a currency is: the one that is named, or the only one.
    async fn health(&self, space: &str, currency: Option<String>) -> Result<LedgerHealth, Problem>;
    /// Writes the statement of one account in one currency over a period.
    async fn statement(&self, space: &str, wanted: StatementRequest) -> Result<ByteStream, Problem>;
}
