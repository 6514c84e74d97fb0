//! Wasmtime without our sandbox around it.

use std::path::Path;

use anyhow::Result;
use wasmtime::{Config, Engine, Instance, InstanceAllocationStrategy, InstancePre, Linker, Module, Store};

/// Fuel that no guest here uses up.
const FUEL: u64 = 1 << 50;

/// An engine with pooled instances, with or without fuel, and nothing that it could call.
pub(super) struct Bare {
    engine: Engine,
    fuel: bool,
}

impl Bare {
    /// Starts the engine; with fuel it also makes NaNs canonical, as the program's own engine does.
    pub(super) fn new(fuel: bool) -> Result<Self> {
        let mut config = Config::new();
        config
            .allocation_strategy(InstanceAllocationStrategy::pooling())
            .parallel_compilation(false)
            .consume_fuel(fuel)
            .cranelift_nan_canonicalization(fuel);
        Ok(Self { engine: Engine::new(&config).map_err(lift)?, fuel })
    }

    /// Compiles a module; each of its imports would trap.
    pub(super) fn compile(&self, wasm: &[u8]) -> Result<Compiled> {
        Compiled::of(self, Module::new(&self.engine, wasm).map_err(lift)?)
    }
}

/// A module, ready to be instantiated.
pub(super) struct Compiled {
    module: Module,
    pre: InstancePre<()>,
}

impl Compiled {
    fn of(bare: &Bare, module: Module) -> Result<Self> {
        let mut linker = Linker::new(&bare.engine);
        linker.define_unknown_imports_as_traps(&module).map_err(lift)?;
        let pre = linker.instantiate_pre(&module).map_err(lift)?;
        Ok(Self { module, pre })
    }

    /// Loads what [`Compiled::serialized`] gave.
    #[expect(unsafe_code, reason = "the file was written by this process a moment ago, with the same engine")]
    pub(super) fn load(bare: &Bare, path: &Path) -> Result<Self> {
        // SAFETY: the file holds what Wasmtime serialized, and nobody else knows its folder.
        let module = unsafe { Module::deserialize_file(&bare.engine, path) }.map_err(lift)?;
        Self::of(bare, module)
    }

    /// Returns the compiled code as bytes.
    pub(super) fn serialized(&self) -> Result<Vec<u8>> {
        self.module.serialize().map_err(lift)
    }

    /// Instantiates the module in a store of its own.
    pub(super) fn start(&self, bare: &Bare) -> Result<Started> {
        let mut store = Store::new(&bare.engine, ());
        if bare.fuel {
            store.set_fuel(FUEL).map_err(lift)?;
        }
        let instance = self.pre.instantiate(&mut store).map_err(lift)?;
        Ok(Started { store, instance })
    }
}

/// An instance.
pub(super) struct Started {
    store: Store<()>,
    instance: Instance,
}

impl Started {
    /// Calls `_start`.
    pub(super) fn call(&mut self) -> Result<()> {
        let start = self.instance.get_typed_func::<(), ()>(&mut self.store, "_start").map_err(lift)?;
        start.call(&mut self.store, ()).map_err(lift)
    }
}

/// Makes an error of Wasmtime's own type one of ours.
fn lift(error: wasmtime::Error) -> anyhow::Error {
    anyhow::Error::from_boxed(error.into_boxed_dyn_error())
}
