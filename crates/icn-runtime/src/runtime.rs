//! The runtime: slots for guests, engines, and the way of a task through both.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use icn_types::{Cid, End, Mode, check_paths};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::Engine;

use crate::cache::{ModuleCache, PrepareError, Prepared, Source};
use crate::interrupt::Interrupt;
use crate::outcome::{ExecutionError, Outcome};
use crate::run::Run;
use crate::stop::Stop;
use crate::task::{Control, RuntimeInfo, Task};
use crate::ticker::Ticker;
use crate::{Config, RuntimeError, abi, engine};

/// How long after its time a guest's thread is waited for. A host call that hangs in a [`crate::Blob`] cannot be stopped;
/// the job ends without it.
const GRACE: Duration = Duration::from_secs(1);

/// Compiles and executes guests. Clones share everything.
#[derive(Clone)]
pub struct Runtime(Arc<Inner>);

struct Inner {
    config: Config,
    cache: Arc<ModuleCache>,
    canonical: Engine,
    /// Started by the first fast job: an engine holds address space.
    fast: OnceLock<Result<(Engine, Ticker), String>>,
    slots: Arc<Semaphore>,
}

impl Runtime {
    /// Starts the engine and opens the module cache.
    ///
    /// # Errors
    ///
    /// [`RuntimeError::Engine`] on machines that Wasmtime does not support, [`RuntimeError::Cache`] when the folder
    /// cannot be used.
    pub fn new(config: Config) -> Result<Self, RuntimeError> {
        let canonical = engine::start(&config, Mode::Canonical)?;
        let cache = Arc::new(ModuleCache::new(&config)?);
        let slots = Arc::new(Semaphore::new(config.concurrent_max.max(1) as usize));
        Ok(Self(Arc::new(Inner { config, cache, canonical, fast: OnceLock::new(), slots })))
    }

    /// Tells which virtual machine this is, for receipts and advertisements.
    #[must_use]
    pub fn info(&self, mode: Mode) -> RuntimeInfo {
        RuntimeInfo {
            engine: "wasmtime".to_owned(),
            version: wasmtime_environ::VERSION.to_owned(),
            profile: abi::profile(mode).to_owned(),
            mode,
        }
    }

    /// Returns the settings.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// Returns how many guests could start now without waiting.
    #[must_use]
    pub fn slots_free(&self) -> usize {
        self.0.slots.available_permits()
    }

    /// Returns how many compilations were begun since the start; the rest came from the caches.
    #[must_use]
    pub fn modules_compiled(&self) -> u64 {
        self.0.cache.compiled()
    }

    /// Compiles a module ahead, for canonical mode.
    ///
    /// # Errors
    ///
    /// What [`Runtime::execute`] would give as the error of a job with this module.
    pub async fn prepare(&self, wasm_cid: Cid, wasm: Bytes) -> Result<(), ExecutionError> {
        let prepared = self.0.cache.get(&self.0.canonical, Mode::Canonical, wasm_cid, wasm).await;
        prepared.map(drop).map_err(|error| match error {
            PrepareError::Bad(error) | PrepareError::TooLarge(error) | PrepareError::Fault(error) => error,
        })
    }

    /// Executes one task. There is no error: whatever goes wrong is the outcome's end.
    ///
    /// Waits while all slots are taken. Must be called within a tokio runtime. The guest runs on a thread of tokio's
    /// blocking pool; dropping the future does not stop it, cancelling `control.cancel` does.
    pub async fn execute(&self, mut task: Task, control: Control) -> Outcome {
        let mut stages = Stages::start();
        // A task with limits above the node's is cut to them, whoever let it in.
        let limits = &mut task.limits;
        limits.memory_bytes_max = limits.memory_bytes_max.min(self.0.config.memory_bytes_max);
        if let Err(error) = check_paths(task.inputs.iter().map(|input| input.name.as_str())) {
            let message = format!("the inputs cannot be given to the guest: {error}");
            return stages.without_guest(End::NodeFault, ExecutionError::new("bad_input_name", message));
        }
        let Some(slot) = self.slot(&control).await else { return stages.stopped(&Stop::Cancelled) };
        stages.end("queue");
        let interrupt = Interrupt::after(control.timeout, control.cancel.clone());
        let prepared = tokio::select! {
            biased;
            () = control.cancel.cancelled() => return stages.stopped(&Stop::Cancelled),
            () = tokio::time::sleep_until(interrupt.deadline.into()) => {
                return stages.stopped(&Stop::Timeout(control.timeout.as_millis()));
            }
            prepared = self.compiled(&task) => prepared,
        };
        let prepared = match prepared {
            Ok((prepared, Source::Compiled)) => {
                stages.end("compile");
                prepared
            }
            Ok((prepared, Source::Cache)) => {
                stages.end("cache");
                prepared
            }
            Err(error) => {
                stages.end("compile");
                return match error {
                    PrepareError::Bad(error) => stages.without_guest(End::BadModule, error),
                    PrepareError::TooLarge(error) => stages.without_guest(End::MemoryLimit, error),
                    PrepareError::Fault(error) => stages.without_guest(End::NodeFault, error),
                };
            }
        };
        self.run(task, control, interrupt, prepared, slot, stages).await
    }

    async fn slot(&self, control: &Control) -> Option<OwnedSemaphorePermit> {
        tokio::select! {
            biased;
            () = control.cancel.cancelled() => None,
            slot = Arc::clone(&self.0.slots).acquire_owned() => slot.ok(),
        }
    }

    async fn compiled(&self, task: &Task) -> Result<(Arc<Prepared>, Source), PrepareError> {
        let engine = self.engine(task.mode).map_err(PrepareError::Fault)?.0;
        self.0.cache.get(&engine, task.mode, task.wasm_cid, task.wasm.clone()).await
    }

    /// Returns the engine of a mode; the fast one has a heartbeat.
    fn engine(&self, mode: Mode) -> Result<(Engine, Option<Ticker>), ExecutionError> {
        match mode {
            Mode::Canonical => Ok((self.0.canonical.clone(), None)),
            Mode::Fast => {
                let start = || match engine::start(&self.0.config, Mode::Fast) {
                    Ok(engine) => Ok((engine.clone(), Ticker::new(engine))),
                    Err(error) => Err(format!("the engine of fast mode did not start: {error:#}")),
                };
                let (engine, ticker) = self.0.fast.get_or_init(start).clone().map_err(node_fault)?;
                Ok((engine, Some(ticker)))
            }
        }
    }

    async fn run(
        &self,
        task: Task,
        control: Control,
        interrupt: Interrupt,
        prepared: Arc<Prepared>,
        slot: OwnedSemaphorePermit,
        stages: Stages,
    ) -> Outcome {
        let (engine, ticker) = match self.engine(task.mode) {
            Ok(engine) => engine,
            Err(error) => return stages.without_guest(End::NodeFault, error),
        };
        let (timeout, deadline) = (control.timeout, interrupt.deadline);
        let info = self.info(task.mode);
        let run = Run {
            task,
            info,
            engine,
            prepared,
            table_elements_max: self.0.config.table_elements_max,
            interrupt,
            events: control.events,
            stages_us: stages.us.clone(),
        };
        let thread = tokio::task::spawn_blocking(move || {
            // Both are held until the guest is really gone.
            let _slot = slot;
            match ticker.map(|ticker| ticker.start()).transpose() {
                Ok(_ticking) => run.run(),
                Err(error) => {
                    let error = node_fault(format!("the heartbeat of fast mode did not start: {error}"));
                    Outcome::without_guest(End::NodeFault, error, run.stages_us)
                }
            }
        });
        let late = async {
            tokio::time::sleep_until(deadline.into()).await;
            tokio::time::sleep(GRACE).await;
        };
        let cancelled = async {
            control.cancel.cancelled().await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            biased;
            outcome = thread => outcome.unwrap_or_else(|_| {
                stages.without_guest(End::NodeFault, node_fault("the guest's thread failed".to_owned()))
            }),
            () = late => stages.stopped(&Stop::Timeout(timeout.as_millis())),
            () = cancelled => stages.stopped(&Stop::Cancelled),
        }
    }
}

fn node_fault(message: String) -> ExecutionError {
    ExecutionError::new("node_fault", message)
}

/// The stages that a task has passed, with their microseconds.
struct Stages {
    us: BTreeMap<String, u64>,
    since: Instant,
}

impl Stages {
    fn start() -> Self {
        Self { us: BTreeMap::new(), since: Instant::now() }
    }

    fn end(&mut self, name: &str) {
        let now = Instant::now();
        let us = now.duration_since(self.since).as_micros();
        self.us.insert(name.to_owned(), u64::try_from(us).unwrap_or(u64::MAX));
        self.since = now;
    }

    fn without_guest(self, end: End, error: ExecutionError) -> Outcome {
        Outcome::without_guest(end, error, self.us)
    }

    fn stopped(self, stop: &Stop) -> Outcome {
        let (end, _, error) = stop.verdict();
        let error = error.unwrap_or_else(|| node_fault(stop.to_string()));
        Outcome::without_guest(end, error, self.us)
    }
}
