//! `icn receipt …`: reading, verifying, exporting and replaying receipts.
//!
//! Verification happens in this process, so that nobody has to be trusted: not even the node that fetched the bytes.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use icn_gateway::api::{Replay, Verdict};
use icn_identity::Ed25519Verifier;
use icn_node::{DataDir, chain};
use icn_protocol::{ReceiptBundle, ReceiptError};
use icn_types::Cid;
use serde_json::Value;

use super::Context;
use crate::cli::{ReceiptArgs, ReceiptExportArgs};
use crate::error::{CliError, Exit};
use crate::output::{Output, Stream, Style, clean, micros};

/// A receipt as named on the command line.
enum Named {
    File(PathBuf),
    Cid(Cid),
}

/// Finds out whether a file or a CID is meant. What exists as a file is a file.
fn named(text: &str) -> Result<Named, CliError> {
    let path = Path::new(text);
    if path.exists() {
        return Ok(Named::File(path.to_owned()));
    }
    text.parse().map(Named::Cid).map_err(|_| {
        CliError::Usage(format!("`{text}` is neither a file that exists nor a CID: check the spelling"))
    })
}

/// Reads a receipt or bundle from a file, as far as one can be long.
fn read_file(path: &Path) -> Result<Bytes, CliError> {
    use std::io::Read as _;
    let unreadable = |source| CliError::Unreadable { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(icn_gateway::RECEIPT_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > icn_gateway::RECEIPT_BYTES_MAX {
        return Err(unreadable(std::io::Error::other("it is too large to be a receipt")));
    }
    Ok(bytes.into())
}

/// Gets the bytes of a receipt with what stands behind it, as far as that can be had.
async fn bytes_of(context: &Context<'_>, receipt: &str) -> Result<Bytes, CliError> {
    match named(receipt)? {
        Named::File(path) => read_file(&path),
        Named::Cid(cid) => match context.client() {
            Ok(client) => client.receipt_bundle(&cid).await,
            Err(CliError::NoNode { data_dir }) => {
                icn_node::offline::receipt_bundle(&cid, &DataDir::new(&data_dir))
                    .map_err(CliError::because("the receipt cannot be read"))?
                    .ok_or(CliError::NoNode { data_dir })
            }
            Err(error) => Err(error),
        },
    }
}

/// Shows what a receipt says.
pub(crate) async fn show(context: &Context<'_>, args: &ReceiptArgs) -> Result<Exit, CliError> {
    let receipt = match named(&args.receipt)? {
        Named::File(path) => fields_of(&path, &read_file(&path)?)?,
        Named::Cid(cid) => match context.client() {
            Ok(client) => client.receipt(&cid).await?,
            Err(_) => fields_of(Path::new(&args.receipt), &bytes_of(context, &args.receipt).await?)?,
        },
    };
    if context.out.is_json() {
        context.out.json(&receipt)?;
        return Ok(Exit::DONE);
    }
    let pairs: Vec<(&str, String)> = receipt
        .as_object()
        .into_iter()
        .flatten()
        .map(|(field, value)| (field.as_str(), words(field, value)))
        .collect();
    context.out.pairs(&pairs)?;
    Ok(Exit::DONE)
}

/// Reads a receipt's fields, without verifying anything.
fn fields_of(path: &Path, bytes: &[u8]) -> Result<Value, CliError> {
    let unreadable = |source: icn_protocol::ProtocolError| CliError::Unreadable {
        path: path.to_owned(),
        source: std::io::Error::other(source),
    };
    let receipt = if ReceiptBundle::is_bundle(bytes) {
        ReceiptBundle::decode(bytes).map_err(unreadable)?.receipt
    } else {
        bytes.to_vec()
    };
    let raw = icn_protocol::receipt::parse(&receipt).map_err(unreadable)?;
    serde_json::to_value(raw.unverified()).map_err(CliError::because("the receipt cannot be shown as JSON"))
}

/// Writes a field's value for people.
fn words(field: &str, value: &Value) -> String {
    match (field, value) {
        ("stages_us", Value::Object(stages)) => stages
            .iter()
            .map(|(stage, us)| format!("{} {}", clean(stage), us.as_u64().map_or_else(String::new, micros)))
            .collect::<Vec<_>>()
            .join(", "),
        (_, Value::String(text)) => clean(text),
        (_, Value::Array(items)) if items.is_empty() => "-".to_owned(),
        (_, Value::Array(items)) => items.iter().map(|item| words("", item)).collect::<Vec<_>>().join("\n  "),
        (_, Value::Object(fields)) => fields
            .iter()
            .map(|(name, value)| format!("{} {}", clean(name), words(name, value)))
            .collect::<Vec<_>>()
            .join(", "),
        (_, other) => other.to_string(),
    }
}

/// Checks whether a receipt holds.
pub(crate) async fn verify(context: &Context<'_>, args: &ReceiptArgs) -> Result<Exit, CliError> {
    let bytes = bytes_of(context, &args.receipt).await?;
    let verdict = match judge(&bytes) {
        Judgement::Verdict(verdict) => verdict,
        // A bare receipt: the node, or its folder when it does not run, may have the blocks that it names.
        Judgement::BlocksMissing(verdict) => match context.client() {
            Ok(client) => client.verify(bytes).await.unwrap_or(verdict),
            Err(_) => {
                let data_dir = DataDir::new(context.data_dir());
                icn_node::offline::verify_receipt(&bytes, &data_dir).unwrap_or(verdict)
            }
        },
    };
    if context.out.is_json() {
        context.out.json(&verdict)?;
    } else {
        context.out.line(&verdict_line(context.out, Stream::Stdout, &verdict))?;
    }
    Ok(if verdict.valid { Exit::DONE } else { Exit::FAILED })
}

/// Writes a verdict in a line.
pub(super) fn verdict_line(out: &Output, stream: Stream, verdict: &Verdict) -> String {
    let word = if verdict.valid {
        out.paint(stream, Style::Green, "valid")
    } else {
        out.paint(stream, Style::Red, "NOT valid")
    };
    format!("{word}: {}", clean(&verdict.reason))
}

/// What can be said about a receipt from its bytes alone.
enum Judgement {
    Verdict(Verdict),
    BlocksMissing(Verdict),
}

/// Verifies a bundle, or as much of a bare receipt as can be verified.
fn judge(bytes: &[u8]) -> Judgement {
    let result = if ReceiptBundle::is_bundle(bytes) {
        match ReceiptBundle::decode(bytes) {
            Ok(bundle) => bundle.verify(&Ed25519Verifier::new()),
            Err(error) => Err(ReceiptError::Receipt(error)),
        }
    } else {
        icn_protocol::verify_receipt(bytes, None, None, &Ed25519Verifier::new())
    };
    match result {
        Ok(verified) => Judgement::Verdict(Verdict {
            valid: true,
            reason: format!(
                "signed by {}, assigned by {}, for the parameters that were announced",
                verified.assignment.executor_did, verified.assignment.originator_did
            ),
        }),
        Err(error @ (ReceiptError::AssignmentMissing { .. } | ReceiptError::ParamsMissing { .. })) => {
            Judgement::BlocksMissing(Verdict { valid: false, reason: chain(&error) })
        }
        Err(error) => Judgement::Verdict(Verdict { valid: false, reason: chain(&error) }),
    }
}

/// Runs a receipt's job again and compares.
pub(crate) async fn replay(context: &Context<'_>, args: &ReceiptArgs) -> Result<Exit, CliError> {
    let bytes = bytes_of(context, &args.receipt).await?;
    let replay = match context.client() {
        Ok(client) => client.replay(bytes).await?,
        Err(CliError::NoNode { .. }) => replay_at_rest(context, &bytes).await?,
        Err(error) => return Err(error),
    };
    if context.out.is_json() {
        context.out.json(&replay)?;
    } else {
        context.out.line(&replay_line(context.out, Stream::Stdout, &replay))?;
        for difference in &replay.differences {
            context.out.line(&format!("  {}", clean(difference)))?;
        }
    }
    Ok(if replay.identical == Some(false) { Exit::FAILED } else { Exit::DONE })
}

/// Replays in this process, with the blocks of a folder that no node holds.
async fn replay_at_rest(context: &Context<'_>, bytes: &[u8]) -> Result<Replay, CliError> {
    let data_dir = DataDir::new(context.data_dir());
    let cache = data_dir.module_cache();
    let cache = cache.is_dir().then_some(cache.as_path());
    icn_node::offline::replay_receipt(bytes, &data_dir, cache)
        .await
        .map_err(CliError::because("the receipt cannot be replayed"))
}

/// Writes in a line what a replay showed.
pub(super) fn replay_line(out: &Output, stream: Stream, replay: &Replay) -> String {
    let fuel = replay.fuel_used.map_or_else(String::new, |fuel| format!(", {fuel} fuel"));
    let time = micros(replay.elapsed_us);
    match replay.identical {
        Some(true) => {
            let word = out.paint(stream, Style::Green, "identical");
            format!("{word}: the same end, outputs and fuel{fuel}, in {time}")
        }
        Some(false) => format!("{}{fuel}, in {time}:", out.paint(stream, Style::Red, "DIFFERENT")),
        None => format!("{}:", out.paint(stream, Style::Yellow, "cannot be replayed")),
    }
}

/// Writes a receipt with what stands behind it to a file that verifies anywhere.
pub(crate) async fn export(context: &Context<'_>, args: &ReceiptExportArgs) -> Result<Exit, CliError> {
    let bytes = bytes_of(context, &args.cid.to_string()).await?;
    let mut file = super::content::new_file_beside(&args.output)?;
    std::io::Write::write_all(&mut file, &bytes).map_err(CliError::file("write", &args.output))?;
    file.persist(&args.output).map_err(|error| CliError::file("write", &args.output)(error.error))?;
    context.out.note(&format!("wrote {} bytes to `{}`", bytes.len(), args.output.display()));
    Ok(Exit::DONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_receipt_are_not_valid() {
        for bytes in [b"".as_slice(), b"not a receipt", b"\xa0", &[0xff; 100]] {
            match judge(bytes) {
                Judgement::Verdict(verdict) => assert!(!verdict.valid && !verdict.reason.is_empty()),
                Judgement::BlocksMissing(_) => panic!("{bytes:?} names no blocks"),
            }
        }
    }

    #[test]
    fn neither_file_nor_cid_is_a_usage_error() {
        let error = named("no-such-file.receipt").err().unwrap();
        assert_eq!(error.exit(), Exit::USAGE);
    }
}
