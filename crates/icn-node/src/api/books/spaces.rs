//! Spaces: founding them, opening them, showing them.

use std::sync::Arc;

use icn_gateway::api::Problem;
use icn_gateway::api::books::{
    Currency, FinalityTier, Listing, NewSpace, OwnMember, Space as SpaceView, SpaceRules, SpaceState,
};
use icn_identity::Signer as _;
use icn_identity::keystore::KeyStoreError;
use icn_ledger::replica::Replica;
use icn_ledger::{Act, CreditPolicy, Post, SpacePolicy};
use icn_types::{Did, Page, Timestamp};

use super::identities::keystore_problem;
use super::words::Words;
use super::{BooksFace, convert, members, read};
use crate::receipt;
use crate::spaces::{self, Space, SpaceRecord};

/// The most characters of a space's name in the name of its root's key.
const SLUG_CHARS_MAX: usize = 22;
/// How many names are tried for the root's key.
const ROOT_NAMES_MAX: u32 = 99;
/// Decimals of a currency when nobody says otherwise.
pub(super) const DECIMALS: u8 = 2;

impl BooksFace {
    pub(super) async fn list_spaces(&self, part: &Listing) -> Result<Page<SpaceView>, Problem> {
        let mut all: Vec<(String, Arc<Space>)> =
            self.0.spaces.all().into_iter().map(|space| (self.name_of(&space), space)).collect();
        all.sort_by(|a, b| (&a.0, a.1.root).cmp(&(&b.0, b.1.root)));
        let page = Page::cut(all.into_iter(), part.offset, part.limit);
        let mut items = Vec::with_capacity(page.items.len());
        for (_, space) in &page.items {
            items.push(self.show_space(space).await);
        }
        Ok(Page { items, total: page.total, has_more: page.has_more })
    }

    /// Founds a space under a key of its own, which signs the one entry that makes the founder a steward. What stopped
    /// half-way goes on when it is asked for again.
    pub(super) async fn found_space(&self, request: NewSpace) -> Result<SpaceView, Problem> {
        let founder = self.identity(request.identity.as_deref()).await?.did();
        let now = self.0.clock.now().at;
        let acts = self.founding(now, founder, &request);
        Post::new(acts.clone())
            .encode()
            .map_err(|error| Problem::invalid("bad-entry", receipt::chain(&error)))?;
        let begun = self.begun(&request.name)?;
        let space = match begun {
            Some(space) => space,
            None => {
                let root = self.make_root(&request.name).await?;
                self.open(SpaceRecord {
                    version: 1,
                    root,
                    name: request.name.clone(),
                    since: now,
                    has_peers: false,
                    invitation: None,
                })
                .await?
            }
        };
        self.post(&space, space.root, acts, None).await?;
        Ok(self.show_space(&space).await)
    }

    fn founding(&self, now: Timestamp, founder: Did, request: &NewSpace) -> Vec<Act> {
        let mut acts = vec![
            Act::Found { name: request.name.clone(), created: now },
            Act::Admit { member: founder, nickname: request.nickname.clone() },
            Act::Appoint { member: founder },
        ];
        if let Some(currency) = &request.currency {
            acts.push(Act::Currency {
                code: currency.code.clone(),
                decimals: currency.decimals.unwrap_or(DECIMALS),
                policy: self.usual_policy(),
            });
        }
        let epoch_seconds = self.0.config.ledger.epoch_seconds;
        acts.push(Act::Policy(SpacePolicy { epoch_seconds, ..SpacePolicy::default() }));
        acts
    }

    /// The credit policy of currencies that this node brings in.
    pub(super) fn usual_policy(&self) -> CreditPolicy {
        let ledger = &self.0.config.ledger;
        CreditPolicy {
            initial: ledger.initial_limit,
            max: ledger.max_limit,
            growth: ledger.growth_per_50_cleared,
            trust_multiplier_ppm: ledger.trust_multiplier_ppm,
            ramp_days: ledger.ramp_period_days,
            required_cleared: ledger.required_cleared,
            ..CreditPolicy::default()
        }
        .magnitudes()
    }

    /// Finds a space of this name whose founding entry was not written; a founded one is in the way.
    fn begun(&self, name: &str) -> Result<Option<Arc<Space>>, Problem> {
        for space in self.0.spaces.all() {
            if self.name_of(&space) != name {
                continue;
            }
            let is_ours = self.own().iter().any(|(_, did)| *did == space.root);
            if is_ours && space.replica().log().is_empty() {
                return Ok(Some(space));
            }
            return Err(Problem::new(
                409,
                "space-exists",
                format!("this node keeps a space called `{name}` already: choose another name"),
            ));
        }
        Ok(None)
    }

    async fn make_root(&self, name: &str) -> Result<Did, Problem> {
        let slug = slug(name);
        for number in 1..=ROOT_NAMES_MAX {
            let name = if number == 1 { format!("space-{slug}") } else { format!("space-{slug}-{number}") };
            match self.make_key(name).await {
                Ok(keypair) => return Ok(keypair.did()),
                Err(KeyStoreError::Exists { .. }) => {}
                Err(error) => return Err(keystore_problem(&error)),
            }
        }
        Err(Problem::new(409, "identity-exists", "too many spaces have this name: choose another one"))
    }

    /// Writes down that this node keeps the books of a space, then opens them.
    pub(super) async fn open(&self, record: SpaceRecord) -> Result<Arc<Space>, Problem> {
        let _changing = self.0.spaces.changing.lock().await;
        self.write_record(&record).await?;
        let opened = spaces::open(&self.0, record).await;
        opened.map_err(|error| Problem::internal(format!("the books could not be opened: {error:#}")))
    }

    pub(super) async fn write_record(&self, record: &SpaceRecord) -> Result<(), Problem> {
        let mut batch = icn_store::Batch::new();
        let put = batch.put(&self.0.spaces.tables.spaces, record.root, record);
        put.map_err(|error| crate::api::store_problem(&error))?;
        self.0.db.commit(batch).await.map_err(|error| crate::api::store_problem(&error))
    }

    pub(super) async fn show_space(&self, space: &Space) -> SpaceView {
        let peers = self.0.net.peers().await;
        let peers = peers.iter().filter(|peer| peer.topics.contains(&space.topic)).count() as u64;
        let record = self.record(space);
        let name = self.name_of(space);
        let identities = self.own();
        let replica = space.replica();
        let books = replica.books();
        let words = Words::of(books);
        let own = own_members(&identities, &replica, &words);
        let (state, note) = state_of(&replica, &own, peers);
        let policy = books.policy();
        SpaceView {
            id: space.root,
            name,
            created: founded(&replica, space.root)
                .or_else(|| record.map(|record| record.since))
                .unwrap_or_default(),
            state,
            note,
            own,
            members: books.members().len() as u64,
            stewards: words.parties(&books.stewards()),
            witnesses: members::witness_set(books, &words),
            currencies: books
                .currencies()
                .into_iter()
                .map(|currency| Currency {
                    code: currency.code,
                    decimals: currency.decimals,
                    issuer: words.party(currency.issuer),
                    policy: convert::credit_rules(&currency.policy),
                })
                .collect(),
            rules: SpaceRules {
                finality: policy
                    .finality
                    .iter()
                    .map(|tier| FinalityTier { from: tier.from, level: convert::level(tier.level) })
                    .collect(),
                free_jobs: policy.free_jobs,
                epoch_seconds: policy.epoch_seconds,
                fund: policy.fund.map(|fund| words.party(fund)),
                mediators: words.parties(policy.disputes.iter().flat_map(|disputes| &disputes.mediators)),
            },
            entries: replica.log().len() as u64,
            peers,
            sealed: books.last_seal().map_or(0, |seal| seal.number),
        }
    }
}

fn own_members(identities: &[(String, Did)], replica: &Replica, words: &Words) -> Vec<OwnMember> {
    let books = replica.books();
    identities
        .iter()
        .filter(|(_, did)| books.is_member(did))
        .map(|(name, did)| OwnMember {
            identity: name.clone(),
            did: *did,
            nickname: words.nickname(did),
            steward: books.is_steward(did),
        })
        .collect()
}

fn state_of(replica: &Replica, own: &[OwnMember], peers: u64) -> (SpaceState, Option<String>) {
    if replica.log().is_empty() {
        let note = "the books have not come yet: join again with the same invitation to go on, or wait until a member trusts \
                    this node, if you follow";
        return (SpaceState::Joining, Some(note.to_owned()));
    }
    if own.iter().any(|member| !replica.is_ready(&member.did)) {
        let note = if peers == 0 {
            "nothing can be written until another node of the space is connected: this copy may be an old one"
        } else {
            "another node of the space is being asked what the members here said last"
        };
        return (SpaceState::Recovering, Some(note.to_owned()));
    }
    let note = own.is_empty().then(|| "no identity of this node is a member".to_owned());
    (SpaceState::Ready, note)
}

fn founded(replica: &Replica, root: Did) -> Option<Timestamp> {
    let first = replica.log().at(&root, 1).into_iter().next()?;
    let (_, post) = read::entry(replica, &first)?;
    post.acts
        .into_iter()
        .find_map(|act| if let Act::Found { created, .. } = act { Some(created) } else { None })
}

/// Makes the name of a key out of the name of a space.
fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.chars().flat_map(char::to_lowercase) {
        if slug.len() >= SLUG_CHARS_MAX {
            break;
        }
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "root".to_owned() } else { slug.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_root_key_is_one() {
        for (name, expected) in [
            ("Food Co-op", "food-co-op"),
            ("  Käse & Brot!  ", "k-se-brot"),
            ("食", "root"),
            ("A very long name of a space indeed", "a-very-long-name-of-a"),
        ] {
            assert_eq!(slug(name), expected, "{name}");
            assert!(slug(name).len() <= SLUG_CHARS_MAX);
        }
    }
}
