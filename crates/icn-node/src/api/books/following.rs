//! Keeping the books of a space that nobody here is a member of: for those whom its members trust enough to read them.

use std::time::Duration;

use icn_gateway::api::Problem;
use icn_gateway::api::books::{FollowRequest, Space as SpaceView};

use super::BooksFace;
use crate::spaces::SpaceRecord;

/// How long it may take until the books come.
const PATIENCE: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_millis(250);
/// What such a space is called until its books say.
const NAME: &str = "followed";

impl BooksFace {
    /// Opens a space for reading. What was begun stays: as soon as a member trusts this node enough, the books come.
    pub(super) async fn follow_books(&self, request: FollowRequest) -> Result<SpaceView, Problem> {
        if let Some(wrong) = request.peers.iter().find(|peer| peer.parse::<icn_net::Multiaddr>().is_err()) {
            let shown: String = wrong.chars().take(80).collect();
            return Err(Problem::invalid(
                "bad-address",
                format!("`{shown}` is no address: write /ip4/…/udp/…/quic-v1/p2p/…"),
            ));
        }
        let space = match self.0.spaces.get(&request.space) {
            Some(space) => space,
            None => {
                let record = SpaceRecord {
                    version: 1,
                    root: request.space,
                    name: NAME.to_owned(),
                    since: self.0.clock.now().at,
                    has_peers: true,
                    invitation: None,
                };
                self.open(record).await?
            }
        };
        let dialling = self.dial_all(&request.peers);
        let coming = async {
            while space.replica().log().is_empty() {
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::select! {
            biased;
            () = coming => return Ok(self.show_space(&space).await),
            () = dialling => {}
            () = tokio::time::sleep(PATIENCE) => {}
        }
        Err(Problem::new(
            503,
            "not-read-yet",
            format!(
                "no node has shown the books of {} to this one yet. Ask one of its members to say `icn trust add {} 0.1`, or \
                 more, and see that one of its nodes can be reached (`--peer`): the books come by themselves then",
                request.space, self.0.me
            ),
        ))
    }
}
