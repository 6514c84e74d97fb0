//! `icn id new`, `icn id list`: the identities that a node holds.

use std::path::Path;

use icn_gateway::api::books::{NewIdentity, OwnIdentity};
use icn_identity::keystore::{FileKeyStore, Keyring, Protection};
use icn_types::Page;

use super::scope::print_page;
use super::secret::Passphrase;
use super::{Context, init, secret};
use crate::cli::{IdNewArgs, PageArgs};
use crate::error::{CliError, Exit};
use crate::output::{Cell, Column, Style, clean};

/// The folder of further identities' keys, in the node's folder.
const KEYRING_FOLDER: &str = "identities";

/// What the node's own key is called among the identities.
const OWN_NAME: &str = "node";

/// Makes an identity.
pub(crate) async fn new(context: &Context<'_>, args: &IdNewArgs) -> Result<Exit, CliError> {
    let passphrase = passphrase(context, args)?;
    let made = match context.client() {
        Ok(client) => {
            let passphrase = passphrase.map(|passphrase| passphrase.to_string());
            client.create_identity(&NewIdentity { name: args.name.clone(), passphrase }).await?
        }
        Err(CliError::NoNode { .. }) => create_at_rest(context.data_dir(), &args.name, passphrase)?,
        Err(error) => return Err(error),
    };
    if context.out.is_json() {
        context.out.json(&made)?;
    } else {
        let did = made.did.map_or_else(|| "-".to_owned(), |did| did.to_string());
        context.out.pairs(&[("name", clean(&made.name)), ("did", did)])?;
        context.out.note(&format!("use it with `--as {}`, for instance `icn space join`", clean(&made.name)));
    }
    Ok(Exit::DONE)
}

/// Finds out how the key is to be protected: as it was said, else as the node's own key is.
fn passphrase(context: &Context<'_>, args: &IdNewArgs) -> Result<Option<Passphrase>, CliError> {
    if args.no_passphrase {
        return Ok(None);
    }
    if let Some(given) = secret::given(args.passphrase_file.as_deref())? {
        return Ok(Some(given));
    }
    let own = init::keystore_path(context.data_dir());
    if !own.exists() {
        return Ok(None);
    }
    let store = FileKeyStore::open(&own)
        .map_err(CliError::because(format!("cannot open the keystore `{}`", own.display())))?;
    if store.is_encrypted() { secret::ask_known().map(Some) } else { Ok(None) }
}

/// Lists the identities.
pub(crate) async fn list(context: &Context<'_>, page: PageArgs) -> Result<Exit, CliError> {
    let identities = match context.client() {
        Ok(client) => client.identities(page.offset, page.limit).await?,
        Err(CliError::NoNode { .. }) => list_at_rest(context.data_dir(), page)?,
        Err(error) => return Err(error),
    };
    let empty = "no identities: make the node's own with `icn init`";
    let heading = [Column::Left("NAME"), Column::Left("DID"), Column::Left("KEY")];
    print_page(context, &identities, page.offset, empty, &heading, row)
}

fn row(identity: &OwnIdentity) -> Vec<Cell> {
    let key = match (identity.node, identity.locked) {
        (true, false) => Cell::from("the node's own"),
        (true, true) => Cell::styled("the node's own, locked", Some(Style::Yellow)),
        (false, false) => Cell::from("ready"),
        (false, true) => Cell::styled("locked", Some(Style::Yellow)),
    };
    let did = identity.did.map_or_else(|| "-".to_owned(), |did| did.to_string());
    vec![clean(&identity.name).into(), did.into(), key]
}

fn open(data_dir: &Path) -> Result<Keyring, CliError> {
    let folder = data_dir.join(KEYRING_FOLDER);
    let what = format!("cannot open the identities in `{}`", folder.display());
    Keyring::open(&folder).map_err(CliError::because(what))
}

/// Makes an identity in a folder that no node holds.
fn create_at_rest(
    data_dir: &Path,
    name: &str,
    passphrase: Option<Passphrase>,
) -> Result<OwnIdentity, CliError> {
    let protection = passphrase.map_or(Protection::None, |passphrase| Protection::passphrase(&passphrase));
    if name == OWN_NAME {
        return Err(CliError::Usage(format!("`{OWN_NAME}` is the node's own key: choose another name")));
    }
    let what = format!("cannot make the identity `{name}`");
    let keypair = open(data_dir)?.generate(name, &protection).map_err(CliError::because(what))?;
    Ok(OwnIdentity { name: name.to_owned(), did: Some(keypair.did()), node: false, locked: false })
}

/// Lists the identities in a folder that no node holds.
fn list_at_rest(data_dir: &Path, page: PageArgs) -> Result<Page<OwnIdentity>, CliError> {
    let mut all = Vec::new();
    let own = init::keystore_path(data_dir);
    if own.exists() {
        let what = format!("cannot open the keystore `{}`", own.display());
        let mut store = FileKeyStore::open(&own).map_err(CliError::because(what))?;
        let did = own_did(&mut store);
        all.push(OwnIdentity { name: OWN_NAME.to_owned(), did, node: true, locked: store.is_encrypted() });
    }
    let entries = open(data_dir)?.list().map_err(CliError::because("cannot list the identities"))?;
    all.extend(entries.into_iter().map(|entry| OwnIdentity {
        name: entry.name,
        did: entry.did,
        node: false,
        locked: entry.is_encrypted || entry.trouble.is_some(),
    }));
    let start = usize::try_from(page.offset).unwrap_or(usize::MAX);
    Ok(Page::cut(all.into_iter(), start, usize::try_from(page.limit).unwrap_or(usize::MAX)))
}

/// Reads the DID of a keystore, if no passphrase is needed for it.
fn own_did(store: &mut FileKeyStore) -> Option<icn_types::Did> {
    use icn_identity::keystore::KeyStore as _;
    if store.is_encrypted() {
        return None;
    }
    store.unlock(None).ok()?;
    store.keypair().ok().map(icn_identity::Keypair::did)
}
