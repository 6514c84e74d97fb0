//! Starting guests, and what metering costs them.

mod bare;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use bytes::Bytes;
use icn_bench::Context;
use icn_bench::measure::Samples;
use icn_bench::mesh::NOOP;
use icn_bench::report::{Row, Section, Unit};
use icn_runtime::{Config, Control, Limits, Runtime, Task};
use icn_types::{Cid, End, Mode};
use tokio_util::sync::CancellationToken;

use self::bare::{Bare, Compiled};

/// A guest of usual size, 45 KB.
const WORDCOUNT: &[u8] = include_bytes!("../../../examples/guests/bin/wordcount.wasm");

/// Ten million rounds of arithmetic that no compiler can leave out.
const HOT_LOOP: &str = r#"(module
  (global $sink (export "sink") (mut i64) (i64.const 0))
  (memory (export "memory") 1)
  (func (export "_start") (local $i i64) (local $x i64)
    (local.set $x (i64.const 88172645463325252))
    (loop $again
      (local.set $x (i64.xor (local.get $x) (i64.shl (local.get $x) (i64.const 13))))
      (local.set $x (i64.xor (local.get $x) (i64.shr_u (local.get $x) (i64.const 7))))
      (local.set $x (i64.xor (local.get $x) (i64.shl (local.get $x) (i64.const 17))))
      (local.set $i (i64.add (local.get $i) (i64.const 1)))
      (br_if $again (i64.lt_u (local.get $i) (i64.const 10000000))))
    (global.set $sink (local.get $x))))"#;

/// Measures the start of a guest with each cache, and the cost of metering, beside bare Wasmtime.
pub(crate) fn measure(context: &Context) -> Result<Section> {
    let mut section = Section::new("guests");
    for (name, wasm) in [("no-op, 223 B", NOOP), ("word count, 45 KB", WORDCOUNT)] {
        starts(context, name, wasm, &mut section)?;
    }
    metering(context, &mut section)?;
    Ok(section)
}

/// Returns the median of instantiating the no-op guest in bare Wasmtime, with fuel, in microseconds.
pub(crate) fn instantiation_us(context: &Context) -> Result<f64> {
    let bare = Bare::new(true)?;
    let compiled = bare.compile(NOOP)?;
    let samples = Samples::collect(context.plan.each / 4, || compiled.start(&bare).map(drop))?;
    Ok(samples.quantile_us(0.5))
}

/// Measures a whole execution of a guest: compiled, from the disk's cache, from memory.
fn starts(context: &Context, name: &str, wasm: &'static [u8], section: &mut Section) -> Result<()> {
    let own = icn_bench::process::runtime()?;
    let each = context.plan.each / 2;
    let folder = tempfile::tempdir_in(&context.dir)?;
    let task = task(wasm);
    let fresh = |dir: &Path| Runtime::new(Config { cache_dir: Some(dir.to_owned()), ..Config::default() });
    let timed = |runtime: &Runtime| own.block_on(execute(runtime, task.clone()));

    let cold = repeat(each, || {
        let empty = tempfile::tempdir_in(folder.path())?;
        timed(&fresh(empty.path())?)
    })?;
    let disk = repeat(each, || timed(&fresh(folder.path())?))?;
    let runtime = fresh(folder.path())?;
    let memory = repeat(each, || timed(&runtime))?;

    // The first guest of an engine pays for its slot: a fresh engine each time, as ours above.
    let bare = Bare::new(true)?;
    let compiled = bare.compile(wasm)?;
    let file = folder.path().join("bare");
    std::fs::write(&file, compiled.serialized()?)?;
    let anew = |get: &dyn Fn(&Bare) -> Result<Compiled>| {
        repeat(each, || {
            let bare = Bare::new(true)?;
            let begun = Instant::now();
            let started = get(&bare)?.start(&bare)?;
            let took = begun.elapsed();
            drop(started);
            Ok(took)
        })
    };
    let bare_cold = anew(&|bare| bare.compile(wasm))?;
    let bare_disk = anew(&|bare| Compiled::load(bare, &file))?;
    let bare_memory = Samples::collect(each, || compiled.start(&bare).map(drop))?;

    for (how, ours, theirs, what) in [
        ("compiled", cold, bare_cold, "bare: compile, instantiate"),
        ("from disk", disk, bare_disk, "bare: load, instantiate"),
        ("from memory", memory, bare_memory, "bare: instantiate"),
    ] {
        section.push(
            Row::new(format!("{name}: run, {how}"), ours.quantile_us(0.5), Unit::Microseconds)
                .beside(theirs.quantile_us(0.5), what),
        );
    }
    Ok(())
}

/// Measures a hot loop with fuel, bare and through the runtime, beside the same loop without.
fn metering(context: &Context, section: &mut Section) -> Result<()> {
    let wasm = wat::parse_str(HOT_LOOP)?;
    let each = context.plan.each / 2;
    let timed = |fuel| {
        let bare = Bare::new(fuel)?;
        let compiled = bare.compile(&wasm)?;
        Samples::collect(each, || compiled.start(&bare).and_then(|mut started| started.call()))
    };
    let (without, with) = (timed(false)?.quantile_us(0.5), timed(true)?.quantile_us(0.5));
    let own = icn_bench::process::runtime()?;
    let runtime = Runtime::new(Config::default())?;
    let task = task_of(wasm.into());
    let ours = Samples::collect(each, || own.block_on(execute(&runtime, task.clone())).map(drop))?;
    for (name, figure) in [("bare, fuel", with), ("canonical mode", ours.quantile_us(0.5))] {
        section.push(
            Row::new(format!("hot loop, {name}"), figure, Unit::Microseconds)
                .beside(without, "bare, no fuel"),
        );
    }
    Ok(())
}

/// Collects the durations that `step` returns, which leave out what it prepares.
fn repeat(at_least: Duration, mut step: impl FnMut() -> Result<Duration>) -> Result<Samples> {
    step()?;
    let begun = Instant::now();
    let mut durations = Vec::new();
    while durations.is_empty() || begun.elapsed() < at_least {
        durations.push(step()?);
    }
    Samples::of(&durations, begun.elapsed())
}

async fn execute(runtime: &Runtime, task: Task) -> Result<Duration> {
    let control =
        Control { timeout: Duration::from_secs(60), cancel: CancellationToken::new(), events: None };
    let begun = Instant::now();
    let outcome = runtime.execute(task, control).await;
    let took = begun.elapsed();
    if !matches!(outcome.end, End::Exit) {
        bail!("a guest ended as `{}`", outcome.end.as_str());
    }
    Ok(took)
}

fn task(wasm: &'static [u8]) -> Task {
    task_of(Bytes::from_static(wasm))
}

fn task_of(wasm: Bytes) -> Task {
    Task {
        job_id: "bench".into(),
        wasm_cid: Cid::of_raw(&wasm),
        wasm,
        entry: None,
        args: Vec::new(),
        env: std::collections::BTreeMap::new(),
        stdin: None,
        inputs: Vec::new(),
        limits: Limits::default(),
        mode: Mode::Canonical,
    }
}
