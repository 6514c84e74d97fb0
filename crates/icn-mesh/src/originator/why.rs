//! Answering why a job runs where it runs, or does not run.

use std::collections::BTreeSet;

use icn_protocol::{JobStatus, Params, RefusalCode};
use icn_types::{Cid, Did};

use super::Originator;
use crate::clock::Now;
use crate::placement;
use crate::record::JobRecord;

/// What is known of one executor concerning one job: who, a word for its standing, and the rule with its figures.
pub type Standing = (Did, &'static str, String);

impl Originator {
    /// Tells of each known executor how it stands to a job.
    #[must_use]
    pub fn why(&self, now: Now, record: &JobRecord) -> Vec<Standing> {
        let mut told = BTreeSet::new();
        let mut standings: Vec<Standing> = Vec::new();
        for bid in record.bids.iter().rev() {
            if told.insert(bid.executor) {
                let asked = bid.price.as_ref().map_or_else(|| "no price".to_owned(), ToString::to_string);
                let (standing, detail) = match (&bid.outcome, &bid.ineligible) {
                    (Some(outcome), _) => {
                        ("chosen", format!("asked {asked}, score {}; {outcome}", bid.score))
                    }
                    (None, Some(rule)) => ("not-eligible", rule.clone()),
                    (None, None) => {
                        ("bid", format!("asked {asked}, score {}, {} waiting", bid.score, bid.queue_depth))
                    }
                };
                standings.push((bid.executor, standing, detail));
            }
        }
        for decline in &record.declines {
            if told.insert(decline.executor) {
                let detail = decline.detail.as_ref().map_or_else(String::new, |detail| format!(": {detail}"));
                standings.push((decline.executor, "declined", format!("{}{detail}", decline.code)));
            }
        }
        for (did, known) in self.directory.fresh(now.at).filter(|(did, _)| !told.contains(*did)) {
            let candidate = self.candidate(did, known);
            let verdict = Params::from_bytes(&record.params)
                .ok()
                .map(|params| placement::eligible(&params, &candidate));
            standings.push(match verdict {
                _ if record.remote && *did == self.me => {
                    (*did, "not-eligible", "the submitter asked for another node".into())
                }
                Some(Err(rule)) if rule.code != RefusalCode::Price => {
                    (*did, "not-eligible", rule.to_string())
                }
                _ => {
                    (*did, "silent", "it advertises itself and may run this job, but has not answered".into())
                }
            });
        }
        standings
    }

    /// Says in one sentence where a job stands and why.
    #[must_use]
    pub fn summary(&self, now: Now, record: &JobRecord) -> String {
        if let Some(failure) = record.failure.as_ref().filter(|_| record.status.is_final()) {
            return format!("nobody runs it any more: {}", failure.message);
        }
        if let Some(receipt) = record.receipt.as_ref().filter(|_| record.status.is_final()) {
            let chosen =
                record.history.iter().rev().find(|turn| turn.state == JobStatus::BiddingClosed.as_str());
            let why = chosen.and_then(|turn| turn.detail.clone()).unwrap_or_default();
            return format!("{} ran it: {why}", receipt.executor_did);
        }
        match record.assignment() {
            Some(assignment) if !self.is_bidding(&record.id) => {
                format!("{} has it under lease epoch {}", assignment.executor, assignment.epoch)
            }
            _ => match self.directory.fresh(now.at).count() {
                0 => "it waits: no executor has advertised itself to this node".to_owned(),
                known => {
                    let free =
                        Params::from_bytes(&record.params).is_ok_and(|params| params.max_price().is_none());
                    let hint = if free {
                        "; it names no price, so only executors that ask nothing can take it"
                    } else {
                        ""
                    };
                    format!("it waits for an acceptable bid; {known} executors are known{hint}")
                }
            },
        }
    }

    fn is_bidding(&self, id: &Cid) -> bool {
        self.jobs.get(id).is_some_and(super::Job::is_between)
    }
}
