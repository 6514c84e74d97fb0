//! The sending side towards one peer: our wants first, then the blocks that it wants.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::{AsyncReadExt, AsyncWriteExt, FutureExt};
use icn_types::{BLOCK_BYTES_MAX, Cid};
use libp2p::{PeerId, Stream};
use tokio::sync::Notify;

use super::message::{self, Block, BlockPresence, Entry, Message, Presence, WantType, Wantlist};
use super::{Exchange, PROTOCOL, lock};

/// Wants of one peer that wait for their answer. Full: the new one is dropped and counted.
const WANTS_MAX: usize = 1_024;
/// Wants answered with one reading of the store.
const BATCH_MAX: usize = 64;
/// A message holds no further block once it has so many bytes (Kubo's figure is 16 KiB too).
const MESSAGE_BYTES: usize = 16 * 1024;
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
const WRITE_TIMEOUT: Duration = Duration::from_secs(120);
/// A peer that ends our stream so often without a block in between is given up.
const REOPENS_MAX: u32 = 3;

/// What a peer wants of a block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Want {
    /// The block, rather than whether it is there.
    pub(super) is_block: bool,
    /// Whether it wants to hear when the block is not there.
    pub(super) says_no: bool,
}

#[derive(Debug, Default)]
struct State {
    /// Our own wants and cancels, not sent yet.
    entries: Vec<Entry>,
    /// Their wants, oldest first; those no longer in `wants` were taken back.
    order: VecDeque<Cid>,
    wants: HashMap<Cid, Want>,
    is_running: bool,
    is_closed: bool,
}

/// What waits to be sent to one peer.
#[derive(Debug)]
pub(super) struct Link {
    state: Mutex<State>,
    wake: Notify,
    /// When bytes last came from this peer.
    active: Mutex<Instant>,
}

impl Default for Link {
    fn default() -> Self {
        Self { state: Mutex::default(), wake: Notify::new(), active: Mutex::new(Instant::now()) }
    }
}

impl Link {
    pub(super) fn ask(&self, wants: &[(Cid, WantType)]) {
        let entry = |(cid, kind): &(Cid, WantType)| Entry {
            block: cid.to_bytes().into(),
            priority: 1,
            cancel: false,
            want_type: *kind as i32,
            send_dont_have: true,
        };
        lock(&self.state).entries.extend(wants.iter().map(entry));
        self.wake.notify_one();
    }

    pub(super) fn cancel(&self, cids: &[Cid]) {
        let entry = |cid: &Cid| Entry { block: cid.to_bytes().into(), cancel: true, ..Entry::default() };
        lock(&self.state).entries.extend(cids.iter().map(entry));
        self.wake.notify_one();
    }

    /// Notes what the peer wants; false when it wants too much.
    pub(super) fn want(&self, cid: Cid, want: Want) -> bool {
        let mut state = lock(&self.state);
        if let Some(known) = state.wants.get_mut(&cid) {
            *known = Want { is_block: known.is_block || want.is_block, says_no: want.says_no };
            return true;
        }
        // Taken-back wants keep their place in the order until it is their turn, so both are bounded.
        if state.wants.len() >= WANTS_MAX || state.order.len() >= WANTS_MAX * 4 {
            return false;
        }
        state.wants.insert(cid, want);
        state.order.push_back(cid);
        self.wake.notify_one();
        true
    }

    pub(super) fn unwant(&self, cid: &Cid) {
        lock(&self.state).wants.remove(cid);
    }

    pub(super) fn touch(&self) {
        *lock(&self.active) = Instant::now();
    }

    pub(super) fn last_active(&self) -> Instant {
        *lock(&self.active)
    }

    pub(super) fn close(&self) {
        lock(&self.state).is_closed = true;
        self.wake.notify_one();
    }

    /// Tells whether a task must be started now.
    pub(super) fn start(&self) -> bool {
        let mut state = lock(&self.state);
        let has_work = !state.entries.is_empty() || !state.order.is_empty();
        let starts = has_work && !state.is_running && !state.is_closed;
        state.is_running |= starts;
        starts
    }

    fn is_closed(&self) -> bool {
        lock(&self.state).is_closed
    }

    fn take_entries(&self) -> Vec<Entry> {
        let mut state = lock(&self.state);
        let keep_from = state.entries.len().min(message::ITEMS_MAX / 2);
        let rest = state.entries.split_off(keep_from);
        std::mem::replace(&mut state.entries, rest)
    }

    fn take_wants(&self) -> Vec<(Cid, Want)> {
        let mut state = lock(&self.state);
        let mut batch = Vec::new();
        while batch.len() < BATCH_MAX {
            let Some(cid) = state.order.pop_front() else { break };
            if let Some(want) = state.wants.remove(&cid) {
                batch.push((cid, want));
            }
        }
        batch
    }

    fn put_back(&self, wants: Vec<(Cid, Want)>) {
        let mut state = lock(&self.state);
        for (cid, want) in wants.into_iter().rev() {
            if state.wants.insert(cid, want).is_none() {
                state.order.push_front(cid);
            }
        }
    }
}

/// Why a link's task stops.
enum Stop {
    /// The link was closed.
    Closed,
    /// The peer does not take our stream.
    Broken,
}

/// Sends until the link is closed or the peer gives up.
pub(super) async fn run(exchange: Arc<Exchange>, peer: PeerId, link: Arc<Link>) {
    if matches!(drive(&exchange, peer, &link).await, Stop::Broken) {
        exchange.broken(peer, &link);
    }
}

async fn drive(exchange: &Arc<Exchange>, peer: PeerId, link: &Arc<Link>) -> Stop {
    let mut reopens = 0;
    while reopens <= REOPENS_MAX {
        let Some(stream) = open(exchange, peer).await else { return Stop::Broken };
        let since = Instant::now();
        if pump(exchange, peer, link, stream).await || link.is_closed() {
            return Stop::Closed;
        }
        // The peer ended our stream. Whatever it has not answered is asked again on the next one.
        reopens = if link.last_active() > since { 0 } else { reopens + 1 };
        let open = lock(&exchange.table).unanswered(peer);
        link.ask(&open);
    }
    Stop::Broken
}

async fn open(exchange: &Exchange, peer: PeerId) -> Option<Stream> {
    if !exchange.connect(peer).await {
        return None;
    }
    let mut control = exchange.control.clone();
    let stream = tokio::time::timeout(OPEN_TIMEOUT, control.open_stream(peer, PROTOCOL)).await.ok()?;
    stream.inspect_err(|error| tracing::debug!(%peer, %error, "no Bitswap stream")).ok()
}

/// Sends on one stream; true when the link was closed, false when the peer ended the stream.
async fn pump(exchange: &Exchange, peer: PeerId, link: &Link, stream: Stream) -> bool {
    let (mut reader, mut writer) = stream.split();
    let mut byte = [0u8];
    // Nothing is ever sent to us here; what can be read is the end.
    let mut ended = reader.read(&mut byte).fuse();
    loop {
        let sent = tokio::select! {
            _ = &mut ended => return false,
            sent = send_next(exchange, peer, link, &mut writer) => sent,
        };
        match sent {
            Sent::Something => {}
            Sent::Nothing => tokio::select! {
                _ = &mut ended => return false,
                () = link.wake.notified() => {}
            },
            Sent::Failed => return false,
        }
        if link.is_closed() {
            let _ = tokio::time::timeout(Duration::from_millis(100), writer.close()).await;
            return true;
        }
    }
}

enum Sent {
    Something,
    Nothing,
    Failed,
}

async fn send_next<W: futures::AsyncWrite + Unpin>(
    exchange: &Exchange,
    peer: PeerId,
    link: &Link,
    writer: &mut W,
) -> Sent {
    let entries = link.take_entries();
    if !entries.is_empty() {
        let message = Message { wantlist: Some(Wantlist { entries, full: false }), ..Message::default() };
        return write(writer, &message).await;
    }
    let wants = link.take_wants();
    if wants.is_empty() {
        return Sent::Nothing;
    }
    let blocks = Arc::clone(&exchange.blocks);
    let read = tokio::task::spawn_blocking(move || answer(blocks.as_ref(), wants));
    // A store that panics answers nothing.
    let Ok((message, rest)) = read.await else { return Sent::Something };
    link.put_back(rest);
    let bytes: usize = message.payload.iter().map(|block| block.data.len()).sum();
    if message == Message::default() {
        return Sent::Something;
    }
    exchange.shared.limits.bitswap(peer, bytes).await;
    let sent = write(writer, &message).await;
    if matches!(sent, Sent::Something) {
        exchange.shared.metrics.bitswap("sent", bytes);
    }
    sent
}

/// Answers wants until the message is full; returns it with the wants that are left.
fn answer(blocks: &dyn super::BlockSource, wants: Vec<(Cid, Want)>) -> (Message, Vec<(Cid, Want)>) {
    let mut message = Message::default();
    let mut bytes = 0;
    let mut wants = wants.into_iter();
    while bytes < MESSAGE_BYTES {
        let Some((cid, want)) = wants.next() else { break };
        let size = blocks.size(&cid).filter(|size| *size <= BLOCK_BYTES_MAX);
        if bytes > 0 && want.is_block && size.is_some_and(|size| bytes + size > BLOCK_BYTES_MAX) {
            return (message, std::iter::once((cid, want)).chain(wants).collect());
        }
        let block = if want.is_block && size.is_some() { blocks.get(&cid) } else { None };
        if let Some(data) = block.filter(|data| data.len() <= BLOCK_BYTES_MAX) {
            bytes += data.len();
            message.payload.push(Block { prefix: message::prefix_of(&cid), data });
        } else if let Some(presence) = presence(size.is_some() && !want.is_block, want) {
            let cid = Bytes::from(cid.to_bytes());
            message.block_presences.push(BlockPresence { cid, presence: presence as i32 });
        }
    }
    (message, wants.collect())
}

fn presence(has_it: bool, want: Want) -> Option<Presence> {
    match (has_it, want.says_no) {
        (true, _) => Some(Presence::Have),
        (false, true) => Some(Presence::DontHave),
        (false, false) => None,
    }
}

async fn write<W: futures::AsyncWrite + Unpin>(writer: &mut W, message: &Message) -> Sent {
    let bytes = message::encode(message);
    let sending = async {
        writer.write_all(&bytes).await?;
        writer.flush().await
    };
    match tokio::time::timeout(WRITE_TIMEOUT, sending).await {
        Ok(Ok(())) => Sent::Something,
        Ok(Err(_)) | Err(_) => Sent::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bitswap::BlockSource;

    struct Blocks(HashMap<Cid, Bytes>);

    impl BlockSource for Blocks {
        fn get(&self, cid: &Cid) -> Option<Bytes> {
            self.0.get(cid).cloned()
        }
        fn size(&self, cid: &Cid) -> Option<usize> {
            self.0.get(cid).map(Bytes::len)
        }
    }

    fn blocks(sizes: &[usize]) -> (Blocks, Vec<Cid>) {
        let datas = sizes.iter().enumerate().map(|(n, size)| Bytes::from(vec![n as u8; *size]));
        let named: Vec<_> = datas.map(|data| (Cid::of_raw(&data), data)).collect();
        let cids = named.iter().map(|(cid, _)| *cid).collect();
        (Blocks(named.into_iter().collect()), cids)
    }

    #[test]
    fn no_message_is_larger_than_a_frame() {
        let (source, cids) =
            blocks(&[10, BLOCK_BYTES_MAX, BLOCK_BYTES_MAX - 20, 15_000, BLOCK_BYTES_MAX + 1]);
        let mut wants: Vec<_> =
            cids.iter().map(|cid| (*cid, Want { is_block: true, says_no: true })).collect();
        let (mut served, mut refused) = (0, 0);
        while !wants.is_empty() {
            let (message, rest) = answer(&source, wants);
            assert!(message::encode(&message).len() <= message::FRAME_BYTES_MAX);
            served += message.payload.len();
            refused += message.block_presences.len();
            wants = rest;
        }
        assert_eq!((served, refused), (4, 1), "the block of more than 2 MiB is not served");
    }

    #[test]
    fn presences_answer_what_was_asked() {
        let (source, cids) = blocks(&[10]);
        let missing = Cid::of_raw(b"missing");
        let check = |cid, is_block, says_no, expected: Option<Presence>| {
            let (message, _) = answer(&source, vec![(cid, Want { is_block, says_no })]);
            let found = message.block_presences.first().map(|presence| presence.presence);
            assert_eq!(found, expected.map(|presence| presence as i32));
        };
        check(cids[0], false, true, Some(Presence::Have));
        check(cids[0], true, true, None);
        check(missing, false, true, Some(Presence::DontHave));
        check(missing, true, true, Some(Presence::DontHave));
        check(missing, true, false, None);
    }

    #[test]
    fn wants_and_their_cancels_are_bounded() {
        let link = Link::default();
        let want = Want { is_block: true, says_no: true };
        let cid = |n: usize| Cid::of_raw(&n.to_be_bytes());
        assert_eq!((0..5_000).filter(|n| link.want(cid(*n), want)).count(), WANTS_MAX);
        for n in 0..100_000 {
            link.want(cid(n), want);
            link.unwant(&cid(n));
        }
        assert!(lock(&link.state).order.len() <= WANTS_MAX * 4);
    }
}
