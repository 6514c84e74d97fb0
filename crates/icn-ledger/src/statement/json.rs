//! The JSON form.

use serde_json::{Value, json};

use super::{Statement, StatementItem, kind_word};
use crate::money::format_amount;

pub(super) fn write(statement: &Statement<'_>) -> Value {
    let of = &statement.of;
    let amount =
        |smallest: i64| json!({ "text": format_amount(smallest, of.decimals), "smallest": smallest });
    let item = |item: &StatementItem, change: i64| {
        let row = &item.row;
        let other = statement.other(row);
        json!({
            "entry": row.entry,
            "kind": kind_word(item.kind),
            "signed_at": row.at.to_string(),
            "counterparty": other.to_string(),
            "counterparty_name": of.names.get(&other),
            "change": amount(change),
            "status": row.status,
            "memo": row.memo,
        })
    };
    let lines: Vec<Value> = statement
        .lines
        .iter()
        .map(|line| {
            let mut value = item(line.item, line.change);
            if let Value::Object(fields) = &mut value {
                fields.insert("booked_at".to_owned(), json!(line.at.to_string()));
                fields.insert("balance".to_owned(), amount(line.balance));
            }
            value
        })
        .collect();
    let open: Vec<Value> =
        statement.open.iter().map(|open| item(open, statement.would_change(open))).collect();
    json!({
        "space": of.title,
        "account": of.account.to_string(),
        "account_name": of.names.get(&of.account),
        "currency": of.currency,
        "decimals": of.decimals,
        "from": of.period.from.map(|from| from.to_string()),
        "until": of.period.until.map(|until| until.to_string()),
        "opening": amount(statement.opening),
        "lines": lines,
        "closing": amount(statement.closing),
        "received": amount(statement.received),
        "given": amount(statement.given),
        "unlisted": amount(statement.unlisted),
        "open": open,
    })
}
