//! What the nodes are given to run.

use std::path::PathBuf;

use crate::world::World;

fn examples() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples/guests").canonicalize().unwrap()
}

/// Finds a guest that a C compiler made.
pub(crate) fn guest(name: &str) -> String {
    examples().join("bin").join(format!("{name}.wasm")).to_str().unwrap().to_owned()
}

/// Compiles a guest of the hostile set.
pub(crate) fn hostile(world: &World, name: &str) -> String {
    let bytes = wat::parse_file(examples().join("hostile").join(format!("{name}.wat"))).unwrap();
    world.file(&format!("{name}.wasm"), bytes)
}

/// Makes a guest that counts down from `rounds` and then says so. A billion rounds are about a second of work.
pub(crate) fn counting(world: &World, rounds: u64) -> String {
    let text = format!(
        r#"(module
          (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
          (memory (export "memory") 1)
          (data (i32.const 0) "\08\00\00\00\08\00\00\00counted\n")
          (func (export "_start") (local $left i64)
            (local.set $left (i64.const {rounds}))
            (loop $again
              (local.set $left (i64.sub (local.get $left) (i64.const 1)))
              (br_if $again (i64.ne (local.get $left) (i64.const 0))))
            (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 100)))))"#
    );
    world.file(&format!("counting-{rounds}.wasm"), wat::parse_str(text).unwrap())
}

/// A guest that works for some seconds: long enough to be killed in the middle.
pub(crate) fn long(world: &World) -> String {
    counting(world, LONG_ROUNDS)
}

const LONG_ROUNDS: u64 = 4_000_000_000;
