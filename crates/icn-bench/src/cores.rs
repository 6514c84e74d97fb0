//! The processors in two parts: what runs on one takes no time from what runs on the other, as if it were another machine.

use anyhow::{Context as _, Result};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// With fewer processors than these one of them is too large a part.
const LEAST: usize = 4;

/// The processors for what is measured, and the last one for whoever disturbs it.
#[derive(Clone)]
pub struct Cores {
    all: CpuSet,
    measured: CpuSet,
    apart: CpuSet,
}

/// As long as this lives, what the thread starts runs on the first part.
pub struct Held(CpuSet);

impl Cores {
    /// Divides the processors that this program may use; none when they are too few.
    ///
    /// # Errors
    ///
    /// When the system does not tell them.
    pub fn split() -> Result<Option<Self>> {
        let all = sched_getaffinity(None).context("asking for the processors")?;
        let numbers: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|number| all.is_set(*number)).collect();
        let (Some(last), true) = (numbers.last(), numbers.len() >= LEAST) else { return Ok(None) };
        let (mut measured, mut apart) = (all, CpuSet::new());
        measured.unset(*last);
        apart.set(*last);
        Ok(Some(Self { all, measured, apart }))
    }

    /// Keeps this thread, and every thread and process that it starts, off the last processor.
    ///
    /// # Errors
    ///
    /// When the system refuses it.
    pub fn hold(&self) -> Result<Held> {
        sched_setaffinity(None, &self.measured).context("choosing processors")?;
        Ok(Held(self.all))
    }

    /// Moves this thread to the last processor.
    ///
    /// # Errors
    ///
    /// When the system refuses it.
    pub fn leave(&self) -> Result<()> {
        sched_setaffinity(None, &self.apart).context("choosing processors")
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // The next section is then measured on fewer processors, which its table would show.
        let _ = sched_setaffinity(None, &self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_keep_to_their_part() {
        let Some(cores) = Cores::split().unwrap() else { return };
        let held = cores.hold().unwrap();
        let here = |cores: &Cores| {
            let mine = sched_getaffinity(None).unwrap();
            (mine == cores.measured, mine == cores.apart)
        };
        assert_eq!(std::thread::scope(|scope| scope.spawn(|| here(&cores)).join().unwrap()), (true, false));
        let apart = std::thread::scope(|scope| {
            let leave = || {
                cores.leave().unwrap();
                here(&cores)
            };
            scope.spawn(leave).join().unwrap()
        });
        assert_eq!(apart, (false, true));
        drop(held);
        assert!(sched_getaffinity(None).unwrap() == cores.all);
    }
}
