//! Carrying out effects: in order, each behind the writes before it.

use icn_mesh::{Effect, FetchFailure, OriginatorEvent, Persist};
use icn_protocol::{ExecutionReceipt, Response, VerifiedReceipt, receipt, verify_receipt};
use icn_types::{Cid, Did};

use crate::config::{Cheat, Pipeline};
use crate::node::Step;
use crate::world::{Happening, World};

impl World {
    /// Takes effects on: writes enter the disk's queue now, the rest waits for its turn.
    #[expect(clippy::wildcard_enum_match_arm, reason = "all effects but writes wait in the same way")]
    pub(crate) fn take(&mut self, at: usize, effects: Vec<Effect>) {
        let line = if self.config.pipeline == Pipeline::PerEvent { self.number() } else { 0 };
        let mut step = Step { line, write: None, effects: Vec::new() };
        let mut steps = Vec::new();
        for effect in effects {
            match effect {
                Effect::Persist(writes) => {
                    let next = Step { line, write: Some(self.write(at, writes)), effects: Vec::new() };
                    steps.push(std::mem::replace(&mut step, next));
                }
                Effect::Note(writes) if self.config.pipeline != Pipeline::LateNotes => {
                    self.write(at, writes);
                }
                other => step.effects.push(other),
            }
        }
        steps.push(step);
        let Some(node) = self.nodes.get_mut(at) else { return };
        node.pipeline
            .extend(steps.into_iter().filter(|step| step.write.is_some() || !step.effects.is_empty()));
        self.advance(at);
    }

    fn write(&mut self, at: usize, writes: Vec<Persist>) -> u64 {
        let disk = &self.config.disk;
        let stalls = self.random.chance(disk.stall_ppm);
        let takes = if stalls { disk.stall_ms } else { self.random.within(disk.sync_ms) };
        let Some(node) = self.nodes.get_mut(at) else { return 0 };
        let number = node.disk.write(writes);
        let done = node.disk.busy_until.max(self.now_ms + takes);
        node.disk.busy_until = done;
        let boot = node.boot;
        self.at(done, Happening::Durable { node: at, boot, number });
        number
    }

    pub(crate) fn durable(&mut self, at: usize, number: u64) {
        if let Some(node) = self.nodes.get_mut(at) {
            node.disk.sync(number);
        }
        self.watch_disk(at);
        self.advance(at);
    }

    /// Carries out what does not have to wait any longer.
    fn advance(&mut self, at: usize) {
        loop {
            let Some(node) = self.nodes.get_mut(at) else { return };
            let ready = node.pipeline.iter().enumerate().position(|(index, step)| {
                step.write.is_none_or(|number| node.disk.is_durable(number))
                    && node.pipeline.iter().take(index).all(|earlier| earlier.line != step.line)
            });
            let Some(step) = ready.and_then(|index| node.pipeline.remove(index)) else { return };
            for effect in step.effects {
                self.perform(at, effect);
            }
        }
    }

    fn perform(&mut self, at: usize, effect: Effect) {
        let Some(node) = self.nodes.get(at) else { return };
        let (boot, cheat) = (node.boot, node.config.cheat);
        match effect {
            Effect::Persist(writes) | Effect::Note(writes) => drop(self.write(at, writes)),
            Effect::Publish { topic, bytes, remote_only } => {
                self.watch_publish(at, &topic, &bytes);
                self.gossip(at, &topic, &bytes, remote_only);
            }
            Effect::Send { to, bytes, request, patience } => {
                self.watch_send(at, &request);
                self.story.tell(self.now_ms, || format!("n{at} sends {request:?} to {}", to.short()));
                let bytes = self.twist(at, &to, bytes);
                self.send(at, &to, bytes, request, patience);
            }
            Effect::Reply { .. } if cheat == Some(Cheat::Mute) => {}
            Effect::Reply { ticket, response } => self.reply(at, ticket, &response),
            Effect::Wake { timer, after } => {
                self.after(after.as_millis(), Happening::Fire { node: at, boot, timer });
            }
            Effect::FetchReceipt { job, epoch: _, receipt, executor, providers: _ } => {
                let after = self.random.within((2, 60));
                self.after(after, Happening::Fetched { node: at, boot, job, receipt, executor });
            }
            Effect::Start { .. } if cheat == Some(Cheat::Pretends) => {}
            Effect::Start { record } => {
                self.watch_start(at, &record);
                self.start_guest(at, &record);
            }
            Effect::Stop { job, epoch } => self.stop_guest(at, &job, epoch),
            Effect::Provide { .. } | Effect::Rate { .. } => {}
            Effect::Capture { .. } if self.never_captures(at) => {}
            asked @ (Effect::PlaceHold { .. }
            | Effect::Capture { .. }
            | Effect::CheckHold { .. }
            | Effect::ReleaseHold { .. }
            | Effect::Claim { .. }
            | Effect::WatchHold { .. }) => {
                self.watch_ask(at, &asked);
                self.ask_ledger(at, boot, asked);
            }
            Effect::Changed { job } => self.watch_changed(at, &job),
        }
    }

    /// Answers a direct message, and remembers the answer for those who send it again.
    pub(crate) fn reply(&mut self, at: usize, ticket: u64, response: &Response) {
        let Some(node) = self.nodes.get_mut(at) else { return };
        let Some(waiting) = node.tickets.remove(&ticket) else { return };
        node.guard.answer(waiting.key, response);
        self.watch_reply(at, waiting.about, response);
        for exchange in waiting.exchanges {
            self.respond(exchange, at, response);
        }
    }

    /// Ends the fetch of a receipt: it must be had, hold, and be of this job.
    pub(crate) fn fetched(&mut self, at: usize, job: Cid, cid: Cid, executor: Did) {
        let lost = self.random.chance(self.config.network.loss_ppm);
        let from = self.by_did.get(&executor).copied();
        let bytes = from
            .filter(|from| !lost && self.is_reachable(*from, at) && self.is_reachable(at, *from))
            .and_then(|from| self.nodes.get(from))
            .and_then(|node| node.disk.blocks.get(&cid).or_else(|| node.forged.get(&cid)).cloned());
        let result = match bytes {
            None => Err(FetchFailure::Unavailable("nobody has it".to_owned())),
            Some(bytes) => self.verified(at, &job, &bytes).map_err(FetchFailure::Invalid).map(Box::new),
        };
        self.story
            .tell(self.now_ms, || format!("n{at} fetched {}: {:?}", cid.short(), result.as_ref().err()));
        self.originate(at, OriginatorEvent::ReceiptFetched { job, cid, executor, result });
    }

    fn verified(&self, at: usize, job: &Cid, bytes: &[u8]) -> Result<ExecutionReceipt, String> {
        let raw = receipt::parse(bytes).map_err(|error| error.to_string())?;
        let named = raw.unverified();
        let node = self.nodes.get(at).ok_or("there is no such node")?;
        let block = |cid: &Cid| node.disk.blocks.get(cid).map(Vec::as_slice);
        let (assignment, params) = (block(&named.assignment_cid), block(&named.job_params_cid));
        let VerifiedReceipt { receipt, assignment, .. } =
            verify_receipt(bytes, assignment, params, self.verifier.as_ref())
                .map_err(|error| error.to_string())?;
        if assignment.announcement_id != *job || assignment.originator_did != node.did {
            return Err("it is a receipt for another job".to_owned());
        }
        Ok(receipt.into_receipt())
    }
}
