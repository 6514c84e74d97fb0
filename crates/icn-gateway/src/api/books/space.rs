//! Identities, spaces and members.

use std::fmt;

use icn_types::{Did, Timestamp};
use serde::{Deserialize, Serialize};

use super::{CreditRules, SpaceRules};

/// Somebody, as people know them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// Who.
    pub did: Did,
    /// What the space's members call them, if anything.
    pub nickname: Option<String>,
}

/// An identity in the keystore of this node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnIdentity {
    /// What this node calls it.
    pub name: String,
    /// Who it is; unknown while the key is encrypted and was not unlocked.
    pub did: Option<Did>,
    /// Whether it is the node's own key.
    pub node: bool,
    /// Whether its key cannot be used until the passphrase is given.
    pub locked: bool,
}

/// An identity to make.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewIdentity {
    /// What this node is to call it.
    pub name: String,
    /// What encrypts the key; none: the file's permissions alone protect it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passphrase: Option<String>,
}

/// A space to found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NewSpace {
    /// What people call it: 1 to 64 bytes.
    pub name: String,
    /// What members call the founder.
    pub nickname: Option<String>,
    /// Its first currency; none: it has none yet.
    pub currency: Option<NewCurrency>,
    /// The identity that founds it, whose DID the space then has; none: the node's own.
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
}

/// A currency to bring in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewCurrency {
    /// Its code: 1 to 32 of `a-z`, `A-Z`, `0-9`, `-`, `_`.
    pub code: String,
    /// How many decimals people see, 0 to 9; 2 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decimals: Option<u8>,
}

/// An invitation to take up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JoinRequest {
    /// Its text: `icn-invite:…`.
    pub invitation: String,
    /// What members are to call the new one.
    pub nickname: Option<String>,
    /// The identity that joins; none: the node's own.
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
}

/// A space to read without being a member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FollowRequest {
    /// Its root DID.
    pub space: Did,
    /// Multiaddrs of nodes that keep its books; none: those that are connected.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<String>,
}

/// A space to follow no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnfollowRequest {
    /// Which: its name, its root DID or a beginning of it. A copy of the books that was kept is named by its whole DID.
    pub space: String,
    /// Whether the copy of its books on this node is deleted.
    #[serde(default)]
    pub delete: bool,
}

/// A space that is followed no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfollowed {
    /// Its root DID.
    pub space: Did,
    /// What it was called here; nothing for a copy that was kept.
    pub name: Option<String>,
    /// How many entries the copy of its books has, or had.
    pub entries: u64,
    /// Whether the copy was deleted. Otherwise following again goes on from it.
    pub deleted: bool,
}

/// An invitation to make.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NewInvitation {
    /// The DID that it is for; none: whoever holds it may join.
    pub member: Option<Did>,
    /// How long it may be used, in seconds; a week when absent.
    pub expires_seconds: Option<u64>,
    /// The steward that invites.
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
}

/// An invitation, ready to be handed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invited {
    /// Its text: `icn-invite:…`.
    pub invitation: String,
    /// Whom it is for, if not for anybody.
    pub member: Option<Did>,
    /// Until when it may be used.
    pub expires: Timestamp,
    /// The addresses in it, at which the newcomer finds the space.
    pub peers: Vec<String>,
}

/// Where this node stands with the books of a space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpaceState {
    /// The books are here and members of this node may write.
    Ready,
    /// The books are being fetched for the first time.
    Joining,
    /// The node asks the others what its members said last before it writes: its copy may be an old one.
    Recovering,
}

/// A space.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Space {
    /// Its root DID.
    pub id: Did,
    /// What people call it.
    pub name: String,
    /// When it was founded, by the founder's clock.
    pub created: Timestamp,
    /// Where this node stands with it.
    pub state: SpaceState,
    /// What somebody who reads this should know, such as why nothing can be written.
    pub note: Option<String>,
    /// The members that this node writes for.
    pub own: Vec<OwnMember>,
    /// How many members it has.
    pub members: u64,
    /// Who sets its rules.
    pub stewards: Vec<Party>,
    /// Who certifies.
    pub witnesses: WitnessSet,
    /// Its currencies, by code.
    pub currencies: Vec<Currency>,
    /// Its other rules.
    pub rules: SpaceRules,
    /// How many entries are here.
    pub entries: u64,
    /// How many peers are connected that keep its books.
    pub peers: u64,
    /// The newest seal that counts.
    pub sealed: u64,
}

/// A member of a space whose key this node has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnMember {
    /// What this node calls the identity.
    pub identity: String,
    /// Who it is.
    pub did: Did,
    /// What the members call it.
    pub nickname: Option<String>,
    /// Whether it may set rules.
    pub steward: bool,
}

/// A member of a space.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Who.
    pub did: Did,
    /// What the members call them.
    pub nickname: Option<String>,
    /// Since when, by the clock of whoever wrote it.
    pub since: Timestamp,
    /// Whether they may set rules.
    pub steward: bool,
    /// Whether they are in the witness set that counts now.
    pub witness: bool,
    /// Whether the account is a treasury.
    pub treasury: bool,
    /// Why the account cannot spend, if it cannot.
    pub frozen: Option<String>,
    /// The name of the identity, if this node has its key.
    pub identity: Option<String>,
}

/// The witnesses of a space.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WitnessSet {
    /// Which set it is; 0: there never was one.
    pub number: u64,
    /// Who; nobody: payments are not certified.
    pub members: Vec<Party>,
    /// How many of them certify.
    pub quorum: u64,
    /// Whether a later set is named already and waits for this one's certificate.
    pub change_pending: bool,
}

/// A currency of a space.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Currency {
    /// Its code.
    pub code: String,
    /// How many decimals people see.
    pub decimals: u8,
    /// The steward that brought it in.
    pub issuer: Party,
    /// How credit lines are measured.
    pub policy: CreditRules,
}

impl fmt::Debug for NewIdentity {
    /// Never shows the passphrase: requests end up in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewIdentity").field("name", &self.name).finish_non_exhaustive()
    }
}
