//! The command line against a node that answers: what is printed where, what is written, which code it ends with.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod support;

use std::process::{Output, Stdio};

use icn_types::{Cid, End, StandardJobStatus};
use serde_json::Value;
use support::{Script, Served, job_id};

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
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", stdout(output)))
}

fn served_with_module(script: Script) -> Served {
    let served = Served::new(script);
    std::fs::write(served.path().join("m.wasm"), b"\0asm").unwrap();
    std::fs::write(served.path().join("a.txt"), b"input").unwrap();
    served
}

#[test]
fn a_job_is_run_and_its_outputs_become_ours() {
    let served = served_with_module(Script::default());
    let output = served.icn(
        "job run m.wasm --input in/a.txt=a.txt --arg -x --env K=V --timeout 2m --memory 64MiB --max-price 5 --remote",
    );
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(stdout(&output), "out\n");
    let told = stderr(&output);
    for expected in ["Announced", "Verified", "err\n", "1 more output", "(verified)"] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
    let request = served.node.requests.lock().unwrap()[0].clone();
    assert_eq!(request.wasm_cid, Some(Cid::of_raw(b"\0asm")));
    assert_eq!(request.inputs[0].name, "in/a.txt");
    assert_eq!(request.inputs[0].cid, Cid::of_raw(b"input"));
    assert_eq!(request.args, ["-x"]);
    assert_eq!(request.env["K"], "V");
    assert_eq!(request.timeout_seconds, Some(120));
    assert_eq!(request.memory_bytes_max, Some(64 << 20));
    assert_eq!(request.max_price.unwrap().to_string(), "5 hours");
    assert!(request.remote);
}

#[test]
fn a_job_as_json_is_one_object_on_stdout() {
    let served = served_with_module(Script::default());
    let output = served.icn("job run m.wasm -o results --json");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let job = parsed(&output);
    for field in [
        "id",
        "status",
        "p2p_status",
        "executor",
        "lease_epoch",
        "end",
        "exit_code",
        "error",
        "fuel_used",
        "outputs",
        "receipt_cid",
        "history",
    ] {
        assert!(job.get(field).is_some(), "{field}");
    }
    assert_eq!(job["status"], "CompletedSuccessfully");
    assert_eq!(job["receipt_verified"], true);
    assert_eq!(job["history"][1]["at"], "1970-01-01T00:00:01.030Z");
    for (name, bytes) in [("stdout", "out\n"), ("stderr", "err\n"), ("sub/result.txt", "result")] {
        assert_eq!(std::fs::read_to_string(served.path().join("results").join(name)).unwrap(), bytes);
    }
}

#[test]
fn a_job_ends_with_its_own_code() {
    use StandardJobStatus::{Cancelled, Failed};
    let base = Script { status: Failed, exit_code: None, outputs: vec![], ..Script::default() };
    for (script, expected) in [
        (Script { exit_code: Some(7), ..base.clone() }, 7),
        (Script { exit_code: Some(200), ..base.clone() }, 99),
        (Script { end: Some(End::Timeout), ..base.clone() }, 124),
        (Script { end: Some(End::Trap), error: Some("trap"), ..base.clone() }, 125),
        (Script { end: None, error: Some("refused-by-all"), ..base.clone() }, 126),
        (Script { status: Cancelled, end: Some(End::Cancelled), ..base.clone() }, 130),
        (Script { refuse: true, ..base }, 126),
        (Script { receipt_valid: false, ..Script::default() }, 125),
    ] {
        let served = served_with_module(script.clone());
        let output = served.icn("job run m.wasm");
        assert_eq!(code(&output), expected, "{script:?}: {}", stderr(&output));
        if !script.refuse && script.receipt_valid {
            assert_eq!(code(&served.icn("job wait bafy")), expected, "{script:?}");
        }
    }
}

#[test]
fn a_name_that_leaves_the_folder_writes_nothing() {
    for name in ["../escaped", "/escaped", "a/../../escaped"] {
        let outputs = vec![("stdout", b"out".as_slice()), (name, b"bad".as_slice())];
        let served = served_with_module(Script { outputs, ..Script::default() });
        let output = served.icn("job run m.wasm -o results");
        assert_eq!(code(&output), 1, "{}", stderr(&output));
        assert!(stderr(&output).contains("an output is refused"), "{}", stderr(&output));
        assert!(!served.path().join("escaped").exists() && !served.path().join("results").exists());
    }
}

#[test]
fn an_interrupt_without_a_person_cancels() {
    let served = served_with_module(Script { endless: true, ..Script::default() });
    let mut command = served.command("job run m.wasm");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // The history is on the screen: the job runs and is being followed.
    let mut told = std::io::BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("Announced") {
        line.clear();
        assert_ne!(std::io::BufRead::read_line(&mut told, &mut line).unwrap(), 0, "it ended early");
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(served.node.cancelled.borrow().as_deref(), Some("interrupted"));
}

#[test]
fn following_survives_a_node_that_restarts() {
    let served = served_with_module(Script { breaks: 2, ..Script::default() });
    let output = served.icn("job run m.wasm");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(stderr(&output).matches("Announced").count(), 1, "each turn is told once");
}

#[test]
fn detach_prints_the_id() {
    let served = served_with_module(Script { endless: true, ..Script::default() });
    let output = served.icn("job run m.wasm --detach");
    assert_eq!((code(&output), stdout(&output)), (0, format!("{}\n", job_id())));
    let output = served.icn("job wait bafy --timeout 50ms");
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("it goes on"));
    assert_eq!(code(&served.icn("job cancel bafy --reason why-not")), 0);
    assert_eq!(served.node.cancelled.borrow().as_deref(), Some("why-not"));
}

#[test]
fn content_goes_there_and_back() {
    let served = served_with_module(Script::default());
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|number| number.to_le_bytes()[1]).collect();
    std::fs::write(served.path().join("big"), &bytes).unwrap();
    let added = parsed(&served.icn("add big a.txt --json"));
    assert_eq!(added["total"], 2);
    assert_eq!(added["items"][0]["bytes"], 3_000_000);
    let cid = added["items"][0]["cid"].as_str().unwrap();
    assert_eq!(cid, Cid::of_raw(&bytes).to_string());

    assert_eq!(code(&served.icn(&format!("get {cid} -o copy"))), 0);
    assert!(std::fs::read(served.path().join("copy")).unwrap() == bytes);
    assert!(served.icn(&format!("cat {cid}")).stdout == bytes);
    assert_eq!(parsed(&served.icn(&format!("stat {cid} --json")))["bytes"], 3_000_000);

    let unknown = Cid::of_raw(b"unknown");
    for line in [format!("cat {unknown}"), format!("get {unknown} -o nothing"), format!("stat {unknown}")] {
        assert_eq!(code(&served.icn(&line)), 4, "{line}");
    }
    assert!(!served.path().join("nothing").exists());
    assert_eq!(code(&served.icn("add .")), 2, "a folder is no file");
    assert_eq!(code(&served.icn("add missing")), 1);
}

#[test]
fn lists_say_how_to_see_more() {
    let served = Served::new(Script::default());
    let output = served.icn("job list --offset 20");
    assert_eq!(stdout(&output).lines().count(), 21);
    assert_eq!(stderr(&output), "Showing 21-40 of 157 total\nUse --offset 40 to see more\n");
    let page = parsed(&served.icn("job list --limit 7 --offset 150 --json"));
    assert_eq!(page["items"].as_array().unwrap().len(), 7);
    assert_eq!((&page["total"], &page["has_more"]), (&157.into(), &false.into()));
}

#[test]
fn an_unknown_job_is_not_found() {
    let served = Served::new(Script::default());
    for command in ["show", "logs", "why", "wait"] {
        let known = served.icn(&format!("job {command} bafy"));
        assert_eq!(code(&known), 0, "{command}: {}", stderr(&known));
    }
    for command in ["show", "logs", "why"] {
        let unknown = served.icn(&format!("job {command} zzz"));
        assert_eq!(code(&unknown), 4, "{command}: {}", stderr(&unknown));
        assert!(unknown.stdout.is_empty());
    }
}

#[test]
fn a_wrong_token_says_where_the_right_one_is() {
    let served = Served::new(Script::default());
    let output = served.command("status").env("ICN_API_TOKEN", "wrong").output().unwrap();
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("api.token"), "{}", stderr(&output));
}

#[test]
fn the_node_is_found_through_its_folder() {
    let served = Served::new(Script::default());
    let folder = served.path().join("node");
    std::fs::create_dir(&folder).unwrap();
    let file = serde_json::json!({
        "pid": 1, "did": support::did(1), "peer_id": "12D3KooWFake", "listen": [], "api": format!("http://{}", served.api),
    });
    std::fs::write(folder.join("node.json"), file.to_string()).unwrap();
    std::fs::write(folder.join("api.token"), support::TOKEN).unwrap();
    let mut command = served.command("status --data-dir node --json");
    let output = command.env_remove("ICN_API").env("ICN_API_TOKEN", "of another node").output().unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(parsed(&output)["did"], support::did(1).to_string());
}

#[test]
fn a_backup_never_overwrites() {
    let served = Served::new(Script::default());
    assert_eq!(code(&served.icn("backup b.tar")), 0);
    assert_eq!(std::fs::read(served.path().join("b.tar")).unwrap(), b"archive");
    assert_eq!(code(&served.icn("backup b.tar")), 1);
    let restored = served.icn("restore b.tar --data-dir other");
    assert_eq!(code(&restored), 1, "not an archive: {}", stderr(&restored));
    assert!(!served.path().join("other").exists());
}

#[test]
fn receipts_are_exported_and_judged_here() {
    let served = Served::new(Script::default());
    let cid = Cid::of_dag_cbor(b"the receipt");
    assert_eq!(code(&served.icn(&format!("receipt export {cid} -o r.bin"))), 0);
    // The node lies: what it gives is no receipt, whatever it says itself.
    let verdict = served.icn("receipt verify r.bin --json");
    assert_eq!(code(&verdict), 1);
    assert_eq!(parsed(&verdict)["valid"], false);
    let replay = served.icn("receipt replay r.bin --json");
    assert_eq!((code(&replay), &parsed(&replay)["identical"]), (0, &true.into()));
}
