use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::money::parse_amount;

fn did(n: u8) -> Did {
    Did::from_public_key([n; 32])
}

fn row(memo: &str) -> ExportRow {
    ExportRow {
        at: "2026-11-20T09:30:00.250Z".parse().unwrap(),
        entry: "bafyreib#0".into(),
        payer: did(1),
        payee: did(2),
        amount: 1_250,
        currency: "hours".into(),
        decimals: 2,
        status: "accepted".into(),
        booked: true,
        memo: (!memo.is_empty()).then(|| memo.to_owned()),
    }
}

fn names(ann: &str, ben: &str) -> BTreeMap<Did, String> {
    [(did(1), ann.to_owned()), (did(2), ben.to_owned())]
        .into_iter()
        .filter(|(_, name)| !name.is_empty())
        .collect()
}

fn cells(text: &str) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    reader.records().map(|record| record.unwrap().iter().map(ToOwned::to_owned).collect()).collect()
}

#[test]
fn a_journal_as_a_treasurer_reads_it() {
    let open = ExportRow { booked: false, status: "sent".into(), ..row("eggs; later") };
    let (names, rows) = (names("Ann", ""), [row("bread; two loaves"), open]);
    let journal = Export { title: "Bakers", names: &names, rows: &rows }.hledger();
    let tail = |n: u8| {
        did(n).to_string().chars().rev().take(8).collect::<String>().chars().rev().collect::<String>()
    };
    let (ann, ben) = (format!("members:Ann-{}", tail(1)), format!("members:{}", tail(2)));
    let key = |n: u8| did(n).to_string().replace("did:icn:", "");
    let expected = format!(
        "; Books of Bakers\n\ndecimal-mark .\ncommodity 0.00 \"hours\"\n\
         account {ann}  ; key {}\naccount {ben}  ; key {}\n\n\
         2026-11-20 * (bafyreib#0) bread, two loaves  ; status:accepted\n    {ben}  12.50 \"hours\"\n    {ann}  -12.50 \"hours\"\n\n\
         ; not booked (sent): 2026-11-20 12.50 hours from {ann} to {ben}, bafyreib#0 eggs, later\n",
        key(1),
        key(2)
    );
    assert_eq!(journal, expected);
}

#[test]
fn hostile_words_stay_words() {
    for memo in [
        "x\n2026-01-01 * (y) z\n    members:a  1\n",
        "a\r\nb",
        "a\u{2028}b\u{85}c",
        "; date:1999-99-99",
        "rent ; type:X",
        "payee | note",
        "* ! (code) \"quoted\"",
        "\u{202e}desrever",
    ] {
        let (names, rows) = (names("a:b  1 ;c", "two\nlines"), [row(memo)]);
        let journal = Export { title: memo, names: &names, rows: &rows }.hledger();
        let transactions: Vec<&str> =
            journal.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit())).collect();
        assert_eq!(transactions.len(), 1, "{journal}");
        assert_eq!(transactions[0].matches(';').count(), 1, "{journal}");
        assert!(transactions[0].ends_with("  ; status:accepted"), "{journal}");
        let postings: Vec<&str> = journal.lines().filter(|line| line.starts_with(' ')).collect();
        assert_eq!(postings.len(), 2, "{journal}");
        assert!(postings[0].starts_with("    members:two-lines-"), "{journal}");
        assert!(postings[1].starts_with("    members:a-b-1-c-"), "{journal}");
        assert!(!journal.contains(['\r', '\u{2028}', '\u{85}', '\u{202e}']), "{journal}");
    }
}

#[test]
fn two_members_never_share_an_account() {
    // The same name, and keys that differ by 58^8: in base58 their last eight characters are the same.
    let pick = |low: u64| {
        let mut bytes = [9; 32];
        bytes[24..].copy_from_slice(&low.to_be_bytes());
        Did::from_public_key(bytes)
    };
    let (payer, payee) = (pick(1), pick(1 + 58_u64.pow(8)));
    let tail = |did: Did| did.to_string().chars().rev().take(8).collect::<String>();
    assert_eq!(tail(payer), tail(payee));
    let names: BTreeMap<Did, String> = [(payer, "Ann".to_owned()), (payee, "Ann".to_owned())].into();
    let rows = [ExportRow { payer, payee, ..row("") }];
    let journal = Export { title: "t", names: &names, rows: &rows }.hledger();
    let accounts: std::collections::BTreeSet<&str> = journal
        .lines()
        .filter(|line| line.starts_with(' '))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert_eq!(accounts.len(), 2, "{journal}");
}

#[test]
fn cells_are_never_formulas() {
    let hostile = [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        " =1",
        "\u{feff}=1",
        "＝1+1",
        "'quoted",
        "\nx",
        "=cmd|' /C calc'!A0",
        "a,b",
        "say \"hi\"",
        "two\nlines",
        "plain",
        "",
    ];
    for memo in hostile {
        let (names, rows) = (names(memo, "Ben"), [row(memo)]);
        let text = Export { title: "t", names: &names, rows: &rows }.csv().unwrap();
        let read = cells(&text);
        assert_eq!(read.len(), 2, "{text}");
        for cell in &read[1] {
            let first =
                cell.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}').chars().next();
            assert!(!first.is_some_and(|c| "=+-@＝".contains(c)), "{memo:?}: {cell:?}");
        }
        assert_eq!(from_cell(&read[1][10]), memo);
        assert_eq!(from_cell(&read[1][3]), memo);
        assert_eq!(read[1][6], "12.50");
    }
}

#[test]
fn json_is_exact() {
    let (names, rows) = (names("Ann", ""), [ExportRow { amount: i64::MAX, ..row("a\n\"b\"") }]);
    let value = Export { title: "Bakers", names: &names, rows: &rows }.json();
    let read: serde_json::Value = serde_json::from_str(&value.to_string()).unwrap();
    let first = &read["rows"][0];
    assert_eq!(read["space"], "Bakers");
    assert_eq!(first["amount"], "92233720368547758.07");
    assert_eq!(first["units"], i64::MAX);
    assert_eq!(first["memo"], "a\n\"b\"");
    assert_eq!((&first["payer_name"], &first["payee_name"]), (&"Ann".into(), &serde_json::Value::Null));
}

proptest! {
    #[test]
    fn a_table_is_read_back(
        memos in vec(".{0,30}|[=+@'\",\r\n\t -]{0,6}", 0..5),
        name in ".{0,20}",
        amount in 0..i64::MAX,
        decimals in 0..=9_u8,
    ) {
        let rows: Vec<ExportRow> = memos.iter().map(|memo| ExportRow { amount, decimals, ..row(memo) }).collect();
        let names = names(&name, "");
        let text = Export { title: "t", names: &names, rows: &rows }.csv().unwrap();
        let read = cells(&text);
        prop_assert_eq!(read.len(), rows.len() + 1);
        for (cells, row) in read[1..].iter().zip(&rows) {
            prop_assert_eq!(from_cell(&cells[10]), row.memo.as_deref().unwrap_or_default());
            prop_assert_eq!(from_cell(&cells[3]), &name);
            prop_assert_eq!(parse_amount(&cells[6], decimals), Ok(amount));
            prop_assert_eq!(&cells[2], &row.payer.to_string());
        }
    }

    #[test]
    fn a_journal_has_three_lines_for_each_booked_row(
        memos in vec("\\PC{0,20}|[;|:\n\r\t\"()*!@= ]{0,8}", 0..5),
        name in ".{0,20}",
        amount in 0..i64::MAX,
    ) {
        let rows: Vec<ExportRow> = memos.iter().map(|memo| ExportRow { amount, ..row(memo) }).collect();
        let names = names(&name, &name);
        let journal = Export { title: &name, names: &names, rows: &rows }.hledger();
        let blocks: Vec<&str> = journal.split("\n\n").skip(2).collect();
        prop_assert_eq!(blocks.len(), rows.len());
        for block in blocks {
            let lines: Vec<&str> = block.trim_end_matches('\n').split('\n').collect();
            prop_assert_eq!(lines.len(), 3);
            let amounts: Vec<&str> = lines[1..].iter().map(|line| line.split_whitespace().nth(1).unwrap()).collect();
            prop_assert_eq!(format!("-{}", amounts[0]), amounts[1]);
            prop_assert_eq!(parse_amount(amounts[0], 2), Ok(amount));
        }
    }
}
