//! The two engines: canonical and fast.

use icn_types::Mode;
use wasmtime::{Engine, InstanceAllocationStrategy, OperatorCost, PoolingAllocationConfig};

use crate::Config;

/// The most tables of a module.
pub(crate) const TABLES_MAX: u32 = 4;

/// Native stack for WebAssembly calls, in bytes. Part of the profile.
const WASM_STACK_BYTES: usize = 512 * 1024;

/// Native stack of a guest with room for the host functions that it calls, in bytes.
const STACK_BYTES: usize = 1024 * 1024;

/// Slots beyond the guests that run at once: a slot is free a moment after its guest's permit.
const SLOTS_SPARE: u32 = 2;

/// Memory that an idle slot keeps, in bytes: clearing it is cheaper than giving it back and faulting it in again.
const KEEP_RESIDENT_BYTES: usize = 64 * 1024;

/// Starts the engine of a mode, with pooled slots where the address space allows for them.
pub(crate) fn start(config: &Config, mode: Mode) -> wasmtime::Result<Engine> {
    let mut settings = settings(mode);
    let slots = config.concurrent_max.max(1).saturating_add(SLOTS_SPARE);
    settings.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(config, slots)));
    Engine::new(&settings).or_else(|error| {
        tracing::warn!(slots, %error, "no address space for pooled instances; each guest gets its own mapping");
        settings.allocation_strategy(InstanceAllocationStrategy::OnDemand);
        Engine::new(&settings)
    })
}

fn settings(mode: Mode) -> wasmtime::Config {
    let mut settings = wasmtime::Config::new();
    settings
        .max_wasm_stack(WASM_STACK_BYTES)
        .async_stack_size(STACK_BYTES)
        // One thread for each module: a shared pool would let a slow module make others late.
        .parallel_compilation(false)
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_relaxed_simd(true)
        .relaxed_simd_deterministic(true);
    match mode {
        Mode::Canonical => {
            settings.consume_fuel(true).operator_cost(costs()).cranelift_nan_canonicalization(true);
        }
        Mode::Fast => {
            settings.epoch_interruption(true);
        }
    }
    settings
}

/// The costs of instructions in `icn-canonical-1`, where they differ from one for each.
fn costs() -> OperatorCost {
    let mut costs = OperatorCost::new();
    // These go to the host and may map memory; a refused one is not free either.
    costs.MemoryGrow = u8::MAX;
    costs.TableGrow = u8::MAX;
    costs.variable.memory_grow_per_page = u8::MAX;
    costs
}

fn pool(config: &Config, slots: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    let tables = slots.saturating_mul(TABLES_MAX);
    pool.total_core_instances(slots)
        .total_memories(slots)
        .total_tables(tables)
        .total_stacks(slots)
        .max_unused_warm_slots(slots)
        .max_memories_per_module(1)
        .max_tables_per_module(TABLES_MAX)
        .max_core_instance_size(8 * 1024 * 1024)
        .table_elements(usize::try_from(config.table_elements_max).unwrap_or(usize::MAX))
        .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
        .table_keep_resident(0);
    pool
}
