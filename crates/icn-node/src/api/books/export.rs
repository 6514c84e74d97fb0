//! The books in formats that other programs read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use icn_gateway::api::books::{Export, ExportFormat};
use icn_gateway::api::{ByteStream, Problem};
use icn_ledger::replica::Replica;
use icn_ledger::{Act, ExportRow, OrderKind, OrderStatus, OrderView, Transfer, TransferCause};
use icn_types::Did;

use super::words::Words;
use super::{BooksFace, convert, read};
use crate::spaces::Space;

/// How many orders are read while the books are held.
const READ_AT_ONCE: usize = 256;
/// How many bytes of an export are sent at once.
const CHUNK_BYTES: usize = 64 * 1024;

impl BooksFace {
    pub(super) async fn export_books(&self, space: &str, wanted: Export) -> Result<ByteStream, Problem> {
        let space = self.find(space)?;
        let account = match &wanted.account {
            Some(account) => Some(self.account(&space, Some(account), None).await?),
            None => None,
        };
        let title = self.name_of(&space);
        let writing = tokio::task::spawn_blocking(move || write(&space, &title, account, wanted.format));
        let text = writing.await.map_err(|error| Problem::internal(error.to_string()))??;
        Ok(chunked(text))
    }
}

/// Sends a text in pieces.
pub(super) fn chunked(text: String) -> ByteStream {
    let text = Bytes::from(text);
    let chunks: Vec<std::io::Result<Bytes>> = (0..text.len())
        .step_by(CHUNK_BYTES)
        .map(|at| Ok(text.slice(at..at.saturating_add(CHUNK_BYTES).min(text.len()))))
        .collect();
    Box::pin(futures::stream::iter(chunks))
}

fn write(
    space: &Arc<Space>,
    title: &str,
    account: Option<Did>,
    format: ExportFormat,
) -> Result<String, Problem> {
    let words = Words::of(space.replica().books());
    let mut rows = rows(space, &words, account);
    rows.sort_by(|a, b| (a.at, &a.entry).cmp(&(b.at, &b.entry)));
    let mut names: BTreeMap<Did, String> = BTreeMap::new();
    for (did, nickname) in words.members() {
        if let Some(nickname) = nickname {
            names.insert(did, nickname.to_owned());
        }
    }
    let export = icn_ledger::Export { title, names: &names, rows: &rows };
    match format {
        ExportFormat::Hledger => Ok(export.hledger()),
        ExportFormat::Csv => export.csv().map_err(|error| Problem::internal(error.to_string())),
        ExportFormat::Json => {
            serde_json::to_string_pretty(&export.json()).map_err(|error| Problem::internal(error.to_string()))
        }
    }
}

/// Reads every payment and hold of one account, or of all.
fn rows(space: &Space, words: &Words, account: Option<Did>) -> Vec<ExportRow> {
    let accounts: BTreeSet<Did> = match account {
        Some(account) => BTreeSet::from([account]),
        None => {
            let replica = space.replica();
            let books = replica.books();
            let used = words.codes().into_iter().flat_map(|code| books.accounts(&code));
            used.map(|(did, _)| did).chain(words.members().map(|(did, _)| did)).collect()
        }
    };
    let mut rows = Vec::new();
    for did in accounts {
        let len = space.replica().books().history_len(&did);
        for offset in (0..len).step_by(READ_AT_ONCE) {
            // New orders come to the front: from the back, nothing is passed over.
            let end = len.saturating_sub(offset);
            let count = end.min(READ_AT_ONCE);
            let replica = space.replica();
            let newer = replica.books().history_len(&did).saturating_sub(len);
            let orders = replica.books().history(&did, newer + (end - count), count);
            // Each order once: with whoever pays, unless only the other side is wanted.
            let wanted = orders.iter().filter(|order| account.is_some() || order.from == did);
            rows.extend(wanted.filter_map(|order| row(&replica, words, order)));
        }
        let replica = space.replica();
        let transfers = replica.books().transfers(&did, 0, usize::MAX).into_iter();
        let wanted = transfers.filter(|one| account.is_some() || one.from == did);
        rows.extend(wanted.map(|one| transfer_row(words, one)));
    }
    rows
}

/// What nobody's chain wrote moves balances like a payment.
pub(super) fn transfer_row(words: &Words, transfer: Transfer) -> ExportRow {
    let (status, memo) = match transfer.cause {
        TransferCause::Demurrage { .. } => ("sealed", "charge on an idle balance".to_owned()),
        TransferCause::Dispute { order } => {
            ("resolved", format!("refund or loss after a dispute about {order}"))
        }
        TransferCause::WriteOff => ("written-off", "debt of a former member".to_owned()),
    };
    ExportRow {
        at: transfer.at,
        entry: transfer.id.to_string(),
        payer: transfer.from,
        payee: transfer.to,
        amount: transfer.amount,
        decimals: words.decimals(&transfer.currency),
        currency: transfer.currency,
        status: status.to_owned(),
        booked: true,
        memo: Some(memo),
    }
}

/// Shows a payment or hold with what its payer said; nothing when it is neither.
pub(super) fn row(replica: &Replica, words: &Words, order: &OrderView) -> Option<ExportRow> {
    let memo = match (order.kind, read::act(replica, &order.id)) {
        (OrderKind::Pay, Some(Act::Pay { memo, .. })) => memo,
        (_, _) => None,
    };
    row_without_memo(words, order).map(|row| ExportRow { memo, ..row })
}

/// The same, as far as the books know it by themselves.
pub(super) fn row_without_memo(words: &Words, order: &OrderView) -> Option<ExportRow> {
    let booked = matches!(order.status, OrderStatus::Accepted | OrderStatus::Certified | OrderStatus::Sealed);
    let amount = match order.kind {
        OrderKind::Hold => order.captured.filter(|captured| *captured > 0).unwrap_or(order.amount),
        OrderKind::Pay | OrderKind::Capture | OrderKind::Request => order.amount,
    };
    convert::kind(order.kind)?;
    Some(ExportRow {
        at: order.at,
        entry: order.id.to_string(),
        payer: order.from,
        payee: order.to,
        amount,
        currency: order.currency.clone(),
        decimals: words.decimals(&order.currency),
        status: convert::status(order.status)?.to_string(),
        booked,
        memo: None,
    })
}
