//! Trust and reputation as the API sees them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use icn_gateway::api::Problem;
use icn_gateway::api::books::{Party, Written};
use icn_gateway::api::trust::{
    Allowance, Answer, CutEdge, Edge, EdgeListing, Offender, Question, Rating, Reputation, Step, Trust,
    TrustRequest,
};
use icn_ledger::Act;
use icn_trust::{Action, Flow, Limit, OffenderView, PPM, Path, Paths, Snapshot, Violation, flow_to};
use icn_types::{
    Capabilities, Did, Duration, Page, SCORE_MAX_PPM, Timestamp, TrustContext, format_score, parse_score,
};

use super::books::BooksFace;
use super::books::words::Words;
use crate::spaces::Space;
use crate::trust::{Record, Verdict, Web};

/// How many ratings of one executor are shown.
const RATINGS_SHOWN: usize = 50;
/// How many of the introductions that bound a flow are named in a sentence.
const CUT_SHOWN: usize = 5;

/// What the API asks of trust.
pub(crate) struct TrustFace(pub(crate) BooksFace);

#[async_trait]
impl Trust for TrustFace {
    async fn edges(&self, space: &str, part: EdgeListing) -> Result<Page<Edge>, Problem> {
        let space = self.0.find(space)?;
        let now = self.0.0.clock.now().at;
        let replica = space.replica();
        let words = Words::of(replica.books());
        let named = |name: &Option<String>| name.as_ref().map(|name| self.0.member(name, &words)).transpose();
        let (from, to) = (named(&part.from)?, named(&part.to)?);
        let wanted = |edge: &icn_ledger::TrustEdge| {
            from.is_none_or(|did| edge.from == did)
                && to.is_none_or(|did| edge.to == did)
                && part.context.is_none_or(|context| edge.context == context)
        };
        let mut all: Vec<_> = replica.books().trust_edges().filter(wanted).collect();
        all.sort_unstable_by_key(|edge| (edge.from, edge.to, edge.context));
        let page = Page::cut(all.into_iter(), part.offset, part.limit);
        let show = |edge: &icn_ledger::TrustEdge| Edge {
            from: words.party(edge.from),
            to: words.party(edge.to),
            context: edge.context,
            score_ppm: edge.score_ppm,
            given: edge.given,
            expires: edge.expires,
            expired: edge.expires.is_some_and(|time| time <= now),
            act: edge.act.to_string(),
        };
        let items = page.items.iter().map(show).collect();
        Ok(Page { items, total: page.total, has_more: page.has_more })
    }

    async fn say(&self, space: &str, request: TrustRequest) -> Result<Written, Problem> {
        let space = self.0.find(space)?;
        let author = self.0.actor(&space, request.identity.as_deref()).await?;
        let score_ppm =
            parse_score(&request.score).map_err(|error| Problem::invalid("bad-score", error.to_string()))?;
        let (of, name) = {
            let words = Words::of(space.replica().books());
            let of = self.0.member(&request.of, &words)?;
            (of, words.name(&of))
        };
        let now = self.0.0.clock.now().at;
        let expires = request.expires_seconds.map(|seconds| now.plus(Duration::from_secs(seconds)));
        let act = Act::Trust { of, context: request.context, score_ppm, expires, note: request.note };
        let posted = self.0.post(&space, author, vec![act], request.key).await?;
        Ok(Written {
            entry: posted.entry,
            author,
            seq: posted.seq,
            repeated: posted.is_repeat,
            note: Some(self.what_follows(&name, score_ppm)),
            overrun: None,
        })
    }

    async fn explain(&self, space: &str, question: Question) -> Result<Answer, Problem> {
        let space = self.0.find(space)?;
        let words = Words::of(space.replica().books());
        let to = self.0.member(&question.to, &words)?;
        let from = question.from.as_ref().map(|name| self.0.member(name, &words)).transpose()?;
        let web = self.web(&space)?;
        Ok(self.answer(&web, &words, from, to, question.context))
    }

    async fn reputations(
        &self,
        space: &str,
        offset: usize,
        limit: usize,
    ) -> Result<Page<Reputation>, Problem> {
        let space = self.0.find(space)?;
        let words = Words::of(space.replica().books());
        let record = self.record(&space)?;
        let mut all: Vec<_> = record.reputations().collect();
        all.sort_by_key(|(did, found)| (std::cmp::Reverse(found.score_ppm), **did));
        let page = Page::cut(all.into_iter(), offset, limit);
        let items = page
            .items
            .iter()
            .map(|(did, found)| reputation(&record, words.party(**did), found, Vec::new(), Vec::new()))
            .collect();
        Ok(Page { items, total: page.total, has_more: page.has_more })
    }

    async fn offenders(&self, offset: usize, limit: usize) -> Result<Page<Offender>, Problem> {
        let all = self.0.0.trust.offenders(self.0.0.clock.now().at, &self.0.0.net);
        let page = Page::cut(all.into_iter(), offset, limit);
        let items = page.items.iter().map(|(did, view)| offender(*did, view)).collect();
        Ok(Page { items, total: page.total, has_more: page.has_more })
    }

    async fn forgive(&self, did: &str) -> Result<Offender, Problem> {
        let oracle = &self.0.0.trust;
        let now = self.0.0.clock.now().at;
        let found = did.parse::<Did>().ok().and_then(|did| {
            oracle.offenders(now, &self.0.0.net).into_iter().find(|(known, _)| *known == did)
        });
        let Some((did, view)) = found else {
            let shown: String = did.chars().take(80).collect();
            let detail = format!("`{shown}` did nothing that this node remembers: see `icn trust offenders`");
            return Err(Problem::not_found("no-offence", detail));
        };
        oracle.lift(&self.0.0.net, &did);
        // Who was forgiven must not be banned again after a crash.
        crate::trust::kept::save(&self.0.0);
        Ok(Offender { action: "none".to_owned(), until: None, milli_points: 0, ..offender(did, &view) })
    }

    async fn reputation(&self, space: &str, executor: &str) -> Result<Reputation, Problem> {
        let space = self.0.find(space)?;
        let words = Words::of(space.replica().books());
        let did = self.0.member(executor, &words)?;
        let (web, record) = (self.web(&space)?, self.record(&space)?);
        let Some(found) = record.reputation(&did) else {
            return Err(Problem::not_found(
                "no-reputation",
                format!("nobody has said yet what came of a job of {}", words.name(&did)),
            ));
        };
        let mut said: Vec<_> =
            space.replica().books().ratings().filter(|said| said.executor == did).collect();
        said.sort_by_key(|said| std::cmp::Reverse((said.at, said.job, said.by)));
        said.truncate(RATINGS_SHOWN);
        let ratings = said
            .into_iter()
            .map(|said| Rating {
                by: words.party(said.by),
                job: said.job,
                receipt: said.receipt,
                outcome: said.outcome,
                at: said.at,
                weight_ppm: web.score(TrustContext::Compute, &said.by),
            })
            .collect();
        let sentences = reputation_sentences(&words, found);
        Ok(reputation(&record, words.party(did), found, ratings, sentences))
    }
}

impl TrustFace {
    fn web(&self, space: &Space) -> Result<Arc<Web>, Problem> {
        self.0.0.trust.web(&space.root).ok_or_else(not_read)
    }

    fn record(&self, space: &Space) -> Result<Arc<Record>, Problem> {
        self.0.0.trust.record_of(&space.root).ok_or_else(not_read)
    }

    /// Says what a score means.
    fn what_follows(&self, name: &str, score_ppm: u32) -> String {
        if score_ppm == 0 {
            return format!("{name} is trusted by you no more; what others say of it stands");
        }
        let class = self.0.0.trust.class(score_ppm);
        format!("for whoever trusts you in full, {name} is {class} now: see `icn trust path`")
    }

    fn answer(&self, web: &Web, words: &Words, from: Option<Did>, to: Did, context: TrustContext) -> Answer {
        let oracle = &self.0.0.trust;
        let now = self.0.0.clock.now().at;
        let sources = from.map_or_else(|| web.sources.clone(), |from| BTreeSet::from([from]));
        let snapshot = Snapshot::new(&web.graph, context, now, oracle.settings.half_life_days);
        let paths = Paths::new(&snapshot, &sources, &oracle.settings.path);
        let path = paths.path(&snapshot, &to);
        let is_source = sources.contains(&to);
        let score_ppm = if is_source { SCORE_MAX_PPM } else { paths.score(&snapshot, &to) };
        let seeds: BTreeMap<Did, u64> = sources.iter().map(|did| (*did, u64::from(PPM))).collect();
        let demand = u64::from(PPM);
        let flow = flow_to(&snapshot, &seeds, &to, demand, |edge| u64::from(edge.score_ppm));
        let verdict = from.is_none().then(|| oracle.verdict(now, &to));
        let mut sentences = path_sentences(words, path.as_ref(), score_ppm, is_source);
        sentences.extend(flow_sentences(words, &flow, is_source));
        if !oracle.is_on() {
            let note = "limits do not depend on trust here yet: nobody has said whom it trusts, or they are switched off";
            sentences.push(note.to_owned());
        }
        Answer {
            from: words.parties(&sources),
            to: words.party(to),
            context,
            score_ppm,
            class: oracle.class(score_ppm).to_string(),
            path: path.iter().flat_map(|path| &path.hops).map(|hop| step(words, hop)).collect(),
            flow_ppm: flow.amount,
            cut: flow.cut.iter().filter_map(|limit| cut_edge(words, limit)).collect(),
            allowance: verdict.map(|verdict| allowance(words, web, &to, &verdict)),
            sentences,
        }
    }
}

fn step(words: &Words, hop: &icn_trust::Hop) -> Step {
    Step {
        from: words.party(hop.by.from),
        to: words.party(hop.by.to),
        said_ppm: hop.by.given_ppm,
        left_ppm: hop.value_ppm,
    }
}

fn cut_edge(words: &Words, limit: &Limit) -> Option<CutEdge> {
    match limit {
        Limit::Introduction { from, to, capacity } => {
            Some(CutEdge { from: words.party(*from), to: words.party(*to), capacity_ppm: *capacity })
        }
        Limit::Seed { .. } | Limit::Member { .. } => None,
    }
}

fn path_sentences(words: &Words, path: Option<&Path>, score_ppm: u32, is_source: bool) -> Vec<String> {
    if is_source {
        return vec!["it is one of those from whose point of view trust is read: trusted in full".to_owned()];
    }
    let Some(path) = path else {
        return vec![
            "nobody who is trusted from here vouches for it: ask a member to say `icn trust add`".to_owned(),
        ];
    };
    let mut sentences = vec![format!(
        "{} hops from {}: each hop after the first leaves four fifths, and what was said fades with time",
        path.hops.len(),
        words.name(&path.source)
    )];
    let weakest = path.hops.iter().min_by_key(|hop| hop.by.score_ppm);
    if let Some(hop) = weakest.filter(|_| score_ppm < SCORE_MAX_PPM) {
        sentences.push(format!(
            "the weakest link is what {} says of {} ({}): more there, or a shorter way, raises the score",
            words.name(&hop.by.from),
            words.name(&hop.by.to),
            format_score(hop.by.score_ppm)
        ));
    }
    sentences
}

fn flow_sentences(words: &Words, flow: &Flow, is_source: bool) -> Vec<String> {
    if is_source || flow.amount == 0 {
        return Vec::new();
    }
    let amount = u32::try_from(flow.amount).unwrap_or(SCORE_MAX_PPM);
    let mut sentences =
        vec![format!("along all ways together {} of full trust arrives", format_score(amount))];
    let named: Vec<String> = flow
        .cut
        .iter()
        .take(CUT_SHOWN)
        .filter_map(|limit| match limit {
            Limit::Introduction { from, to, .. } => {
                Some(format!("{} → {}", words.name(from), words.name(to)))
            }
            Limit::Seed { .. } | Limit::Member { .. } => None,
        })
        .collect();
    if !named.is_empty() {
        let more = flow.cut.len().saturating_sub(named.len());
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        sentences.push(format!("it is limited by these introductions: {}{more}", named.join(", ")));
    }
    sentences
}

/// Returns the word for an action, and until when it lasts.
fn action_word(action: Action) -> (String, Option<Timestamp>) {
    let (word, until) = match action {
        Action::None => ("none", None),
        Action::Warn => ("warn", None),
        Action::Throttle => ("throttle", None),
        Action::Quarantine => ("quarantine", None),
        Action::Ban { until } => ("ban", Some(until)),
    };
    (word.to_owned(), until)
}

fn offender(did: Did, view: &OffenderView) -> Offender {
    let (action, until) = action_word(view.action);
    let word = |violation: &Violation| {
        match violation {
            Violation::InvalidSignature => "invalid_signature",
            Violation::Equivocation => "equivocation",
            Violation::Malformed => "malformed",
            Violation::ExcessiveRate => "excessive_rate",
        }
        .to_owned()
    };
    Offender {
        did,
        action,
        until,
        milli_points: view.milli_points,
        counts: view.counts.iter().map(|(violation, count)| (word(violation), *count)).collect(),
        last: view.last,
    }
}

fn allowance(words: &Words, web: &Web, did: &Did, verdict: &Verdict) -> Allowance {
    let (action, until) = action_word(verdict.action);
    let limits = &verdict.constraints;
    Allowance {
        messages_per_second: limits.messages_per_second,
        burst: limits.burst,
        streams_max: limits.streams_max,
        fuel_max: limits.fuel_max,
        capabilities: match &limits.capabilities {
            Capabilities::All => vec!["*".to_owned()],
            Capabilities::Only(given) => given.iter().cloned().collect(),
        },
        shares_with: web.shares_with(did).map(|did| words.party(did)),
        action,
        until,
    }
}

fn not_read() -> Problem {
    Problem::new(503, "trust-unavailable", "the books of the space are still being read: try again")
}

fn reputation(
    record: &Record,
    executor: Party,
    found: &icn_trust::Reputation,
    ratings: Vec<Rating>,
    sentences: Vec<String>,
) -> Reputation {
    let jobs = record.results(&executor.did);
    Reputation {
        executor,
        score_ppm: found.score_ppm,
        row: found.consecutive,
        proven: found.is_proven,
        jobs: jobs as u64,
        ratings,
        sentences,
    }
}

fn reputation_sentences(words: &Words, found: &icn_trust::Reputation) -> Vec<String> {
    let needed = found.proven_at;
    let mut sentences = vec![if found.is_proven {
        format!("proven: {} results in a row hold, {needed} are needed", found.consecutive)
    } else {
        format!("not proven yet: {} results in a row hold, {needed} are needed", found.consecutive)
    }];
    for share in &found.shares {
        sentences.push(format!(
            "{} (trusted by {}) has {} results that hold, of which {} count: adds {}",
            words.name(&share.originator),
            format_score(share.trust_ppm),
            share.results,
            share.counted,
            format_score(share.adds_ppm)
        ));
    }
    if let Some(bad) = &found.last_bad {
        sentences.push(format!(
            "what was before {} counts no more: a job of {} came to nothing then",
            bad.at,
            words.name(&bad.originator)
        ));
    }
    if found.ignored > 0 {
        sentences.push(format!("{} ratings by those whom nobody here trusts were left out", found.ignored));
    }
    sentences
}
