//! A bounded queue between many writers, waiting or awaiting, and the one thread that writes.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

/// Full: writers wait until the thread has taken what is there.
const ITEMS_MAX: usize = 4_096;
/// Full: as above, counted in bytes of rows and blocks. One batch may be larger and then travels alone.
const BYTES_MAX: usize = 16 * 1024 * 1024;

/// What the queue gives to its reader.
pub(crate) enum Taken<T> {
    /// Everything that was waiting, in order.
    Items(Vec<T>),
    /// Nothing came in the given time.
    Idle,
    /// Nothing is left and nothing will come.
    Closed,
}

pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    work: Condvar,
    room: Condvar,
    room_async: Notify,
}

struct State<T> {
    items: VecDeque<T>,
    bytes: usize,
    closed: bool,
    nudged: bool,
    /// How many items the reader waits for; fewer do not wake it.
    wanted: usize,
}

impl<T> State<T> {
    fn has_room(&self, bytes: usize) -> bool {
        self.items.is_empty()
            || (self.items.len() < ITEMS_MAX && self.bytes.saturating_add(bytes) <= BYTES_MAX)
    }

    /// Adds an item and tells whether the reader waits for no more.
    fn push(&mut self, item: T, bytes: usize) -> bool {
        self.items.push_back(item);
        self.bytes = self.bytes.saturating_add(bytes);
        self.items.len() >= self.wanted || !self.has_room(0)
    }
}

/// The queue was closed.
#[derive(Debug)]
pub(crate) struct Closed;

impl<T> Queue<T> {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                items: VecDeque::new(),
                bytes: 0,
                closed: false,
                nudged: false,
                wanted: 1,
            }),
            work: Condvar::new(),
            room: Condvar::new(),
            room_async: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an item, blocking the thread while the queue is full.
    pub(crate) fn push_blocking(&self, item: T, bytes: usize) -> Result<(), Closed> {
        let mut state = self
            .room
            .wait_while(self.state(), |state| !state.closed && !state.has_room(bytes))
            .unwrap_or_else(PoisonError::into_inner);
        if state.closed {
            return Err(Closed);
        }
        if state.push(item, bytes) {
            self.work.notify_one();
        }
        Ok(())
    }

    /// Adds an item, waiting for room without holding the thread.
    pub(crate) async fn push(&self, item: T, bytes: usize) -> Result<(), Closed> {
        loop {
            let room = self.room_async.notified();
            tokio::pin!(room);
            // Registered before the look, so that room made in between is not missed.
            room.as_mut().enable();
            {
                let mut state = self.state();
                if state.closed {
                    return Err(Closed);
                }
                if state.has_room(bytes) {
                    if state.push(item, bytes) {
                        self.work.notify_one();
                    }
                    return Ok(());
                }
            }
            room.await;
        }
    }

    /// Takes everything there is; waits for it, at most for `idle` when given.
    pub(crate) fn take(&self, idle: Option<Duration>) -> Taken<T> {
        let waiting = |state: &mut State<T>| state.items.is_empty() && !state.closed && !state.nudged;
        let mut state = match idle {
            None => self.work.wait_while(self.state(), waiting).unwrap_or_else(PoisonError::into_inner),
            Some(idle) => {
                self.work
                    .wait_timeout_while(self.state(), idle, waiting)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0
            }
        };
        state.nudged = false;
        if state.items.is_empty() {
            return if state.closed { Taken::Closed } else { Taken::Idle };
        }
        state.bytes = 0;
        let items = state.items.drain(..).collect();
        drop(state);
        self.room.notify_all();
        self.room_async.notify_waiters();
        Taken::Items(items)
    }

    /// Waits until `count` items are there, at most for `patience`; returns at once when it is closed.
    pub(crate) fn wait_for(&self, count: usize, patience: Duration) {
        let waiting = |state: &mut State<T>| state.items.len() < count && state.has_room(0) && !state.closed;
        let mut state = self.state();
        state.wanted = count;
        let (mut state, _) =
            self.work.wait_timeout_while(state, patience, waiting).unwrap_or_else(PoisonError::into_inner);
        state.wanted = 1;
    }

    /// Wakes the reader without an item.
    pub(crate) fn nudge(&self) {
        self.state().nudged = true;
        self.work.notify_one();
    }

    /// Refuses new items; what is there is still taken.
    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.work.notify_all();
        self.room.notify_all();
        self.room_async.notify_waiters();
    }

    /// Drops what is waiting.
    pub(crate) fn clear(&self) {
        let items = std::mem::take(&mut self.state().items);
        drop(items);
    }
}
