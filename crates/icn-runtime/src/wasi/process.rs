//! Arguments, environment, clocks, randomness, and the end.

use wasmtime::{Caller, Linker};

use super::define;
use crate::abi::Call;
use crate::clock::ClockId;
use crate::fs::{Errno, Failure};
use crate::job::{Job, host_call};
use crate::memory::{Buffer, Memory};
use crate::stop::Stop;

/// How many random bytes are made between two looks at the clock.
const RANDOM_PIECE_BYTES: usize = 1024 * 1024;

pub(super) fn link(linker: &mut Linker<Job>) -> wasmtime::Result<()> {
    define!(linker, ArgsGet, |job, memory, list: u32, text: u32| {
        let args = std::mem::take(&mut job.args);
        let result = put_strings(job, memory, Call::ArgsGet, &args, (list, text));
        job.args = args;
        result
    });
    define!(linker, ArgsSizesGet, |job, memory, count: u32, bytes: u32| {
        put_sizes(memory, &job.args, (count, bytes))
    });
    define!(linker, EnvironGet, |job, memory, list: u32, text: u32| {
        let env = std::mem::take(&mut job.env);
        let result = put_strings(job, memory, Call::EnvironGet, &env, (list, text));
        job.env = env;
        result
    });
    define!(linker, EnvironSizesGet, |job, memory, count: u32, bytes: u32| {
        put_sizes(memory, &job.env, (count, bytes))
    });
    define!(linker, ClockResGet, |job, memory, id: u32, out: u32| {
        ClockId::from_wasi(id).ok_or(Errno::Invalid)?;
        Ok(memory.put_u64(out, job.clock.resolution())?)
    });
    define!(linker, ClockTimeGet, |job, memory, id: u32, _precision: u64, out: u32| {
        let id = ClockId::from_wasi(id).ok_or(Errno::Invalid)?;
        Ok(memory.put_u64(out, job.clock.read(id))?)
    });
    define!(linker, RandomGet, |job, memory, pointer: u32, len: u32| {
        let buffer = memory.write(Buffer::new(pointer, len))?;
        job.spend_bytes(Call::RandomGet, u64::from(len))?;
        for piece in buffer.chunks_mut(RANDOM_PIECE_BYTES) {
            job.interrupt.check()?;
            job.random.fill(piece);
        }
        Ok(())
    });
    define!(linker, SchedYield, |_job, _memory| Ok(()));
    define!(linker, ProcRaise, |_job, _memory, _signal: u32| Err(Errno::NotSupported.into()));
    let (module, name) = Call::ProcExit.import();
    linker.func_wrap(module, name, |mut caller: Caller<'_, Job>, code: i32| {
        host_call::<()>(&mut caller, Call::ProcExit, |_, _| Err(Stop::Exit(code)))
    })?;
    Ok(())
}

/// Writes strings ended by NUL one after the other to `text`, and a pointer to each to `list`.
fn put_strings(
    job: &mut Job,
    memory: &mut Memory<'_>,
    call: Call,
    strings: &[String],
    (mut list, mut text): (u32, u32),
) -> Result<(), Failure> {
    for string in strings {
        let len = string.len().saturating_add(1);
        job.spend_bytes(call, len as u64)?;
        memory.put_u32(list, text)?;
        memory.put(text, string.as_bytes())?;
        let end = text.saturating_add(u32::try_from(string.len()).unwrap_or(u32::MAX));
        memory.put(end, &[0])?;
        // What was just written lies inside the memory, so neither sum can pass its end.
        text = end.saturating_add(1);
        list = list.saturating_add(4);
    }
    Ok(())
}

fn put_sizes(memory: &mut Memory<'_>, strings: &[String], (count, bytes): (u32, u32)) -> Result<(), Failure> {
    let total: usize = strings.iter().map(|string| string.len().saturating_add(1)).sum();
    memory.put_u32(count, u32::try_from(strings.len()).map_err(|_| Errno::TooBig)?)?;
    memory.put_u32(bytes, u32::try_from(total).map_err(|_| Errno::TooBig)?)?;
    Ok(())
}
