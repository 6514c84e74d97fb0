//! A lie in due form: the receipt holds in every respect, and what it says came out did not.

use icn_protocol::{ExecutionReceipt, Response};
use icn_types::Cid;
use serde_json::Value;

use super::{agree, found, join, keeper, until};
use crate::guests::guest;
use crate::node::{Node, PATIENCE, tells};
use crate::rogue::{Rogue, Won};
use crate::world::{World, wait_for};

/// How many honest results come before the lie.
const HONEST: u64 = 3;

/// Reads the receipt of a job.
fn receipt_of(world: &World, node: &Node, job: &str) -> ExecutionReceipt {
    let cid = super::word(&node.job(job)["receipt_cid"]);
    node.icn(&["get", &cid, "-o", "receipt.bin"]).code(0);
    let bytes = std::fs::read(world.path("receipt.bin")).unwrap();
    icn_protocol::receipt::parse(&bytes).unwrap().unverified().clone()
}

/// Has a rogue win a job while the honest executor is kept still.
fn won(node: &Node, honest: &Node, rogue: &mut Rogue) -> (Won, String) {
    honest.pause();
    let id = node.submit(&[&guest("hello")]);
    let won = rogue.win(node, &id);
    honest.resume();
    (won, id)
}

/// Says of a job that was won what came of the honest run of another, with these words on its standard output.
fn report(node: &Node, rogue: &Rogue, won: &Won, honest: &ExecutionReceipt, stdout: Option<&str>) {
    let mut receipt = ExecutionReceipt {
        started_at: rogue.receipt(won).started_at,
        finished_at: rogue.receipt(won).finished_at,
        output_cids: honest.output_cids.clone(),
        fuel_used: honest.fuel_used,
        memory_peak_bytes: honest.memory_peak_bytes,
        host_calls: honest.host_calls.clone(),
        exit_code: honest.exit_code,
        runtime: honest.runtime.clone(),
        ..rogue.receipt(won)
    };
    if let Some(text) = stdout {
        let place = receipt.output_cids.iter_mut().find(|output| output.name == "stdout").unwrap();
        place.cid = rogue.blocks.put(Cid::of_raw(text.as_bytes()), text.to_owned());
        place.bytes = text.len() as u64;
    }
    let cid = rogue.publish_receipt(&receipt);
    assert_eq!(rogue.offer(node, won.job(), cid), Response::Ack);
}

/// Waits until a finished job was run again.
#[track_caller]
fn until_checked(node: &Node, id: &str) -> Value {
    node.until_job(id, "run again", |job| tells(job, "Note", "the job was run again here"))
}

/// Offers a job to both, until their bids were compared, and gives the two scores. The rogue gets it only if nobody else bid
/// in time, and then refuses.
fn contest(node: &Node, honest: &Node, rogue: &mut Rogue) -> (u64, u64) {
    wait_for("two bids for one job", PATIENCE, || {
        let id = node.submit(&[&guest("hello")]);
        let announcement = rogue.announcement(&id);
        let bid = rogue.bid(announcement.announcement_id, crate::rogue::now());
        // It may come too late.
        drop(rogue.send(node, bid.wire()));
        let job = wait_for("an end", PATIENCE, || {
            if let Some(asked) = rogue.waiting() {
                asked.answer(&Response::refused(icn_protocol::RefusalCode::Busy, "no time"));
            }
            Some(node.job(&id)).filter(|job| job["status"] == "CompletedSuccessfully")
        });
        assert_eq!(job["executor"], honest.file["did"]);
        let bids = node.json(&["job", "bids", &id])["items"].clone();
        let score = |who: &str| {
            let bid = bids.as_array().unwrap().iter().find(|bid| bid["executor"] == who)?;
            bid["score"].as_u64().filter(|score| *score > 0)
        };
        let (rogues, honests) = (score(&rogue.did().to_string())?, score(&honest.did().to_string())?);
        // Whoever was preferred and then refused was chosen too: a preference for the liar never ends here.
        let chosen = bids.as_array().unwrap().iter().filter(|bid| bid["chosen"] == true).count();
        (chosen == 1).then_some((rogues, honests))
    })
}

#[test]
fn an_executor_that_signs_a_false_result_is_found_out_and_loses_its_record() {
    let world = World::new();
    let plan = keeper(&world, "ada").no_executor();
    let ada = plan.env("ICN_TRUST_CHECK_UNPROVEN", "1").env("ICN_TRUST_CHECK_PROVEN", "1").start();
    let bob = keeper(&world, "bob").peer(&ada).env("ICN_TRUST_CHECK_UNPROVEN", "0").start();
    found(&ada, "ada");
    join(&ada, &bob, "bob");
    agree([&ada, &bob]);
    let mut rogue = Rogue::beside(&ada);
    let liar = rogue.did().to_string();
    for who in ["bob", &liar] {
        ada.json(&["trust", "add", who, "0.5"]);
    }
    let reputation = ["reputation", "show", &liar];
    let checks = |result: &str| ada.metric(&format!("job_checks_total{{result=\"{result}\"}}"));

    // Bob runs it in truth; whoever says the same of the same job is believed, and proven right.
    let first = ada.submit(&[&guest("hello")]);
    until_checked(&ada, &first);
    let honest = receipt_of(&world, &ada, &first);
    rogue.advertise();
    for number in 1..=HONEST {
        let (won, id) = won(&ada, &bob, &mut rogue);
        report(&ada, &rogue, &won, &honest, None);
        let job = until_checked(&ada, &id);
        assert!(tells(&job, "Note", "told the truth"), "{job}");
        until(&ada, &reputation, |shown| shown["row"] == number);
    }
    assert_eq!((checks("agreed"), checks("differed")), (HONEST + 1, 0));

    let (won, id) = won(&ada, &bob, &mut rogue);
    report(&ada, &rogue, &won, &honest, Some("all is well\n"));
    let job = until_checked(&ada, &id);
    assert!(tells(&job, "Note", "the receipt lies: output `stdout`"), "{job}");
    // The job has ended as the receipt said; a person sees what it is worth.
    assert_eq!((&job["status"], &job["executor"]), (&"CompletedSuccessfully".into(), &liar.clone().into()));
    assert!(ada.icn(&["job", "show", &id]).code(0).text().contains("the receipt lies"));
    let why = ada.json(&["job", "why", &id]);
    let liars =
        why["executors"].as_array().unwrap().iter().find(|one| one["executor"] == liar.as_str()).unwrap();
    assert!(liars["detail"].as_str().unwrap().ends_with("broken"), "{why}");
    assert_eq!((checks("agreed"), checks("differed")), (HONEST + 1, 1));
    // The word is in the books: every node of the space takes the record away.
    for node in [&ada, &bob] {
        let shown = until(node, &reputation, |shown| shown["row"] == 0);
        assert_eq!((&shown["score_ppm"], &shown["jobs"]), (&0.into(), &(HONEST + 1).into()), "{shown}");
        let invalid: Vec<&Value> =
            shown["ratings"].as_array().unwrap().iter().filter(|said| said["outcome"] == "invalid").collect();
        assert_eq!((invalid.len(), &invalid[0]["job"]), (1, &job["id"]), "{shown}");
    }
    let said = ada.icn(&reputation).code(0).text();
    assert!(said.contains("invalid") && said.contains("in a row  0"), "{said}");

    // Full marks for the price and none for the record: whoever did its jobs is better.
    let bids = ada.json(&["job", "bids", &id]);
    assert_eq!(bids["items"][0]["score"], 500_000 + HONEST * 25_000, "before the lie: {bids}");
    let (liars, honests) = contest(&ada, &bob, &mut rogue);
    assert_eq!(liars, 500_000);
    assert!(honests > liars, "{honests}");
}
