//! Inviting, and taking up an invitation.

use std::sync::Arc;
use std::time::Duration;

use icn_gateway::api::Problem;
use icn_gateway::api::books::{Invited, JoinRequest, NewInvitation, Space as SpaceView};
use icn_identity::Signer as _;
use icn_ledger::replica::Refusal;
use icn_ledger::{Act, Invitation, InvitationTerms, Reason};
use icn_types::{Did, Timestamp};
use serde_bytes::ByteBuf;

use super::{BooksFace, convert};
use crate::receipt;
use crate::spaces::{Space, SpaceRecord};

/// How long a new member waits for the books of the space, and for its first entry to be taken.
const JOIN_PATIENCE: Duration = Duration::from_secs(30);
/// How often a new member looks whether the books have come.
const JOIN_LOOK: Duration = Duration::from_millis(250);
/// How often the addresses of an invitation are tried.
const DIAL_PAUSE: Duration = Duration::from_secs(3);
/// How long an invitation may be used when nobody says otherwise, in seconds: a week.
const INVITATION_SECONDS: u64 = 7 * 24 * 3_600;
/// The most addresses in an invitation.
const INVITATION_PEERS_MAX: usize = 16;
/// The longest of them, in bytes.
const INVITATION_PEER_BYTES_MAX: usize = 256;

impl BooksFace {
    /// Takes up an invitation. What was begun stays: the same invitation again goes on where it stopped.
    pub(super) async fn take_up(&self, request: JoinRequest) -> Result<SpaceView, Problem> {
        let invitation: Invitation = request
            .invitation
            .parse()
            .map_err(|error: icn_ledger::InvitationError| bad_invitation(&receipt::chain(&error)))?;
        invitation.verify(&self.0.verifier).map_err(|error| bad_invitation(&receipt::chain(&error)))?;
        let member = self.identity(request.identity.as_deref()).await?.did();
        let open = self.0.spaces.get(&invitation.space);
        let is_member = open.as_ref().is_some_and(|space| space.replica().books().is_member(&member));
        let now = self.0.clock.now().at;
        if invitation.is_expired(now) && !is_member {
            return Err(Problem::refused(
                "invitation-expired",
                format!("the invitation was for use until {}: ask for a new one", invitation.expires),
            ));
        }
        if !invitation.admits(&member) && !is_member {
            return Err(Problem::refused(
                "invitation-refused",
                "the invitation is for another identity: choose it with `--as`, or ask for a new one",
            ));
        }
        let space = self.open_invited(open, &invitation, now).await?;
        let dialling = self.dial_all(&invitation.peers);
        let joining = self.join_soon(&space, member, &invitation, request.nickname);
        tokio::select! {
            biased;
            joined = joining => joined?,
            () = dialling => {}
        }
        self.forget_invitation(&space).await?;
        Ok(self.show_space(&space).await)
    }

    async fn open_invited(
        &self,
        open: Option<Arc<Space>>,
        invitation: &Invitation,
        now: Timestamp,
    ) -> Result<Arc<Space>, Problem> {
        let encoded = icn_types::codec::encode(invitation);
        let encoded = encoded.map_err(|error| bad_invitation(&error.to_string()))?;
        let known = match &open {
            Some(space) => self.record(space),
            None => None,
        };
        let usual = SpaceRecord {
            version: 1,
            root: invitation.space,
            name: invitation.name.clone(),
            since: now,
            has_peers: true,
            invitation: None,
        };
        let record = SpaceRecord { invitation: Some(ByteBuf::from(encoded)), ..known.unwrap_or(usual) };
        match open {
            Some(space) => {
                self.write_record(&record).await?;
                space.replica().set_invitation(invitation.clone());
                Ok(space)
            }
            None => self.open(record).await,
        }
    }

    /// Connects to addresses at which a space is found, again and again; never ends.
    pub(super) async fn dial_all(&self, peers: &[String]) {
        loop {
            let dials =
                peers.iter().filter_map(|peer| peer.parse().ok()).map(|address: icn_net::Multiaddr| async {
                    if let Err(error) = self.0.net.dial(address).await {
                        tracing::debug!(error = %error, "an address of a space does not answer");
                    }
                });
            futures::future::join_all(dials).await;
            tokio::time::sleep(DIAL_PAUSE).await;
        }
    }

    /// Waits for the books, then writes the new member's first entry.
    async fn join_soon(
        &self,
        space: &Space,
        member: Did,
        invitation: &Invitation,
        nickname: Option<String>,
    ) -> Result<(), Problem> {
        let deadline = tokio::time::Instant::now() + JOIN_PATIENCE;
        let acts = vec![Act::Join { invitation: Box::new(invitation.clone()), nickname }];
        while tokio::time::Instant::now() < deadline {
            let (is_here, is_member, is_ready) = {
                let replica = space.replica();
                let is_here = !replica.log().is_empty();
                (is_here, replica.books().is_member(&member), replica.is_ready(&member))
            };
            if is_member && is_ready {
                return Ok(());
            }
            if is_here && !is_member {
                match self.try_post(space, member, acts.clone(), None).await {
                    Ok(_) => return Ok(()),
                    // No node has been merged with yet.
                    Err(
                        Refusal::Unconfirmed(_)
                        | Refusal::Busy
                        | Refusal::NotNext(_)
                        | Refusal::Books { reason: Reason::Pending, .. },
                    ) => {}
                    Err(refusal) => return Err(self.problem(space, member, &acts, &refusal)),
                }
            }
            tokio::time::sleep(JOIN_LOOK).await;
        }
        if space.replica().books().is_member(&member) {
            return Ok(());
        }
        Err(Problem::new(
            503,
            "joining",
            "no node of the space has given its books yet: check that the inviting node runs and can be reached, then \
             join with the same invitation again to go on",
        ))
    }

    /// The invitation has done its work: from now on the member's own word lets this node read.
    async fn forget_invitation(&self, space: &Space) -> Result<(), Problem> {
        match self.record(space) {
            Some(record) if record.invitation.is_some() => {
                self.write_record(&SpaceRecord { invitation: None, has_peers: true, ..record }).await
            }
            Some(_) | None => Ok(()),
        }
    }

    pub(super) async fn make_invitation(
        &self,
        space: &str,
        request: NewInvitation,
    ) -> Result<Invited, Problem> {
        let space = self.find(space)?;
        let steward = self.steward(&space, request.identity.as_deref()).await?;
        if !space.replica().books().is_steward(&steward) {
            return Err(Problem::refused("not-a-steward", Reason::NotASteward(steward).to_string()));
        }
        let keypair = self.identity(Some(&steward.to_string())).await?;
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce)
            .map_err(|error| Problem::internal(format!("the system gives no randomness: {error}")))?;
        let seconds = request.expires_seconds.unwrap_or(INVITATION_SECONDS);
        let expires = convert::after(self.0.clock.now().at, seconds);
        let mut peers = self.0.addresses();
        peers.retain(|peer| peer.len() <= INVITATION_PEER_BYTES_MAX);
        peers.truncate(INVITATION_PEERS_MAX);
        let terms = InvitationTerms {
            space: space.root,
            name: self.name_of(&space),
            member: request.member,
            expires,
            nonce,
            peers: peers.clone(),
        };
        let invitation = Invitation::issue(keypair.as_ref(), terms)
            .map_err(|error| Problem::invalid("bad-invitation", receipt::chain(&error)))?;
        // Whoever gets it will have a part of the chains that are written here.
        if let Some(record) = self.record(&space).filter(|record| !record.has_peers) {
            self.write_record(&SpaceRecord { has_peers: true, ..record }).await?;
        }
        space.replica().note_peers();
        Ok(Invited { invitation: invitation.to_text(), member: request.member, expires, peers })
    }
}

fn bad_invitation(detail: &str) -> Problem {
    Problem::invalid("bad-invitation", detail)
}
