//! The heartbeat of fast mode: one thread that advances Wasmtime's epoch while a fast guest runs.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use wasmtime::Engine;

/// How often a fast guest is asked whether it has to stop.
const TICK: Duration = Duration::from_millis(5);

/// Counts the fast guests; the thread lives from the first to the last of them.
#[derive(Clone)]
pub(crate) struct Ticker {
    engine: Engine,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    guests: u32,
    thread: bool,
}

/// A fast guest that runs; dropping it may stop the heartbeat.
pub(crate) struct Ticking(Arc<Mutex<State>>);

impl Ticker {
    pub(crate) fn new(engine: Engine) -> Self {
        Self { engine, state: Arc::default() }
    }

    /// Makes sure that the heartbeat goes on until the answer is dropped.
    pub(crate) fn start(&self) -> std::io::Result<Ticking> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.thread {
            let ticker = self.clone();
            std::thread::Builder::new().name("icn-ticker".into()).spawn(move || ticker.run())?;
            state.thread = true;
        }
        state.guests += 1;
        Ok(Ticking(Arc::clone(&self.state)))
    }

    fn run(&self) {
        loop {
            std::thread::sleep(TICK);
            self.engine.increment_epoch();
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            if state.guests == 0 {
                state.thread = false;
                return;
            }
        }
    }
}

impl Drop for Ticking {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).guests -= 1;
    }
}
