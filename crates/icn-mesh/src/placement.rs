//! Who may run a job, and who of them should.
//!
//! The policy filter and score of the mesh RFC, sections 3.2 and 6.5, in integers. The originator computes every score
//! itself; what an executor says of itself counts only as a fact to weigh.

use std::fmt;
use std::str::FromStr;

use icn_protocol::{ExecutionPolicy, MeshJobParams, RefusalCode, capacity};
use icn_types::{Did, Duration, NodeCapacity, Region, ResourceType, TokenAmount};

use crate::record::BidRecord;

/// Full marks.
const MILLION: u64 = 1_000_000;

/// How a job finds its executor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Placement {
    /// Filter, then the best score of price and reputation; bidding closes 50 ms after the first acceptable bid.
    #[default]
    BestScore,
    /// The first acceptable bid, at once.
    Fifo,
}

impl Placement {
    /// Returns how long bidding stays open after the first acceptable bid.
    #[must_use]
    pub const fn window(self) -> Duration {
        match self {
            Self::BestScore => Duration::from_millis(50),
            Self::Fifo => Duration::ZERO,
        }
    }
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BestScore => "BestScore",
            Self::Fifo => "FIFO",
        })
    }
}

impl FromStr for Placement {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name.to_ascii_lowercase().as_str() {
            "bestscore" | "best-score" | "default" => Ok(Self::BestScore),
            "fifo" => Ok(Self::Fifo),
            _ => Err(format!("`{name}` is not a placement policy: use `BestScore` (the default) or `FIFO`")),
        }
    }
}

/// The rule by which an executor cannot have a job, with its figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ineligible {
    /// The word that declines and refusals carry.
    pub code: RefusalCode,
    /// The figures.
    pub detail: String,
}

impl fmt::Display for Ineligible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

/// What is known of somebody who might run a job.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate<'a> {
    /// Who.
    pub did: &'a Did,
    /// Where it stands.
    pub region: Option<&'a Region>,
    /// What it offers.
    pub capacity: &'a NodeCapacity,
    /// What it asks, once it has bid.
    pub price: Option<&'a TokenAmount>,
    /// Its reputation in parts per million.
    pub reputation: u64,
}

/// The limits of a job and the names under which executors advertise theirs.
fn limits(params: &MeshJobParams) -> [(ResourceType, u64); 4] {
    let other = |name: &str| ResourceType::Other(name.to_owned());
    [
        (other(capacity::FUEL_MAX), params.max_fuel),
        (other(capacity::MEMORY_BYTES_MAX), params.memory_bytes_max),
        (other(capacity::OUTPUT_BYTES_MAX), params.output_bytes_max),
        (other(capacity::TIMEOUT_SECONDS_MAX), params.timeout_seconds),
    ]
}

/// Applies the policy filter: may this candidate have this job?
///
/// # Errors
///
/// The first rule that forbids it.
pub(crate) fn eligible(params: &MeshJobParams, candidate: &Candidate<'_>) -> Result<(), Ineligible> {
    let no = |code, detail| Err(Ineligible { code, detail });
    if let Some(policy) = &params.execution_policy {
        policy_allows(policy, candidate)?;
    }
    for (kind, wanted) in limits(params) {
        if let Some(offered) = candidate.capacity.0.get(&kind)
            && *offered < wanted
        {
            return no(
                RefusalCode::Limit,
                format!("the job may use {wanted} of {kind}, this node allows {offered}"),
            );
        }
    }
    if let Some((kind, wanted, available)) = candidate.capacity.lacks(&params.resources_required) {
        return no(
            RefusalCode::Capacity,
            format!("the job needs {wanted} of {kind}, this node has {available}"),
        );
    }
    match (params.max_price(), candidate.price) {
        (Some(max), Some(price)) if max.currency != price.currency => no(
            RefusalCode::Price,
            format!("the job pays in `{}`, this node asks for `{}`", max.currency, price.currency),
        ),
        (Some(max), Some(price)) if price.amount > max.amount => {
            no(RefusalCode::Price, format!("this node asks {price}, the job pays at most {max}"))
        }
        (None, Some(price)) if price.amount > 0 => {
            no(RefusalCode::Price, format!("this node asks {price}, the job names no price that it pays"))
        }
        _ => Ok(()),
    }
}

fn policy_allows(policy: &ExecutionPolicy, candidate: &Candidate<'_>) -> Result<(), Ineligible> {
    let no = |code, detail| Err(Ineligible { code, detail });
    if let Some(wanted) = &policy.region_filter
        && candidate.region != Some(wanted)
    {
        let stands =
            candidate.region.map_or_else(|| "in no region".to_owned(), |region| format!("in `{region}`"));
        return no(
            RefusalCode::Region,
            format!("the job wants region `{wanted}`, this node stands {stands}"),
        );
    }
    if !policy.allowed_executors.is_empty() && !policy.allowed_executors.contains(candidate.did) {
        return no(
            RefusalCode::Policy,
            "the job names the executors that may run it, and this node is not among them".into(),
        );
    }
    if let Some(min) = policy.min_reputation
        && candidate.reputation < u64::from(min)
    {
        return no(
            RefusalCode::Reputation,
            format!("the job wants a reputation of {min}, this node has {}", candidate.reputation),
        );
    }
    Ok(())
}

/// A bid that may be chosen, with what it is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scored {
    /// Its place in the job's list of bids.
    pub index: usize,
    /// Its score in parts per million.
    pub score: u64,
}

/// Scores the bids that may be chosen, best first.
///
/// The score is `(price_weight · price + rep_weight · reputation) / (price_weight + rep_weight)`, where the cheapest bid has
/// full marks for its price and another has them in proportion. Equal scores go to the one that can start sooner, holds
/// more of the job's blocks, came first.
#[must_use]
pub(crate) fn rank(
    placement: Placement,
    params: &MeshJobParams,
    bids: &[(usize, &BidRecord, u64)],
) -> Vec<Scored> {
    let cheapest = bids.iter().map(|(_, bid, _)| asked(bid)).min().unwrap_or(0);
    let (price_weight, rep_weight) = weights(params.execution_policy.as_ref());
    let mut scored: Vec<(Scored, &BidRecord)> = bids
        .iter()
        .map(|(index, bid, reputation)| {
            let price = (u128::from(cheapest) + 1) * u128::from(MILLION) / (u128::from(asked(bid)) + 1);
            let sum = price * u128::from(price_weight) + u128::from(*reputation) * u128::from(rep_weight);
            let score = sum / u128::from(price_weight.saturating_add(rep_weight).max(1));
            (Scored { index: *index, score: u64::try_from(score).unwrap_or(MILLION).min(MILLION) }, *bid)
        })
        .collect();
    if placement == Placement::BestScore {
        scored.sort_by(|(a, x), (b, y)| {
            b.score
                .cmp(&a.score)
                .then(x.queue_depth.cmp(&y.queue_depth))
                .then(x.estimated_start_ms.cmp(&y.estimated_start_ms))
                .then(y.blobs_held.cmp(&x.blobs_held))
                .then(a.index.cmp(&b.index))
        });
    }
    scored.into_iter().map(|(scored, _)| scored).collect()
}

fn asked(bid: &BidRecord) -> u64 {
    bid.price.as_ref().map_or(0, |price| price.amount)
}

fn weights(policy: Option<&ExecutionPolicy>) -> (u64, u64) {
    let (price, reputation) =
        policy.map_or((0, 0), |policy| (u64::from(policy.price_weight), u64::from(policy.rep_weight)));
    if price == 0 && reputation == 0 { (MILLION / 2, MILLION / 2) } else { (price, reputation) }
}
