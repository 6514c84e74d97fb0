//! A small model of the ledger: accounts with a line, and holds that are placed, captured, released, claimed or expire.
//!
//! It is one book for all nodes; what a node sees of another's entries it sees a while later. A node may be killed before
//! its entry is durable, or after it and before it hears so.

use std::collections::{BTreeMap, BTreeSet};

use icn_mesh::{Effect, ExecutorEvent, HoldEnd, HoldRole, OriginatorEvent};
use icn_types::{Cid, Did, Timestamp, TokenAmount};

use crate::config::Cheat;
use crate::world::{Happening, World};

/// What the ledger tells a machine.
#[derive(Debug)]
pub(crate) enum Says {
    Originator(OriginatorEvent),
    Executor(ExecutorEvent),
}

/// A hold, and what became of it.
#[derive(Debug)]
pub(crate) struct Hold {
    pub(crate) from: Did,
    pub(crate) to: Did,
    pub(crate) job: Cid,
    pub(crate) epoch: u64,
    pub(crate) amount: TokenAmount,
    pub(crate) expires: Timestamp,
    pub(crate) end: Option<HoldEnd>,
    /// When others than its payer see it, in milliseconds.
    seen_ms: u64,
}

#[derive(Debug)]
struct Watcher {
    node: usize,
    boot: u64,
    job: Cid,
    epoch: u64,
    role: HoldRole,
}

/// The book.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) holds: BTreeMap<String, Hold>,
    /// What was placed under one key is placed once.
    keys: BTreeMap<(Did, Cid, u64), String>,
    watchers: BTreeMap<String, Vec<Watcher>>,
    pub(crate) captured_jobs: BTreeSet<Cid>,
}

impl Ledger {
    /// Sums up what an account has: its line, what it got, less what it gave and what is held.
    fn available(&self, who: &Did, line: u64) -> i128 {
        let flow = |hold: &Hold| -> i128 {
            let moved = match &hold.end {
                None => i128::from(hold.amount.amount),
                Some(HoldEnd::Captured(amount) | HoldEnd::Claimed(amount)) => i128::from(amount.amount),
                Some(HoldEnd::Released | HoldEnd::Expired) => 0,
            };
            let got = if hold.to == *who && hold.end.is_some() { moved } else { 0 };
            let gave = if hold.from == *who { moved } else { 0 };
            got - gave
        };
        i128::from(line) + self.holds.values().map(flow).sum::<i128>()
    }
}

impl World {
    /// Takes an effect for the ledger on its way; a crash before it is done loses it.
    pub(crate) fn ask_ledger(&mut self, at: usize, boot: u64, effect: Effect) {
        let after = self.random.within(self.config.ledger.delay_ms);
        self.after(after, Happening::Ledger { node: at, boot, effect: Box::new(effect) });
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the other effects are not the ledger's")]
    pub(crate) fn ledger(&mut self, at: usize, boot: u64, effect: Effect) {
        self.story.tell(self.now_ms, || format!("n{at} ledger: {effect:?}"));
        match effect {
            Effect::PlaceHold { job, epoch, to, amount, expires, .. } => {
                let result = self.place(at, job, epoch, to, amount, expires);
                let event = OriginatorEvent::HoldPlaced { job, epoch, result };
                self.say(at, boot, Says::Originator(event));
            }
            Effect::Capture { job, epoch, hold, amount, receipt, .. } => {
                let result = self.capture(at, job, &hold, amount, receipt);
                let event = OriginatorEvent::Captured { job, epoch, result };
                self.say(at, boot, Says::Originator(event));
            }
            Effect::CheckHold { job, epoch, ref hold, .. } => {
                let seen_ms = self.ledger.holds.get(hold).map(|hold| hold.seen_ms);
                match seen_ms {
                    // Perhaps it will be seen later; nobody can say.
                    None => {}
                    Some(seen_ms) if seen_ms > self.now_ms => {
                        self.at(seen_ms, Happening::Ledger { node: at, boot, effect: Box::new(effect) });
                    }
                    Some(_) => {
                        let result = self.covers(&effect);
                        let event = ExecutorEvent::HoldChecked { job, epoch, result };
                        self.say(at, boot, Says::Executor(event));
                    }
                }
            }
            Effect::ReleaseHold { job, epoch, hold, from, .. } => self.release(at, job, epoch, &hold, &from),
            Effect::Claim { job, epoch, hold, amount, assignment: _, receipt, .. } => {
                self.claim(at, job, epoch, &hold, amount, receipt);
            }
            Effect::WatchHold { job, epoch, hold, role, .. } => {
                let watcher = Watcher { node: at, boot, job, epoch, role };
                self.ledger.watchers.entry(hold.clone()).or_default().push(watcher);
                self.tell_watchers(&hold);
            }
            _ => {}
        }
    }

    fn place(
        &mut self,
        at: usize,
        job: Cid,
        epoch: u64,
        to: Did,
        amount: TokenAmount,
        expires: Timestamp,
    ) -> Result<String, String> {
        let from = self.did(at);
        if let Some(text) = self.ledger.keys.get(&(from, job, epoch)) {
            let same = self.ledger.holds.get(text).is_some_and(|hold| hold.to == to && hold.amount == amount);
            self.ensure(same, || format!("n{at} asks for two holds under one key of {}", job.short()));
            return Ok(self.ledger.keys.get(&(from, job, epoch)).cloned().unwrap_or_default());
        }
        let line = self.nodes.get(at).and_then(|node| node.config.line).unwrap_or(u64::MAX >> 1);
        let available = self.ledger.available(&from, line);
        if i128::from(amount.amount) > available {
            return Err(format!("not covered: {available} of {amount} are left"));
        }
        let text = format!("{}#0", Cid::of_dag_cbor(format!("{from} {job} {epoch}").as_bytes()));
        let seen_ms = self.now_ms + self.random.within(self.config.ledger.seen_ms);
        let hold = Hold { from, to, job, epoch, amount, expires, end: None, seen_ms };
        self.ledger.keys.insert((from, job, epoch), text.clone());
        self.ledger.holds.insert(text.clone(), hold);
        let after = expires.since(crate::node::wall(self.now_ms)).as_millis();
        self.after(after, Happening::HoldExpires { hold: text.clone() });
        Ok(text)
    }

    fn covers(&self, question: &Effect) -> Result<Timestamp, String> {
        let Effect::CheckHold { job, hold, from, to, amount, expires_min, .. } = question else {
            return Err("this is no question".to_owned());
        };
        let known = self.ledger.holds.get(hold).ok_or("it is not known")?;
        let checks = [
            (known.end.is_none(), "it has ended"),
            (known.from == *from, "it has another payer"),
            (known.to == *to, "it has another payee"),
            (known.job == *job, "it is for another job"),
            (known.amount.currency == amount.currency, "it is in another currency"),
            (known.amount.amount >= amount.amount, "it holds less"),
            (known.expires >= *expires_min, "it ends too soon"),
        ];
        match checks.into_iter().find(|(holds, _)| !holds) {
            Some((_, why)) => Err(why.to_owned()),
            None => Ok(known.expires),
        }
    }

    fn capture(
        &mut self,
        at: usize,
        job: Cid,
        text: &str,
        amount: TokenAmount,
        receipt: Cid,
    ) -> Result<(), String> {
        let me = self.did(at);
        let Some(hold) = self.ledger.holds.get(text).filter(|hold| hold.from == me && hold.job == job) else {
            self.ensure(false, || format!("n{at} captures a hold that it did not place"));
            return Err("there is no such hold".to_owned());
        };
        match &hold.end {
            Some(HoldEnd::Captured(before)) => {
                let same = *before == amount;
                self.ensure(same, || format!("n{at} captures twice for {}", job.short()));
                return Ok(());
            }
            Some(HoldEnd::Claimed(_)) => return Err("it was claimed".to_owned()),
            Some(HoldEnd::Released) => return Err("it was released".to_owned()),
            Some(HoldEnd::Expired) => return Err("it has expired".to_owned()),
            None => {}
        }
        self.watch_capture(at, text, &amount, receipt);
        self.ledger.captured_jobs.insert(job);
        self.end_hold(text, HoldEnd::Captured(amount));
        Ok(())
    }

    fn release(&mut self, at: usize, job: Cid, epoch: u64, text: &str, from: &Did) {
        let me = self.did(at);
        let mine =
            |hold: &&Hold| hold.to == me && hold.from == *from && hold.job == job && hold.end.is_none();
        if self.ledger.holds.get(text).filter(mine).is_some() {
            self.watch_release(at, &job, epoch);
            self.end_hold(text, HoldEnd::Released);
        }
    }

    fn claim(&mut self, at: usize, job: Cid, epoch: u64, text: &str, amount: TokenAmount, receipt: Cid) {
        let me = self.did(at);
        let mine = |hold: &&Hold| hold.to == me && hold.job == job && hold.end.is_none();
        if self.ledger.holds.get(text).filter(mine).is_some() {
            self.watch_claim(at, &job, epoch, text, &amount, receipt);
            self.end_hold(text, HoldEnd::Claimed(amount));
        }
    }

    pub(crate) fn hold_expires(&mut self, text: &str) {
        if self.ledger.holds.get(text).is_some_and(|hold| hold.end.is_none()) {
            self.end_hold(text, HoldEnd::Expired);
        }
    }

    fn end_hold(&mut self, text: &str, how: HoldEnd) {
        self.story.tell(self.now_ms, || format!("hold {text} ends: {how:?}"));
        if let Some(hold) = self.ledger.holds.get_mut(text) {
            hold.end = Some(how);
        }
        self.tell_watchers(text);
    }

    /// Tells everybody who watches a hold that has ended how it ended, once.
    fn tell_watchers(&mut self, text: &str) {
        let Some(how) = self.ledger.holds.get(text).and_then(|hold| hold.end.clone()) else { return };
        for Watcher { node, boot, job, epoch, role } in self.ledger.watchers.remove(text).unwrap_or_default()
        {
            let how = how.clone();
            let after = self.random.within(self.config.ledger.seen_ms);
            let says = match role {
                HoldRole::Payer => Says::Originator(OriginatorEvent::HoldEnded { job, epoch, how }),
                HoldRole::Payee => Says::Executor(ExecutorEvent::HoldEnded { job, epoch, how }),
            };
            self.after(after, Happening::LedgerSays { node, boot, says });
        }
    }

    fn say(&mut self, at: usize, boot: u64, says: Says) {
        let after = self.random.within(self.config.ledger.delay_ms);
        self.after(after, Happening::LedgerSays { node: at, boot, says });
    }

    pub(crate) fn hear_ledger(&mut self, at: usize, says: Says) {
        match says {
            Says::Originator(event) => self.originate(at, event),
            Says::Executor(event) => self.execute(at, event),
        }
    }

    /// Tells whether a node keeps what it was paid for to itself.
    pub(crate) fn never_captures(&self, at: usize) -> bool {
        self.nodes.get(at).is_some_and(|node| node.config.cheat == Some(Cheat::NeverCaptures))
    }

    /// Returns how the holds of a job ended, in order of epochs; `None` for one that is open.
    #[must_use]
    pub fn holds(&self, job: &Cid) -> Vec<Option<HoldEnd>> {
        let mut holds: Vec<(u64, Option<HoldEnd>)> = self
            .ledger
            .holds
            .values()
            .filter(|hold| hold.job == *job)
            .map(|hold| (hold.epoch, hold.end.clone()))
            .collect();
        holds.sort_by_key(|(epoch, _)| *epoch);
        holds.into_iter().map(|(_, end)| end).collect()
    }

    /// Returns what a node's account got from others, less what it gave and what is held.
    #[must_use]
    pub fn balance(&self, node: usize) -> i128 {
        self.ledger.available(&self.did(node), 0)
    }
}
