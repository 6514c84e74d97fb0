//! The functions of `icn_mesh_v1`. What they take and cost stands in [`crate::abi`].

use bytes::Bytes;
use ed25519_dalek::{Signature, VerifyingKey};
use icn_types::{Cid, DAG_CBOR, RAW, codec};
use sha2::{Digest, Sha256};
use wasmtime::{Caller, Linker};

use crate::abi::{
    ANCHOR_BYTES_MAX, Call, ERROR_BUFFER_TOO_SMALL, ERROR_INVALID, ERROR_TOO_LARGE, LOG_BYTES_MAX,
    PROGRESS_BYTES_MAX,
};
use crate::job::{Job, host_call};
use crate::memory::{Buffer, Memory};
use crate::stop::Stop;
use crate::task::{GuestEvent, LogLevel};

/// How many bytes are hashed between two looks at the clock.
const HASH_PIECE_BYTES: usize = 1024 * 1024;

/// The whole of a task's progress.
const PARTS_MAX: u32 = 1_000_000;

/// Defines one function: its [`Call`], then a closure over the job, the guest's memory and the parameters.
macro_rules! define {
    ($linker:expr, $call:ident, |$job:ident, $memory:ident $(, $arg:ident)*| $body:expr) => {{
        let (module, name) = Call::$call.import();
        $linker.func_wrap(module, name, |mut caller: Caller<'_, Job> $(, $arg: u32)*| -> wasmtime::Result<i32> {
            host_call(&mut caller, Call::$call, |$job, $memory| $body)
        })?;
    }};
}

/// Makes the functions known to a linker.
pub(crate) fn link(linker: &mut Linker<Job>) -> wasmtime::Result<()> {
    define!(linker, JobGetId, |job, memory, buffer, capacity| {
        job.id_asked = true;
        let id = std::mem::take(&mut job.id);
        let result = put_text(job, memory, Call::JobGetId, &id, Buffer::new(buffer, capacity));
        job.id = id;
        result
    });
    define!(linker, AnchorToDag, |job, memory, codec, data, len, cid, capacity| {
        anchor(job, memory, codec, Buffer::new(data, len), Buffer::new(cid, capacity))
    });
    define!(linker, ReportProgress, |job, memory, parts_per_million, text, len| {
        report(job, memory, Call::ReportProgress, Buffer::new(text, len), PROGRESS_BYTES_MAX, |text| {
            let text = (!text.is_empty()).then_some(text);
            (parts_per_million <= PARTS_MAX).then_some(GuestEvent::Progress { parts_per_million, text })
        })
    });
    define!(linker, Log, |job, memory, level, text, len| {
        report(job, memory, Call::Log, Buffer::new(text, len), LOG_BYTES_MAX, |text| {
            let level = match level {
                0 => LogLevel::Error,
                1 => LogLevel::Warn,
                2 => LogLevel::Info,
                3 => LogLevel::Debug,
                4 => LogLevel::Trace,
                _ => return None,
            };
            Some(GuestEvent::Log { level, text })
        })
    });
    define!(linker, Sha256, |job, memory, data, len, digest| {
        let mut hasher = Sha256::new();
        hash(job, memory, Call::Sha256, Buffer::new(data, len), |piece| hasher.update(piece))?;
        memory.put(digest, &hasher.finalize()).map(|()| 0)
    });
    define!(linker, Blake3, |job, memory, data, len, digest| {
        let mut hasher = blake3::Hasher::new();
        hash(job, memory, Call::Blake3, Buffer::new(data, len), |piece| {
            hasher.update(piece);
        })?;
        memory.put(digest, hasher.finalize().as_bytes()).map(|()| 0)
    });
    define!(linker, Ed25519Verify, |job, memory, key, message, len, signature| {
        let message = memory.read(Buffer::new(message, len))?;
        job.spend_bytes(Call::Ed25519Verify, u64::from(len))?;
        let key = VerifyingKey::from_bytes(&memory.array(key)?);
        let signature = Signature::from_bytes(&memory.array(signature)?);
        Ok(i32::from(key.is_ok_and(|key| key.verify_strict(message, &signature).is_ok())))
    });
    Ok(())
}

/// Writes a text where there is room for it and returns its length.
fn put_text(
    job: &mut Job,
    memory: &mut Memory<'_>,
    call: Call,
    text: &str,
    buffer: Buffer,
) -> Result<i32, Stop> {
    let place = memory.write(buffer)?;
    job.spend_bytes(call, text.len() as u64)?;
    if !place.is_empty() {
        let Some(place) = place.get_mut(..text.len()) else { return Ok(ERROR_BUFFER_TOO_SMALL) };
        place.copy_from_slice(text.as_bytes());
    }
    Ok(i32::try_from(text.len()).unwrap_or(i32::MAX))
}

/// Names a block, keeps it for the executor to store, and tells the guest the name.
fn anchor(job: &mut Job, memory: &mut Memory<'_>, kind: u32, data: Buffer, out: Buffer) -> Result<i32, Stop> {
    let bytes = memory.read(data)?;
    if bytes.len() > ANCHOR_BYTES_MAX {
        return Ok(ERROR_TOO_LARGE);
    }
    job.spend_bytes(Call::AnchorToDag, bytes.len() as u64)?;
    let cid = match u64::from(kind) {
        RAW => Cid::of_raw(bytes),
        DAG_CBOR if codec::decode_value(bytes).is_ok() => Cid::of_dag_cbor(bytes),
        _ => return Ok(ERROR_INVALID),
    };
    let bytes = Bytes::copy_from_slice(bytes);
    let text = cid.to_string();
    let place = memory.write(out)?;
    let Some(place) = place.get_mut(..text.len()) else { return Ok(ERROR_BUFFER_TOO_SMALL) };
    place.copy_from_slice(text.as_bytes());
    if !job.anchored.contains(&cid) {
        let max = job.limits.output_files_max as usize;
        if job.anchors.len() >= max {
            return Err(Stop::OutputLimit(format!("the guest wants to anchor more than {max} blocks")));
        }
        job.tree.count(bytes.len() as u64)?;
        job.anchored.insert(cid);
        job.anchors.push((cid, bytes));
    }
    Ok(i32::try_from(text.len()).unwrap_or(i32::MAX))
}

/// Reads a text and reports what `event` makes of it.
fn report(
    job: &mut Job,
    memory: &Memory<'_>,
    call: Call,
    text: Buffer,
    bytes_max: usize,
    event: impl FnOnce(String) -> Option<GuestEvent>,
) -> Result<i32, Stop> {
    let bytes = memory.read(text)?;
    if bytes.len() > bytes_max {
        return Ok(ERROR_TOO_LARGE);
    }
    job.spend_bytes(call, bytes.len() as u64)?;
    match std::str::from_utf8(bytes).ok().and_then(|text| event(text.to_owned())) {
        Some(event) => {
            job.report(event);
            Ok(0)
        }
        None => Ok(ERROR_INVALID),
    }
}

/// Hands the data to a hash function piece by piece.
fn hash(
    job: &mut Job,
    memory: &Memory<'_>,
    call: Call,
    data: Buffer,
    mut update: impl FnMut(&[u8]),
) -> Result<(), Stop> {
    let bytes = memory.read(data)?;
    job.spend_bytes(call, bytes.len() as u64)?;
    for piece in bytes.chunks(HASH_PIECE_BYTES) {
        job.interrupt.check()?;
        update(piece);
    }
    Ok(())
}
