//! One guest, from its instance to its end, on a thread of its own.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::Bytes;
use icn_types::{End, Mode, check_paths};
use tokio::sync::mpsc;
use wasmtime::{Engine, ExternType, Store, Trap, Val, ValType, WasmBacktrace};

use crate::abi::YIELD_FUEL;
use crate::cache::Prepared;
use crate::interrupt::Interrupt;
use crate::job::{Job, Meter};
use crate::outcome::{ExecutionError, Outcome, OutputFile};
use crate::stop::Stop;
use crate::task::{ENTRY_DEFAULT, GuestEvent, RuntimeInfo, Task};

/// Everything that a run needs.
pub(crate) struct Run {
    pub(crate) task: Task,
    pub(crate) info: RuntimeInfo,
    pub(crate) engine: Engine,
    pub(crate) prepared: Arc<Prepared>,
    pub(crate) table_elements_max: u32,
    pub(crate) interrupt: Interrupt,
    pub(crate) events: Option<mpsc::Sender<GuestEvent>>,
    pub(crate) stages_us: BTreeMap<String, u64>,
}

/// How a run ended, before it is looked at with what the guest was refused.
type Verdict = (End, Option<i32>, Option<ExecutionError>);

impl Run {
    /// Runs the guest to its end. Blocks.
    pub(crate) fn run(mut self) -> Outcome {
        let started = Instant::now();
        if let Err(error) = self.check_entry() {
            return Outcome::without_guest(End::BadModule, error, self.stages_us);
        }
        let limits = &self.task.limits;
        let (wanted, allowed) = (self.prepared.wants.memory_bytes, limits.memory_bytes_max);
        if wanted > allowed {
            let message =
                format!("the module starts with {wanted} bytes of memory, and {allowed} are allowed");
            let error = ExecutionError::new("memory_limit", message);
            return Outcome::without_guest(End::MemoryLimit, error, self.stages_us);
        }
        let meter = Meter::new(limits.memory_bytes_max, self.table_elements_max);
        let job = Job::new(&self.task, &self.info, meter, self.interrupt.clone(), self.events.take());
        let mut store = match job.map(|job| Store::new(&self.engine, job)) {
            Ok(store) => store,
            Err(stop) => return self.fault(stop.to_string()),
        };
        store.limiter(|job| &mut job.meter);
        if let Err(error) = self.set_metering(&mut store) {
            return self.fault(format!("{error:#}"));
        }
        let mut instantiated = started;
        let result = drive(&self.interrupt, self.call(&mut store, &mut instantiated));
        self.stage("instantiate", started, instantiated);
        self.stage("run", instantiated, Instant::now());
        let verdict = verdict(result, &store.data().meter);
        self.finish(store, verdict)
    }

    fn fault(self, message: String) -> Outcome {
        Outcome::without_guest(End::NodeFault, ExecutionError::new("node_fault", message), self.stages_us)
    }

    fn stage(&mut self, name: &str, from: Instant, to: Instant) {
        let us = to.saturating_duration_since(from).as_micros();
        self.stages_us.insert(name.to_owned(), u64::try_from(us).unwrap_or(u64::MAX));
    }

    fn set_metering(&self, store: &mut Store<Job>) -> wasmtime::Result<()> {
        match self.task.mode {
            Mode::Canonical => {
                store.set_fuel(self.task.limits.fuel_max)?;
                store.fuel_async_yield_interval(Some(YIELD_FUEL))
            }
            Mode::Fast => {
                store.set_epoch_deadline(1);
                store.epoch_deadline_async_yield_and_update(1);
                Ok(())
            }
        }
    }

    /// Checks that the entry is there and can be called without arguments.
    fn check_entry(&self) -> Result<(), ExecutionError> {
        let entry = self.task.entry();
        let shown: String = entry.chars().take(100).collect();
        match self.prepared.pre.module().get_export(entry) {
            Some(ExternType::Func(ty)) => {
                let result_fits = match (ty.results().len(), ty.results().next()) {
                    (0, _) => true,
                    (1, Some(ValType::I32)) => entry != ENTRY_DEFAULT,
                    _ => false,
                };
                if ty.params().len() == 0 && result_fits {
                    return Ok(());
                }
                let message = format!("the export `{shown}` has the type {ty}; an entry takes nothing");
                Err(ExecutionError::new("wrong_entry", message))
            }
            Some(_) => {
                Err(ExecutionError::new("wrong_entry", format!("the export `{shown}` is not a function")))
            }
            None => {
                let hint = if entry == ENTRY_DEFAULT {
                    "; build it as a WASI command, or name another entry"
                } else {
                    ""
                };
                let message = format!("the module exports no function `{shown}`{hint}");
                Err(ExecutionError::new("no_entry", message))
            }
        }
    }

    /// Instantiates and calls; the answer is the exit code.
    async fn call(&self, store: &mut Store<Job>, instantiated: &mut Instant) -> wasmtime::Result<i32> {
        let instance = self.prepared.pre.instantiate_async(&mut *store).await?;
        *instantiated = Instant::now();
        let entry = self.task.entry();
        // A library prepares itself by `_initialize`; a command does so in `_start`.
        if entry != ENTRY_DEFAULT
            && let Ok(prepare) = instance.get_typed_func::<(), ()>(&mut *store, "_initialize")
        {
            prepare.call_async(&mut *store, ()).await?;
        }
        let missing = || Stop::NodeFault(format!("the export `{entry}` was there and is gone"));
        let function = instance.get_func(&mut *store, entry).ok_or_else(missing)?;
        let mut results = vec![Val::I32(0); function.ty(&*store).results().len()];
        function.call_async(&mut *store, &[], &mut results).await?;
        Ok(results.first().and_then(Val::i32).unwrap_or(0))
    }

    /// Collects what the guest leaves.
    fn finish(self, store: Store<Job>, (mut end, mut exit_code, mut error): Verdict) -> Outcome {
        let fuel_used = match self.task.mode {
            Mode::Canonical => self.task.limits.fuel_max.saturating_sub(store.get_fuel().unwrap_or_default()),
            Mode::Fast => store.data().fuel_of_calls(),
        };
        let job = store.into_data();
        let (host_calls, memory_peak_bytes) = (job.host_calls(), job.meter.memory_peak_bytes);
        let mut outputs = vec![file("stdout", job.stdout), file("stderr", job.stderr)];
        let files = job.tree.into_outputs();
        if let Err(name) = check_paths(files.keys().map(String::as_str)) {
            let message = format!("the outputs cannot be given back: {name}");
            (end, exit_code) = (End::OutputLimit, None);
            error = Some(ExecutionError::new("output_limit", message));
        } else {
            outputs.extend(files.into_iter().map(|(name, bytes)| file(&name, bytes)));
        }
        Outcome {
            end,
            exit_code,
            error,
            fuel_used,
            memory_peak_bytes,
            host_calls,
            outputs,
            anchors: job.anchors,
            asked_job_id: job.id_asked,
            stages_us: self.stages_us,
        }
    }
}

fn file(name: &str, bytes: Vec<u8>) -> OutputFile {
    OutputFile { name: name.to_owned(), bytes: Bytes::from(bytes.into_boxed_slice()) }
}

/// Polls a guest until it ends or has to be stopped.
///
/// The future is pending only because the guest was asked to yield, so it is polled again at once: no waker is needed.
fn drive<T>(interrupt: &Interrupt, guest: impl Future<Output = wasmtime::Result<T>>) -> wasmtime::Result<T> {
    let mut guest = pin!(guest);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        interrupt.check()?;
        if let Poll::Ready(result) = guest.as_mut().poll(&mut context) {
            return result;
        }
    }
}

/// The stable words for traps.
const TRAPS: [(Trap, &str); 13] = [
    (Trap::StackOverflow, "stack_overflow"),
    (Trap::MemoryOutOfBounds, "memory_out_of_bounds"),
    (Trap::HeapMisaligned, "misaligned"),
    (Trap::TableOutOfBounds, "table_out_of_bounds"),
    (Trap::IndirectCallToNull, "null_call"),
    (Trap::BadSignature, "wrong_call_type"),
    (Trap::IntegerOverflow, "integer_overflow"),
    (Trap::IntegerDivisionByZero, "division_by_zero"),
    (Trap::BadConversionToInteger, "bad_conversion"),
    (Trap::UnreachableCodeReached, "unreachable"),
    (Trap::Interrupt, "interrupt"),
    (Trap::OutOfFuel, "out_of_fuel"),
    (Trap::NullReference, "null_reference"),
];

/// Reads an end out of what Wasmtime says.
fn verdict(result: wasmtime::Result<i32>, meter: &Meter) -> Verdict {
    let error = match result {
        Ok(code) => return (End::Exit, Some(code), None),
        Err(error) => error,
    };
    if let Some(fault) = &meter.fault {
        return (End::NodeFault, None, Some(ExecutionError::new("node_fault", fault)));
    }
    let (end, code, message) = match (error.downcast_ref::<Stop>(), error.downcast_ref::<Trap>()) {
        (Some(stop), _) => match stop.verdict() {
            (end @ End::Trap, _, Some(stopped)) => (end, stopped.code, stopped.message),
            other => return other,
        },
        (None, Some(Trap::OutOfFuel)) => {
            (End::OutOfFuel, "out_of_fuel".to_owned(), Stop::OutOfFuel.to_string())
        }
        (None, Some(trap)) => {
            let code = TRAPS.iter().find(|(known, _)| known == trap).map_or("trap", |(_, code)| code);
            (End::Trap, code.to_owned(), trap.to_string())
        }
        // The instance was refused: its memory or table starts too large, or something of ours broke.
        (None, None) if meter.refused.is_some() => (End::MemoryLimit, String::new(), String::new()),
        (None, None) => (End::NodeFault, "node_fault".to_owned(), format!("{error:#}")),
    };
    let trace = error.downcast_ref::<WasmBacktrace>().map(|trace| format!("\n{trace}")).unwrap_or_default();
    match (&meter.refused, end) {
        (Some(refused), End::Trap | End::MemoryLimit) => {
            let then = if message.is_empty() { String::new() } else { format!(", then: {message}") };
            let message = format!("{refused}{then}{trace}");
            (End::MemoryLimit, None, Some(ExecutionError::new("memory_limit", message)))
        }
        _ => (end, None, Some(ExecutionError::new(&code, format!("{message}{trace}")))),
    }
}
