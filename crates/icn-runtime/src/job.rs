//! What belongs to one running guest: its files, clock, fuel and reports. It is the data of the Wasmtime store.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use icn_types::{Cid, Mode};
use tokio::sync::mpsc;
use wasmtime::{Caller, Extern, ResourceLimiter};

use crate::abi::{CALLS, Call, YIELD_FUEL};
use crate::clock::Clock;
use crate::fs::Tree;
use crate::fs::descriptor::Descriptors;
use crate::interrupt::Interrupt;
use crate::memory::Memory;
use crate::random::RandomBytes;
use crate::stop::Stop;
use crate::task::{GuestEvent, Input, Limits, RuntimeInfo, Task};

/// The state of one guest.
pub(crate) struct Job {
    pub(crate) id: String,
    pub(crate) id_asked: bool,
    /// `argv`, `job` included.
    pub(crate) args: Vec<String>,
    /// `NAME=value`.
    pub(crate) env: Vec<String>,
    pub(crate) stdin: Option<Input>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    pub(crate) tree: Tree,
    pub(crate) descriptors: Descriptors,
    pub(crate) clock: Clock,
    pub(crate) random: RandomBytes,
    pub(crate) anchors: Vec<(Cid, Bytes)>,
    pub(crate) anchored: BTreeSet<Cid>,
    pub(crate) events: Option<mpsc::Sender<GuestEvent>>,
    pub(crate) interrupt: Interrupt,
    pub(crate) limits: Limits,
    pub(crate) meter: Meter,
    memory: Option<wasmtime::Memory>,
    mode: Mode,
    /// What is left during a host call, in canonical mode; what host calls have cost so far, in fast mode.
    fuel: u64,
    calls: [u64; CALLS],
    /// Fuel of host calls since the guest was last looked at.
    unlooked: u64,
}

impl Job {
    /// Prepares a guest's world.
    pub(crate) fn new(
        task: &Task,
        info: &RuntimeInfo,
        meter: Meter,
        interrupt: Interrupt,
        events: Option<mpsc::Sender<GuestEvent>>,
    ) -> Result<Self, Stop> {
        let limits = task.limits.clone();
        let mut tree = Tree::new(limits.output_bytes_max, limits.output_files_max);
        for input in &task.inputs {
            tree.add_input(&input.name, input.blob.clone())
                .map_err(|_| Stop::NodeFault(format!("the input `{}` has no place in `/in`", input.name)))?;
        }
        let descriptors = Descriptors::new(&mut tree);
        let (clock, random) = match task.mode {
            Mode::Canonical => (Clock::canonical(), RandomBytes::canonical(&task.execution_key(info))),
            Mode::Fast => (Clock::real(), RandomBytes::fresh()),
        };
        Ok(Self {
            id: task.job_id.clone(),
            id_asked: false,
            args: std::iter::once("job".to_owned()).chain(task.args.iter().cloned()).collect(),
            env: task.env.iter().map(|(name, value)| format!("{name}={value}")).collect(),
            stdin: task.stdin.clone(),
            stdout: Vec::new(),
            stderr: Vec::new(),
            tree,
            descriptors,
            clock,
            random,
            anchors: Vec::new(),
            anchored: BTreeSet::new(),
            events,
            interrupt,
            limits,
            meter,
            memory: None,
            mode: task.mode,
            fuel: 0,
            calls: [0; CALLS],
            unlooked: 0,
        })
    }

    /// Takes fuel for work that the host does for the guest, and looks now and then whether the guest has to stop:
    /// setting the fuel counter after each host call puts off Wasmtime's own yields.
    pub(crate) fn spend(&mut self, fuel: u64) -> Result<(), Stop> {
        self.unlooked = self.unlooked.saturating_add(fuel);
        if self.unlooked >= YIELD_FUEL {
            self.unlooked = 0;
            self.interrupt.check()?;
        }
        match self.mode {
            Mode::Fast => self.fuel = self.fuel.saturating_add(fuel),
            Mode::Canonical => match self.fuel.checked_sub(fuel) {
                Some(left) => self.fuel = left,
                None => {
                    self.fuel = 0;
                    return Err(Stop::OutOfFuel);
                }
            },
        }
        Ok(())
    }

    /// Takes the fuel that a call costs for so many bytes.
    pub(crate) fn spend_bytes(&mut self, call: Call, bytes: u64) -> Result<(), Stop> {
        self.spend(bytes.saturating_mul(call.cost().1))
    }

    /// Counts a call and takes its fixed cost.
    fn begin(&mut self, call: Call) -> Result<(), Stop> {
        if let Some(count) = self.calls.get_mut(call as usize) {
            *count += 1;
        }
        self.spend(call.cost().0)
    }

    /// Reports something; when nobody keeps up, the report is dropped.
    pub(crate) fn report(&self, event: GuestEvent) {
        if let Some(events) = &self.events {
            let _ = events.try_send(event);
        }
    }

    /// Returns the fuel of host calls in fast mode.
    pub(crate) fn fuel_of_calls(&self) -> u64 {
        self.fuel
    }

    /// Returns how often each host function was called.
    pub(crate) fn host_calls(&self) -> BTreeMap<String, u64> {
        let counted = Call::ALL.iter().zip(self.calls).filter(|(_, count)| *count > 0);
        counted.map(|(call, count)| (call.import().1.to_owned(), count)).collect()
    }
}

/// Does one host call: finds the guest's memory, keeps the fuel counter, and turns a [`Stop`] into the guest's end.
pub(crate) fn host_call<T>(
    caller: &mut Caller<'_, Job>,
    call: Call,
    body: impl FnOnce(&mut Job, &mut Memory<'_>) -> Result<T, Stop>,
) -> wasmtime::Result<T> {
    let metered = caller.data().mode == Mode::Canonical;
    if metered {
        caller.data_mut().fuel = caller.get_fuel()?;
    }
    let answer = match exported_memory(caller) {
        Some(memory) => {
            let (bytes, job) = memory.data_and_store_mut(&mut *caller);
            job.begin(call).and_then(|()| body(job, &mut Memory(bytes)))
        }
        // Without a memory every pointer is outside of it.
        None => {
            let job = caller.data_mut();
            job.begin(call).and_then(|()| body(job, &mut Memory(&mut [])))
        }
    };
    if metered {
        let left = caller.data().fuel;
        caller.set_fuel(left)?;
    }
    Ok(answer?)
}

fn exported_memory(caller: &mut Caller<'_, Job>) -> Option<wasmtime::Memory> {
    if caller.data().memory.is_none() {
        caller.data_mut().memory = caller.get_export("memory").and_then(Extern::into_memory);
    }
    caller.data().memory
}

/// Grants memory and tables, and remembers what was refused.
#[derive(Debug)]
pub(crate) struct Meter {
    memory_bytes_max: u64,
    table_elements_max: u64,
    /// The most bytes so far.
    pub(crate) memory_peak_bytes: u64,
    /// What was refused last, in words.
    pub(crate) refused: Option<String>,
    /// What the host could not give although it was within the limits.
    pub(crate) fault: Option<String>,
}

impl Meter {
    pub(crate) fn new(memory_bytes_max: u64, table_elements_max: u32) -> Self {
        Self {
            memory_bytes_max,
            table_elements_max: u64::from(table_elements_max),
            memory_peak_bytes: 0,
            refused: None,
            fault: None,
        }
    }

    fn failed(&mut self, what: &str, error: &wasmtime::Error) -> wasmtime::Result<()> {
        let fault = format!("the host could not give a {what} that is within the limits: {error:#}");
        self.fault = Some(fault.clone());
        Err(Stop::NodeFault(fault).into())
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(&mut self, _: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let bytes = desired as u64;
        if bytes > self.memory_bytes_max {
            self.refused = Some(format!(
                "the guest wanted {bytes} bytes of memory, and {} are allowed",
                self.memory_bytes_max
            ));
            return Ok(false);
        }
        // Past the maximum that the module itself states: an ordinary -1, none of our limits.
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.memory_peak_bytes = self.memory_peak_bytes.max(bytes);
        Ok(true)
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        // Past what 32 bits can address; Wasmtime finds this before it asks for leave (a test holds the wording).
        if error.to_string().contains("memory type's limits") {
            self.refused = Some("the guest wanted more memory than 32 bits can address".to_owned());
            return Ok(());
        }
        self.failed("memory", &error)
    }

    fn table_growing(&mut self, _: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if desired as u64 > self.table_elements_max {
            self.refused = Some(format!(
                "the guest wanted a table of {desired} elements, and {} are allowed",
                self.table_elements_max
            ));
            return Ok(false);
        }
        Ok(maximum.is_none_or(|maximum| desired <= maximum))
    }

    fn table_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        self.failed("table", &error)
    }

    fn instances(&self) -> usize {
        1
    }

    fn memories(&self) -> usize {
        1
    }

    fn tables(&self) -> usize {
        crate::engine::TABLES_MAX as usize
    }
}
