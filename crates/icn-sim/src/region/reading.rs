//! What the production code makes of everybody's words at one moment: who votes, and who has credit.

use std::collections::{BTreeMap, BTreeSet};

use icn_trust::{Admission, AdmissionRule, Introduction, PathSettings, Paths, Settings, Snapshot, credit};
use icn_types::{Did, TrustContext};

use super::RegionBug;
use super::people::People;

/// How many others each member brings in whom nobody nearer brought in (as `icn-trust/tests/sybils.rs`).
const FAN_OUT: u32 = 9;

/// One reading.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) settings: Settings,
    pub(super) rule: AdmissionRule,
    pub(super) general: Snapshot,
    pub(super) governance: Snapshot,
    /// The general graph as if there were no region.
    pub(super) without: Snapshot,
    /// Who may vote.
    pub(super) voters: BTreeSet<Did>,
    /// Who could vote if there were no region.
    pub(super) voters_without: BTreeSet<Did>,
    /// How much trust in money reaches each member, in parts per million.
    pub(super) credit: BTreeMap<Did, u64>,
    /// The attack edges as they count in each matter.
    pub(super) crossing: BTreeMap<TrustContext, Vec<Introduction>>,
}

impl Reading {
    pub(super) fn of(people: &People, planted: Option<RegionBug>) -> Self {
        let settings = Settings::default();
        let read = |graph: TrustContext| {
            Snapshot::new(&people.words.graph, graph, people.now, settings.half_life_days)
        };
        let without =
            |graph| Snapshot::new(&people.words.without, graph, people.now, settings.half_life_days);
        let (general, governance) = (read(TrustContext::General), read(TrustContext::Governance));
        let ledger = read(TrustContext::Ledger);
        let count = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
        let rule =
            AdmissionRule::for_members(count(people.honest.len()), count(people.stewards.len()), FAN_OUT);
        let admit =
            |snapshot: &Snapshot| Admission::new(snapshot, &people.stewards, &rule).accepted().clone();
        let paths = |snapshot: &Snapshot| Paths::new(snapshot, &people.stewards, &PathSettings::default());
        let voters = if planted == Some(RegionBug::VotesByPath) {
            let paths = paths(&governance);
            let named = governance.introductions().map(|by| by.to);
            named.filter(|did| paths.score(&governance, did) >= settings.cutoffs.partner).collect()
        } else {
            admit(&governance)
        };
        let credit = if planted == Some(RegionBug::CreditByPath) {
            let paths = paths(&ledger);
            let score = |did: &Did| u64::from(paths.score(&ledger, did));
            people.members().into_iter().map(|did| (did, score(&did))).collect()
        } else {
            credit(&ledger, &people.stewards, &people.members()).given
        };
        let crosses = |by: &Introduction| people.names.contains(&by.to) && !people.names.contains(&by.from);
        let crossing = [
            (TrustContext::General, &general),
            (TrustContext::Ledger, &ledger),
            (TrustContext::Governance, &governance),
        ];
        let crossing =
            crossing.map(|(graph, snapshot)| (graph, snapshot.introductions().filter(crosses).collect()));
        Self {
            voters_without: admit(&without(TrustContext::Governance)),
            without: without(TrustContext::General),
            crossing: crossing.into_iter().collect(),
            settings,
            rule,
            voters,
            credit,
            general,
            governance,
        }
    }

    /// Returns the attack edges as they count in a matter.
    pub(super) fn crossing(&self, graph: TrustContext) -> &[Introduction] {
        self.crossing.get(&graph).map_or(&[], Vec::as_slice)
    }
}
