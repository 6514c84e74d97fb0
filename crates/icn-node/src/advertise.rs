//! Telling the network what this node can run.

use std::sync::Arc;
use std::time::Duration;

use icn_protocol::topics::Topic;

use crate::core::{Happening, Node};

/// How often an advertisement is repeated. Others count it for three times as long.
const PERIOD: Duration = Duration::from_secs(60);

/// The least time between two advertisements, so that a burst of new peers gets one.
const PAUSE: Duration = Duration::from_millis(20);

/// Advertises at once, every minute, and whenever somebody new may have missed it.
pub(crate) async fn run(node: Arc<Node>) {
    loop {
        let advertisement = {
            let now = node.clock.now();
            let machines = node.machines();
            machines
                .executor
                .as_ref()
                .and_then(|executor| executor.advertisement(now.at, node.config.node.alias.clone()))
        };
        let Some(bytes) = advertisement else { return };
        let bytes = bytes::Bytes::from(bytes);
        note_own(&node, &bytes).await;
        if let Err(error) = node.net.publish(&Topic::Capabilities.to_string(), bytes).await {
            tracing::debug!(error = %error, "an advertisement was not published");
        }
        tokio::time::sleep(PAUSE).await;
        tokio::select! {
            () = tokio::time::sleep(PERIOD) => {}
            () = node.advertise_soon.notified() => {}
        }
    }
}

/// This node's own originator knows its executor too.
async fn note_own(node: &Arc<Node>, bytes: &[u8]) {
    if let Ok(icn_protocol::Incoming::Message(raw)) =
        icn_protocol::parse(bytes, icn_protocol::GOSSIP_BYTES_MAX)
        && let icn_protocol::Message::CapabilityAdvertisementV1(capability) = raw.unverified().clone()
    {
        node.happen(Happening::Originator(icn_mesh::OriginatorEvent::Capability(capability))).await;
    }
}
