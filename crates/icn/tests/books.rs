//! The command line of common books, against a node that keeps some: what is asked, what is printed, how it ends.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod support;

use std::process::Output;

use serde_json::{Value, json};
use support::books::order_id;
use support::{Script, Served, did};

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn parsed(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", stdout(output), stderr(output)))
}

/// Shows a run as a terminal would, with the exit code.
fn shown(line: &str, output: &Output) -> String {
    format!("$ icn {line}\n{}--- stderr\n{}--- exit {}\n", stdout(output), stderr(output), code(output))
}

#[test]
fn what_people_see() {
    let (served, _) = Served::with_spaces(&["Bakery"]);
    for (name, line) in [
        ("id_list", "id list"),
        ("id_new", "id new shop2"),
        ("space_create", "space create Bakery --nickname ada"),
        ("space_list", "space list"),
        ("space_show", "space show"),
        ("space_join", "space join icn-invite:3mJr7A --nickname bob"),
        ("space_follow", "space follow did:icn:HhjJo3FpRKQuRbMZ4ajn2hf3nqskjXy2oLYWQn4wmBMV"),
        ("space_unfollow", "space unfollow Bakery"),
        ("space_unfollow_delete", "space unfollow Bakery --delete"),
        ("space_invite", "space invite --expires 2d"),
        ("space_members", "space members"),
        ("space_witnesses", "space witnesses"),
        ("space_witnesses_set", "space witnesses ada bob"),
        ("space_policy", "space policy"),
        ("ledger_balance", "ledger balance"),
        ("ledger_balance_all", "ledger balance --all"),
        ("ledger_pay", "ledger pay bob 2.50 hours"),
        ("ledger_pay_refused", "ledger pay bob 5"),
        ("ledger_show", "ledger show bafy"),
        ("ledger_request", "ledger request bob 2.50"),
        ("ledger_requests", "ledger requests --limit 3"),
        ("ledger_history", "ledger history --limit 4 --offset 20"),
        ("ledger_entries", "ledger entries --limit 4"),
        ("ledger_watch", "ledger watch --count 3"),
        ("ledger_watch_ended", "ledger watch"),
        ("ledger_hold_place", "ledger hold place bob 5 hours"),
        ("ledger_hold_list", "ledger hold list"),
        ("ledger_hold_list_all", "ledger hold list --all"),
        ("ledger_limits", "ledger limits"),
        ("ledger_limits_set", "ledger limits bob --set 15"),
        ("ledger_explain", "ledger explain 5 hours"),
        ("ledger_grant", "ledger grant"),
        ("ledger_grant_dry_run", "ledger grant bob --dry-run"),
        ("trust_add", "trust add bob 70% --expires 90d"),
        ("trust_list", "trust list"),
        ("trust_path", "trust path till"),
        ("trust_path_from", "trust path ann till --in ledger"),
        ("trust_offenders", "trust offenders"),
        ("trust_forgive_nobody", "trust forgive did:icn:2"),
        ("reputation_list", "reputation list"),
        ("reputation_show", "reputation show bob"),
        ("ledger_forks", "ledger forks"),
        ("ledger_claims", "ledger claims"),
        ("ledger_quarantine", "ledger quarantine"),
        ("ledger_misbehaviour", "ledger misbehaviour"),
        ("ledger_seals", "ledger seals"),
        ("ledger_verify", "ledger verify"),
        ("ledger_health", "ledger health"),
        ("ledger_health_all", "ledger health --all"),
        ("ledger_recurring_add", "ledger recurring add bob 20 hours --every 1mo --memo rent"),
        ("ledger_recurring_list", "ledger recurring list --all"),
        ("ledger_recurring_end", "ledger recurring end bafy"),
        ("ledger_pay_from", "ledger pay bob 5 hours --from pot --memo tools"),
        ("ledger_proposal_list", "ledger proposal list --all"),
        ("ledger_proposal_show", "ledger proposal show bafy"),
        ("ledger_proposal_approve", "ledger proposal approve bafy"),
        ("ledger_proposal_withdraw", "ledger proposal withdraw bafy"),
        ("ledger_budget_set", "ledger budget set pot 50 hours --holder bob --every 1mo --for tools"),
        ("ledger_budget_list", "ledger budget list --all"),
        ("ledger_budget_end", "ledger budget end bafy"),
        ("ledger_split", "ledger pay 10 hours --split bob:1,ada:1"),
        ("ledger_demurrage", "ledger demurrage show"),
        ("ledger_transfers", "ledger transfers"),
        ("ledger_dispute_file", "ledger dispute file bafy --reason late"),
        ("ledger_dispute_list", "ledger dispute list"),
        ("ledger_dispute_resolve", "ledger dispute resolve bafy --refund 2.50"),
    ] {
        insta::assert_snapshot!(name, shown(line, &served.icn(line)));
    }
}

#[test]
fn a_list_says_how_to_see_more() {
    let (served, books) = Served::with_spaces(&["Bakery"]);
    let output = served.icn("ledger history --offset 20");
    assert_eq!(stdout(&output).lines().count(), 21);
    assert_eq!(stderr(&output), "Showing 21-40 of 157 total\nUse --offset 40 to see more\n");
    let page = served.icn("ledger entries --limit 100 --offset 100 --json");
    assert_eq!(stderr(&page), "");
    let page = parsed(&page);
    assert_eq!(page.as_object().unwrap().keys().collect::<Vec<_>>(), ["has_more", "items", "total"]);
    assert_eq!((page["items"].as_array().unwrap().len(), &page["total"]), (57, &157.into()));
    assert_eq!(books.last("entries")["offset"], 100);
    assert_eq!(code(&served.icn("ledger entries --limit 101")), 2);
}

#[test]
fn the_program_by_its_other_name() {
    let (served, books) = Served::with_spaces(&["Bakery"]);
    let link = served.path().join("icnctl");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_icn"), &link).unwrap();
    let ctl = |line: &str| {
        let mut command = std::process::Command::new(&link);
        let output = command.args(line.split(' ')).env_clear().env("ICN_API", &served.api);
        output.env("ICN_API_TOKEN", support::TOKEN).env("HOME", served.path()).output().unwrap()
    };
    let account = did(2).to_string();
    assert_eq!(code(&ctl(&format!("ledger balance {account}"))), 0);
    assert_eq!(books.last("balances")["account"], account);
    let output = ctl("ledger entries --limit 100 --offset 500");
    assert_eq!((code(&output), stderr(&output).contains("of 157 total")), (0, true));
}

#[test]
fn the_space_is_named_or_the_only_one() {
    let (served, books) = Served::with_spaces(&["Bakery", "Care Co-op"]);
    let output = served.icn("ledger balance");
    assert_eq!(code(&output), 2);
    for expected in ["Bakery", "Care Co-op", &did(2).to_string(), "--space", "ICN_SPACE"] {
        assert!(stderr(&output).contains(expected), "{expected}: {}", stderr(&output));
    }
    for args in
        [["ledger", "--space", "Care Co-op", "balance"], ["ledger", "balance", "--space", "Care Co-op"]]
    {
        assert_eq!(code(&served.icn_args(&args)), 0, "{args:?}");
    }
    let output = served.command("ledger balance --as till").env("ICN_SPACE", "Bakery").output().unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(books.last("balances")["as"], "till");
    let unknown = served.icn("space members --space Nowhere");
    assert_eq!((code(&unknown), stderr(&unknown).contains("icn space list")), (4, true));

    let (none, _) = Served::with_spaces(&[]);
    let output = none.icn("ledger pay bob 5");
    assert_eq!((code(&output), stderr(&output).contains("icn space create")), (4, true));
    let without = Served::new(Script::default()).icn("space list");
    assert_eq!((code(&without), stderr(&without).contains("no common books")), (1, true));
}

#[test]
fn a_payment_says_all_that_was_given() {
    let (served, books) = Served::with_spaces(&["Bakery"]);
    let output = served.icn_args(&[
        "ledger",
        "pay",
        "bob",
        "2.50 hours",
        "--memo",
        "two loaves",
        "--key",
        "invoice-17",
        "--request",
        "bafyask#1",
        "--expires",
        "7d",
        "--as",
        "till",
        "--json",
    ]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let expected = json!({
        "to": "bob", "amount": "2.50 hours", "memo": "two loaves", "key": "invoice-17", "request": "bafyask#1",
        "expires_seconds": 604_800, "as": "till",
    });
    assert_eq!(books.last("pay"), expected);
    let order = parsed(&output);
    assert_eq!(order["status"], "sent");
    assert_eq!(order["amount"], json!({ "text": "2.50 hours", "smallest": 250, "currency": "hours" }));
    assert_eq!(order["final_at"], "certified");
}

#[test]
fn waiting_ends_when_it_has_come_so_far() {
    let (served, _) = Served::with_spaces(&["Bakery"]);
    let output = served.icn("ledger pay bob 2.50 --wait certified --json");
    assert_eq!((code(&output), &parsed(&output)["status"]), (0, &"certified".into()));
    let late = served.icn("ledger pay bob 2.50 --wait sealed --timeout 300ms");
    assert_eq!((code(&late), stderr(&late).contains("it goes on")), (1, true));
    assert_eq!(code(&served.icn("ledger pay bob 2.50 --timeout 3s")), 2, "a timeout needs a wait");
}

#[test]
fn a_refusal_has_its_own_code_and_says_why() {
    let (served, _) = Served::with_spaces(&["Bakery"]);
    let refused = served.icn("ledger pay bob 5 hours");
    assert_eq!(code(&refused), 5);
    for expected in ["3.00 hours", "5.00 hours", "rule", "line", "would help", "icn ledger limits ada --set"]
    {
        assert!(stderr(&refused).contains(expected), "{expected}: {}", stderr(&refused));
    }
    assert_eq!(code(&served.icn("space dismiss bob --as till")), 5);
    for (line, expected) in [
        ("ledger pay eve 1", 4),
        ("ledger pay bob 1.005", 1),
        ("ledger pay bob 1 eggs", 1),
        ("ledger pay bob -1", 2),
        ("ledger pay bob", 2),
        ("ledger show bafyunknown", 4),
        ("id new till", 1),
    ] {
        let output = served.icn(line);
        assert_eq!(code(&output), expected, "{line}: {}", stderr(&output));
        assert!(output.stdout.is_empty(), "{line}");
    }
}

#[test]
fn orders_are_taken_further() {
    let (served, books) = Served::with_spaces(&["Bakery"]);
    let id = order_id();
    for (line, route, expected) in [
        (format!("accept {id}#2"), format!("orders/{id}#2/accept"), json!(null)),
        ("return bafy".to_owned(), "orders/bafy/return".to_owned(), json!(null)),
        ("decline bafy --reason no".to_owned(), "orders/bafy/decline".to_owned(), json!(null)),
        ("hold release bafy".to_owned(), "orders/bafy/release".to_owned(), json!(null)),
        ("hold capture bafy 3.25 hours".to_owned(), "orders/bafy/capture".to_owned(), json!("3.25 hours")),
        (format!("hold claim bafy --evidence {id}"), "orders/bafy/claim".to_owned(), json!(null)),
        ("decline bafyask".to_owned(), "requests/bafyask/decline".to_owned(), json!(null)),
    ] {
        let output = served.icn(&format!("ledger {line} --key k --as till"));
        assert_eq!(code(&output), 0, "{line}: {}", stderr(&output));
        let request = books.last(&route);
        assert_eq!(
            (&request["amount"], &request["key"], &request["as"]),
            (&expected, &"k".into(), &"till".into())
        );
    }
    assert_eq!(books.last("orders/bafy/decline")["reason"], "no");
    assert_eq!(books.last("orders/bafy/claim")["evidence"], json!([id]));
    assert_eq!(code(&served.icn("ledger hold claim bafy")), 2, "a claim needs evidence");
}

#[test]
fn rules_are_written_as_they_were_typed() {
    let (served, books) = Served::with_spaces(&["Bakery"]);
    let member = did(3).to_string();
    let usual = |initial: i64, max: i64| {
        json!({
            "initial": initial, "max": max, "growth": 10, "growth_per": 50, "trust_multiplier_ppm": 1_000_000,
            "ramp_days": 90, "required_cleared": 10, "per_counterparty_max": 100,
        })
    };
    for (line, expected) in [
        (
            format!("space admit {member} --nickname cleo"),
            json!({ "admit": { "member": member, "nickname": "cleo" } }),
        ),
        ("space expel cleo".to_owned(), json!({ "expel": { "member": "cleo" } })),
        ("space appoint bob".to_owned(), json!({ "appoint": { "member": "bob" } })),
        (
            "space currency loaves --decimals 0".to_owned(),
            json!({ "currency": { "code": "loaves", "decimals": 0, "policy": null } }),
        ),
        (
            "space currency hours --initial 5 --max 70".to_owned(),
            json!({ "currency": { "code": "hours", "decimals": null, "policy": usual(5, 70) } }),
        ),
        ("space witnesses --none".to_owned(), json!({ "witnesses": { "members": [] } })),
        (
            "space treasury till --approver ada --approver bob --threshold 2".to_owned(),
            json!({ "treasury": { "account": "till", "approvers": ["ada", "bob"], "threshold": 2 } }),
        ),
        (
            "space policy --final 0=accepted --final 1000=sealed --free-jobs no --epoch 5m".to_owned(),
            json!({ "policy": {
                "finality": [{ "from": 0, "level": "accepted" }, { "from": 1_000, "level": "sealed" }],
                "free_jobs": false, "epoch_seconds": 300,
            } }),
        ),
        ("ledger limits bob --set 15".to_owned(), json!({ "line": { "account": "bob", "limit": "15" } })),
        (
            "ledger freeze bob --reason stolen".to_owned(),
            json!({ "freeze": { "account": "bob", "reason": "stolen" } }),
        ),
        ("ledger unfreeze bob".to_owned(), json!({ "unfreeze": { "account": "bob" } })),
        (
            "ledger freeze bob --reason late --until 14d".to_owned(),
            json!({ "freeze": { "account": "bob", "reason": "late", "expires_seconds": 1_209_600 } }),
        ),
        (
            "ledger demurrage set --above 50 --rate 2% --every 30 --fund pot".to_owned(),
            json!({ "demurrage": {
                "currency": null, "above": "50", "rate_ppm": 20_000, "period_days": 30, "fund": "pot",
            } }),
        ),
        ("ledger demurrage end".to_owned(), json!({ "end_demurrage": { "currency": null } })),
        (
            format!("ledger write-off {member} 2 hours --reason left"),
            json!({ "write_off": {
                "account": member, "amount": "2 hours", "currency": null, "reason": "left",
            } }),
        ),
        (
            "space policy --fund pot --mediator cleo --mediation 7d".to_owned(),
            json!({ "policy": {
                "finality": null, "free_jobs": null, "epoch_seconds": null, "fund": "pot",
                "mediators": ["cleo"], "mediation_seconds": 604_800,
            } }),
        ),
    ] {
        let output = served.icn(&line);
        assert_eq!(code(&output), 0, "{line}: {}", stderr(&output));
        assert_eq!(books.last("rule")["act"], expected, "{line}");
    }
}

#[test]
fn disputes_and_standing_orders_ask_for_what_was_typed() {
    let (served, books) = Served::with_spaces(&["Bakery"]);
    for (line, route, expected) in [
        (
            "ledger pay 10 hours --split bob:2,ada --memo pot",
            "split",
            json!({
                "amount": "10 hours", "shares": [{ "to": "bob", "weight": 2 }, { "to": "ada", "weight": 1 }],
                "memo": "pot", "key": null,
            }),
        ),
        (
            "ledger pay 10 --among --key may",
            "split",
            json!({ "amount": "10", "shares": [], "memo": null, "key": "may" }),
        ),
        (
            "ledger recurring add bob 5 --every 2w --start 2027-01-01T08:00:00Z --count 3",
            "place_standing",
            json!({
                "to": "bob", "amount": "5", "memo": null, "every": { "days": 14 },
                "start": "2027-01-01T08:00:00.000Z", "count": 3, "until": null, "key": null,
            }),
        ),
        (
            "ledger dispute mediate bafy cleo",
            "dispute_step",
            json!(["bafy", { "mediate": { "mediator": "cleo" } }]),
        ),
        ("ledger dispute escalate bafy", "dispute_step", json!(["bafy", "escalate"])),
        (
            "ledger dispute resolve bafy --reverse",
            "dispute_step",
            json!(["bafy", { "resolve": { "outcome": "reversed" } }]),
        ),
        (
            "ledger dispute resolve bafy --stands",
            "dispute_step",
            json!(["bafy", { "resolve": { "outcome": "valid" } }]),
        ),
        (
            "ledger dispute resolve bafy --write-off 2",
            "dispute_step",
            json!(["bafy", { "resolve": { "outcome": { "write_off": "2" } } }]),
        ),
        (
            "ledger dispute evidence bafy --note new",
            "dispute_step",
            json!(["bafy", { "evidence": { "items": [], "note": "new" } }]),
        ),
    ] {
        let output = served.icn(line);
        assert_eq!(code(&output), 0, "{line}: {}", stderr(&output));
        assert_eq!(books.last(route), expected, "{line}");
    }
    for wrong in [
        "ledger pay bob",
        "ledger pay 10 --among --split bob:1",
        "ledger pay 10 --among --expires 7d",
        "ledger dispute resolve bafy",
        "ledger dispute resolve bafy --stands --reverse",
        "ledger recurring add bob 5 --every 1h",
        "ledger demurrage set --above 5 --rate 2 --fund pot",
    ] {
        assert_eq!(code(&served.icn(wrong)), 2, "{wrong}");
    }
}

#[test]
fn treasuries_are_asked_for_what_was_typed() {
    let (served, books) = Served::with_spaces(&["Bakery"]);
    for (line, route, expected) in [
        (
            "ledger pay bob 5 hours --from pot --lapses 7d --budget bafy --as till --key may",
            "propose",
            json!({
                "treasury": "pot", "act": { "pay": { "to": "bob", "amount": "5 hours", "memo": null } },
                "budget": "bafy", "expires_seconds": 604_800, "key": "may", "as": "till",
            }),
        ),
        (
            "ledger pay 10 hours --among --from pot",
            "propose",
            json!({
                "treasury": "pot", "act": { "split": { "amount": "10 hours", "shares": [], "memo": null } },
            }),
        ),
        (
            "ledger recurring end bafy --from pot",
            "propose",
            json!({ "treasury": "pot", "act": { "end_standing": { "standing": "bafy" } } }),
        ),
        (
            "ledger budget set pot 5 --every 2w --propose",
            "propose",
            json!({
                "treasury": "pot", "act": { "budget": { "amount": "5", "every": { "days": 14 } } },
            }),
        ),
        (
            "ledger budget end bafy --propose pot",
            "propose",
            json!({ "treasury": "pot", "act": { "end_budget": { "budget": "bafy" } } }),
        ),
        (
            "ledger budget set pot 5 --holder bob --until 2027-01-01T08:00:00Z",
            "allot_budget",
            json!({
                "treasury": "pot",
                "terms": { "holder": "bob", "amount": "5", "until": "2027-01-01T08:00:00.000Z" },
            }),
        ),
    ] {
        let output = served.icn(line);
        assert_eq!(code(&output), 0, "{line}: {}", stderr(&output));
        assert_eq!(books.last(route), expected, "{line}");
    }
    let standing = "ledger recurring add bob 5 --every 1mo --from pot --budget bafy";
    assert_eq!(code(&served.icn(standing)), 0);
    assert_eq!(books.last("propose")["act"]["standing"]["budget"], "bafy");
    for wrong in [
        "ledger pay bob 5 --budget bafy",
        "ledger pay bob 5 --from pot --wait accepted",
        "ledger pay bob 5 --from pot --expires 7d",
        "ledger budget set pot",
        "ledger proposal approve",
    ] {
        assert_eq!(code(&served.icn(wrong)), 2, "{wrong}");
    }
}

#[test]
fn a_lowered_line_tells_what_it_may_cost() {
    let (served, _) = Served::with_spaces(&["Bakery"]);
    let output = served.icn("ledger limits bob --set 15");
    assert!(stderr(&output).contains("up to 4.50 hours more"), "{}", stderr(&output));
}

#[test]
fn an_invitation_alone_is_on_stdout() {
    let (served, books) = Served::with_spaces(&["Bakery"]);
    let output = served.icn(&format!("space invite {} --expires 2w", did(3)));
    assert_eq!(stdout(&output), "icn-invite:3mJr7A\n");
    assert_eq!(books.last("invite"), json!({ "member": did(3), "expires_seconds": 1_209_600 }));
}

#[test]
fn books_that_are_wrong_fail() {
    let (served, _) = Served::with_spaces(&["Bakery", "Broken"]);
    let right = served.icn("ledger verify --space Bakery --json");
    assert_eq!((code(&right), &parsed(&right)["digest"]), (0, &"ab".repeat(32).into()));
    let wrong = served.icn("ledger verify --space Broken");
    assert_eq!(code(&wrong), 1);
    for expected in ["NOT right", "sum NOT zero: 5", "wrong: the balances"] {
        assert!(stdout(&wrong).contains(expected), "{expected}: {}", stdout(&wrong));
    }
    assert_eq!(code(&served.icn("ledger verify --space Broken --json")), 1);
}

#[test]
fn statements_are_of_an_account_and_a_period() {
    let (served, books) = Served::with_spaces(&["Bakery"]);
    assert_eq!(stdout(&served.icn("ledger statement bob --month 2026-11")), "the statement as text\n");
    let asked = books.last("statement");
    assert_eq!(
        (&asked["account"], &asked["month"], &asked["from"]),
        (&json!("bob"), &json!("2026-11"), &json!(null))
    );
    assert_eq!(stdout(&served.icn("ledger statement --json")), "the statement as json\n");
    let line = "ledger statement --as till --currency hours --from 2026-01-01 --to 2026-12-31 --format csv -o till.csv";
    assert_eq!(code(&served.icn(line)), 0);
    let asked = books.last("statement");
    assert_eq!(
        (&asked["as"], &asked["to"], &asked["format"]),
        (&json!("till"), &json!("2026-12-31"), &json!("csv"))
    );
    let written = std::fs::read_to_string(served.path().join("till.csv")).unwrap();
    assert_eq!(written, "the statement as csv\n");
    assert_eq!(code(&served.icn("ledger statement --month 2026-11 --to 2026-11-30")), 2);
}

#[test]
fn an_alarm_is_a_failure_for_scripts() {
    let (served, books) = Served::with_spaces(&["Bakery"]);
    let output = served.icn("ledger health --currency hours --json");
    assert_eq!((code(&output), &parsed(&output)["signs"][0]["code"]), (1, &json!("takers")));
    assert_eq!(books.last("health")["currency"], "hours");
}

#[test]
fn exports_go_to_stdout_or_a_fresh_file() {
    let (served, books) = Served::with_spaces(&["Bakery"]);
    assert_eq!(stdout(&served.icn("ledger export")), "; the books as hledger\n");
    assert_eq!(code(&served.icn("ledger export --format csv --account bob -o bob.csv")), 0);
    assert_eq!(std::fs::read_to_string(served.path().join("bob.csv")).unwrap(), "; the books as csv\n");
    assert_eq!(books.last("export"), json!({ "format": "csv", "account": "bob" }));
    assert_eq!(code(&served.icn("ledger export -o bob.csv")), 1, "nothing is overwritten");
}

#[test]
fn a_job_is_paid_in_the_decimals_of_its_currency() {
    let check = |spaces: &[&'static str], line: &str, expected: Result<(&str, bool), i32>| {
        let (served, _) = Served::with_spaces(spaces);
        std::fs::write(served.path().join("m.wasm"), b"\0asm").unwrap();
        let output = served.icn_args(
            &[&["job", "run", "m.wasm", "--detach"], &line.split('|').collect::<Vec<_>>()[..]].concat(),
        );
        match expected {
            Err(failure) => assert_eq!(code(&output), failure, "{line}: {}", stderr(&output)),
            Ok((price, has_space)) => {
                assert_eq!(code(&output), 0, "{line}: {}", stderr(&output));
                let request = served.node.requests.lock().unwrap()[0].clone();
                assert_eq!(request.max_price.unwrap().to_string(), price, "{line}");
                assert_eq!(request.space.is_some(), has_space, "{line}");
            }
        }
    };
    check(&["Bakery"], "--max-price|2.5 hours", Ok(("250 hours", true)));
    check(&["Bakery"], "--max-price|5", Ok(("500 hours", true)));
    check(&["Bakery", "Care"], "--space|Care|--max-price|5 hours", Ok(("500 hours", true)));
    check(&["Bakery", "Care"], "--max-price|5 hours", Err(2));
    check(&["Bakery"], "--max-price|5 eggs", Err(1));
    check(&["Bakery"], "--max-price|2.505 hours", Err(1));
    check(&["Bakery"], "--max-price|5|--space|Nowhere", Err(4));
    check(&[], "--max-price|5 hours", Ok(("5 hours", false)));
    check(&[], "--max-price|2.5 hours", Err(2));
}

#[test]
fn identities_are_made_without_a_node_too() {
    let folder = tempfile::tempdir().unwrap();
    let icn = |line: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_icn"));
        command.args(line.split(' ')).env_clear().env("HOME", folder.path()).current_dir(folder.path());
        command.stdin(std::process::Stdio::null()).output().unwrap()
    };
    assert_eq!(code(&icn("init --no-passphrase")), 0);
    let made = parsed(&icn("id new till --json"));
    assert_eq!(code(&icn("id new till")), 1, "a name is taken once");
    assert_eq!(code(&icn("id new node")), 2, "the node's own key has a name already");
    std::fs::write(folder.path().join("secret"), "correct horse battery\n").unwrap();
    assert_eq!(code(&icn("id new safe --passphrase-file secret")), 0);
    let list = parsed(&icn("id list --json"));
    let names: Vec<&str> =
        list["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["node", "safe", "till"]);
    assert_eq!(list["items"][2]["did"], made["did"]);
    assert_eq!(list["items"][1]["locked"], true);
    assert!(list["items"][0]["did"].as_str().unwrap().starts_with("did:icn:"));
}

#[test]
fn colour_only_where_it_is_wanted() {
    let (served, _) = Served::with_spaces(&["Bakery"]);
    assert!(!stdout(&served.icn("ledger history")).contains('\u{1b}'), "neither ours nor a stranger's");
    assert!(served.icn("ledger history --color always").stdout.contains(&0x1b));
}
