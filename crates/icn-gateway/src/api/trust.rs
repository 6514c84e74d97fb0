//! What the API asks of trust and reputation, and the JSON that goes over it.
//!
//! Scores are parts per million of full trust in `score_ppm`; in requests they are text, such as `0.7` or `70%`. Members are
//! named as in [`super::books`].

use async_trait::async_trait;
use icn_types::{Cid, JobOutcome, Page, Timestamp, TrustContext};
use serde::{Deserialize, Serialize};

use super::Problem;
use super::books::{Party, Written};

/// Which edges of a graph are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EdgeListing {
    /// Only what this member says.
    pub from: Option<String>,
    /// Only what is said of this one.
    pub to: Option<String>,
    /// Only in this matter.
    pub context: Option<TrustContext>,
    /// How many to skip.
    pub offset: usize,
    /// How many to show.
    pub limit: usize,
}

/// How far a member trusts somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge {
    /// Who says it.
    pub from: Party,
    /// Of whom.
    pub to: Party,
    /// In which matter.
    pub context: TrustContext,
    /// How far.
    pub score_ppm: u32,
    /// When, by the clock of whoever says it.
    pub given: Timestamp,
    /// When it ends.
    pub expires: Option<Timestamp>,
    /// Whether it has ended by this node's clock.
    pub expired: bool,
    /// The act that says so, as `<CID of an entry>#<number of the act>`.
    pub act: String,
}

/// Says how far somebody is trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustRequest {
    /// Whom: a member, or anybody by DID.
    pub of: String,
    /// How far, such as `0.7` or `70%`; `0` takes back what was said.
    pub score: String,
    /// In which matter.
    #[serde(default)]
    pub context: TrustContext,
    /// After how many seconds it ends.
    #[serde(default)]
    pub expires_seconds: Option<u64>,
    /// For people.
    #[serde(default)]
    pub note: Option<String>,
    /// Who says it.
    #[serde(default, rename = "as")]
    pub identity: Option<String>,
    /// A word of the client's choice: a second request with it is the first one again.
    #[serde(default)]
    pub key: Option<String>,
}

/// Whose trust in whom is to be explained.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Question {
    /// From whose point of view; this node's, when absent.
    pub from: Option<String>,
    /// In whom.
    pub to: String,
    /// In which matter.
    pub context: TrustContext,
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Who trusts.
    pub from: Party,
    /// Whom.
    pub to: Party,
    /// What was said.
    pub said_ppm: u32,
    /// What is left of all steps so far, after decay.
    pub left_ppm: u32,
}

/// An edge that bounds the flow of trust.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CutEdge {
    /// Who trusts.
    pub from: Party,
    /// Whom.
    pub to: Party,
    /// How much it carries.
    pub capacity_ppm: u64,
}

/// What trust allows a DID to do on this node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowance {
    /// Messages a second, sustained.
    pub messages_per_second: u32,
    /// Messages at once.
    pub burst: u32,
    /// Streams open at once.
    pub streams_max: u32,
    /// Fuel that one job may be given.
    pub fuel_max: u64,
    /// Named rights; `["*"]` means all.
    pub capabilities: Vec<String>,
    /// Through whom it hangs, when it shares its limits with everybody behind the same member.
    pub shares_with: Option<Party>,
    /// What misbehaviour has led to: `none`, `warn`, `throttle`, `quarantine` or `ban`.
    pub action: String,
    /// Until when, for a ban.
    pub until: Option<Timestamp>,
}

/// Trust in somebody, with what shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// From whose point of view.
    pub from: Vec<Party>,
    /// In whom.
    pub to: Party,
    /// In which matter.
    pub context: TrustContext,
    /// The score of the best path.
    pub score_ppm: u32,
    /// Its class: `isolated`, `known`, `partner`, `federated` or `intimate`.
    pub class: String,
    /// The best path; empty when there is none.
    pub path: Vec<Step>,
    /// How much trust flows along all paths together.
    pub flow_ppm: u64,
    /// What bounds that flow.
    pub cut: Vec<CutEdge>,
    /// What follows for the node of that DID, when the question is about this node's own view.
    pub allowance: Option<Allowance>,
    /// The same in sentences, and what would raise it.
    pub sentences: Vec<String>,
}

/// What an originator said of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rating {
    /// Who says it.
    pub by: Party,
    /// The job.
    pub job: Cid,
    /// Its receipt, if one came.
    pub receipt: Option<Cid>,
    /// What came of it.
    pub outcome: JobOutcome,
    /// When it was said.
    pub at: Timestamp,
    /// The trust in who says it, which is its weight.
    pub weight_ppm: u32,
}

/// What is known of an executor from the jobs that it ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reputation {
    /// Who.
    pub executor: Party,
    /// The score, as `min_reputation` compares it.
    pub score_ppm: u32,
    /// Results in a row that held, since the last one that did not.
    pub row: u64,
    /// Whether the row is long enough that results need no second run.
    pub proven: bool,
    /// How many jobs counted.
    pub jobs: u64,
    /// The ratings behind it, newest first; only when one executor is asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ratings: Vec<Rating>,
    /// The same in sentences; only when one executor is asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sentences: Vec<String>,
}

/// Somebody who did something wrong towards this node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offender {
    /// Who.
    pub did: icn_types::Did,
    /// What follows: `none`, `warn`, `throttle`, `quarantine` or `ban`.
    pub action: String,
    /// Until when, for a ban.
    pub until: Option<Timestamp>,
    /// How much it weighs now, in thousandths of a point; it halves every ten minutes.
    pub milli_points: u64,
    /// How often it did what.
    pub counts: std::collections::BTreeMap<String, u64>,
    /// When it did the last of it.
    pub last: Timestamp,
}

/// Who trusts whom in a space, and what follows from it on this node.
#[async_trait]
pub trait Trust: Send + Sync + 'static {
    /// Lists edges, by who says it, then of whom.
    async fn edges(&self, space: &str, part: EdgeListing) -> Result<Page<Edge>, Problem>;
    /// Says how far somebody is trusted.
    async fn say(&self, space: &str, request: TrustRequest) -> Result<Written, Problem>;
    /// Explains the trust in somebody.
    async fn explain(&self, space: &str, question: Question) -> Result<Answer, Problem>;
    /// Lists executors with their reputation, best first.
    async fn reputations(
        &self,
        space: &str,
        offset: usize,
        limit: usize,
    ) -> Result<Page<Reputation>, Problem>;
    /// Lists those who did something wrong towards this node, by DID.
    async fn offenders(&self, offset: usize, limit: usize) -> Result<Page<Offender>, Problem>;
    /// Forgives one of them everything; 404 `no-offence` when there is nothing to forgive.
    async fn forgive(&self, did: &str) -> Result<Offender, Problem>;
    /// Shows the reputation of one executor with what is behind it.
    async fn reputation(&self, space: &str, executor: &str) -> Result<Reputation, Problem>;
}
