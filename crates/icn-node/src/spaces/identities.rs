//! Who speaks from this node: its own key, and the members whose keys lie beside it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use icn_identity::keystore::{KeyStoreError, Keyring, Protection};
use icn_identity::{Keypair, Signer};
use icn_types::Did;
use zeroize::Zeroizing;

/// What the node's own key is called in lists.
pub(crate) const NODE_NAME: &str = "node";

/// The keys of this node.
pub(crate) struct Identities {
    node: Arc<Keypair>,
    keyring: Keyring,
    passphrase: Option<Zeroizing<String>>,
    members: RwLock<BTreeMap<String, Arc<Keypair>>>,
}

impl Identities {
    /// Opens the folder of keys and unlocks those that the node's own passphrase unlocks.
    ///
    /// # Errors
    ///
    /// [`KeyStoreError`] when the folder cannot be read.
    pub(crate) fn open(
        folder: &Path,
        node: Arc<Keypair>,
        passphrase: Option<Zeroizing<String>>,
    ) -> Result<Self, KeyStoreError> {
        let identities =
            Self { node, keyring: Keyring::open(folder)?, passphrase, members: RwLock::default() };
        identities.refresh();
        Ok(identities)
    }

    /// Unlocks what was added to the folder since.
    pub(crate) fn refresh(&self) -> Vec<Arc<Keypair>> {
        let mut added = Vec::new();
        for entry in self.keyring.list().unwrap_or_default() {
            if self.by_name(&entry.name).is_some() {
                continue;
            }
            match self.keyring.unlock(&entry.name, self.passphrase.as_deref().map(String::as_str)) {
                Ok(keypair) => {
                    let keypair = Arc::new(keypair);
                    added.push(Arc::clone(&keypair));
                    self.add(entry.name, keypair);
                }
                Err(error) => {
                    tracing::warn!(name = entry.name, error = %error, "an identity stays locked: its passphrase is not the node's");
                }
            }
        }
        added
    }

    /// Makes a new identity, protected like the node's own.
    ///
    /// # Errors
    ///
    /// [`KeyStoreError`] when the name is taken or not one, or the file cannot be written.
    pub(crate) fn create(&self, name: &str) -> Result<Arc<Keypair>, KeyStoreError> {
        let protection = match &self.passphrase {
            Some(passphrase) => Protection::passphrase(passphrase),
            None => Protection::None,
        };
        let keypair = Arc::new(self.keyring.generate(name, &protection)?);
        self.add(name.to_owned(), Arc::clone(&keypair));
        Ok(keypair)
    }

    fn add(&self, name: String, keypair: Arc<Keypair>) {
        self.members.write().unwrap_or_else(PoisonError::into_inner).insert(name, keypair);
    }

    fn by_name(&self, name: &str) -> Option<Arc<Keypair>> {
        self.members.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Finds an identity by its name or DID; the node's own without one.
    pub(crate) fn find(&self, name: Option<&str>) -> Option<Arc<Keypair>> {
        match name {
            None | Some(NODE_NAME) => Some(Arc::clone(&self.node)),
            Some(name) => self.by_name(name).or_else(|| {
                let did: Did = name.parse().ok()?;
                self.list().into_iter().map(|(_, keypair)| keypair).find(|keypair| keypair.did() == did)
            }),
        }
    }

    /// Lists all identities with their names, the node's own first.
    pub(crate) fn list(&self) -> Vec<(String, Arc<Keypair>)> {
        let members = self.members.read().unwrap_or_else(PoisonError::into_inner);
        let node = (NODE_NAME.to_owned(), Arc::clone(&self.node));
        std::iter::once(node)
            .chain(members.iter().map(|(name, key)| (name.clone(), Arc::clone(key))))
            .collect()
    }

    /// Lists who all of them are.
    pub(crate) fn dids(&self) -> Vec<icn_types::Did> {
        self.list().iter().map(|(_, keypair)| keypair.did()).collect()
    }

    /// Gives all keys, for signing.
    pub(crate) fn signers(&self) -> Vec<Arc<dyn Signer>> {
        self.list().into_iter().map(|(_, keypair)| keypair as Arc<dyn Signer>).collect()
    }
}
