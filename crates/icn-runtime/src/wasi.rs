//! WASI preview 1, by hand, over our own file system ([`crate::fs`]).
//!
//! The functions are grouped as the specification groups them; each file registers its own. A function answers with
//! an error number or ends the guest; [`define`] does what they have in common. Where preview 1 leaves a choice, the
//! answer is that of POSIX, and it never depends on the host.

mod descriptors;
mod files;
mod io;
mod paths;
mod poll;
mod process;

use wasmtime::{Caller, Linker};

use crate::abi::Call;
use crate::fs::{Errno, Failure, FileType, Stat};
use crate::job::{Job, host_call};
use crate::memory::Memory;
use crate::stop::Stop;

/// Makes all functions of preview 1 known to a linker.
pub(crate) fn link(linker: &mut Linker<Job>) -> wasmtime::Result<()> {
    process::link(linker)?;
    descriptors::link(linker)?;
    io::link(linker)?;
    files::link(linker)?;
    paths::link(linker)?;
    poll::link(linker)
}

/// Runs the body of a function and turns its failure into the number that preview 1 wants.
fn answer(
    caller: &mut Caller<'_, Job>,
    call: Call,
    body: impl FnOnce(&mut Job, &mut Memory<'_>) -> Result<(), Failure>,
) -> wasmtime::Result<i32> {
    host_call(caller, call, |job, memory| match body(job, memory) {
        Ok(()) => Ok(0),
        Err(Failure::Answer(errno)) => Ok(i32::from(errno as u16)),
        Err(Failure::End(stop)) => Err(stop),
    })
}

/// Defines one function: its [`Call`], then a closure over the job, the guest's memory and the parameters.
macro_rules! define {
    ($linker:expr, $call:ident, |$job:ident, $memory:ident $(, $arg:ident: $ty:ty)*| $body:expr) => {{
        let call = crate::abi::Call::$call;
        let (module, name) = call.import();
        $linker.func_wrap(
            module,
            name,
            move |mut caller: wasmtime::Caller<'_, crate::job::Job> $(, $arg: $ty)*| {
                crate::wasi::answer(&mut caller, call, |$job, $memory| $body)
            },
        )?;
    }};
}
use define;

/// Reads a path out of guest memory and takes what looking it up costs.
fn path(job: &mut Job, memory: &Memory<'_>, call: Call, pointer: u32, len: u32) -> Result<String, Failure> {
    let bytes = memory.read(crate::memory::Buffer::new(pointer, len))?;
    job.spend_bytes(call, u64::from(len))?;
    Ok(std::str::from_utf8(bytes).map_err(|_| Errno::NotUtf8)?.to_owned())
}

/// Writes a `filestat` (64 bytes: device, inode, type, links, size, three times); all but type and size are fixed.
fn put_stat(memory: &mut Memory<'_>, pointer: u32, stat: Stat) -> Result<(), Stop> {
    let mut bytes = [0; 64];
    let (fields, _) = bytes.as_chunks_mut::<8>();
    if let [_, _, file_type, links, size, ..] = fields {
        *file_type = u64::from(stat.file_type as u8).to_le_bytes();
        *links = 1_u64.to_le_bytes();
        *size = stat.size.to_le_bytes();
    }
    memory.put(pointer, &bytes)
}

/// What is known of a standard stream.
const STREAM: Stat = Stat { file_type: FileType::Unknown, size: 0 };
