//! Waiting, and the sockets that do not exist.

use wasmtime::Linker;

use super::define;
use crate::abi::Call;
use crate::clock::ClockId;
use crate::fs::{Errno, Failure};
use crate::job::Job;
use crate::memory::Memory;

/// The most subscriptions of one `poll_oneoff`.
const SUBSCRIPTIONS_MAX: u32 = 1_024;

/// The sizes of a subscription and of an event, in bytes.
const SUBSCRIPTION_BYTES: u32 = 48;
const EVENT_BYTES: u32 = 32;

/// Kinds of subscriptions, by their numbers.
const CLOCK: u8 = 0;
const FD_READ: u8 = 1;
const FD_WRITE: u8 = 2;

/// The flag of a clock subscription that names a point in time instead of a length.
const ABSOLUTE: u16 = 1;

enum Wish {
    /// Ready so many nanoseconds from now.
    Clock { wait: u64 },
    /// Ready now: files and streams never block. Whether the descriptor exists is part of the answer.
    Descriptor { kind: u8, errno: u16 },
    /// Cannot be waited for.
    Unknown { kind: u8 },
}

struct Subscription {
    userdata: u64,
    wish: Wish,
}

pub(super) fn link(linker: &mut Linker<Job>) -> wasmtime::Result<()> {
    define!(linker, PollOneoff, |job, memory, list: u32, events: u32, count: u32, out: u32| {
        poll(job, memory, (list, count), events, out)
    });
    define!(linker, SockAccept, |_job, _memory, _fd: u32, _flags: u32, _out: u32| {
        Err(Errno::NotSupported.into())
    });
    define!(linker, SockRecv, |_job,
                               _memory,
                               _fd: u32,
                               _list: u32,
                               _count: u32,
                               _flags: u32,
                               _read: u32,
                               _out: u32| Err(Errno::NotSupported.into()));
    define!(linker, SockSend, |_job, _memory, _fd: u32, _list: u32, _count: u32, _flags: u32, _out: u32| {
        Err(Errno::NotSupported.into())
    });
    define!(linker, SockShutdown, |_job, _memory, _fd: u32, _how: u32| Err(Errno::NotSupported.into()));
    Ok(())
}

/// Answers at once when a descriptor is among the subscriptions, else at the first clock's time.
fn poll(
    job: &mut Job,
    memory: &mut Memory<'_>,
    (list, count): (u32, u32),
    events: u32,
    out: u32,
) -> Result<(), Failure> {
    if count == 0 || count > SUBSCRIPTIONS_MAX {
        return Err(Errno::Invalid.into());
    }
    job.spend_bytes(Call::PollOneoff, u64::from(count * SUBSCRIPTION_BYTES))?;
    let mut subscriptions = Vec::new();
    for n in 0..count {
        subscriptions.push(read(job, memory, list.saturating_add(n * SUBSCRIPTION_BYTES))?);
    }
    let shortest = subscriptions
        .iter()
        .map(|subscription| match subscription.wish {
            Wish::Clock { wait } => wait,
            Wish::Descriptor { .. } | Wish::Unknown { .. } => 0,
        })
        .min()
        .unwrap_or(0);
    job.clock.sleep(shortest, &job.interrupt)?;
    let mut ready = 0;
    for subscription in subscriptions {
        let (kind, errno, bytes) = match subscription.wish {
            Wish::Clock { wait } if wait <= shortest => (CLOCK, 0, 0),
            Wish::Clock { .. } => continue,
            Wish::Descriptor { kind, errno } => (kind, errno, 1),
            Wish::Unknown { kind } => (kind, Errno::Invalid as u16, 0),
        };
        let at = events.saturating_add(ready * EVENT_BYTES);
        memory.put(at, &[0; EVENT_BYTES as usize])?;
        memory.put_u64(at, subscription.userdata)?;
        memory.put(at + 8, &errno.to_le_bytes())?;
        memory.put(at + 10, &[kind])?;
        memory.put_u64(at + 16, bytes)?;
        ready += 1;
    }
    Ok(memory.put_u32(out, ready)?)
}

fn read(job: &Job, memory: &Memory<'_>, at: u32) -> Result<Subscription, Failure> {
    // The whole subscription lies in memory, so the sums below stay inside of it.
    memory.array::<{ SUBSCRIPTION_BYTES as usize }>(at)?;
    let userdata = memory.u64(at)?;
    let [kind] = memory.array(at + 8)?;
    let wish = match kind {
        CLOCK => {
            let timeout = memory.u64(at + 24)?;
            let flags = u16::from_le_bytes(memory.array(at + 40)?);
            match ClockId::from_wasi(memory.u32(at + 16)?) {
                Some(id) if flags & ABSOLUTE != 0 => {
                    Wish::Clock { wait: timeout.saturating_sub(job.clock.peek(id)) }
                }
                Some(_) => Wish::Clock { wait: timeout },
                None => Wish::Unknown { kind },
            }
        }
        FD_READ | FD_WRITE => {
            let found = job.descriptors.get(memory.u32(at + 16)?);
            Wish::Descriptor { kind, errno: found.err().map_or(0, |errno| errno as u16) }
        }
        _ => return Err(Errno::Invalid.into()),
    };
    Ok(Subscription { userdata, wish })
}
