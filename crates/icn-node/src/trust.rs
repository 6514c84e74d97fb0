//! The trust oracle: turns what members say of each other into limits, which the floors below enforce without knowing why.
//!
//! Trust is read from where this node stands: its own members, and the stewards of the space, who are its seeds. What the
//! books of several spaces say of somebody does not add up; the best of it counts.

mod coops;
pub(crate) mod fuel;
pub(crate) mod kept;
mod peers;
mod record;
mod selftest;
#[cfg(test)]
mod tests;
mod web;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use icn_mesh::{Regard, Regards};
use icn_trust::{
    Action, Capability, OffenderView, Policy, ReputationSettings, Settings, Standing, StandingSettings,
    TrustClass, Violation,
};
use icn_types::{Constraints, Did, Timestamp, TopicAccess, TrustContext};
use tokio::sync::Notify;

pub(crate) use self::kept::{Kept, KeptTables};
pub(crate) use self::record::Record;
pub(crate) use self::web::Web;
use crate::config::{RateLimitingConfig, TrustConfig, TrustLimits};
use crate::core::{Happening, Node, lock};

/// How long changes are gathered before limits are computed anew.
const PAUSE: Duration = Duration::from_millis(20);
/// How often limits are computed anew although nothing was said: bans end, and what was said fades.
const PERIOD: Duration = Duration::from_secs(10);

/// What this node thinks of others, and since when.
pub(crate) struct Oracle {
    pub(crate) settings: Settings,
    pub(crate) reputation: ReputationSettings,
    pub(crate) policy: Policy,
    config: TrustConfig,
    standing: Mutex<Standing>,
    /// What of offenders and bans is on the disk.
    kept: Mutex<Kept>,
    /// Something follows from what somebody did: it is to be written soon.
    keep_soon: Notify,
    webs: Mutex<BTreeMap<Did, Arc<Web>>>,
    records: Mutex<BTreeMap<Did, Arc<Record>>>,
    told: Mutex<peers::Told>,
    /// Whether somebody came or went, or did something, since limits were computed last.
    is_stirred: AtomicBool,
    wake: Notify,
}

/// What of the books has changed since it was read last.
#[derive(Debug, Clone, Copy, Default)]
struct Changed {
    /// Who trusts whom, who is a member or a steward.
    trust: bool,
    /// What came of jobs.
    records: bool,
}

/// Where somebody stands with this node.
#[derive(Debug, Clone)]
pub(crate) struct Verdict {
    pub(crate) class: TrustClass,
    pub(crate) action: Action,
    pub(crate) constraints: Constraints,
}

impl Oracle {
    /// Takes the configuration over, and sees that somebody can say something under it; remembers offenders as they were.
    pub(crate) fn new(
        config: TrustConfig,
        rates: &RateLimitingConfig,
        kept: Kept,
        now: Timestamp,
    ) -> anyhow::Result<Self> {
        let mut settings = Settings {
            half_life_days: config.half_life_days,
            default_min_score_ppm: config.default_min_score,
            ..Settings::default()
        };
        settings.path.hops_max = config.hops_max;
        settings.check()?;
        let policy = policy_of(rates);
        policy.check()?;
        selftest::exchange(&policy, now)?;
        let mut standing = Standing::new(StandingSettings::default());
        for (did, offender) in kept.offenders() {
            standing.restore(now, did, offender);
        }
        Ok(Self {
            settings,
            reputation: ReputationSettings::default(),
            policy,
            config,
            standing: Mutex::new(standing),
            kept: Mutex::new(kept),
            keep_soon: Notify::new(),
            webs: Mutex::default(),
            records: Mutex::default(),
            told: Mutex::default(),
            is_stirred: AtomicBool::new(true),
            wake: Notify::new(),
        })
    }

    /// Says that the books of a space have changed.
    pub(crate) fn changed(&self) {
        self.wake.notify_one();
    }

    /// Says that somebody came, or that something else changed which is not in the books.
    pub(crate) fn stir(&self) {
        self.is_stirred.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    /// Records what an authenticated member did wrong.
    pub(crate) fn record(&self, now: Timestamp, did: Did, violation: Violation) {
        let before = lock(&self.standing).action(&did, now);
        let after = lock(&self.standing).record(now, did, violation, None);
        if before != after {
            tracing::warn!(%did, action = ?after, ?violation, "misbehaviour changes what a node may do");
            self.stir();
            self.keep_soon.notify_one();
        }
    }

    /// The same, for whoever is behind a connection.
    pub(crate) fn blame(&self, now: Timestamp, peer: &icn_net::PeerId, violation: Violation) {
        if let Some(did) = icn_identity::did_of(peer) {
            self.record(now, did, violation);
        }
    }

    /// Lists those who did something wrong here, with what follows from it; those among them whom the network has banned by
    /// itself.
    pub(crate) fn offenders(&self, now: Timestamp, net: &icn_net::Handle) -> Vec<(Did, OffenderView)> {
        let mut all: BTreeMap<Did, OffenderView> = {
            let standing = lock(&self.standing);
            standing.offenders().filter_map(|did| Some((*did, standing.view(did, now)?))).collect()
        };
        for ban in net.bans() {
            let icn_net::Banned::Peer(peer) = ban.banned else { continue };
            let Some(did) = icn_identity::did_of(&peer) else { continue };
            let view = all.entry(did).or_insert_with(|| OffenderView {
                action: Action::None,
                milli_points: 0,
                counts: BTreeMap::new(),
                has_equivocated: false,
                last: ban.until.minus(icn_net::BAN_TIME),
                evidence: None,
            });
            view.action = view.action.max(Action::Ban { until: ban.until });
        }
        all.into_iter().collect()
    }

    /// Forgives somebody what it did.
    pub(crate) fn lift(&self, net: &icn_net::Handle, did: &Did) {
        lock(&self.standing).lift(did);
        net.unban(icn_net::Banned::Peer(icn_identity::peer_id(did)));
        self.stir();
    }

    /// Returns what a node gives to those of whom nothing is known, whatever they did.
    pub(crate) fn of_strangers(&self) -> Constraints {
        self.policy.access(TrustClass::Isolated, Action::None).constraints()
    }

    /// Returns what the books of a space say, as they were read last.
    pub(crate) fn web(&self, space: &Did) -> Option<Arc<Web>> {
        lock(&self.webs).get(space).cloned()
    }

    /// Returns how executors of a space did their jobs, as it was read last.
    pub(crate) fn record_of(&self, space: &Did) -> Option<Arc<Record>> {
        lock(&self.records).get(space).cloned()
    }

    /// Returns what the books say of all spaces that somebody of this node is a member of. Nothing is held while it is read: a
    /// score may take milliseconds.
    fn webs(&self) -> Vec<Arc<Web>> {
        lock(&self.webs).values().filter(|web| web.is_own).cloned().collect()
    }

    /// Tells whether trust limits what others may do.
    pub(crate) fn is_on(&self) -> bool {
        self.is_on_in(&self.webs())
    }

    fn is_on_in(&self, webs: &[Arc<Web>]) -> bool {
        match self.config.limits {
            TrustLimits::On => true,
            TrustLimits::Off => false,
            TrustLimits::Auto => webs.iter().any(|web| web.has_edges()),
        }
    }

    /// Returns the chance that a finished job of an executor is run again, in parts per million: a proven record earns a smaller one.
    pub(crate) fn check_ppm(&self, space: &Did, executor: &Did) -> u32 {
        let record = self.record_of(space);
        let is_proven = record.and_then(|record| Some(record.reputation(executor)?.is_proven));
        if is_proven == Some(true) { self.config.check_proven } else { self.config.check_unproven }
    }

    /// Tells whether what somebody says on a topic of jobs is heard, whoever passed it on (GOS-10, GOS-17).
    ///
    /// It is asked for every message: where strangers publish, so does whoever is not banned, and no more is looked at.
    pub(crate) fn may_publish(&self, now: Timestamp, did: &Did, topic: &str) -> bool {
        if lock(&self.standing).is_banned(did, now) {
            return false;
        }
        // No class may do less than the one below it, which the start has checked, and quarantine makes nobody less than isolated.
        let public = &self.policy.public_topics;
        self.policy.isolated.topics.allow(topic, public)
            || self.verdict(now, did).constraints.may_publish(topic, public.contains(topic))
    }

    /// Returns how far the members of a space trust somebody with its books, in parts per million; 0 without the right to
    /// read them. Whoever is no member reads them by it (GOS-11).
    pub(crate) fn trust_to_read(&self, now: Timestamp, space: &Did, did: &Did) -> u32 {
        let may_read = self.verdict(now, did).constraints.allows(Capability::ReadLedger.as_str());
        self.web(space).filter(|_| may_read).map_or(0, |web| web.score(TrustContext::Ledger, did))
    }

    /// Decides what somebody may do here.
    pub(crate) fn verdict(&self, now: Timestamp, did: &Did) -> Verdict {
        self.verdict_in(&self.webs(), now, did, TrustClass::Isolated)
    }

    /// The same by webs that were taken for many, for somebody who has a class at least.
    fn verdict_in(&self, webs: &[Arc<Web>], now: Timestamp, did: &Did, least: TrustClass) -> Verdict {
        let score_ppm = score_in(webs, TrustContext::General, did);
        let class = self.class(score_ppm).max(least);
        let mut action = lock(&self.standing).action(did, now);
        if webs.iter().any(|web| web.has_forked(did)) {
            action = action.max(Action::Quarantine);
        }
        let is_limited = self.is_on_in(webs) || action > Action::Warn;
        let mut constraints =
            if is_limited { self.policy.access(class, action).constraints() } else { Constraints::default() };
        // Who writes in a space is for its books to say.
        if constraints.topics == TopicAccess::Public && webs.iter().any(|web| web.has(did)) {
            constraints.topics = TopicAccess::All;
        }
        Verdict { class, action, constraints }
    }

    /// Returns the class of a score; a score below the least one counts as none.
    pub(crate) fn class(&self, score_ppm: u32) -> TrustClass {
        if score_ppm < self.settings.default_min_score_ppm {
            return TrustClass::Isolated;
        }
        self.settings.cutoffs.class(score_ppm)
    }

    /// Reads the books of every space that has changed.
    fn read(&self, node: &Node, now: Timestamp) -> Changed {
        let spaces = node.spaces.all();
        let mut changed = Changed::default();
        for space in &spaces {
            let (web, record) = (self.web(&space.root), self.record_of(&space.root));
            let replica = space.replica();
            let books = replica.books();
            let web = web.filter(|web| web.generation == books.generation() && now < web.until);
            let record = record.filter(|record| record.generation == books.ratings_generation());
            if web.is_some() && record.is_some() {
                continue;
            }
            changed.trust |= web.is_none();
            changed.records = true;
            let web =
                web.unwrap_or_else(|| Arc::new(Web::read(books, &node.spaces.identities.dids(), now, self)));
            let record = Record::read(books, &web, &self.reputation);
            drop(replica);
            lock(&self.webs).insert(space.root, web);
            lock(&self.records).insert(space.root, Arc::new(record));
        }
        let is_left = |root: &Did| spaces.iter().any(|space| space.root == *root);
        let mut webs = lock(&self.webs);
        changed.trust |= webs.keys().any(|root| !is_left(root));
        webs.retain(|root, _| is_left(root));
        lock(&self.records).retain(|root, _| is_left(root));
        changed
    }

    /// What the machines of jobs have to know of everybody.
    fn regards(&self, now: Timestamp, round_trips: BTreeMap<Did, icn_types::Duration>) -> Regards {
        let webs = self.webs();
        if !self.is_on_in(&webs) {
            return Regards { round_trips, ..Regards::default() };
        }
        let records: Vec<Arc<Record>> =
            lock(&self.records).values().filter(|record| record.is_own).cloned().collect();
        let mut known: BTreeSet<Did> = webs.iter().flat_map(|web| web.known()).collect();
        known.extend(records.iter().flat_map(|record| record.reputations()).map(|(did, _)| *did));
        let regard = |did: &Did| Regard {
            trust_ppm: score_in(&webs, TrustContext::Compute, did),
            reputation_ppm: records.iter().map(|record| record.reputation_ppm(did)).max().unwrap_or(0),
            constraints: self.verdict_in(&webs, now, did, TrustClass::Isolated).constraints,
        };
        let members = known.into_iter().map(|did| (did, regard(&did))).collect();
        Regards {
            trust_min_ppm: Some(self.config.min_execute),
            strangers: self.of_strangers(),
            members,
            round_trips,
            coops: BTreeMap::new(),
        }
    }
}

/// Returns the trust of this node in somebody, in parts per million: the best of all its spaces.
fn score_in(webs: &[Arc<Web>], context: TrustContext, did: &Did) -> u32 {
    webs.iter().map(|web| web.score(context, did)).max().unwrap_or(0)
}

/// Returns the branch with which somebody shares its limits: that through which it came into a space.
fn group_in(webs: &[Arc<Web>], did: &Did) -> Option<Did> {
    webs.iter().find_map(|web| web.branch(did))
}

/// Returns the part of one member's limits that such a branch gets, in parts per million.
fn part_in(webs: &[Arc<Web>], did: &Did) -> u32 {
    webs.iter().find_map(|web| web.part(did)).unwrap_or(icn_types::SCORE_MAX_PPM)
}

/// Makes the table of the classes, with the operator's rates. A burst is ten seconds of the rate.
fn policy_of(rates: &RateLimitingConfig) -> Policy {
    let mut policy = Policy::default();
    let intimate = rates.close_msgs_per_sec.saturating_mul(10);
    for (rule, rate) in [
        (&mut policy.isolated, rates.unknown_msgs_per_sec),
        (&mut policy.known, rates.known_msgs_per_sec),
        (&mut policy.partner, rates.colleague_msgs_per_sec),
        (&mut policy.federated, rates.close_msgs_per_sec),
        (&mut policy.intimate, intimate),
    ] {
        rule.messages_per_second = rate;
        rule.burst = rate.saturating_mul(10);
    }
    policy
}

/// Keeps limits true until the node ends.
pub(crate) async fn run(node: Arc<Node>) {
    let mut round_trips = BTreeMap::new();
    loop {
        let now = node.clock.now().at;
        let oracle = &node.trust;
        let is_stirred = oracle.is_stirred.swap(false, Ordering::AcqRel);
        let begun = Instant::now();
        let changed = oracle.read(&node, now);
        if changed.trust || is_stirred {
            round_trips = peers::tell(&node, now, changed.trust).await;
        }
        if changed.trust || changed.records || is_stirred {
            let regards = Regards { coops: coops::read(&node), ..oracle.regards(now, round_trips.clone()) };
            node.happen(Happening::Regards(Arc::new(regards))).await;
        }
        // Reading a large web takes at most a tenth of one processor, however often it changes.
        tokio::time::sleep((begun.elapsed() * 10).clamp(PAUSE, PERIOD)).await;
        if tokio::time::timeout(PERIOD, oracle.wake.notified()).await.is_err() {
            oracle.is_stirred.store(true, Ordering::Release);
        }
    }
}
