//! Trust as a node that knows a little of it would show it.

use async_trait::async_trait;
use icn_gateway::api::Problem;
use icn_gateway::api::books::Written;
use icn_gateway::api::trust::{
    Allowance, Answer, CutEdge, Edge, EdgeListing, Offender, Question, Rating, Reputation, Step, Trust,
    TrustRequest,
};
use icn_types::{JobOutcome, Page};
use serde_json::json;

use super::books::{FakeBooks, at, order_id, party};
use super::did;

fn reputation(ratings: Vec<Rating>, sentences: Vec<String>) -> Reputation {
    Reputation { executor: party(2), score_ppm: 150_000, row: 3, proven: false, jobs: 4, ratings, sentences }
}

fn offender() -> Offender {
    Offender {
        did: did(9),
        action: "throttle".to_owned(),
        until: None,
        milli_points: 27_500,
        counts: [("malformed".to_owned(), 5)].into(),
        last: at(60),
    }
}

#[async_trait]
impl Trust for FakeBooks {
    async fn edges(&self, space: &str, part: EdgeListing) -> Result<Page<Edge>, Problem> {
        self.note_in(space, "edges", json!([part.from, part.to, part.context]))?;
        let edge = |from, to, score_ppm, expires: Option<u64>| Edge {
            from,
            to,
            context: part.context.unwrap_or_default(),
            score_ppm,
            given: at(0),
            expires: expires.map(at),
            expired: expires.is_some_and(|seconds| seconds < 60),
            act: format!("{}#0", order_id()),
        };
        let all = vec![edge(party(1), party(2), 800_000, None), edge(party(2), party(3), 125_000, Some(30))];
        Ok(Page::cut(all.into_iter(), part.offset, part.limit))
    }

    async fn say(&self, space: &str, request: TrustRequest) -> Result<Written, Problem> {
        self.note_in(space, "trust", json!(request))?;
        Ok(Written {
            entry: order_id(),
            author: did(1),
            seq: 4,
            repeated: false,
            note: Some(
                "for whoever trusts you in full, bob is federated now: see `icn trust path`".to_owned(),
            ),
            overrun: None,
        })
    }

    async fn explain(&self, space: &str, question: Question) -> Result<Answer, Problem> {
        self.note_in(space, "path", json!([question.from, question.to, question.context]))?;
        let (ann, bob, till) = (party(1), party(2), party(3));
        let step = |from, to, said_ppm, left_ppm| Step { from, to, said_ppm, left_ppm };
        Ok(Answer {
            from: vec![ann.clone()],
            to: till.clone(),
            context: question.context,
            score_ppm: 320_000,
            class: "partner".to_owned(),
            path: vec![
                step(ann, bob.clone(), 800_000, 800_000),
                step(bob.clone(), till.clone(), 500_000, 320_000),
            ],
            flow_ppm: 500_000,
            cut: vec![CutEdge { from: bob, to: till, capacity_ppm: 500_000 }],
            allowance: question.from.is_none().then(|| Allowance {
                messages_per_second: 100,
                burst: 1_000,
                streams_max: 10,
                fuel_max: 1_000_000_000_000,
                capabilities: vec!["read_ledger".to_owned(), "write_ledger".to_owned()],
                shares_with: Some(party(1)),
                action: "none".to_owned(),
                until: None,
            }),
            sentences: vec!["it is limited by these introductions: bob → till".to_owned()],
        })
    }

    async fn reputations(
        &self,
        space: &str,
        offset: usize,
        limit: usize,
    ) -> Result<Page<Reputation>, Problem> {
        self.note_in(space, "reputations", json!([offset, limit]))?;
        Ok(Page::cut([reputation(vec![], vec![])].into_iter(), offset, limit))
    }

    async fn offenders(&self, offset: usize, limit: usize) -> Result<Page<Offender>, Problem> {
        Ok(Page::cut([offender()].into_iter(), offset, limit))
    }

    async fn forgive(&self, wanted: &str) -> Result<Offender, Problem> {
        if wanted != did(9).to_string() {
            return Err(Problem::not_found("no-offence", "that one did nothing: see `icn trust offenders`"));
        }
        Ok(Offender { action: "none".to_owned(), ..offender() })
    }

    async fn reputation(&self, space: &str, executor: &str) -> Result<Reputation, Problem> {
        self.note_in(space, "reputation", json!(executor))?;
        let rating = Rating {
            by: party(1),
            job: order_id(),
            receipt: None,
            outcome: JobOutcome::Missing,
            at: at(30),
            weight_ppm: 1_000_000,
        };
        Ok(reputation(
            vec![rating],
            vec!["not proven yet: 3 results in a row hold, 10 are needed".to_owned()],
        ))
    }
}
