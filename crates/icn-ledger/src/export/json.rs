//! The JSON form.

use serde_json::{Value, json};

use super::{Export, ExportRow};
use crate::money::format_amount;

pub(super) fn write(export: &Export<'_>) -> Value {
    let row = |row: &ExportRow| {
        json!({
            "at": row.at.to_string(),
            "entry": row.entry,
            "payer": row.payer.to_string(),
            "payer_name": export.names.get(&row.payer),
            "payee": row.payee.to_string(),
            "payee_name": export.names.get(&row.payee),
            "amount": format_amount(row.amount, row.decimals),
            "units": row.amount,
            "currency": row.currency,
            "decimals": row.decimals,
            "status": row.status,
            "booked": row.booked,
            "memo": row.memo,
        })
    };
    json!({ "space": export.title, "rows": export.rows.iter().map(row).collect::<Vec<Value>>() })
}
