//! Compiled modules: each compiled once, kept in memory and on disk.

mod disk;
mod load;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use icn_types::{Cid, Mode, RAW};
use tokio::sync::{Semaphore, oneshot, watch};
use wasmtime::{Engine, InstancePre, Linker, Module};

use self::disk::DiskCache;
use crate::job::Job;
use crate::outcome::ExecutionError;
use crate::scan::{Wants, scan};
use crate::{Config, RuntimeError, mesh, wasi};

/// A module that is ready to be instantiated.
pub(crate) struct Prepared {
    pub(crate) pre: InstancePre<Job>,
    pub(crate) wants: Wants,
    code_bytes: u64,
}

/// Why there is no compiled module.
#[derive(Debug, Clone)]
pub(crate) enum PrepareError {
    /// The module's own fault.
    Bad(ExecutionError),
    /// It wants more at its start than any guest may have.
    TooLarge(ExecutionError),
    /// Ours.
    Fault(ExecutionError),
}

/// How a module came to be ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// It was compiled.
    Compiled,
    /// It was in memory, on disk, or compiled meanwhile for another job.
    Cache,
}

type Key = (Cid, Mode);
type Answer = Result<(Arc<Prepared>, Source), PrepareError>;

/// What is in memory, and what is on its way there.
#[derive(Default)]
struct State {
    ready: HashMap<Key, (Arc<Prepared>, u64)>,
    pending: HashMap<Key, watch::Receiver<Option<Answer>>>,
    /// Counts uses, so that the module used longest ago is known.
    uses: u64,
}

/// All compiled modules of a runtime.
pub(crate) struct ModuleCache {
    config: Config,
    disk: Option<DiskCache>,
    state: Mutex<State>,
    /// One permit for each thread that compiles.
    compilers: Arc<Semaphore>,
    compiled: AtomicU64,
}

impl ModuleCache {
    pub(crate) fn new(config: &Config) -> Result<Self, RuntimeError> {
        let disk = match &config.cache_dir {
            Some(dir) => Some(
                DiskCache::open(dir, config.cache_bytes_max)
                    .map_err(|error| RuntimeError::Cache(dir.clone(), error))?,
            ),
            None => None,
        };
        let compilers = Arc::new(Semaphore::new(config.compiles_max.max(1) as usize));
        Ok(Self {
            config: config.clone(),
            disk,
            state: Mutex::default(),
            compilers,
            compiled: AtomicU64::new(0),
        })
    }

    /// Returns how many compilations were begun.
    pub(crate) fn compiled(&self) -> u64 {
        self.compiled.load(Ordering::Relaxed)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finds a module or compiles it. Jobs that want the same module at once share one compilation, which goes on
    /// when they stop waiting: what it makes is kept for the next.
    pub(crate) async fn get(self: &Arc<Self>, engine: &Engine, mode: Mode, cid: Cid, wasm: Bytes) -> Answer {
        let key = (cid, mode);
        let mut pending = {
            let mut state = self.state();
            state.uses += 1;
            let now = state.uses;
            if let Some((prepared, used)) = state.ready.get_mut(&key) {
                *used = now;
                return Ok((Arc::clone(prepared), Source::Cache));
            }
            match state.pending.get(&key) {
                Some(pending) => pending.clone(),
                None => {
                    let (tx, rx) = watch::channel(None);
                    state.pending.insert(key, rx.clone());
                    tokio::spawn(Arc::clone(self).fill(engine.clone(), key, wasm, tx));
                    rx
                }
            }
        };
        let timeout = self.config.compile_timeout;
        match tokio::time::timeout(timeout, pending.wait_for(Option::is_some)).await {
            Ok(Ok(answer)) => answer.clone().unwrap_or_else(|| Err(lost())),
            Ok(Err(_)) => Err(lost()),
            Err(_) => Err(self.late(timeout)),
        }
    }

    /// Says whose fault it is that a module is not ready in time.
    fn late(&self, timeout: Duration) -> PrepareError {
        let ms = timeout.as_millis();
        let message = format!("the module was not compiled within {ms} ms: make its functions smaller");
        PrepareError::Bad(ExecutionError::new("compile_timeout", message))
    }

    /// Makes a module ready, keeps it, and tells those who wait.
    async fn fill(self: Arc<Self>, engine: Engine, key: Key, wasm: Bytes, tx: watch::Sender<Option<Answer>>) {
        let answer = self.prepare(engine, key, wasm).await;
        {
            let mut state = self.state();
            state.pending.remove(&key);
            if let Ok((prepared, _)) = &answer {
                state.keep(key, Arc::clone(prepared), self.config.cache_memory_bytes_max);
            }
        }
        let _ = tx.send(Some(answer));
    }

    async fn prepare(self: &Arc<Self>, engine: Engine, key: Key, wasm: Bytes) -> Answer {
        // Waiting for a thread is not the module's doing: it must not end as a bad module.
        let waited = tokio::time::timeout(
            self.config.compile_timeout / 2,
            Arc::clone(&self.compilers).acquire_owned(),
        );
        let Ok(Ok(permit)) = waited.await else {
            let message = "all compilers are busy with slow modules: try again later";
            return Err(PrepareError::Fault(ExecutionError::new("compilers_busy", message)));
        };
        let cache = Arc::clone(self);
        let (tx, rx) = oneshot::channel();
        // A thread of its own: one that compiles for minutes must not hold up the end of tokio's runtime.
        let thread = std::thread::Builder::new().name("icn-compile".into()).spawn(move || {
            let answer = cache.load_or_compile(&engine, key, &wasm);
            drop(permit);
            let _ = tx.send(answer);
        });
        match thread {
            Ok(_) => rx.await.unwrap_or_else(|_| Err(lost())),
            Err(_) => Err(lost()),
        }
    }

    fn load_or_compile(&self, engine: &Engine, (cid, mode): Key, wasm: &[u8]) -> Answer {
        if cid.codec() == RAW && cid.verify(wasm).is_err() {
            let message = format!("the bytes given for the module are not those that `{cid}` names");
            return Err(PrepareError::Fault(ExecutionError::new("wrong_module_bytes", message)));
        }
        let wants = scan(wasm, &self.config).map_err(PrepareError::Bad)?;
        let (elements, elements_max) = (wants.table_elements, self.config.table_elements_max);
        if elements > u64::from(elements_max) {
            let message = format!(
                "the module starts with a table of {elements} elements, and {elements_max} are allowed"
            );
            return Err(PrepareError::TooLarge(ExecutionError::new("memory_limit", message)));
        }
        let loaded = self.disk.as_ref().and_then(|disk| disk.load(engine, &cid));
        let (module, source) = match loaded {
            Some(module) => (module, Source::Cache),
            None => (self.compile(engine, cid, mode, wasm)?, Source::Compiled),
        };
        let code_bytes = module.image_range();
        let code_bytes = (code_bytes.end as usize).saturating_sub(code_bytes.start as usize) as u64;
        let pre = link(engine, &module)
            .map_err(|error| PrepareError::Bad(ExecutionError::new("wrong_import", format!("{error:#}"))))?;
        Ok((Arc::new(Prepared { pre, wants, code_bytes }), source))
    }

    fn compile(&self, engine: &Engine, cid: Cid, mode: Mode, wasm: &[u8]) -> Result<Module, PrepareError> {
        self.compiled.fetch_add(1, Ordering::Relaxed);
        let module = Module::from_binary(engine, wasm).map_err(|error| {
            PrepareError::Bad(ExecutionError::new("invalid_module", format!("{error:#}")))
        })?;
        if let Some(disk) = &self.disk
            && let Err(error) = disk.store(engine, &cid, &module)
        {
            tracing::warn!(%cid, ?mode, %error, "a compiled module cannot be kept on disk");
        }
        Ok(module)
    }
}

fn link(engine: &Engine, module: &Module) -> wasmtime::Result<InstancePre<Job>> {
    let mut linker = Linker::new(engine);
    wasi::link(&mut linker)?;
    mesh::link(&mut linker)?;
    linker.instantiate_pre(module)
}

fn lost() -> PrepareError {
    PrepareError::Fault(ExecutionError::new("node_fault", "the compilation was lost: its thread failed"))
}

impl State {
    /// Adds a module and drops those used longest ago until the rest fits; the newest always stays.
    fn keep(&mut self, key: Key, prepared: Arc<Prepared>, bytes_max: u64) {
        self.uses += 1;
        self.ready.insert(key, (prepared, self.uses));
        while self.ready.len() > 1
            && self.ready.values().map(|(ready, _)| ready.code_bytes).sum::<u64>() > bytes_max
        {
            let oldest = self.ready.iter().min_by_key(|(_, (_, used))| *used).map(|(key, _)| *key);
            if let Some(oldest) = oldest {
                self.ready.remove(&oldest);
            }
        }
    }
}
