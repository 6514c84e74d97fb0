//! The identities of this node.

use std::sync::Arc;

use icn_gateway::api::Problem;
use icn_gateway::api::books::{Listing, NewIdentity, OwnIdentity};
use icn_identity::keystore::{KeyStoreError, Keyring};
use icn_identity::{Keypair, Signer as _};
use icn_types::Page;

use super::BooksFace;
use crate::receipt;

impl BooksFace {
    pub(super) async fn list_identities(&self, part: &Listing) -> Result<Page<OwnIdentity>, Problem> {
        self.refresh().await;
        let folder = self.0.data_dir.identities();
        let files = tokio::task::spawn_blocking(move || Keyring::open(&folder)?.list());
        let files = files.await.map_err(|error| Problem::internal(error.to_string()))?;
        let files = files.map_err(|error| keystore_problem(&error))?;
        let own = self.own();
        let locked = files.into_iter().filter(|file| own.iter().all(|(name, _)| *name != file.name));
        let locked =
            locked.map(|file| OwnIdentity { name: file.name, did: file.did, node: false, locked: true });
        let me = self.0.me;
        let mut all: Vec<OwnIdentity> = own
            .iter()
            .map(|(name, did)| OwnIdentity {
                name: name.clone(),
                did: Some(*did),
                node: *did == me,
                locked: false,
            })
            .chain(locked)
            .collect();
        all.sort_by(|a, b| (!a.node, &a.name).cmp(&(!b.node, &b.name)));
        Ok(Page::cut(all.into_iter(), part.offset, part.limit))
    }

    pub(super) async fn new_identity(&self, request: NewIdentity) -> Result<OwnIdentity, Problem> {
        if self.0.spaces.identities.find(Some(&request.name)).is_some() {
            return Err(name_taken());
        }
        // A running node unlocks every key with its own passphrase, so it makes keys with no other.
        let keypair = self.make_key(request.name.clone()).await.map_err(|error| keystore_problem(&error))?;
        self.let_speak(&keypair, true);
        Ok(OwnIdentity { name: request.name, did: Some(keypair.did()), node: false, locked: false })
    }

    pub(super) async fn make_key(&self, name: String) -> Result<Arc<Keypair>, KeyStoreError> {
        let node = Arc::clone(&self.0);
        let making = tokio::task::spawn_blocking(move || node.spaces.identities.create(&name));
        making.await.unwrap_or_else(|error| Err(KeyStoreError::Encryption(error.to_string())))
    }
}

fn name_taken() -> Problem {
    Problem::new(409, "identity-exists", "an identity of this node has this name already: choose another one")
}

pub(super) fn keystore_problem(error: &KeyStoreError) -> Problem {
    let detail = receipt::chain(error);
    match error {
        KeyStoreError::Exists { .. } => name_taken(),
        KeyStoreError::Name(_) | KeyStoreError::EmptyPassphrase => Problem::invalid("bad-name", detail),
        KeyStoreError::Unknown { .. } | KeyStoreError::Missing { .. } => {
            Problem::not_found("identity-not-found", detail)
        }
        KeyStoreError::PassphraseNeeded { .. }
        | KeyStoreError::WrongPassphrase { .. }
        | KeyStoreError::WorkFactor(_)
        | KeyStoreError::Damaged { .. }
        | KeyStoreError::Locked { .. }
        | KeyStoreError::Encryption(_)
        | KeyStoreError::Randomness(_)
        | KeyStoreError::Io { .. } => Problem::internal(detail),
    }
}
