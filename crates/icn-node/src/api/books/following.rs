//! Keeping the books of a space that nobody here is a member of: for those whom its members trust enough to read them.

use std::sync::Arc;
use std::time::Duration;

use icn_gateway::api::Problem;
use icn_gateway::api::books::{FollowRequest, Listing, Space as SpaceView, UnfollowRequest, Unfollowed};
use icn_types::Did;

use super::BooksFace;
use crate::api::store_problem;
use crate::spaces::{Space, SpaceRecord, leaving};

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

    /// Gives up a space that nobody here is a member of. What was begun is ended also when whoever asked has left.
    pub(super) async fn unfollow_books(&self, request: UnfollowRequest) -> Result<Unfollowed, Problem> {
        let face = Self(Arc::clone(&self.0));
        let ended = tokio::spawn(async move { face.unfollow(&request).await }).await;
        ended.map_err(|error| Problem::internal(format!("the space was not given up: {error}")))?
    }

    async fn unfollow(&self, request: &UnfollowRequest) -> Result<Unfollowed, Problem> {
        let _changing = self.0.spaces.changing.lock().await;
        match self.find(&request.space) {
            Ok(space) => self.leave_books(&space, request.delete).await,
            Err(problem) if problem.code == "space-not-found" => self.leave_copy(request).await,
            Err(problem) => Err(problem),
        }
    }

    async fn leave_books(&self, space: &Arc<Space>, delete: bool) -> Result<Unfollowed, Problem> {
        self.check_follows(space).await?;
        let name = Some(self.name_of(space));
        let entries = space.replica().log().len() as u64;
        leaving::leave(&self.0, space).await.map_err(|error| store_problem(&error))?;
        if delete {
            self.delete(space.root).await?;
        }
        Ok(Unfollowed { space: space.root, name, entries, deleted: delete })
    }

    /// Deletes a copy that was kept when the space was given up.
    async fn leave_copy(&self, request: &UnfollowRequest) -> Result<Unfollowed, Problem> {
        let shown: String = request.space.chars().take(80).collect();
        let kept = match request.space.parse::<Did>() {
            Ok(root) => {
                let len = self.0.spaces.tables.entries_len(root).map_err(|error| store_problem(&error))?;
                (len > 0).then_some(root)
            }
            Err(_) => None,
        };
        match kept {
            Some(root) if request.delete => {
                let entries = self.delete(root).await?;
                Ok(Unfollowed { space: root, name: None, entries, deleted: true })
            }
            Some(_) => Err(not_followed(format!(
                "this node does not follow `{shown}` any more; a copy of its books lies here: delete it with `--delete`"
            ))),
            None => Err(not_followed(format!(
                "this node does not follow a space `{shown}`: `icn space list` shows whose books it keeps"
            ))),
        }
    }

    async fn delete(&self, root: Did) -> Result<u64, Problem> {
        let deleted = leaving::delete_books(&self.0.db, &self.0.spaces.tables, root).await;
        deleted.map(u64::from).map_err(|error| store_problem(&error))
    }

    /// Refuses for a space that a member here belongs to, is founding or is joining.
    async fn check_follows(&self, space: &Space) -> Result<(), Problem> {
        let name = self.name_of(space);
        // Those whose keys are locked are members as well.
        let all = Listing { limit: usize::MAX, ..Listing::default() };
        let own = self.list_identities(&all).await?.items;
        let is_joining = self.record(space).is_some_and(|record| record.invitation.is_some());
        let replica = space.replica();
        let is_here = |did: &Did| *did == space.root || replica.books().is_member(did);
        if let Some(member) = own.iter().find(|own| own.did.as_ref().is_some_and(is_here)) {
            return Err(Problem::new(
                409,
                "is-member",
                format!(
                    "this node does not follow `{name}`, it keeps its books for a member: `{}` belongs to it. Only spaces are \
                     given up that nobody here is a member of; a steward ends a membership with `icn space expel`",
                    member.name
                ),
            ));
        }
        if is_joining && !replica.log().is_empty() {
            return Err(Problem::new(
                409,
                "joining",
                format!("an invitation to `{name}` is being taken up here: join with it again to go on"),
            ));
        }
        Ok(())
    }
}

fn not_followed(detail: String) -> Problem {
    Problem::not_found("not-followed", detail)
}
