//! The command line without a node: help, errors and exit codes, as a person sees them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;
use std::process::{Command, Output};

/// Every command that can be typed.
const COMMANDS: [&str; 122] = [
    "",
    "init",
    "node",
    "status",
    "peers",
    "id",
    "id show",
    "id new",
    "id list",
    "add",
    "get",
    "cat",
    "stat",
    "job",
    "job run",
    "job list",
    "job show",
    "job logs",
    "job bids",
    "job cancel",
    "job wait",
    "job why",
    "space",
    "space create",
    "space join",
    "space follow",
    "space unfollow",
    "space list",
    "space show",
    "space invite",
    "space members",
    "space admit",
    "space expel",
    "space appoint",
    "space dismiss",
    "space currency",
    "space witnesses",
    "space treasury",
    "space policy",
    "ledger",
    "ledger balance",
    "ledger pay",
    "ledger request",
    "ledger requests",
    "ledger show",
    "ledger accept",
    "ledger decline",
    "ledger return",
    "ledger history",
    "ledger entries",
    "ledger watch",
    "ledger hold",
    "ledger hold place",
    "ledger hold list",
    "ledger hold capture",
    "ledger hold release",
    "ledger hold claim",
    "ledger limits",
    "ledger grant",
    "trust",
    "trust add",
    "trust revoke",
    "trust list",
    "trust path",
    "trust offenders",
    "trust forgive",
    "reputation",
    "reputation list",
    "reputation show",
    "ledger freeze",
    "ledger unfreeze",
    "ledger recurring",
    "ledger recurring add",
    "ledger recurring list",
    "ledger recurring end",
    "ledger proposal",
    "ledger proposal list",
    "ledger proposal show",
    "ledger proposal approve",
    "ledger proposal withdraw",
    "ledger budget",
    "ledger budget set",
    "ledger budget list",
    "ledger budget end",
    "ledger demurrage",
    "ledger demurrage set",
    "ledger demurrage show",
    "ledger demurrage end",
    "ledger dispute",
    "ledger dispute file",
    "ledger dispute list",
    "ledger dispute show",
    "ledger dispute evidence",
    "ledger dispute mediate",
    "ledger dispute resolve",
    "ledger dispute escalate",
    "ledger transfers",
    "ledger write-off",
    "ledger explain",
    "ledger forks",
    "ledger claims",
    "ledger quarantine",
    "ledger misbehaviour",
    "ledger seals",
    "ledger verify",
    "ledger export",
    "ledger statement",
    "ledger health",
    "simulate economy",
    "receipt",
    "receipt show",
    "receipt verify",
    "receipt replay",
    "receipt export",
    "backup",
    "restore",
    "doctor",
    "demo",
    "console",
    "completions",
    "man",
    "config-reference",
];

fn icn(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_icn"))
        .args(args)
        .env_clear()
        .env("HOME", folder)
        .current_dir(folder)
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap()
}

/// Shows a run as a terminal would, with the exit code.
fn shown(folder: &Path, output: &Output) -> String {
    let text = format!(
        "exit {}\n--- stdout\n{}--- stderr\n{}",
        output.status.code().unwrap(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    text.replace(folder.to_str().unwrap(), "[HOME]")
}

#[test]
fn help_of_every_command() {
    let folder = tempfile::tempdir().unwrap();
    for command in COMMANDS {
        let mut args: Vec<&str> = command.split(' ').filter(|word| !word.is_empty()).collect();
        args.push("--help");
        let output = icn(folder.path(), &args);
        assert_eq!(output.status.code(), Some(0), "{command}");
        let name = format!("help {command}").trim().replace(' ', "_");
        insta::assert_snapshot!(name, String::from_utf8(output.stdout).unwrap());
    }
}

#[test]
fn typical_errors() {
    let folder = tempfile::tempdir().unwrap();
    for (name, line) in [
        ("no_node", "status"),
        ("unknown_command", "stauts"),
        ("bad_cid", "cat not-a-cid"),
        ("bad_duration", "job run m.wasm --timeout 3"),
        ("bad_size", "job run m.wasm --memory lots"),
        ("bad_price", "node --price cheap"),
        ("bad_input_name", "job run m.wasm --input ../a=b"),
        ("bad_reference", "ledger show not/a/reference"),
        ("bad_expiry", "ledger pay bob 5 --expires soon"),
        ("bad_max_price", "job run m.wasm --max-price cheap"),
        ("ledger_without_node", "ledger balance"),
        ("bad_peer", "node --peer 192.0.2.7:7100"),
        ("bad_limit", "job list --limit 101"),
        ("bad_api", "status --api https://127.0.0.1:1"),
        ("missing_output", "get bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"),
        ("no_receipt_file", "receipt verify missing.bin"),
        ("nobody_to_ask", "init"),
        ("restore_missing", "restore missing.tar"),
        ("node_without_key", "node"),
        ("console_without_terminal", "console"),
    ] {
        let args: Vec<&str> = line.split(' ').collect();
        let output = icn(folder.path(), &args);
        insta::assert_snapshot!(format!("error_{name}"), shown(folder.path(), &output));
    }
}

#[test]
fn a_closed_port_is_no_node() {
    let folder = tempfile::tempdir().unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for command in ["status", "peers", "job list", "job show bafy", "add -"] {
        let mut args: Vec<&str> = command.split(' ').collect();
        let api = format!("127.0.0.1:{port}");
        args.extend(["--api", &api]);
        let output = icn(folder.path(), &args);
        assert_eq!(output.status.code(), Some(3), "{command}: {}", shown(folder.path(), &output));
        assert!(output.stdout.is_empty(), "{command}");
    }
}

#[test]
fn init_makes_a_node_once() {
    let folder = tempfile::tempdir().unwrap();
    let made = icn(folder.path(), &["init", "--no-passphrase", "--json"]);
    assert_eq!(made.status.code(), Some(0), "{}", shown(folder.path(), &made));
    let made: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
    assert_eq!(made["encrypted"], false);
    let keystore = std::fs::read(made["keystore"].as_str().unwrap()).unwrap();

    let again = icn(folder.path(), &["init", "--no-passphrase"]);
    assert_eq!(again.status.code(), Some(1));
    assert_eq!(std::fs::read(made["keystore"].as_str().unwrap()).unwrap(), keystore);
}

#[test]
fn init_encrypts_with_a_passphrase_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), "correct horse battery\n").unwrap();
    let made = icn(folder.path(), &["init", "--passphrase-file", "secret", "--data-dir", "node", "--json"]);
    assert_eq!(made.status.code(), Some(0), "{}", shown(folder.path(), &made));
    let made: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
    assert_eq!(made["encrypted"], true);
    let keystore = std::fs::read(folder.path().join(made["keystore"].as_str().unwrap())).unwrap();
    assert!(keystore.starts_with(b"age-encryption.org/v1\n"));
}

#[test]
fn doctor_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let output = icn(folder.path(), &["doctor", "--json"]);
    assert_eq!(output.status.code(), Some(1), "a missing folder is a failure");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["healthy"], false);
    for check in report["checks"].as_array().unwrap() {
        assert!(check["state"] == "ok" || check["advice"].is_string(), "{check}");
    }
}

#[test]
fn completions_and_man_pages_cover_every_command() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = icn(folder.path(), &["completions", shell]);
        assert_eq!(output.status.code(), Some(0), "{shell}");
        assert!(String::from_utf8(output.stdout).unwrap().contains("receipt"), "{shell}");
    }
    assert_eq!(icn(folder.path(), &["man", "man1"]).status.code(), Some(0));
    for command in COMMANDS {
        let name = format!("icn {command}").trim().replace(' ', "-");
        assert!(folder.path().join(format!("man1/{name}.1")).exists(), "{name}");
    }
}

#[test]
fn other_names_are_other_programs() {
    let folder = tempfile::tempdir().unwrap();
    for (name, args, expected) in [
        ("icnd", vec!["--help"], "Usage: icn node"),
        ("icnctl", vec!["job", "list", "--help"], "Usage: icn job list"),
        ("icn-console", vec!["--help"], "Usage: icn console"),
    ] {
        let link = folder.path().join(name);
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_icn"), &link).unwrap();
        let output = Command::new(&link).args(args).output().unwrap();
        let help = String::from_utf8(output.stdout).unwrap();
        assert!(help.contains(expected), "{name}: {help}");
    }
}

#[test]
fn colour_only_where_it_is_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let has_colour = |args: &[&str]| {
        let output = icn(folder.path(), args);
        output.stdout.contains(&0x1b) || output.stderr.contains(&0x1b)
    };
    assert!(!has_colour(&["doctor"]), "stdout is no terminal");
    assert!(has_colour(&["doctor", "--color", "always"]));
    assert!(has_colour(&["status", "--color=always"]));
    assert!(!has_colour(&["doctor", "--color", "never"]));
}
