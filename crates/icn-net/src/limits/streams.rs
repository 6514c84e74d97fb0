//! How many streams are open at once, counted by what holds them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A count of open streams with a bound that may change while they are open.
#[derive(Debug)]
pub(crate) struct Streams {
    max: AtomicU32,
    open: AtomicU32,
}

/// The places that one open stream holds; free again when it is dropped.
#[derive(Debug)]
pub(crate) struct StreamPermit(Vec<Arc<Streams>>);

impl Streams {
    pub(crate) fn new(max: u32) -> Self {
        Self { max: AtomicU32::new(max.max(1)), open: AtomicU32::new(0) }
    }

    /// Changes the bound. Streams that are open above it stay; no further one opens until they have ended.
    pub(crate) fn set_max(&self, max: u32) {
        self.max.store(max.max(1), Ordering::Relaxed);
    }

    pub(crate) fn max(&self) -> u32 {
        self.max.load(Ordering::Relaxed)
    }

    #[cfg(test)]
    pub(crate) fn open(&self) -> u32 {
        self.open.load(Ordering::Relaxed)
    }

    fn enter(&self) -> bool {
        let max = self.max();
        // Looking and taking is one step: two streams cannot get the last place (B-19).
        let taken = self.open.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |open| {
            (open < max).then_some(open.saturating_add(1))
        });
        taken.is_ok()
    }
}

impl StreamPermit {
    /// Takes a place in the first count; `join` adds further ones.
    pub(crate) fn of(streams: &Arc<Streams>) -> Option<Self> {
        streams.enter().then(|| Self(vec![Arc::clone(streams)]))
    }

    /// Takes a place in another count too, or gives up all.
    pub(crate) fn join(mut self, streams: &Arc<Streams>) -> Option<Self> {
        if !streams.enter() {
            return None;
        }
        self.0.push(Arc::clone(streams));
        Some(self)
    }
}

impl Drop for StreamPermit {
    fn drop(&mut self) {
        for streams in &self.0 {
            streams.open.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_when_its_stream_ends_and_a_lower_bound_holds_for_the_next() {
        let own = Arc::new(Streams::new(2));
        let shared = Arc::new(Streams::new(3));
        let enter = || StreamPermit::of(&own)?.join(&shared);
        let (first, second) = (enter().unwrap(), enter().unwrap());
        assert!(enter().is_none());
        own.set_max(1);
        drop(first);
        assert!(enter().is_none(), "one is open, and one may be");
        drop(second);
        let _third = enter().unwrap();
        shared.set_max(1);
        own.set_max(9);
        assert!(enter().is_none());
        assert_eq!((own.open(), shared.open()), (1, 1), "who is refused holds nothing");
    }

    #[test]
    fn many_at_one_moment_get_no_more_than_there_is() {
        let streams = Arc::new(Streams::new(7));
        let held: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| (0..100).filter_map(|_| StreamPermit::of(&streams)).collect::<Vec<_>>())
                })
                .collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(held.len(), 7);
    }
}
