//! What members say of each other limits what strangers may do, on every node, without a new start.

use std::time::Instant;

use serde_json::Value;

use super::{agree, found, join, keeper, until, word};
use crate::node::{Node, Plan, tells};
use crate::world::World;

const NAMES: [&str; 5] = ["ada", "bob", "cleo", "dan", "eve"];

/// Five nodes that know each other's places, and one space; ada founded it.
fn five(world: &World) -> Vec<Node> {
    let mut nodes: Vec<Node> = Vec::new();
    for name in NAMES {
        let plan = keeper(world, name).no_executor();
        let node = nodes.iter().fold(plan, Plan::peer).start();
        nodes.push(node);
    }
    found(&nodes[0], NAMES[0]);
    for number in 1..NAMES.len() {
        join(&nodes[0], &nodes[number], NAMES[number]);
    }
    for node in &nodes {
        until(node, &["space", "members"], |members| members["total"] == 6);
    }
    agree(&nodes);
    nodes
}

/// Waits until a node gives somebody a class, and returns the whole answer.
#[track_caller]
fn until_class(node: &Node, whom: &str, class: &str) -> Value {
    until(node, &["trust", "path", whom], |answer| answer["class"] == class)
}

#[test]
fn a_colleagues_word_lifts_a_newcomer_on_every_node_and_its_end_lowers_it_again() {
    let world = World::new();
    let nodes = five(&world);
    let (eve, others) = nodes.split_last().unwrap();
    // Nobody has said anything: trust tells nobody apart.
    let before = until_class(&nodes[0], "eve", "isolated");
    assert_eq!(before["allowance"]["messages_per_second"], 2_000, "{before}");

    for name in ["bob", "cleo", "dan"] {
        nodes[0].json(&["trust", "add", name, "0.8"]);
    }
    for node in others {
        let answer =
            until(node, &["trust", "path", "eve"], |answer| answer["allowance"]["messages_per_second"] == 1);
        assert_eq!((word(&answer["class"]), &answer["score_ppm"]), ("isolated".to_owned(), &0.into()));
        assert!(answer["path"].as_array().unwrap().is_empty(), "{answer}");
    }

    // What she sends in a burst beyond ten messages is not taken live; it is told when nodes reconcile.
    for number in 0..30 {
        eve.json(&["ledger", "pay", "ada", "0.01 hours", "--memo", &number.to_string()]);
    }
    let limited: u64 =
        others.iter().map(|node| node.metric("network_rate_limited_total{kind=\"gossip\"}")).sum();
    assert!(limited > 0, "nobody held her to her limits");

    let begun = Instant::now();
    nodes[1].json(&["trust", "add", "eve", "0.8", "--note", "we share a workshop"]);
    for (node, (class, score)) in others.iter().zip([
        ("partner", 512_000),
        ("federated", 800_000),
        ("partner", 512_000),
        ("partner", 512_000),
    ]) {
        let answer = until_class(node, "eve", class);
        assert_eq!(answer["score_ppm"], score, "{answer}");
        assert!(answer["allowance"]["messages_per_second"].as_u64() >= Some(100), "{answer}");
        let last = answer["path"].as_array().unwrap().last().unwrap();
        assert_eq!((&last["from"]["nickname"], &last["to"]["nickname"]), (&"bob".into(), &"eve".into()));
    }
    eprintln!("lifted on all four nodes after {:?}", begun.elapsed());

    let begun = Instant::now();
    nodes[1].json(&["trust", "revoke", "eve"]);
    for node in others {
        let answer = until_class(node, "eve", "isolated");
        assert_eq!(answer["allowance"]["messages_per_second"], 1, "{answer}");
    }
    eprintln!("lowered on all four nodes after {:?}", begun.elapsed());
    agree(&nodes);
}

#[test]
fn what_came_of_jobs_is_said_in_the_books_and_makes_a_reputation() {
    let world = World::new();
    let ada = keeper(&world, "ada").no_executor().start();
    let bob = keeper(&world, "bob").peer(&ada).start();
    found(&ada, "ada");
    join(&ada, &bob, "bob");
    agree([&ada, &bob]);
    ada.json(&["trust", "add", "bob", "0.5"]);
    let guest = crate::guests::guest("hello");
    for _ in 0..3 {
        let job = ada.submit(&[&guest]);
        ada.until_job(&job, "an end", |job| job["status"] == "CompletedSuccessfully");
    }
    for node in [&ada, &bob] {
        let shown = until(node, &["reputation", "show", "bob"], |shown| shown["row"] == 3);
        assert_eq!(shown["ratings"].as_array().unwrap().len(), 3, "{shown}");
        assert!(shown["ratings"].as_array().unwrap().iter().all(|rating| rating["outcome"] == "valid"));
        // Three of five results of one originator that is trusted in full, of four that would make a full score.
        assert_eq!(shown["score_ppm"], 150_000, "{shown}");
    }
    let job = ada.submit(&["--min-reputation", "15%", &guest]);
    ada.until_job(&job, "an end", |job| job["status"] == "CompletedSuccessfully");
    let picky = ada.submit(&["--min-reputation", "0.9", &guest]);
    let why = until(&ada, &["job", "why", &picky], |why| why.to_string().contains("a reputation of 0.9"));
    assert!(why.to_string().contains("reputation"), "{why:#}");
    ada.json(&["job", "cancel", &picky]);
}

#[test]
fn executors_without_a_proven_record_are_checked_and_proven_ones_are_not() {
    let world = World::new();
    let plan = keeper(&world, "ada").no_executor();
    let ada = plan.env("ICN_TRUST_CHECK_UNPROVEN", "1").env("ICN_TRUST_CHECK_PROVEN", "0").start();
    let cleo = keeper(&world, "cleo").no_executor().env("ICN_TRUST_CHECK_UNPROVEN", "0").peer(&ada).start();
    let bob = keeper(&world, "bob").peer(&ada).peer(&cleo).start();
    found(&ada, "ada");
    join(&ada, &bob, "bob");
    join(&ada, &cleo, "cleo");
    agree([&ada, &bob, &cleo]);
    ada.json(&["trust", "add", "bob", "0.5"]);
    ada.json(&["trust", "add", "cleo", "1"]);
    let guest = crate::guests::guest("hello");
    let checks = |node: &Node| node.metric("job_checks_total{result=\"agreed\"}");
    let run = |node: &Node| {
        let job = node.submit(&[&guest]);
        node.until_job(&job, "an end", |job| job["status"] == "CompletedSuccessfully");
        job
    };
    let row =
        |node: &Node, row: u64| until(node, &["reputation", "show", "bob"], |shown| shown["row"] == row);
    for number in 1..=5 {
        let job = run(&ada);
        ada.until_job(&job, "a check", |job| tells(job, "Note", "told the truth"));
        let shown = row(&ada, number);
        assert!(
            shown["ratings"].as_array().unwrap().iter().all(|rating| rating["outcome"] == "validated"),
            "{shown}"
        );
    }
    assert_eq!(checks(&ada), 5);
    // Five results of two originators prove it: from then on ada believes it.
    for number in 6..=10 {
        run(&cleo);
        row(&cleo, number);
    }
    assert_eq!(checks(&cleo), 0, "cleo checks nobody");
    assert_eq!(row(&ada, 10)["proven"], true);
    run(&ada);
    until(&ada, &["reputation", "show", "bob"], |shown| shown["jobs"] == 11);
    assert_eq!(checks(&ada), 5);
}

/// A job asked for a thousand times what newcomers get, and every executor declined it.
#[test]
fn a_newcomers_first_job_runs_without_naming_its_fuel_and_a_word_raises_what_it_gets() {
    const LITTLE: &str = "it may use 1000000000 of fuel";
    let world = World::new();
    let ada = keeper(&world, "ada").start();
    let carla = keeper(&world, "carla").peer(&ada).no_executor().start();
    found(&ada, "ada");
    join(&ada, &carla, "carla");
    agree([&ada, &carla]);
    carla.until_knows(1, 1);
    let guest = crate::guests::guest("hello");
    let run = |args: &[&str]| {
        let job = carla.submit(&[&[guest.as_str()], args].concat());
        carla.until_job(&job, "an end", |job| job["status"] == "CompletedSuccessfully")
    };
    assert!(!tells(&run(&[]), "Note", ""), "nobody limits anybody yet");

    // A word about somebody else: from now on carla, for whom nobody vouches, gets little.
    let someone = icn_types::Did::from_public_key([9; 32]).to_string();
    ada.json(&["trust", "add", &someone, "0.5"]);
    for node in [&ada, &carla] {
        until(node, &["trust", "path", &someone], |answer| answer["score_ppm"] == 500_000);
    }
    let job = run(&[]);
    assert_eq!(job["executor"], ada.file["did"]);
    assert!(
        tells(&job, "Note", LITTLE) && tells(&job, "Note", &format!("icn trust add {}", carla.did())),
        "{job}"
    );
    // Whoever names an amount gets what it named, or hears what to name.
    assert!(!tells(&run(&["--max-fuel", "500000000"]), "Note", "of fuel"));
    let too_much = carla.submit(&[&guest, "--max-fuel", "1000000000000"]);
    let why = until(&carla, &["job", "why", &too_much], |why| why.to_string().contains("declined"));
    assert!(why.to_string().contains("submit it with `--max-fuel 1000000000` or less"), "{why}");
    carla.icn(&["job", "cancel", &too_much]).code(0);

    ada.json(&["trust", "add", "carla", "0.5"]);
    until(&carla, &["trust", "path", "ada", "carla"], |answer| answer["score_ppm"] == 500_000);
    assert!(!tells(&run(&[]), "Note", "of fuel"));
}
