//! What the books of one space say of trust, read from where this node stands.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use icn_ledger::Books;
use icn_trust::{Edge, Group, PathSettings, Paths, Snapshot, Subtrees, TrustGraph, credit};
use icn_types::{Did, Timestamp, TrustContext};

use super::Oracle;

/// One reading of one context.
struct Reading {
    snapshot: Snapshot,
    paths: Paths,
}

/// The web of trust of one space.
pub(crate) struct Web {
    pub(super) generation: u64,
    /// From when on time alone may have changed it.
    pub(super) until: Timestamp,
    pub(crate) graph: TrustGraph,
    /// Whether a member of the space is on this node. What the books of others say, limits nobody here.
    pub(super) is_own: bool,
    /// From where it is read: this node's members, and the stewards.
    pub(crate) sources: BTreeSet<Did>,
    members: BTreeSet<Did>,
    /// Who let whom in.
    subtrees: Subtrees,
    /// Who signed two entries at one place, and was not forgiven by a steward.
    forked: BTreeSet<Did>,
    /// The share of one flow of trust in money from the stewards that each member gets, once somebody asked for it.
    credit: OnceLock<BTreeMap<Did, u64>>,
    stewards: BTreeSet<Did>,
    readings: BTreeMap<TrustContext, Reading>,
}

impl Web {
    /// Reads the books of a space.
    pub(super) fn read(books: &Books, own: &[Did], now: Timestamp, oracle: &Oracle) -> Self {
        let mut graph = TrustGraph::new();
        for edge in books.trust_edges() {
            let edge = Edge {
                from: edge.from,
                to: edge.to,
                graph: edge.context,
                score_ppm: edge.score_ppm,
                given: edge.given,
                expires: edge.expires,
            };
            if let Err(error) = graph.set(&edge) {
                tracing::debug!(error = %error, "an edge was left out of the web of trust");
            }
        }
        let mut sources: BTreeSet<Did> = books.stewards().into_iter().collect();
        let own: Vec<Did> = own.iter().filter(|did| books.is_member(did)).copied().collect();
        sources.extend(&own);
        let mut until = Timestamp::from_millis(u64::MAX);
        let readings: BTreeMap<TrustContext, Reading> = TrustContext::ALL
            .into_iter()
            .map(|context| {
                let snapshot = Snapshot::new(&graph, context, now, oracle.settings.half_life_days);
                until = until.min(snapshot.until());
                let paths = Paths::new(&snapshot, &sources, &oracle.settings.path);
                (context, Reading { snapshot, paths })
            })
            .collect();
        let mut web = Self {
            generation: books.generation(),
            until,
            graph,
            is_own: !own.is_empty(),
            sources,
            members: books.members().into_iter().map(|member| member.did).collect(),
            subtrees: Subtrees::default(),
            forked: books
                .forks()
                .into_iter()
                .filter(|fork| books.is_forked(&fork.author))
                .map(|fork| fork.author)
                .collect(),
            credit: OnceLock::new(),
            stewards: books.stewards().into_iter().collect(),
            readings,
        };
        // Whoever is a partner stands for itself, as far as introductions carry that; all others share what the branch has
        // through which they came.
        let partner = oracle.settings.cutoffs.partner;
        if let Some(Reading { snapshot, paths }) = web.readings.get(&TrustContext::General) {
            web.subtrees = Subtrees::read(snapshot, paths, &web.sources, books.introducers(), partner);
        }
        web
    }

    pub(super) fn has_edges(&self) -> bool {
        !self.graph.is_empty()
    }

    /// Lists the members, and whoever else is trusted or trusts.
    pub(super) fn everybody(&self) -> BTreeSet<Did> {
        let mut all = self.known();
        all.extend(&self.members);
        all
    }

    /// Tells whether somebody is a member.
    pub(super) fn has(&self, did: &Did) -> bool {
        self.members.contains(did)
    }

    /// Tells whether somebody signed two entries at one place, and no steward has forgiven it.
    pub(super) fn has_forked(&self, did: &Did) -> bool {
        self.forked.contains(did)
    }

    /// Returns the trust in somebody, in parts per million.
    pub(crate) fn score(&self, context: TrustContext, did: &Did) -> u32 {
        if self.sources.contains(did) {
            return icn_types::SCORE_MAX_PPM;
        }
        self.readings.get(&context).map_or(0, |reading| reading.paths.score(&reading.snapshot, did))
    }

    /// Returns the trust in somebody in general as a node reads it on which another member lives: from that member and the
    /// stewards, in parts per million.
    pub(super) fn score_on(&self, settings: &PathSettings, member: Option<&Did>, did: &Did) -> u32 {
        let sources: BTreeSet<Did> = self.stewards.iter().chain(member).copied().collect();
        if sources.contains(did) {
            return icn_types::SCORE_MAX_PPM;
        }
        self.readings.get(&TrustContext::General).map_or(0, |reading| {
            Paths::new(&reading.snapshot, &sources, settings).score(&reading.snapshot, did)
        })
    }

    /// Returns the share of one flow of trust in money from the stewards that reaches a member, in parts per million. All
    /// members behind some introductions get together no more than those carry.
    pub(crate) fn credit_ppm(&self, did: &Did) -> u32 {
        if self.stewards.contains(did) {
            return icn_types::SCORE_MAX_PPM;
        }
        let given = self.credit.get_or_init(|| {
            let Some(reading) = self.readings.get(&TrustContext::Ledger) else { return BTreeMap::new() };
            credit(&reading.snapshot, &self.stewards, &self.members).given
        });
        given.get(did).and_then(|share| u32::try_from(*share).ok()).unwrap_or(0)
    }

    /// Lists everybody who trusts or is trusted, and from whom trust is read.
    pub(super) fn known(&self) -> BTreeSet<Did> {
        let named = self.graph.edges().flat_map(|edge| [edge.from, edge.to]);
        named.chain(self.sources.iter().copied()).collect()
    }

    /// Returns the branch through which somebody came who does not stand for itself.
    pub(super) fn branch(&self, did: &Did) -> Option<Did> {
        self.subtrees.branch(did)
    }

    /// Returns the part of one member's limits that such a branch gets, in parts per million.
    pub(super) fn part(&self, did: &Did) -> Option<u32> {
        self.subtrees.part_ppm(did)
    }

    /// Returns through whom somebody hangs, when it shares its limits with everybody behind the same member.
    pub(crate) fn shares_with(&self, did: &Did) -> Option<Did> {
        match self.subtrees.group(did) {
            Group::Below { branch, .. } if branch != *did => Some(branch),
            Group::Below { .. } | Group::Trusted(_) | Group::Strangers => None,
        }
    }
}
