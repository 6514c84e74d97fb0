//! What can be wrong with a keystore.

use std::path::PathBuf;

/// Why a keystore cannot be made or opened.
#[derive(Debug, thiserror::Error)]
pub enum KeyStoreError {
    /// There is one already.
    #[error("`{path}` exists already and is never overwritten: move it away first, or choose another place")]
    Exists {
        /// Where.
        path: PathBuf,
    },
    /// There is none.
    #[error("there is no keystore at `{path}`: make one with `icn init`")]
    Missing {
        /// Where.
        path: PathBuf,
    },
    /// It needs a passphrase and got none.
    #[error(
        "the keystore `{path}` needs its passphrase: type it, or set ICN_KEYSTORE_PASSPHRASE or --passphrase-file"
    )]
    PassphraseNeeded {
        /// Where.
        path: PathBuf,
    },
    /// The passphrase is another one.
    #[error("the passphrase does not open `{path}`: try again")]
    WrongPassphrase {
        /// Where.
        path: PathBuf,
    },
    /// A passphrase of no characters.
    #[error("the passphrase is empty: choose one, or use --no-passphrase")]
    EmptyPassphrase,
    /// A work factor outside of what this program uses.
    #[error(
        "a work factor of {0} is outside of what is used here: the keystore was not made by this program"
    )]
    WorkFactor(u8),
    /// The file is not a whole keystore.
    #[error("`{path}` is not a usable keystore: {reason}; restore it from a backup")]
    Damaged {
        /// Where.
        path: PathBuf,
        /// What is wrong.
        reason: &'static str,
    },
    /// The key was asked for while the store was locked.
    #[error("the keystore `{path}` is locked: unlock it first")]
    Locked {
        /// Where.
        path: PathBuf,
    },
    /// The text could not be encrypted.
    #[error("the keystore could not be encrypted: {0}")]
    Encryption(String),
    /// A name that no key of a folder can have.
    #[error("`{0}` cannot name an identity: choose 1 to 32 of `a-z`, `0-9`, `-`, `_`")]
    Name(String),
    /// No key of the folder has this name.
    #[error("no identity is called `{name}`: list those that there are, or make it")]
    Unknown {
        /// The name asked for.
        name: String,
    },
    /// The operating system gives no randomness.
    #[error("no key can be made without randomness, and the operating system gives none: {0}")]
    Randomness(String),
    /// The disk.
    #[error("cannot {action} `{path}`: check the folder and its permissions")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the operating system says.
        #[source]
        source: std::io::Error,
    },
}
