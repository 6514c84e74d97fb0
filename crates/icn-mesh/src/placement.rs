//! Who may run a job, and who of them should.
//!
//! The policy filter and score of the mesh RFC, sections 3.2 and 6.5, in integers. The originator computes every score
//! itself; what an executor says of itself counts only as a fact to weigh.

use std::fmt;
use std::str::FromStr;

use icn_protocol::{ExecutionPolicy, MeshJobParams, RefusalCode, capacity};
use icn_types::{
    Did, Duration, NodeCapacity, Region, ResourceType, SCORE_MAX_PPM, TokenAmount, format_score,
};

use crate::record::BidRecord;
use crate::regard::{Gate, Regards};

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
    /// Filter, then trust 40 %, capacity 30 %, locality 20 % and price 10 % (seed 002, compute section 1).
    TrustWeighted,
}

impl Placement {
    /// Returns how long bidding stays open after the first acceptable bid.
    #[must_use]
    pub const fn window(self) -> Duration {
        match self {
            Self::BestScore | Self::TrustWeighted => Duration::from_millis(50),
            Self::Fifo => Duration::ZERO,
        }
    }
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BestScore => "BestScore",
            Self::Fifo => "FIFO",
            Self::TrustWeighted => "TrustWeighted",
        })
    }
}

impl FromStr for Placement {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name.to_ascii_lowercase().as_str() {
            "bestscore" | "best-score" | "default" => Ok(Self::BestScore),
            "fifo" => Ok(Self::Fifo),
            "trustweighted" | "trust-weighted" => Ok(Self::TrustWeighted),
            _ => Err(format!(
                "`{name}` is not a placement policy: use `BestScore` (the default), `TrustWeighted` or `FIFO`"
            )),
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
    /// Trust in it, where trust counts.
    pub gate: Option<Gate>,
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
    let is_named = params
        .execution_policy
        .as_ref()
        .is_some_and(|policy| policy.allowed_executors.contains(candidate.did));
    if let Some(gate) = candidate.gate
        && gate.has_ppm < gate.least_ppm
        && !is_named
    {
        return no(
            RefusalCode::Policy,
            format!(
                "executors are trusted by {} at least, this one by {}: name it to the job, or say that you trust it",
                format_score(gate.least_ppm),
                format_score(gate.has_ppm)
            ),
        );
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
            format!(
                "the job wants a reputation of {}, this node has {}",
                format_score(min),
                format_score(u32::try_from(candidate.reputation).unwrap_or(SCORE_MAX_PPM))
            ),
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
    regards: &Regards,
) -> Vec<Scored> {
    let cheapest = bids.iter().map(|(_, bid, _)| asked(bid)).min().unwrap_or(0);
    let (price_weight, rep_weight) = weights(params.execution_policy.as_ref());
    let mut scored: Vec<(Scored, &BidRecord)> = bids
        .iter()
        .map(|(index, bid, reputation)| {
            let price = (u128::from(cheapest) + 1) * u128::from(MILLION) / (u128::from(asked(bid)) + 1);
            if placement == Placement::TrustWeighted {
                let score = PlacementScore::of(bid, regards, u64::try_from(price).unwrap_or(MILLION)).total();
                return (Scored { index: *index, score }, *bid);
            }
            let sum = price * u128::from(price_weight) + u128::from(*reputation) * u128::from(rep_weight);
            let score = sum / u128::from(price_weight.saturating_add(rep_weight).max(1));
            (Scored { index: *index, score: u64::try_from(score).unwrap_or(MILLION).min(MILLION) }, *bid)
        })
        .collect();
    if placement != Placement::Fifo {
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

/// The parts of a placement score, each from 0 to 1,000,000 (JOB-25, JOB-26; B-75: each part is clamped, and the originator
/// computes all of them itself).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct PlacementScore {
    /// `(trust − 0.3) / 0.7`: executors below 0.3 are not asked at all.
    trust: u64,
    /// `1 / (1 + jobs that wait there)`.
    capacity: u64,
    /// `(500 ms − round trip) / 500 ms`, one half where it was not measured; a tenth more for each block that is there.
    locality: u64,
    /// The cheapest price over this one.
    economic: u64,
}

impl PlacementScore {
    fn of(bid: &BidRecord, regards: &Regards, economic: u64) -> Self {
        const ROUND_TRIP_MAX_MS: u64 = 500;
        const TRUST_LEAST_PPM: u64 = 300_000;
        let trust = u64::from(regards.trust(&bid.executor)).saturating_sub(TRUST_LEAST_PPM);
        let near = regards.round_trips.get(&bid.executor).map_or(MILLION / 2, |time| {
            ROUND_TRIP_MAX_MS.saturating_sub(time.as_millis()) * MILLION / ROUND_TRIP_MAX_MS
        });
        let held = bid.blobs_held.saturating_mul(MILLION / 10);
        Self {
            trust: (trust * MILLION / (MILLION - TRUST_LEAST_PPM)).min(MILLION),
            capacity: MILLION / bid.queue_depth.saturating_add(1),
            locality: near.saturating_add(held).min(MILLION),
            economic: economic.min(MILLION),
        }
    }

    const fn total(self) -> u64 {
        (self.trust * 40 + self.capacity * 30 + self.locality * 20 + self.economic * 10) / 100
    }
}

fn asked(bid: &BidRecord) -> u64 {
    bid.price.as_ref().map_or(0, |price| price.amount)
}

fn weights(policy: Option<&ExecutionPolicy>) -> (u64, u64) {
    let (price, reputation) =
        policy.map_or((0, 0), |policy| (u64::from(policy.price_weight), u64::from(policy.rep_weight)));
    if price == 0 && reputation == 0 { (MILLION / 2, MILLION / 2) } else { (price, reputation) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{at, bid, hours, key, params, policy};
    use std::collections::BTreeMap;

    use crate::regard::Regard;
    use icn_types::{Cid, Constraints, ResourceProfile, Resources};

    fn resources(amounts: &[(&str, u64)]) -> Resources {
        amounts.iter().map(|(name, amount)| (ResourceType::from((*name).to_owned()), *amount)).collect()
    }

    /// Asks whether a node in `north` that asks 5 hours and offers some limits may have a job.
    fn verdict(params: &MeshJobParams) -> Result<(), String> {
        verdict_with(params, None)
    }

    fn verdict_with(params: &MeshJobParams, gate: Option<Gate>) -> Result<(), String> {
        let (did, region) = (key(1).did(), "north".parse::<Region>().unwrap());
        let offered =
            [("cpu_millicores", 2_000), (capacity::FUEL_MAX, 2_000), (capacity::TIMEOUT_SECONDS_MAX, 60)];
        let (capacity, price) = (NodeCapacity(resources(&offered)), hours(5));
        let candidate = Candidate {
            did: &did,
            region: Some(&region),
            capacity: &capacity,
            price: Some(&price),
            reputation: 300_000,
            gate,
        };
        eligible(params, &candidate).map_err(|rule| rule.code.as_str().to_owned())
    }

    #[test]
    fn each_rule_has_its_code() {
        let paying = || ExecutionPolicy { max_price: Some(hours(5)), ..policy() };
        let check = |change: &dyn Fn(&mut MeshJobParams), expected: Result<(), &str>| {
            let mut job = params(Some(paying()));
            change(&mut job);
            assert_eq!(verdict(&job), expected.map_err(str::to_owned));
        };
        let with = |policy: ExecutionPolicy| {
            move |job: &mut MeshJobParams| job.execution_policy = Some(policy.clone())
        };
        let region = |name: &str| Some(name.parse::<Region>().unwrap());
        check(&|_| {}, Ok(()));
        check(&with(ExecutionPolicy { region_filter: region("north"), ..paying() }), Ok(()));
        check(&with(ExecutionPolicy { region_filter: region("south"), ..paying() }), Err("region"));
        check(&with(ExecutionPolicy { allowed_executors: vec![key(1).did()], ..paying() }), Ok(()));
        check(&with(ExecutionPolicy { allowed_executors: vec![key(2).did()], ..paying() }), Err("policy"));
        check(&with(ExecutionPolicy { min_reputation: Some(300_000), ..paying() }), Ok(()));
        check(&with(ExecutionPolicy { min_reputation: Some(300_001), ..paying() }), Err("reputation"));
        check(&with(ExecutionPolicy { max_price: Some(hours(4)), ..paying() }), Err("price"));
        check(&with(policy()), Err("price"));
        check(&|job| job.execution_policy = None, Err("price"));
        check(
            &|job| {
                job.execution_policy = None;
                job.max_acceptable_bid_tokens = Some(TokenAmount { amount: 9, currency: "eggs".into() });
            },
            Err("price"),
        );
        check(&|job| job.max_fuel = 2_000, Ok(()));
        check(&|job| job.max_fuel = 2_001, Err("limit"));
        check(&|job| job.timeout_seconds = 61, Err("limit"));
        // What a node does not advertise, it does not limit; what it does not have, it cannot give.
        check(&|job| job.memory_bytes_max = 1 << 32, Ok(()));
        check(
            &|job| job.resources_required = ResourceProfile(resources(&[("cpu_millicores", 2_000)])),
            Ok(()),
        );
        check(
            &|job| job.resources_required = ResourceProfile(resources(&[("cpu_millicores", 2_001)])),
            Err("capacity"),
        );
        check(&|job| job.resources_required = ResourceProfile(resources(&[("gpu", 1)])), Err("capacity"));
    }

    #[test]
    fn the_first_rule_that_forbids_speaks_with_its_figures() {
        let mut job = params(Some(ExecutionPolicy { max_price: Some(hours(1)), ..policy() }));
        job.max_fuel = 5_000;
        let (did, capacity, price) =
            (key(1).did(), NodeCapacity(resources(&[(capacity::FUEL_MAX, 2_000)])), hours(5));
        let candidate = Candidate {
            did: &did,
            region: None,
            capacity: &capacity,
            price: Some(&price),
            reputation: 0,
            gate: None,
        };
        assert_eq!(
            eligible(&job, &candidate).unwrap_err().to_string(),
            "limit: the job may use 5000 of fuel_max, this node allows 2000"
        );
    }

    fn record(executor: u8, price: Option<u64>) -> BidRecord {
        let bid = bid(key(executor).did(), Cid::of_raw(b"job"), price, at(0));
        BidRecord {
            executor: bid.executor_did,
            cid: Cid::of_raw(&[executor]),
            price: bid.price,
            rates: bid.rates,
            region: None,
            capacity: NodeCapacity::default(),
            queue_depth: 0,
            estimated_start_ms: 0,
            blobs_held: 0,
            at: bid.timestamp,
            expires_at: None,
            score: 0,
            ineligible: None,
            outcome: None,
        }
    }

    fn order(
        placement: Placement,
        policy: Option<ExecutionPolicy>,
        bids: &[(BidRecord, u64)],
    ) -> Vec<(usize, u64)> {
        let bids: Vec<(usize, &BidRecord, u64)> =
            bids.iter().enumerate().map(|(index, (bid, reputation))| (index, bid, *reputation)).collect();
        let regards = Regards::default();
        rank(placement, &params(policy), &bids, &regards)
            .iter()
            .map(|scored| (scored.index, scored.score))
            .collect()
    }

    #[test]
    fn scores_weigh_price_and_reputation() {
        let bids = [(record(1, Some(9)), 1_000_000), (record(2, Some(4)), 0), (record(3, Some(9)), 0)];
        let weighed =
            |price_weight, rep_weight| Some(ExecutionPolicy { price_weight, rep_weight, ..policy() });
        // The cheapest has full marks for its price, the others (4 + 1) / (9 + 1) of them.
        let best = Placement::BestScore;
        assert_eq!(order(best, weighed(1, 0), &bids), [(1, 1_000_000), (0, 500_000), (2, 500_000)]);
        assert_eq!(order(best, weighed(0, 1), &bids), [(0, 1_000_000), (1, 0), (2, 0)]);
        assert_eq!(order(best, weighed(0, 0), &bids), [(0, 750_000), (1, 500_000), (2, 250_000)]);
        assert_eq!(order(best, None, &bids), order(best, weighed(7, 7), &bids));
        // No price is the lowest, and nothing overflows.
        let bids = [(record(1, Some(u64::MAX)), 0), (record(2, None), 0)];
        let most = Some(ExecutionPolicy { price_weight: u32::MAX, rep_weight: u32::MAX, ..policy() });
        assert_eq!(order(best, most, &bids), [(1, 500_000), (0, 0)]);
        assert_eq!(order(best, None, &[]), []);
    }

    #[test]
    fn whoever_is_trusted_too_little_is_not_asked_unless_the_job_names_it() {
        let gate = |has_ppm| Some(Gate { has_ppm, least_ppm: 300_000 });
        let paying = ExecutionPolicy { max_price: Some(hours(5)), ..policy() };
        let job = params(Some(paying.clone()));
        assert_eq!(verdict_with(&job, gate(300_000)), Ok(()));
        assert_eq!(verdict_with(&job, gate(299_999)), Err("policy".to_owned()));
        let named = params(Some(ExecutionPolicy { allowed_executors: vec![key(1).did()], ..paying }));
        assert_eq!(verdict_with(&named, gate(0)), Ok(()));
    }

    #[test]
    fn the_parts_of_a_placement_score_stay_within_their_bounds() {
        let did = key(1).did();
        let regard = |trust_ppm| Regard { trust_ppm, reputation_ppm: 0, constraints: Constraints::default() };
        let regards = |trust_ppm, round_trip: Option<u64>| Regards {
            members: BTreeMap::from([(did, regard(trust_ppm))]),
            round_trips: round_trip.map(|ms| (did, Duration::from_millis(ms))).into_iter().collect(),
            ..Regards::default()
        };
        let bid = |queue_depth, blobs_held| BidRecord { queue_depth, blobs_held, ..record(1, None) };
        let check = |bid: &BidRecord, regards: &Regards, parts: [u64; 4]| {
            let score = PlacementScore::of(bid, regards, parts[3]);
            assert_eq!([score.trust, score.capacity, score.locality, score.economic], parts);
            score.total()
        };
        // JOB-26: (0.65 − 0.3) / 0.7; one waits; 100 ms of 500.
        let total = check(&bid(1, 0), &regards(650_000, Some(100)), [500_000, 500_000, 800_000, 1_000_000]);
        assert_eq!(total, 610_000);
        assert_eq!(check(&bid(0, 0), &regards(0, None), [0, 1_000_000, 500_000, 0]), 400_000);
        let all = check(&bid(0, u64::MAX), &regards(2_000_000, Some(0)), [1_000_000; 4]);
        assert_eq!(all, 1_000_000);
        check(&bid(u64::MAX, 0), &regards(300_000, Some(u64::MAX)), [0, 0, 0, 0]);
    }

    #[test]
    fn trust_weighs_most_where_it_is_asked_for() {
        let bids = [(record(1, Some(1)), 0), (record(2, Some(9)), 0)];
        let list: Vec<(usize, &BidRecord, u64)> =
            bids.iter().enumerate().map(|(index, (bid, reputation))| (index, bid, *reputation)).collect();
        let regard = Regard { trust_ppm: 900_000, reputation_ppm: 0, constraints: Constraints::default() };
        let regards = Regards { members: BTreeMap::from([(key(2).did(), regard)]), ..Regards::default() };
        let first = |placement| rank(placement, &params(None), &list, &regards)[0].index;
        assert_eq!((first(Placement::BestScore), first(Placement::TrustWeighted)), (0, 1));
    }

    #[test]
    fn equal_scores_go_to_who_starts_sooner_holds_more_and_came_first() {
        let queued = BidRecord { queue_depth: 1, ..record(1, None) };
        let slow = BidRecord { estimated_start_ms: 10, ..record(2, None) };
        let empty = record(3, None);
        let holding = BidRecord { blobs_held: 2, ..record(4, None) };
        let later = record(5, None);
        let bids = [queued, slow, empty, holding, later].map(|bid| (bid, 0));
        let places =
            |placement| order(placement, None, &bids).iter().map(|(index, _)| *index).collect::<Vec<_>>();
        assert_eq!(places(Placement::BestScore), [3, 2, 4, 1, 0]);
        assert_eq!(places(Placement::Fifo), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn policies_have_names() {
        for (name, expected) in [
            ("BestScore", Some(Placement::BestScore)),
            ("best-score", Some(Placement::BestScore)),
            ("DEFAULT", Some(Placement::BestScore)),
            ("FIFO", Some(Placement::Fifo)),
            ("fifo", Some(Placement::Fifo)),
            ("TrustWeighted", Some(Placement::TrustWeighted)),
            ("lottery", None),
            ("", None),
        ] {
            assert_eq!(name.parse::<Placement>().ok(), expected, "{name}");
        }
        assert_eq!(Placement::Fifo.window(), Duration::ZERO);
    }
}
