//! Streams are taken in at the pace of what their openers may send.
//!
//! A request over a limit is answered with a refusal, which costs about ten times as much as reading what it came in: a stream is
//! negotiated, read, answered and closed, each of it with a task that wakes up. Many identities behind one introducer could cost a
//! node more by being refused than by being served. So a peer may open one stream for each message that it may send, and some
//! more ([`Limits::open`]); peers that share what they get share that too, beside a few streams of their own. Beyond it a stream
//! waits, unread, for its turn. While it waits nothing else is taken from its connection; QUIC and yamux let the peer open
//! only so many more, and then none. A stream that waited in vain is closed: its opener sees that it was turned away, and this
//! node whether the connection still lives.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::Future as _;
use libp2p::PeerId;
use libp2p::core::StreamMuxer;
use libp2p::core::muxing::{StreamMuxerBox, StreamMuxerEvent};
use tokio::time::{Sleep, sleep};

use crate::limits::Limits;
use crate::metrics::Metrics;

/// How often a stream that waits is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How often at most: less long than a request may take, so that its opener hears of it in time.
const LOOKS_MAX: u32 = 5;

/// Sets the pace of connections; cheap to clone.
#[derive(Clone)]
pub(crate) struct Pace {
    limits: Arc<Limits>,
    metrics: Metrics,
}

impl Pace {
    pub(crate) const fn new(limits: Arc<Limits>, metrics: Metrics) -> Self {
        Self { limits, metrics }
    }

    /// Sets that of a connection to a peer.
    pub(crate) fn set<M>(&self, peer: PeerId, connection: M) -> (PeerId, StreamMuxerBox)
    where
        M: StreamMuxer + Unpin + Send + 'static,
        M::Substream: Unpin + Send + 'static,
        M::Error: Send + Sync + 'static,
    {
        let paced = Paced::new(connection, peer, Arc::clone(&self.limits), self.metrics.clone());
        (peer, StreamMuxerBox::new(paced))
    }
}

/// A connection whose streams wait for their turn.
struct Paced<M: StreamMuxer> {
    connection: M,
    peer: PeerId,
    limits: Arc<Limits>,
    metrics: Metrics,
    waiting: Option<Waiting<M::Substream>>,
}

/// A stream that waits, and how often it was looked at.
struct Waiting<S> {
    stream: S,
    patience: Patience,
}

struct Patience {
    looks: u32,
    next: Pin<Box<Sleep>>,
}

impl Patience {
    fn new() -> Self {
        Self { looks: 0, next: Box::pin(sleep(LOOK)) }
    }

    /// Is ready when it has come to an end.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while self.looks < LOOKS_MAX {
            ready!(self.next.as_mut().poll(context));
            self.looks += 1;
            self.next.set(sleep(LOOK));
        }
        Poll::Ready(())
    }
}

impl<M: StreamMuxer> Paced<M> {
    fn new(connection: M, peer: PeerId, limits: Arc<Limits>, metrics: Metrics) -> Self {
        Self { connection, peer, limits, metrics, waiting: None }
    }
}

impl<M> StreamMuxer for Paced<M>
where
    M: StreamMuxer + Unpin,
    M::Substream: Unpin,
{
    type Substream = M::Substream;
    type Error = M::Error;

    fn poll_inbound(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, Self::Error>> {
        let this = &mut *self;
        loop {
            let (stream, patience) = match this.waiting.take() {
                Some(Waiting { stream, patience }) => (stream, Some(patience)),
                None => (ready!(Pin::new(&mut this.connection).poll_inbound(context))?, None),
            };
            if this.limits.open(this.peer) {
                return Poll::Ready(Ok(stream));
            }
            let mut patience = patience.unwrap_or_else(Patience::new);
            if patience.poll(context).is_pending() {
                this.waiting = Some(Waiting { stream, patience });
                return Poll::Pending;
            }
            this.metrics.limited("streams_opened");
        }
    }

    fn poll_outbound(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, Self::Error>> {
        Pin::new(&mut self.connection).poll_outbound(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        // A stream that waits would keep the connection from ending.
        self.waiting = None;
        Pin::new(&mut self.connection).poll_close(context)
    }

    fn poll(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<StreamMuxerEvent, Self::Error>> {
        Pin::new(&mut self.connection).poll(context)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::poll_fn;

    use futures::io::Cursor;
    use icn_types::Constraints;
    use tokio::time::{Instant, timeout};

    use super::*;
    use crate::limits::{Share, ShareId, ShareLimits};

    /// A connection whose peer opens streams without end, and that counts those that were taken.
    #[derive(Default)]
    struct Eager {
        taken: usize,
        is_closed: bool,
    }

    impl StreamMuxer for Eager {
        type Substream = Cursor<Vec<u8>>;
        type Error = Infallible;

        fn poll_inbound(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Result<Self::Substream, Infallible>> {
            self.taken += 1;
            Poll::Ready(Ok(Cursor::new(Vec::new())))
        }

        fn poll_outbound(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Result<Self::Substream, Infallible>> {
            Poll::Ready(Ok(Cursor::new(Vec::new())))
        }

        fn poll_close(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            self.is_closed = true;
            Poll::Ready(Ok(()))
        }

        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<StreamMuxerEvent, Infallible>> {
            Poll::Pending
        }
    }

    fn limits() -> Arc<Limits> {
        Arc::new(Limits::new(Constraints::default(), None, 50_000, 1_000))
    }

    fn paced(limits: &Arc<Limits>, peer: PeerId) -> Paced<Eager> {
        Paced::new(Eager::default(), peer, Arc::clone(limits), Metrics::default())
    }

    async fn next(connection: &mut Paced<Eager>) -> bool {
        let next = poll_fn(|context| Pin::new(&mut *connection).poll_inbound(context));
        timeout(Duration::from_millis(100), next).await.is_ok()
    }

    fn join(limits: &Limits, peer: PeerId) {
        let share = ShareLimits { messages_per_second: 1, burst: 10, streams_max: 4 };
        let share = Share { group: ShareId([1; 32]), limits: share };
        limits.set(peer, &Constraints::default(), Some(share));
    }

    #[tokio::test(start_paused = true)]
    async fn streams_of_a_group_wait_and_are_closed_and_all_others_are_taken_at_once() {
        let (limits, [loud, late, free]) = (limits(), [(); 3].map(|()| PeerId::random()));
        join(&limits, loud);
        join(&limits, late);
        let [mut loud, mut late, mut free] = [loud, late, free].map(|peer| paced(&limits, peer));
        let mut taken = 0;
        while next(&mut loud).await {
            taken += 1;
        }
        assert!((50..60).contains(&taken), "{taken}: twelve of its own, and all that the group has");
        for _ in 0..10 {
            assert!(next(&mut late).await, "each has some of its own");
        }
        for _ in 0..1_000 {
            assert!(next(&mut free).await, "it may send ten thousand messages at once");
        }
        assert_eq!(loud.connection.taken, taken + 1, "while one waits no other is taken");
        assert!(poll_fn(|context| Pin::new(&mut loud).poll_outbound(context)).await.is_ok());
        let begun = Instant::now();
        while loud.connection.taken == taken + 1 {
            let _ = next(&mut loud).await;
        }
        let waited = begun.elapsed();
        assert!(waited <= LOOK * LOOKS_MAX && waited >= LOOK * (LOOKS_MAX - 1), "{waited:?}");
        assert_eq!(loud.metrics.limited_total("streams_opened"), 1);
        poll_fn(|context| Pin::new(&mut loud).poll_close(context)).await.unwrap();
        assert!(loud.waiting.is_none() && loud.connection.is_closed);
    }
}
