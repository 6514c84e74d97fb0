//! The replica alone: what one payment costs the thread of its loop, without disk and tasks.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use icn_bench::Context;
use icn_bench::measure::Samples;
use icn_bench::report::{Row, Section, Unit};
use icn_gossip::SignedEntry;
use icn_identity::{Ed25519Verifier, Keypair};
use icn_ledger::replica::{Effect, Entries, Event, PostRequest, Replica, ReplicaConfig, Turn, Write};
use icn_types::Did;

use super::shell::now;
use super::world::{World, pay};

/// Turns that are measured at once: long beside a look at the clock, short beside a time slice.
const TURNS: usize = 8;

/// Measures turns of few and many payers, and what the signatures cost that they leave to others.
pub(crate) fn measure(context: &Context) -> Result<Section> {
    let mut section = Section::new("the loop's thread, for one payment");
    let sign_us = 1e6 / context.limits.signs_per_second;
    for (is_accepted, kind) in [(true, "sent and accepted"), (false, "sent")] {
        for (payers, per_entry) in [(8, 1), (64, 1), (8, 100)] {
            let (turns, signing) = run(context, is_accepted, payers, per_entry)?;
            let payments = (TURNS * payers * per_entry) as f64;
            let name = format!("{kind}, {payers} payers × {per_entry}: replica, median");
            section.push(Row::new(name, turns.quantile_us(0.5) / payments, Unit::Microseconds));
            let signatures = if is_accepted { 2.0 } else { 1.0 } / per_entry as f64;
            section.push(
                Row::new(
                    "… signatures, on any thread",
                    signing.quantile_us(0.5) / payments,
                    Unit::Microseconds,
                )
                .beside(signatures * sign_us, "bare sign"),
            );
        }
    }
    Ok(section)
}

/// Entries in memory, in the order of application.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<SignedEntry>>>);

impl Memory {
    /// Writes a turn down, and tells how many entries there are.
    fn write(&self, turn: Turn) -> u32 {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.extend(turn.writes.into_iter().filter_map(|write| match write {
            Write::Entry { entry, .. } => Some(entry),
            Write::Vote { .. } | Write::HasPeers | Write::Offence { .. } => None,
        }));
        u32::try_from(entries.len()).unwrap_or(u32::MAX)
    }
}

impl Entries for Memory {
    fn get(&self, idx: u32) -> Option<SignedEntry> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(usize::try_from(idx).ok()?).cloned()
    }
}

fn run(context: &Context, is_accepted: bool, payers: usize, per_entry: usize) -> Result<(Samples, Samples)> {
    let mut world = World::new(2 * payers);
    let memory = Memory::default();
    let config = ReplicaConfig::new(world.space(), world.space());
    let mut replica = Replica::new(config, Box::new(memory.clone()), Arc::new(Ed25519Verifier::new()));
    let founding = world.found(0)?;
    let here: Vec<Keypair> = world.members.iter().take(payers).cloned().collect();
    for key in &here {
        replica.add_identity(Arc::new(key.clone()));
    }
    for entry in founding {
        memory.0.lock().unwrap_or_else(PoisonError::into_inner).push(entry.clone());
        replica.restore(entry)?;
    }
    replica.restored(now());
    let skipped = if is_accepted { 0 } else { payers };
    let payees: Vec<Did> = world.members.iter().skip(skipped).take(payers).map(Keypair::did).collect();

    let (mut turns, mut signing) = (Vec::new(), Vec::new());
    let begun = Instant::now();
    // The first ones warm up.
    while begun.elapsed() < context.plan.each || turns.len() < 3 {
        let (turned, signed) = (0..TURNS).try_fold((Duration::ZERO, Duration::ZERO), |sum, _| {
            let (turned, signed) = turn(&mut replica, &memory, &here, &payees, per_entry)?;
            anyhow::Ok((sum.0 + turned, sum.1 + signed))
        })?;
        turns.push(turned);
        signing.push(signed);
    }
    ensure!(replica.books().check_zero_sum(), "the books do not sum to zero");
    Ok((Samples::of(&turns, begun.elapsed())?, Samples::of(&signing, begun.elapsed())?))
}

/// Lets every payer pay once; returns how long the replica took, and the signatures after it.
fn turn(
    replica: &mut Replica,
    memory: &Memory,
    payers: &[Keypair],
    payees: &[Did],
    per_entry: usize,
) -> Result<(Duration, Duration)> {
    let requests = payers.iter().enumerate().map(|(n, payer)| {
        let author = payer.did();
        let others = payees.iter().copied().cycle().skip(n + 1).filter(|did| *did != author);
        let acts = others.take(per_entry).map(pay).collect();
        PostRequest { author, acts, approvals: Vec::new(), key: None, is_offline: false }
    });
    let events: Vec<Event> = requests.map(|request| Event::Post { ticket: 0, request }).collect();
    let begun = Instant::now();
    let mut effects = Vec::new();
    for event in events {
        effects.extend(replica.handle(now(), event));
    }
    effects.extend(replica.settle(now()));
    let turn = Turn::of(effects);
    let turned = begun.elapsed();
    let answers = turn.behind.iter().filter(|effect| matches!(effect, Effect::Answer { result: Ok(_), .. }));
    ensure!(answers.count() == payers.len(), "not every payment was made");
    ensure!(turn.promises().count() >= payers.len(), "the replica signed by itself");
    let begun = Instant::now();
    turn.promises().for_each(SignedEntry::keep_promise);
    let signed = begun.elapsed();
    let entries = memory.write(turn);
    drop(replica.handle(now(), Event::Durable { entries }));
    Ok((turned, signed))
}
