//! What treasuries are asked to do, and their budgets.

use icn_types::{Cid, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Amount, Every, Party, Rule, Share};

/// Something that a treasury is asked to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProposalRequest {
    /// Which treasury, as people name it.
    pub treasury: String,
    /// What.
    pub act: Proposed,
    /// The budget that pays for it. When absent, one of whoever asks that covers it is taken, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<String>,
    /// After how many seconds it lapses, by sealed time; absent: when it is withdrawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_seconds: Option<u64>,
    /// A word of the client's choice: a second request with it is the first one again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The own identity that asks.
    #[serde(rename = "as", default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
}

/// What a treasury is asked to do: `{"pay": {"to": "bob", "amount": "5 hours"}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Proposed {
    /// Pays a member.
    Pay {
        /// Whom.
        to: String,
        /// How much, such as `2.50 hours`.
        amount: String,
        /// For people.
        #[serde(default)]
        memo: Option<String>,
    },
    /// Pays several at once.
    Split {
        /// How much altogether.
        amount: String,
        /// Among whom; empty: all other members, each the same.
        #[serde(default)]
        shares: Vec<Share>,
        /// For people.
        #[serde(default)]
        memo: Option<String>,
    },
    /// Places a standing order.
    Standing {
        /// Whom it pays.
        to: String,
        /// How much each time.
        amount: String,
        /// For people; each payment carries it.
        #[serde(default)]
        memo: Option<String>,
        /// How often.
        every: Every,
        /// When the first payment is due; now when absent.
        #[serde(default)]
        start: Option<Timestamp>,
        /// How many payments at most.
        #[serde(default)]
        count: Option<u32>,
        /// Nothing is due after this time.
        #[serde(default)]
        until: Option<Timestamp>,
        /// The budget that its payments are within: without one they are refused when due.
        #[serde(default)]
        budget: Option<String>,
    },
    /// Ends a standing order of the treasury.
    EndStanding {
        /// Which.
        standing: String,
    },
    /// Allots a budget.
    Budget(BudgetTerms),
    /// Ends a budget.
    EndBudget {
        /// Which.
        budget: String,
    },
    /// Sets a rule of the space, if the treasury is a steward.
    Rule(Box<Rule>),
}

/// What became of a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProposalStatus {
    /// It waits: for approvals, or for the treasury's node.
    Waiting,
    /// The treasury has done it.
    Enacted,
    /// Whoever proposed it ended it.
    Withdrawn,
    /// Its time is over.
    Expired,
}

impl ProposalStatus {
    /// Returns the word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Enacted => "enacted",
            Self::Withdrawn => "withdrawn",
            Self::Expired => "expired",
        }
    }
}

/// What a treasury is asked to do, and how far that has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// Which: `<CID of the entry>#<number of the act>`.
    #[serde(rename = "ref")]
    pub reference: String,
    /// Which treasury.
    pub treasury: Party,
    /// Who proposed it.
    pub by: Party,
    /// What it does, an act in each line.
    pub does: Vec<String>,
    /// The budget that it names.
    pub budget: Option<String>,
    /// When it lapses.
    pub expires: Option<Timestamp>,
    /// When it was proposed, by the clock of whoever did.
    pub at: Timestamp,
    /// Who may approve it.
    pub approvers: Vec<Party>,
    /// Who of them does.
    pub approved: Vec<Party>,
    /// How many of them must, unless the budget covers it.
    pub needed: u32,
    /// What became of it.
    pub status: ProposalStatus,
    /// The treasury's entry that did it.
    pub entry: Option<Cid>,
    /// While it waits: which rule would refuse it even if it were approved, as this node sees it.
    pub trouble: Option<String>,
}

/// What somebody says of a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProposalTurn {
    /// An approver approves it.
    Approve,
    /// An approver takes the approval back; whoever proposed it ends it.
    Withdraw,
}

/// A budget to allot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BudgetTerms {
    /// Who may spend it; absent: only standing orders of the treasury do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
    /// How much in each period, such as `50 hours`.
    pub amount: String,
    /// What it is for, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// How long a period is; absent: the sum is there once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Every>,
    /// When the first period begins; now when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Timestamp>,
    /// When it ends, by sealed time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// Allots a budget, as a steward.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BudgetRequest {
    /// Of which treasury, as people name it.
    pub treasury: String,
    /// What is allotted.
    pub terms: BudgetTerms,
    /// A word of the client's choice: a second request with it is the first one again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The steward that does it.
    #[serde(rename = "as", default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
}

/// A budget, and what is left of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Which: `<CID of the entry>#<number of the act>`.
    #[serde(rename = "ref")]
    pub reference: String,
    /// Of which treasury.
    pub treasury: Party,
    /// Who may spend it; absent: only standing orders of the treasury do.
    pub holder: Option<Party>,
    /// What it is for, for people.
    pub purpose: Option<String>,
    /// How much in each period.
    pub amount: Amount,
    /// How long a period is; absent: there is one.
    pub every: Option<Every>,
    /// When the first period begins.
    pub start: Timestamp,
    /// When the budget ends, by sealed time.
    pub until: Option<Timestamp>,
    /// What was spent in the period that the last seal lies in.
    pub spent: Amount,
    /// What is left in it.
    pub left: Amount,
    /// When that period ends.
    pub period_ends: Option<Timestamp>,
    /// Whether it is over: somebody ended it, or its time has come.
    pub ended: bool,
}
