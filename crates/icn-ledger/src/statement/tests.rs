use proptest::prelude::*;

use super::*;
use crate::export::from_cell;

fn did(n: u8) -> Did {
    Did::from_public_key([n; 32])
}

fn at(text: &str) -> Timestamp {
    format!("{text}:00.000Z").parse().unwrap()
}

fn item(number: u32, from: u8, to: u8, amount: i64, signed: &str, booked: Option<&str>) -> StatementItem {
    StatementItem {
        row: ExportRow {
            at: at(signed),
            entry: format!("bafyreib#{number}"),
            payer: did(from),
            payee: did(to),
            amount,
            currency: "hours".into(),
            decimals: 2,
            status: if booked.is_some() { "sealed" } else { "sent" }.into(),
            booked: booked.is_some(),
            memo: Some(format!("number {number}")),
        },
        kind: OrderKind::Pay,
        booked_at: booked.map(at),
        is_open: booked.is_none(),
    }
}

fn november() -> Vec<StatementItem> {
    vec![
        item(4, 2, 1, 325, "2026-11-30T22:00", Some("2026-11-30T23:59")),
        item(1, 2, 1, 1_000, "2026-10-01T10:00", Some("2026-10-02T10:00")),
        item(2, 1, 2, 250, "2026-10-31T23:59", Some("2026-11-01T00:00")),
        StatementItem {
            kind: OrderKind::Hold,
            row: ExportRow {
                memo: None,
                ..item(3, 1, 3, 400, "2026-11-05T08:00", Some("2026-11-06T08:00")).row
            },
            ..item(3, 1, 3, 400, "2026-11-05T08:00", Some("2026-11-06T08:00"))
        },
        item(5, 3, 1, 50, "2026-11-20T08:00", Some("2026-12-01T00:00")),
        item(6, 1, 2, 75, "2026-11-21T08:00", None),
        item(7, 1, 2, 80, "2026-12-21T08:00", None),
        StatementItem { is_open: false, ..item(8, 1, 2, 90, "2026-11-22T08:00", None) },
    ]
}

fn names() -> BTreeMap<Did, String> {
    [(did(1), "Ann".to_owned()), (did(2), "Ben".to_owned())].into()
}

fn of<'a>(names: &'a BTreeMap<Did, String>, booked: i64, period: Period) -> StatementOf<'a> {
    StatementOf { title: "Bakers", names, account: did(1), currency: "hours", decimals: 2, booked, period }
}

#[test]
fn a_month_as_a_member_reads_it() {
    let (names, items) = (names(), november());
    let statement = Statement::draw(of(&names, 725, Period::month("2026-11").unwrap()), &items);
    let [one, two, three] = [1, 2, 3].map(|n| did(n).short());
    let expected = format!(
        "Statement of Ann ({one}) in Bakers\n\
         hours, 2026-11-01 to 2026-11-30\n\n\
         DATE        AMOUNT  BALANCE  WITH             STATUS  FOR\n\
         2026-11-01            10.00  opening balance\n\
         2026-11-01   -2.50     7.50  Ben ({two})  sealed  number 2\n\
         2026-11-06   -4.00     3.50  {three}        sealed  hold\n\
         2026-11-30   +3.25     6.75  Ben ({two})  sealed  number 4\n\
         2026-11-30             6.75  closing balance\n\n\
         received 3.25, given 6.50, 3 movements\n\n\
         Not booked yet, and in no balance above:\n\n\
         DATE        AMOUNT  BALANCE  WITH             STATUS  FOR\n\
         2026-11-21   -0.75           Ben ({two})  sent    number 6\n"
    );
    assert_eq!(statement.text(), expected);
    assert_eq!(statement.unlisted, 0);
}

#[test]
fn a_movement_that_no_payment_explains_is_shown() {
    let (names, items) = (names(), november());
    let statement = Statement::draw(of(&names, 700, Period::default()), &items);
    assert_eq!((statement.unlisted, statement.closing), (-25, 725));
    assert!(statement.text().contains("the books have -0.25 more than"), "{}", statement.text());
    assert_eq!(statement.json()["unlisted"]["smallest"], -25);
    assert!(statement.csv().unwrap().contains("unlisted,,,,,,,,-0.25,hours"));
}

#[test]
fn tables_and_json_say_the_same() {
    let (names, items) = (names(), november());
    let statement = Statement::draw(of(&names, 725, Period::month("2026-11").unwrap()), &items);
    let table = statement.csv().unwrap();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(
        lines[0],
        "line,booked_at,signed_at,entry,kind,counterparty,counterparty_name,change,balance,currency,status,memo"
    );
    assert_eq!(lines[1], "opening,2026-11-01T00:00:00.000Z,,,,,,,10.00,hours,,");
    assert_eq!(
        lines[2],
        format!(
            "movement,2026-11-01T00:00:00.000Z,2026-10-31T23:59:00.000Z,bafyreib#2,payment,{},Ben,-2.50,7.50,hours,sealed,number 2",
            did(2)
        )
    );
    assert_eq!(lines[5], "closing,2026-12-01T00:00:00.000Z,,,,,,,6.75,hours,,");
    assert!(lines[6].starts_with("open,,2026-11-21T08:00:00.000Z,bafyreib#6"), "{table}");
    assert_eq!(lines.len(), 7);
    let value = statement.json();
    assert_eq!(value["opening"], serde_json::json!({ "text": "10.00", "smallest": 1_000 }));
    assert_eq!(value["lines"][1]["balance"]["smallest"], 350);
    assert_eq!(value["lines"][1]["kind"], "hold");
    assert_eq!((&value["closing"]["text"], &value["account_name"]), (&"6.75".into(), &"Ann".into()));
    assert_eq!(value["open"].as_array().unwrap().len(), 1);
}

#[test]
fn hostile_words_stay_words() {
    let mut names = names();
    names.insert(did(2), "two\nlines\u{1b}[2J\u{202e}".to_owned());
    let mut items = vec![item(1, 2, 1, 5, "2026-11-02T10:00", Some("2026-11-02T10:00"))];
    items[0].row.memo = Some("=1+1\r\nclosing balance 999".to_owned());
    let statement = Statement::draw(of(&names, 5, Period::default()), &items);
    let text = statement.text();
    assert_eq!(text.lines().count(), 9, "{text}");
    assert!(!text.contains(['\u{1b}', '\r', '\u{202e}']), "{text}");
    let table = statement.csv().unwrap();
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let movement = reader.records().nth(1).unwrap().unwrap();
    assert_eq!(&movement[11], "'=1+1\r\nclosing balance 999");
    assert_eq!(from_cell(&movement[6]), names[&did(2)]);
}

#[test]
fn periods_are_whole_days() {
    let days = |from, to| Period::days(from, to).map(|period| period.to_string());
    assert_eq!(days(Some("2026-11-01"), Some("2026-11-01")).unwrap(), "2026-11-01 to 2026-11-01");
    assert_eq!(days(None, None).unwrap(), "the beginning to now");
    assert_eq!(days(Some("2024-02-29"), None).unwrap(), "2024-02-29 to now");
    for bad in
        ["2026-02-29", "2026-13-01", "2026-1-1", "yesterday", "", "2026-11-01T00:00:00.000Z", "-2026-01-01"]
    {
        assert_eq!(Period::days(Some(bad), None), Err(PeriodError::Day(bad.to_owned())), "{bad}");
    }
    assert!(matches!(Period::days(Some("2026-11-02"), Some("2026-11-01")), Err(PeriodError::Order { .. })));
    let months = [("2026-11", "2026-11-01 to 2026-11-30"), ("2026-12", "2026-12-01 to 2026-12-31")];
    for (text, expected) in months.into_iter().chain([("2024-02", "2024-02-01 to 2024-02-29")]) {
        assert_eq!(Period::month(text).unwrap().to_string(), expected);
    }
    for bad in ["2026", "2026-13", "2026-1", "2026-00", "2026-11-01", "x-y", "9999-12"] {
        assert_eq!(Period::month(bad), Err(PeriodError::Month(bad.to_owned())), "{bad}");
    }
}

proptest! {
    #[test]
    fn opening_and_movements_make_the_closing_balance(
        payments in prop::collection::vec((prop::bool::ANY, 0_i64..1_000_000, 0_u64..100, prop::bool::ANY), 0..60),
        from in prop::option::of(0_u64..110),
        len in prop::option::of(0_u64..60),
    ) {
        let day = |n: u64| Timestamp::from_millis(n * 24 * 3_600_000);
        let items: Vec<StatementItem> = payments
            .iter()
            .enumerate()
            .map(|(n, (is_in, amount, at, is_booked))| {
                let (payer, payee) = if *is_in { (2, 1) } else { (1, 2) };
                let mut item = item(n as u32, payer, payee, *amount, "2026-01-01T00:00", None);
                item.booked_at = is_booked.then(|| day(*at));
                item
            })
            .collect();
        let names = names();
        let change = |item: &StatementItem| if item.row.payee == did(1) { item.row.amount } else { -item.row.amount };
        let booked: i64 = items.iter().filter(|item| item.booked_at.is_some()).map(change).sum();
        let until = len.map(|len| day(from.unwrap_or(0) + len));
        let period = Period { from: from.map(day), until };
        let statement = Statement::draw(of(&names, booked, period), &items);
        prop_assert_eq!(statement.unlisted, 0);
        let sum: i64 = statement.lines.iter().map(|line| line.change).sum();
        prop_assert_eq!(statement.opening + sum, statement.closing);
        prop_assert_eq!(statement.received - statement.given, sum);
        let mut balance = statement.opening;
        for line in &statement.lines {
            balance += line.change;
            prop_assert_eq!(line.balance, balance);
        }
        // The next period goes on where this one ends.
        if let Some(until) = until {
            let next = Statement::draw(of(&names, booked, Period { from: Some(until), until: None }), &items);
            prop_assert_eq!(next.opening, statement.closing);
            prop_assert_eq!(next.closing, booked);
        }
    }
}
