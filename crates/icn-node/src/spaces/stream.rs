//! The streams on which replicas reconcile.

use std::sync::Arc;

use icn_ledger::replica::{Event, SessionId};
use icn_net::{PeerId, SyncReceiver, SyncSender, SyncStream};
use icn_types::Did;
use tokio::sync::mpsc;

use super::Space;
use crate::core::Node;

/// How many frames may wait to be sent on one stream. Full: the replica has broken its own bounds, and the stream ends.
const FRAMES_MAX: usize = 256;

/// Opens a stream to a node of a space and serves it.
pub(super) fn open(node: &Arc<Node>, space: &Arc<Space>, to: Did) {
    let (node, space) = (Arc::clone(node), Arc::clone(space));
    tokio::spawn(async move {
        match node.net.open_sync(icn_identity::peer_id(&to)).await {
            Ok(stream) => serve(space, stream, to, true).await,
            Err(error) => {
                tracing::debug!(node = %to, error = %error, "no reconciliation");
                space.happen(Event::SessionFailed { node: to }).await;
            }
        }
    });
}

/// Serves a stream that a node opened: its first frame says which space it is about.
pub(crate) fn accept(node: &Arc<Node>, peer: PeerId, stream: SyncStream) {
    let Some(from) = icn_identity::did_of(&peer) else { return };
    let node = Arc::clone(node);
    tokio::spawn(async move {
        let mut stream = stream;
        let Ok(Some(hello)) = stream.recv().await else { return };
        let log = icn_gossip::Hello::parse(&hello).map(|hello| hello.log_id());
        let Some(space) = log.ok().and_then(|log| node.spaces.of_log(&log)) else {
            let refusal = icn_gossip::refuse("unknown_space", "this node keeps no books of that space");
            drop(stream.send(&refusal).await);
            drop(stream.close().await);
            return;
        };
        let session = space.next_session();
        let outbox = space.attach(session);
        space.happen(Event::SessionOpened { session, node: from, is_ours: false }).await;
        space.happen(Event::SessionFrame { session, bytes: hello }).await;
        pump(space, stream, session, outbox).await;
    });
}

async fn serve(space: Arc<Space>, stream: SyncStream, node: Did, is_ours: bool) {
    let session = space.next_session();
    let outbox = space.attach(session);
    space.happen(Event::SessionOpened { session, node, is_ours }).await;
    pump(space, stream, session, outbox).await;
}

/// Moves frames both ways until either side ends, or the space is given up.
async fn pump(space: Arc<Space>, stream: SyncStream, session: SessionId, outbox: mpsc::Receiver<Vec<u8>>) {
    let (sender, receiver) = stream.split();
    let sending = tokio::spawn(send(Arc::clone(&space), session, sender, outbox));
    tokio::select! {
        () = receive(&space, receiver, session) => {}
        () = space.closed() => {}
    }
    space.detach(session);
    space.happen(Event::SessionClosed { session }).await;
    // Ends by itself once the outbox is gone.
    drop(sending.await);
}

async fn send(
    space: Arc<Space>,
    session: SessionId,
    mut sender: SyncSender,
    mut outbox: mpsc::Receiver<Vec<u8>>,
) {
    while let Some(frame) = outbox.recv().await {
        if let Err(error) = sender.send(&frame).await {
            tracing::debug!(error = %error, "a reconciliation broke off");
            return;
        }
        if outbox.is_empty() {
            space.happen(Event::SessionDrained { session }).await;
        }
    }
    drop(sender.close().await);
}

async fn receive(space: &Arc<Space>, mut receiver: SyncReceiver, session: SessionId) {
    loop {
        match receiver.recv().await {
            Ok(Some(bytes)) => space.happen(Event::SessionFrame { session, bytes }).await,
            Ok(None) => return,
            Err(error) => {
                tracing::debug!(error = %error, "a reconciliation broke off");
                return;
            }
        }
    }
}

/// Makes the queue of frames of one stream.
pub(super) fn outbox() -> (mpsc::Sender<Vec<u8>>, mpsc::Receiver<Vec<u8>>) {
    mpsc::channel(FRAMES_MAX)
}
