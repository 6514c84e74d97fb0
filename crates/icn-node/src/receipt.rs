//! Fetching, judging and offering receipts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use icn_gateway::api::Verdict;
use icn_identity::{Ed25519Verifier, Verifier};
use icn_mesh::{FetchFailure, OriginatorEvent};
use icn_net::{Multiaddr, PeerId, RecordCheck};
use icn_protocol::{ExecutionReceipt, ReceiptBundle, ReceiptError, VerifiedReceipt, receipt, verify_receipt};
use icn_store::{Batch, Blocks};
use icn_types::{Cid, Did};

use crate::content::{self, ContentError};
use crate::core::{Happening, Node};
use crate::perform::JOB_PIN;

/// How many addresses of providers are taken from an announcement.
const PROVIDERS_MAX: usize = 16;

/// Fetches a receipt and its outputs in a task of its own, and brings what came of it to the originator's machine.
pub(crate) fn spawn_fetch(node: &Arc<Node>, job: Cid, cid: Cid, executor: Did, providers: &[String]) {
    let peer = icn_identity::peer_id(&executor);
    let addresses: Vec<Multiaddr> =
        providers.iter().take(PROVIDERS_MAX).filter_map(|address| address.parse().ok()).collect();
    if !addresses.is_empty() && executor != node.me {
        node.net.add_addresses(peer, addresses);
    }
    let node = Arc::clone(node);
    tokio::spawn(async move {
        let result = fetch(&node, cid, peer).await.map(Box::new);
        if let Err(failure) = &result {
            tracing::info!(%job, receipt = %cid, %executor, ?failure, "a receipt was not accepted");
        }
        node.happen(Happening::Originator(OriginatorEvent::ReceiptFetched { job, cid, executor, result }))
            .await;
    });
}

async fn fetch(node: &Node, cid: Cid, peer: PeerId) -> Result<ExecutionReceipt, FetchFailure> {
    let unavailable = |error: ContentError| FetchFailure::Unavailable(error.to_string());
    let bytes = content::block(node, cid, &[peer]).await.map_err(unavailable)?;
    let verified = verify(&bytes, &node.verifier, |cid| node.blocks.get(cid).ok().flatten())
        .map_err(|error| FetchFailure::Invalid(chain(&error)))?;
    let receipt = verified.receipt.into_receipt();
    let allowance = verified.params.output_bytes_max.saturating_add(2 * 8 * 1024 * 1024);
    let claimed: u64 = receipt.output_cids.iter().fold(0, |sum, output| sum.saturating_add(output.bytes));
    if claimed > allowance {
        return Err(FetchFailure::Invalid(format!(
            "it claims {claimed} bytes of output; {allowance} are allowed"
        )));
    }
    let mut pins = Batch::new();
    node.blocks.pin_in(&mut pins, &cid, JOB_PIN);
    for output in &receipt.output_cids {
        let bytes = match content::fetch_file(node, output.cid, &[peer], output.bytes).await {
            Ok(bytes) => bytes,
            Err(error @ (ContentError::NotAFile { .. } | ContentError::TooLarge { .. })) => {
                return Err(FetchFailure::Invalid(format!("output `{}`: {error}", output.name)));
            }
            Err(error) => return Err(unavailable(error)),
        };
        if bytes != output.bytes {
            let reason =
                format!("output `{}` has {bytes} bytes, the receipt says {}", output.name, output.bytes);
            return Err(FetchFailure::Invalid(reason));
        }
        node.blocks.pin_in(&mut pins, &output.cid, JOB_PIN);
    }
    node.db.commit_relaxed(pins).map_err(|error| FetchFailure::Unavailable(error.to_string()))?;
    Ok(receipt)
}

/// Verifies the bytes of a receipt with the blocks that `get` knows.
fn verify(
    bytes: &[u8],
    verifier: &dyn Verifier,
    get: impl Fn(&Cid) -> Option<Bytes>,
) -> Result<VerifiedReceipt, ReceiptError> {
    let (assignment, params) = match receipt::parse(bytes) {
        Ok(raw) => (get(&raw.unverified().assignment_cid), get(&raw.unverified().job_params_cid)),
        Err(_) => (None, None),
    };
    verify_receipt(bytes, assignment.as_deref(), params.as_deref(), verifier)
}

/// Reads a receipt file: a bundle, or a bare receipt whose assignment and parameters `get` must know.
pub(crate) fn verify_file(
    bytes: &[u8],
    get: impl Fn(&Cid) -> Option<Bytes>,
) -> Result<VerifiedReceipt, ReceiptError> {
    let verifier = Ed25519Verifier::new();
    if ReceiptBundle::is_bundle(bytes) {
        return ReceiptBundle::decode(bytes).map_err(ReceiptError::Receipt)?.verify(&verifier);
    }
    verify(bytes, &verifier, get)
}

/// Says whether a receipt file holds, and why.
pub(crate) fn judge(bytes: &[u8], blocks: Option<&Blocks>) -> Verdict {
    let get = |cid: &Cid| blocks.and_then(|blocks| blocks.get(cid).ok().flatten());
    match verify_file(bytes, get) {
        Ok(verified) => {
            match blocks.map_or(Ok(0), |blocks| check_outputs(verified.receipt.receipt(), blocks)) {
                Ok(at_hand) => Verdict { valid: true, reason: held_words(&verified, at_hand) },
                Err(reason) => Verdict { valid: false, reason },
            }
        }
        Err(error) => Verdict { valid: false, reason: chain(&error) },
    }
}

/// Checks the outputs that are at hand and returns how many those are.
fn check_outputs(receipt: &ExecutionReceipt, blocks: &Blocks) -> Result<usize, String> {
    let mut at_hand = 0;
    for output in &receipt.output_cids {
        let complete =
            icn_store::unixfs::missing(blocks, &output.cid, 1).is_ok_and(|missing| missing.is_empty());
        if !complete {
            continue;
        }
        let bytes = icn_store::unixfs::Reader::new(output.cid)
            .file_size(blocks)
            .map_err(|error| error.to_string())?;
        if bytes != output.bytes {
            return Err(format!(
                "output `{}` has {bytes} bytes, the receipt says {}",
                output.name, output.bytes
            ));
        }
        at_hand += 1;
    }
    Ok(at_hand)
}

fn held_words(verified: &VerifiedReceipt, at_hand: usize) -> String {
    let receipt = verified.receipt.receipt();
    format!(
        "signed by {}, assigned by {} under lease epoch {}, for exactly these parameters and inputs; {at_hand} of {} \
         outputs are at hand and have the size claimed",
        receipt.executor_did,
        receipt.originator_did,
        receipt.lease_epoch,
        receipt.output_cids.len(),
    )
}

/// Writes an error with its causes.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// Packs a receipt with what stands behind it, fetching what is not here.
pub(crate) async fn bundle(node: &Node, cid: Cid) -> Result<Bytes, String> {
    let missing = |cid| format!("the block `{cid}` cannot be found");
    let bytes = find(node, cid).await.ok_or_else(|| missing(cid))?;
    let raw = receipt::parse(&bytes).map_err(|error| format!("`{cid}` is no receipt: {}", chain(&error)))?;
    let mut blocks = BTreeMap::from([(cid, bytes)]);
    for behind in [raw.unverified().assignment_cid, raw.unverified().job_params_cid] {
        blocks.insert(behind, find(node, behind).await.ok_or_else(|| missing(behind))?);
    }
    bundle_of(&cid, |cid| blocks.get(cid).cloned()).ok_or_else(|| missing(cid))
}

/// Packs a receipt with the blocks that `get` knows; nothing when one of them is missing or it is no receipt.
pub(crate) fn bundle_of(cid: &Cid, get: impl Fn(&Cid) -> Option<Bytes>) -> Option<Bytes> {
    let bytes = get(cid)?;
    let raw = receipt::parse(&bytes).ok()?;
    let (assignment, params) =
        (get(&raw.unverified().assignment_cid)?, get(&raw.unverified().job_params_cid)?);
    let bundle =
        ReceiptBundle { receipt: bytes.to_vec(), assignment: assignment.to_vec(), params: params.to_vec() };
    Some(bundle.encode().into())
}

/// Finds a block here, at connected peers and providers, or (a receipt) as a record of the DHT.
pub(crate) async fn find(node: &Node, cid: Cid) -> Option<Bytes> {
    if let Ok(bytes) = content::block(node, cid, &[]).await {
        return Some(bytes);
    }
    let records = node.net.get_record(cid.multihash_bytes()).await;
    records.into_iter().find(|bytes| cid.verify(bytes).is_ok())
}

/// How many receipts are being offered to the DHT at once; in a flood of jobs the rest is found directly.
const PROVIDING_MAX: usize = 2;

/// How long each keeps its place at least, so that a flood of jobs does not become a flood of the DHT.
const PROVIDING_PAUSE: Duration = Duration::from_millis(100);

static PROVIDING: tokio::sync::Semaphore = tokio::sync::Semaphore::const_new(PROVIDING_MAX);

/// Offers a receipt to the DHT: as a provider, and as a record where it is small enough.
pub(crate) fn provide(node: &Arc<Node>, cid: Cid, bytes: Vec<u8>) {
    let Ok(permit) = PROVIDING.try_acquire() else { return };
    let node = Arc::clone(node);
    tokio::spawn(async move {
        let _permit = permit;
        let offering = async {
            if bytes.len() <= icn_net::RECORD_BYTES_MAX
                && let Err(error) = node.net.put_record(cid.multihash_bytes(), bytes).await
            {
                tracing::debug!(receipt = %cid, error = %error, "a receipt is no record of the DHT");
            }
            if let Err(error) = node.net.provide(&cid).await {
                tracing::debug!(receipt = %cid, error = %error, "a receipt is not provided by the DHT");
            }
        };
        // A slow network must not hold the places of later receipts for long.
        drop(tokio::time::timeout(Duration::from_secs(10), offering).await);
        tokio::time::sleep(PROVIDING_PAUSE).await;
    });
}

/// Lets only signed receipts under their own multihash into the DHT.
#[derive(Default)]
pub(crate) struct ReceiptRecords {
    verifier: Ed25519Verifier,
}

impl RecordCheck for ReceiptRecords {
    fn accept(&self, key: &[u8], value: &[u8]) -> bool {
        Cid::of_dag_cbor(value).multihash_bytes() == key
            && receipt::parse(value).is_ok_and(|raw| raw.verify(&self.verifier).is_ok())
    }
}
