//! Entries of authors whose key is elsewhere.

use std::sync::Arc;

use bytes::Bytes;
use icn_gateway::api::Problem;
use icn_gateway::api::books::{PrepareRequest, Written};
use icn_gossip::{ENTRY_BYTES_MAX, SignedEntry};
use icn_ledger::replica::Checked;
use icn_ledger::{Act, Post};
use icn_types::codec;

use super::BooksFace;
use crate::receipt;

/// What the signature adds to the bytes of an entry, at most.
const SIGNED_BYTES_EXTRA: usize = 256;

impl BooksFace {
    /// Makes the bytes that an author signs for its next entry.
    pub(super) fn prepare_entry(&self, space: &str, request: PrepareRequest) -> Result<Bytes, Problem> {
        let space = self.find(space)?;
        let acts: Result<Vec<Act>, _> = request.acts.into_iter().map(serde_json::from_value).collect();
        let acts = acts.map_err(|error| {
            Problem::invalid("bad-entry", format!("the acts are not of the form of the books: {error}"))
        })?;
        let post = Post { key: request.key, ..Post::new(acts) };
        let now = self.0.clock.now().at;
        let next = space.replica().next_entry(now, request.author, &post);
        let entry = next.map_err(|refusal| self.problem(&space, request.author, &post.acts, &refusal))?;
        let bytes = codec::encode(&entry).map_err(|error| Problem::internal(error.to_string()))?;
        if bytes.len() > ENTRY_BYTES_MAX {
            return Err(Problem::invalid(
                "bad-entry",
                "the entry is too large: spread the acts over several entries",
            ));
        }
        Ok(Bytes::from(bytes))
    }

    /// Takes in an entry that was signed elsewhere.
    pub(super) async fn append_entry(&self, space: &str, entry: Bytes) -> Result<Written, Problem> {
        let space = self.find(space)?;
        if entry.len() > ENTRY_BYTES_MAX + SIGNED_BYTES_EXTRA {
            return Err(Problem::invalid("bad-entry", "that is too long for an entry"));
        }
        let node = Arc::clone(&self.0);
        let checking = tokio::task::spawn_blocking(move || {
            let signed: SignedEntry = codec::decode(&entry).map_err(|error| receipt::chain(&error))?;
            Checked::new(signed, &node.verifier).map_err(|error| receipt::chain(&error))
        });
        let checked = checking.await.map_err(|error| Problem::internal(error.to_string()))?;
        let checked = checked.map_err(|reason| Problem::invalid("bad-entry", reason))?;
        if checked.entry.entry().log() != space.log {
            return Err(Problem::invalid("bad-entry", "the entry was signed for the books of another space"));
        }
        let (author, acts) = (checked.entry.entry().author, checked.post.acts.clone());
        let posted = space.submit(checked).await;
        let posted = posted.map_err(|refusal| self.problem(&space, author, &acts, &refusal))?;
        Ok(Written {
            entry: posted.entry,
            author,
            seq: posted.seq,
            repeated: posted.is_repeat,
            note: None,
            overrun: None,
        })
    }
}
