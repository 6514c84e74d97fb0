//! One stream: a task that reads it, and the two ends that the application holds.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::io::{Cursor, ReadHalf, WriteHalf};
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::{PeerId, Stream};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use super::{SYNC_FRAME_BYTES_MAX, Slot, SyncStreams};
use crate::error::NetError;
use crate::frame::{self, FrameError};
use crate::handle::Misbehaviour;

/// A frame that has begun must be complete after so long.
const FRAME_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a stream may rest: no byte in either direction while a frame is waited for.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// How long a frame may take to be handed over; the other side may first have to deal with the one before.
const SEND_TIMEOUT: Duration = Duration::from_secs(60);
/// How long the end of a stream may take to be told.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);
/// Frames that were read and that nobody has taken. Full: nothing more is read, and the peer has to wait.
const READ_AHEAD: usize = 1;

/// A stream to a peer, on which frames go both ways.
///
/// A task reads one frame ahead, so two sides that send one large frame at a time do not block each other. To send many
/// without receiving in between, [split](SyncStream::split) it and receive on another task.
///
/// A peer that has no place for another stream closes it at once: [`SyncStream::recv`] then returns none, or
/// [`NetError::Stream`], before the first frame. Try again later.
#[derive(Debug)]
pub struct SyncStream {
    sender: SyncSender,
    receiver: SyncReceiver,
}

/// The sending end of a [`SyncStream`].
#[derive(Debug)]
pub struct SyncSender {
    writer: WriteHalf<Stream>,
    is_broken: bool,
    link: Arc<Link>,
}

/// The receiving end of a [`SyncStream`].
#[derive(Debug)]
pub struct SyncReceiver {
    frames: mpsc::Receiver<Result<Vec<u8>, NetError>>,
    link: Arc<Link>,
}

/// What both ends hold: the stream's place, and when bytes last moved.
#[derive(Debug)]
struct Link {
    peer: PeerId,
    sync: Arc<SyncStreams>,
    activity: Arc<Activity>,
    _slot: Option<Slot>,
}

/// When bytes last moved, in whichever direction.
#[derive(Debug)]
struct Activity(Mutex<Instant>);

impl SyncStream {
    pub(super) fn new(sync: &Arc<SyncStreams>, peer: PeerId, stream: Stream, slot: Option<Slot>) -> Self {
        let (reader, writer) = stream.split();
        let (tx, frames) = mpsc::channel(READ_AHEAD);
        let activity = Arc::new(Activity(Mutex::new(Instant::now())));
        // The task must not hold the stream's place: that is free once the application has dropped the stream.
        tokio::spawn(run(Arc::clone(sync), peer, reader, tx, Arc::clone(&activity)));
        let link = Arc::new(Link { peer, sync: Arc::clone(sync), activity, _slot: slot });
        let sender = SyncSender { writer, is_broken: false, link: Arc::clone(&link) };
        Self { sender, receiver: SyncReceiver { frames, link } }
    }

    /// Returns the peer at the other end.
    #[must_use]
    pub fn peer(&self) -> PeerId {
        self.sender.link.peer
    }

    /// Sends one frame: see [`SyncSender::send`].
    ///
    /// # Errors
    ///
    /// As [`SyncSender::send`].
    pub async fn send(&mut self, message: &[u8]) -> Result<(), NetError> {
        self.sender.send(message).await
    }

    /// Receives one frame: see [`SyncReceiver::recv`].
    ///
    /// # Errors
    ///
    /// As [`SyncReceiver::recv`].
    pub async fn recv(&mut self) -> Result<Option<Vec<u8>>, NetError> {
        self.receiver.recv().await
    }

    /// Ends the sending side: see [`SyncSender::close`].
    ///
    /// # Errors
    ///
    /// As [`SyncSender::close`].
    pub async fn close(&mut self) -> Result<(), NetError> {
        self.sender.close().await
    }

    /// Takes the two ends apart, for two tasks. The stream ends when both are dropped.
    #[must_use]
    pub fn split(self) -> (SyncSender, SyncReceiver) {
        (self.sender, self.receiver)
    }
}

impl SyncSender {
    /// Returns the peer at the other end.
    #[must_use]
    pub fn peer(&self) -> PeerId {
        self.link.peer
    }

    /// Sends one frame and waits until the transport has taken it; that the peer has read it, it does not say. A call
    /// that is dropped before it ends breaks the stream.
    ///
    /// # Errors
    ///
    /// [`NetError::TooLarge`] above 1 MiB; [`NetError::Stream`] when the stream broke or the peer takes nothing for a
    /// minute.
    pub async fn send(&mut self, message: &[u8]) -> Result<(), NetError> {
        let (bytes, bytes_max) = (message.len(), SYNC_FRAME_BYTES_MAX);
        if bytes > bytes_max {
            return Err(NetError::TooLarge { bytes, bytes_max });
        }
        if self.is_broken {
            return Err(broken(self.link.peer, "an earlier frame was cut off"));
        }
        self.is_broken = true;
        let Self { writer, link, .. } = self;
        let sending = async {
            write(writer, &frame::length(bytes), link).await?;
            write(writer, message, link).await?;
            writer.flush().await
        };
        match timeout(SEND_TIMEOUT, sending).await {
            Ok(Ok(())) => self.is_broken = false,
            Ok(Err(error)) => return Err(broken(self.link.peer, &error.to_string())),
            Err(_) => return Err(broken(self.link.peer, "the peer takes no more")),
        }
        Ok(())
    }

    /// Tells the peer that nothing more comes; what it still sends can be received.
    ///
    /// # Errors
    ///
    /// [`NetError::Stream`] when the stream broke.
    pub async fn close(&mut self) -> Result<(), NetError> {
        self.is_broken = true;
        match timeout(CLOSE_TIMEOUT, self.writer.close()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(broken(self.link.peer, &error.to_string())),
            Err(_) => Err(broken(self.link.peer, "the peer does not take the end")),
        }
    }
}

impl SyncReceiver {
    /// Returns the peer at the other end.
    #[must_use]
    pub fn peer(&self) -> PeerId {
        self.link.peer
    }

    /// Receives one frame; none once the peer has closed its side or is gone. A call may be dropped before it ends:
    /// nothing is lost.
    ///
    /// # Errors
    ///
    /// [`NetError::Frame`] when the peer sends a frame of more than 1 MiB; [`NetError::Stream`] when the stream broke in
    /// the middle of a frame, a frame took more than 30 seconds, or nothing moved for a minute. None follows an error.
    pub async fn recv(&mut self) -> Result<Option<Vec<u8>>, NetError> {
        self.frames.recv().await.transpose()
    }
}

impl Activity {
    fn touch(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn last(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a stream is read no further.
#[derive(Debug)]
enum End {
    /// The peer has closed its side, or is gone.
    Closed,
    /// Nobody receives any more.
    Unwanted,
    /// No frame began in time.
    Silence,
    /// A frame took too long.
    Slow,
    /// The stream cannot be read as frames.
    Frame(FrameError),
}

/// Reads a stream until it ends, and says how it ended.
async fn run(
    sync: Arc<SyncStreams>,
    peer: PeerId,
    reader: ReadHalf<Stream>,
    tx: mpsc::Sender<Result<Vec<u8>, NetError>>,
    activity: Arc<Activity>,
) {
    let end = pump(reader, &tx, &activity, |bytes| sync.shared.metrics.sync("received", bytes)).await;
    tracing::debug!(%peer, ?end, "a stream ends");
    let error = match end {
        End::Closed | End::Unwanted => return,
        End::Silence => broken(peer, "nothing came for a minute"),
        End::Slow => broken(peer, "a frame took more than half a minute"),
        End::Frame(FrameError::Io(error)) => broken(peer, &error.to_string()),
        End::Frame(FrameError::TooLarge(_)) => {
            sync.report(peer, Misbehaviour::Major);
            NetError::Frame { peer }
        }
    };
    // An error says that nobody receives any more.
    let _ = tx.send(Err(error)).await;
}

async fn pump<R: AsyncRead + Unpin>(
    mut reader: R,
    tx: &mpsc::Sender<Result<Vec<u8>, NetError>>,
    activity: &Activity,
    progress: impl Fn(usize),
) -> End {
    loop {
        // Room first: while the application is busy the peer has to wait, and the clock stands still.
        let Ok(room) = tx.reserve().await else { return End::Unwanted };
        activity.touch();
        let next = tokio::select! {
            biased;
            () = tx.closed() => return End::Unwanted,
            next = next(&mut reader, activity, &progress) => next,
        };
        match next {
            Ok(frame) => room.send(Ok(frame)),
            Err(end) => return end,
        }
    }
}

async fn next<R: AsyncRead + Unpin>(
    reader: &mut R,
    activity: &Activity,
    progress: impl Fn(usize),
) -> Result<Vec<u8>, End> {
    let first = first(reader, activity).await?;
    let mut rest = Cursor::new(first).chain(reader);
    let heard = |bytes| {
        activity.touch();
        progress(bytes);
    };
    match timeout(FRAME_TIMEOUT, frame::read(&mut rest, SYNC_FRAME_BYTES_MAX, heard)).await {
        Ok(Ok(Some(frame))) => Ok(frame),
        Ok(Ok(None)) => Err(End::Closed),
        Ok(Err(error)) => Err(End::Frame(error)),
        Err(_) => Err(End::Slow),
    }
}

/// Waits for the first byte of a frame, as long as bytes move in one direction at least.
async fn first<R: AsyncRead + Unpin>(reader: &mut R, activity: &Activity) -> Result<[u8; 1], End> {
    let mut first = [0u8];
    loop {
        let deadline = activity.last() + SILENCE_MAX;
        match timeout_at(deadline, reader.read(&mut first)).await {
            // Between frames it makes no difference how the peer has left.
            Ok(Ok(0) | Err(_)) => return Err(End::Closed),
            Ok(Ok(_)) => return Ok(first),
            // We have sent something meanwhile.
            Err(_) if activity.last() + SILENCE_MAX > deadline => {}
            Err(_) => return Err(End::Silence),
        }
    }
}

async fn write<W: AsyncWrite + Unpin>(writer: &mut W, mut bytes: &[u8], link: &Link) -> std::io::Result<()> {
    while !bytes.is_empty() {
        let written = writer.write(bytes).await?;
        if written == 0 {
            return Err(std::io::ErrorKind::WriteZero.into());
        }
        bytes = bytes.get(written..).unwrap_or_default();
        link.activity.touch();
        link.sync.shared.metrics.sync("sent", written);
    }
    Ok(())
}

fn broken(peer: PeerId, reason: &str) -> NetError {
    NetError::Stream { peer, reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt;
    use futures::channel::mpsc as channel;

    use super::*;

    type Bytes = channel::UnboundedSender<std::io::Result<Vec<u8>>>;
    type Frames = mpsc::Receiver<Result<Vec<u8>, NetError>>;

    /// A reading task over bytes that the test gives.
    fn reading() -> (Bytes, Frames, Arc<Activity>, tokio::task::JoinHandle<End>) {
        let (bytes, given) = channel::unbounded();
        let (tx, frames) = mpsc::channel(READ_AHEAD);
        let activity = Arc::new(Activity(Mutex::new(Instant::now())));
        let seen = Arc::clone(&activity);
        let task = tokio::spawn(async move { pump(given.into_async_read(), &tx, &seen, |_| {}).await });
        (bytes, frames, activity, task)
    }

    fn give(bytes: &Bytes, data: &[u8]) {
        bytes.unbounded_send(Ok(data.to_vec())).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_limited_and_sending_breaks_it() {
        let (_bytes, _frames, activity, task) = reading();
        let start = Instant::now();
        tokio::time::sleep(SILENCE_MAX - Duration::from_secs(1)).await;
        activity.touch();
        let end = task.await.unwrap();
        assert!(matches!(end, End::Silence), "{end:?}");
        assert_eq!(start.elapsed().as_secs(), (SILENCE_MAX * 2).as_secs() - 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_frame_that_has_begun_must_end_soon() {
        let (bytes, mut frames, _, task) = reading();
        let start = Instant::now();
        give(&bytes, &[2, 7, 7, 3]);
        assert_eq!(frames.recv().await.unwrap().unwrap(), [7, 7]);
        // A byte now and then does not help.
        for _ in 0..2 {
            tokio::time::sleep(FRAME_TIMEOUT / 2 - Duration::from_secs(1)).await;
            give(&bytes, &[1]);
        }
        let end = task.await.unwrap();
        assert!(matches!(end, End::Slow), "{end:?}");
        assert_eq!(start.elapsed().as_secs(), FRAME_TIMEOUT.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_application_is_waited_for() {
        let (bytes, mut frames, _, task) = reading();
        for n in 0..5 {
            give(&bytes, &[1, n]);
        }
        for n in 0..5 {
            tokio::time::sleep(SILENCE_MAX * 10).await;
            assert_eq!(frames.recv().await.unwrap().unwrap(), [n]);
        }
        // The peer's own time begins when its last frame was taken.
        tokio::time::sleep(SILENCE_MAX - Duration::from_secs(1)).await;
        give(&bytes, &[1, 5]);
        assert_eq!(frames.recv().await.unwrap().unwrap(), [5]);
        drop(bytes);
        let end = task.await.unwrap();
        assert!(matches!(end, End::Closed), "{end:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_read_for_nobody() {
        let (_bytes, frames, _, task) = reading();
        drop(frames);
        let end = task.await.unwrap();
        assert!(matches!(end, End::Unwanted), "{end:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_no_frame_ends_the_stream() {
        for (data, is_large) in
            [(&[0x81, 0x80, 0x40][..], true), (&[0xff; 6], true), (&[5, 1], false), (&[0x80], false)]
        {
            let (bytes, _frames, _, task) = reading();
            give(&bytes, data);
            drop(bytes);
            let end = task.await.unwrap();
            assert!(matches!(end, End::Frame(FrameError::TooLarge(_))) == is_large, "{data:?}: {end:?}");
            assert!(matches!(end, End::Frame(_)), "{data:?}: {end:?}");
        }
    }
}
