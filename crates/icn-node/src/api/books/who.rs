//! Who is meant: spaces, members, and which identity of this node acts.

use std::sync::Arc;

use icn_gateway::api::Problem;
use icn_gateway::api::books::{Listing, find_member, find_space};
use icn_identity::{Keypair, Signer as _};
use icn_types::Did;

use super::BooksFace;
use super::words::Words;
use crate::spaces::{Space, SpaceRecord};

impl BooksFace {
    /// Finds an open space by what people call it.
    pub(in crate::api) fn find(&self, text: &str) -> Result<Arc<Space>, Problem> {
        let named: Vec<(Did, String)> =
            self.0.spaces.all().iter().map(|space| (space.root, self.name_of(space))).collect();
        let root = find_space(text, named.iter().map(|(root, name)| (*root, name.as_str())))?;
        self.0.spaces.get(&root).ok_or_else(|| {
            Problem::not_found(
                "space-not-found",
                "this node keeps no books of that space any more: see `icn space list`",
            )
        })
    }

    /// Names a space: as its books say, or, while they are empty, as the invitation said.
    pub(super) fn name_of(&self, space: &Space) -> String {
        let known = space.replica().books().name();
        known.or_else(|| self.record(space).map(|record| record.name)).unwrap_or_default()
    }

    pub(super) fn record(&self, space: &Space) -> Option<SpaceRecord> {
        match self.0.spaces.tables.spaces.get(space.root) {
            Ok(record) => record,
            Err(error) => {
                tracing::error!(space = %space.root, error = %error, "the record of a space cannot be read");
                None
            }
        }
    }

    /// Lists the identities of this node that can sign, by name.
    pub(super) fn own(&self) -> Vec<(String, Did)> {
        self.0.spaces.identities.list().into_iter().map(|(name, keypair)| (name, keypair.did())).collect()
    }

    /// Finds an identity of this node by name or DID; the node's own without one. Looks into the folder of keys again
    /// before it gives up.
    pub(super) async fn identity(&self, name: Option<&str>) -> Result<Arc<Keypair>, Problem> {
        if let Some(found) = self.0.spaces.identities.find(name) {
            return Ok(found);
        }
        self.refresh().await;
        self.0.spaces.identities.find(name).ok_or_else(|| {
            let shown: String = name.unwrap_or_default().chars().take(80).collect();
            Problem::not_found(
                "identity-not-found",
                format!("no identity of this node is called `{shown}`: see `icn id list`"),
            )
        })
    }

    /// Unlocks what was added to the folder of keys, and lets it speak in every open space.
    pub(super) async fn refresh(&self) {
        let node = Arc::clone(&self.0);
        let added = tokio::task::spawn_blocking(move || node.spaces.identities.refresh()).await;
        for keypair in added.unwrap_or_default() {
            self.let_speak(&keypair, false);
        }
    }

    /// Lets an identity speak in every open space. A key that was made just now has written nowhere else.
    pub(super) fn let_speak(&self, keypair: &Arc<Keypair>, is_new: bool) {
        for space in self.0.spaces.all() {
            let signer = Arc::clone(keypair) as Arc<dyn icn_identity::Signer>;
            if is_new {
                space.replica().add_new_identity(signer);
            } else {
                space.replica().add_identity(signer);
            }
        }
    }

    /// Chooses who acts in a space: whom the request names; else the node's own identity if it is a member; else the
    /// only other member that this node has. The root of a space that was founded here does not count as one.
    pub(in crate::api) async fn actor(&self, space: &Space, identity: Option<&str>) -> Result<Did, Problem> {
        if identity.is_some() {
            return Ok(self.identity(identity).await?.did());
        }
        self.default_actor(space)
    }

    fn default_actor(&self, space: &Space) -> Result<Did, Problem> {
        let me = self.0.me;
        let mut own = self.own();
        {
            let replica = space.replica();
            if replica.books().is_member(&me) {
                return Ok(me);
            }
            own.retain(|(_, did)| replica.books().is_member(did));
        }
        if own.len() > 1 {
            own.retain(|(_, did)| *did != space.root);
        }
        match own.as_slice() {
            [(_, only)] => Ok(*only),
            // The books will say that it is no member.
            [] => Ok(me),
            several => Err(identity_needed(several)),
        }
    }

    /// Chooses which steward acts: whom the request names, else the usual actor if it is one, else the only steward that
    /// this node has, else the root.
    pub(super) async fn steward(&self, space: &Space, identity: Option<&str>) -> Result<Did, Problem> {
        if identity.is_some() {
            return self.actor(space, identity).await;
        }
        let usual = self.default_actor(space);
        let mut own = self.own();
        let replica = space.replica();
        if let Ok(did) = &usual
            && replica.books().is_steward(did)
        {
            return usual;
        }
        own.retain(|(_, did)| replica.books().is_steward(did));
        drop(replica);
        if own.len() > 1 {
            own.retain(|(_, did)| *did != space.root);
        }
        match own.as_slice() {
            [(_, only)] => Ok(*only),
            [] => usual,
            several => Err(identity_needed(several)),
        }
    }

    /// Finds a member by what people call it.
    pub(in crate::api) fn member(&self, text: &str, words: &Words) -> Result<Did, Problem> {
        let own = self.own();
        find_member(text, words.members(), own.iter().map(|(name, did)| (*did, name.as_str())))
    }

    /// Chooses whose account a list is about.
    pub(super) async fn account(
        &self,
        space: &Space,
        account: Option<&str>,
        identity: Option<&str>,
    ) -> Result<Did, Problem> {
        match account {
            Some(account) => {
                let words = Words::of(space.replica().books());
                self.member(account, &words)
            }
            None => self.actor(space, identity).await,
        }
    }

    /// The same, for a list.
    pub(super) async fn account_of(&self, space: &Space, part: &Listing) -> Result<Did, Problem> {
        self.account(space, part.account.as_deref(), part.identity.as_deref()).await
    }
}

fn identity_needed(choices: &[(String, Did)]) -> Problem {
    let names: Vec<&str> = choices.iter().map(|(name, _)| name.as_str()).collect();
    Problem::new(
        409,
        "identity-needed",
        format!("this node has several identities that could: say which with `--as`: {}", names.join(", ")),
    )
}
