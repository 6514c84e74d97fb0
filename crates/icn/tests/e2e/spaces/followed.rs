//! Whoever members trust reads their books without being a member, and writes nothing.

use super::{agree, balance, found, join, keeper, until, until_balance, word};
use crate::node::Node;
use crate::world::World;

/// How many entries the books of a node have.
fn entries(node: &Node) -> Option<u64> {
    node.json(&["space", "show"])["entries"].as_u64()
}

#[test]
fn whoever_is_trusted_reads_the_books_and_strangers_do_not() {
    let world = World::new();
    let ada = keeper(&world, "ada").no_executor().start();
    let bob = keeper(&world, "bob").peer(&ada).no_executor().start();
    let root = word(&found(&ada, "ada")["id"]);
    join(&ada, &bob, "bob");
    agree([&ada, &bob]);
    let fred = keeper(&world, "fred").peer(&ada).peer(&bob).no_executor().start();
    let gus = keeper(&world, "gus").peer(&ada).peer(&bob).no_executor().start();

    // Nobody has vouched for them.
    let turned_away = gus.begin(&["space", "follow", &root]);
    fred.icn(&["space", "follow", &root]).code(1).says("icn trust add");
    turned_away.ended().code(1).says("has shown the books");
    assert_eq!(fred.json(&["space", "show"])["entries"], 0);

    ada.json(&["trust", "add", &fred.did().to_string(), "0.2"]);
    let shown = until(&fred, &["space", "show"], |space| space["entries"].as_u64() > Some(0));
    assert_eq!((word(&shown["name"]), &shown["own"]), ("Bakery".to_owned(), &serde_json::json!([])));
    ada.json(&["ledger", "pay", "bob", "2 hours"]);
    until_balance(&fred, "bob", 200);
    agree([&ada, &bob, &fred]);
    assert_eq!(balance(&fred, "ada"), -200);
    fred.icn(&["ledger", "pay", "bob", "1 hours"]).code(5).says("is not a member");
    assert_eq!(gus.json(&["space", "show"])["entries"], 0, "and gus reads nothing");

    // Its stewards are nobody to the follower: their trust limits no one there.
    let stranger = until(&fred, &["trust", "path", "bob"], |answer| answer["class"].is_string());
    assert_eq!(stranger["allowance"]["messages_per_second"], 2_000, "{stranger}");

    // Who had the books once keeps what came, and gets no more of it.
    ada.json(&["trust", "revoke", &fred.did().to_string()]);
    let fred = fred.kill().start();
    assert!(fred.json(&["space", "show"])["entries"].as_u64() > Some(0));
}

#[test]
fn whoever_follows_no_more_hears_nothing_after_a_restart_either_and_may_keep_what_came() {
    let world = World::new();
    let ada = keeper(&world, "ada").no_executor().start();
    let bob = keeper(&world, "bob").peer(&ada).no_executor().start();
    let root = word(&found(&ada, "ada")["id"]);
    join(&ada, &bob, "bob");
    let fred = keeper(&world, "fred").peer(&ada).no_executor().start();
    let freds = fred.did().to_string();
    ada.json(&["trust", "add", &freds, "0.2"]);
    fred.json(&["space", "follow", &root]);
    ada.json(&["ledger", "pay", "bob", "2 hours"]);
    until_balance(&fred, "bob", 200);
    agree([&ada, &bob, &fred]);
    until(&ada, &["space", "show"], |space| space["peers"] == 2);

    let watching = fred.begin(&["ledger", "watch", "--json"]);
    // Members stay, and what is not followed is not followed.
    for node in [&ada, &bob] {
        node.icn(&["space", "unfollow", "Bakery", "--delete"]).code(1).says("`node` belongs to it");
    }
    fred.icn(&["space", "unfollow", "Butchery"]).code(4).says("does not follow a space `Butchery`");
    agree([&ada, &bob, &fred]);

    let kept = entries(&fred);
    let told =
        fred.icn(&["space", "unfollow", "Bakery"]).code(0).says(&format!("space unfollow {root} --delete"));
    assert!(told.text().contains("follows Bakery"), "{}", told.text());
    // Whoever watches the books is not left waiting.
    drop(watching.ended());
    assert_eq!(fred.json(&["space", "list"])["total"], 0);
    fred.icn(&["ledger", "balance", "bob"]).code(4);
    until(&ada, &["space", "show"], |space| space["peers"] == 1);

    // It is forgotten over a restart; what is paid meanwhile does not come, though fred is connected and trusted.
    ada.json(&["ledger", "pay", "bob", "1 hours"]);
    let fred = fred.kill().start();
    fred.until_knows(1, 0);
    assert_eq!(fred.json(&["space", "list"])["total"], 0);
    fred.icn(&["space", "unfollow", &root]).code(4).says("a copy of its books lies here");

    // What was kept is there at once, even if nobody is there who could show more of it.
    agree([&ada, &bob]);
    let (ada, bob) = (ada.kill_to_return(), bob.kill());
    let again = fred.json(&["space", "follow", &root]);
    assert_eq!((again["entries"].as_u64(), balance(&fred, "bob")), (kept, 200));
    assert_eq!(fred.json(&["ledger", "verify"])["ok"], true);

    // What is deleted is gone, and all of it comes anew.
    let gone = fred.json(&["space", "unfollow", &root, "--delete"]);
    assert_eq!(
        (&gone["deleted"], gone["entries"].as_u64(), &gone["name"]),
        (&true.into(), kept, &"Bakery".into())
    );
    fred.icn(&["space", "unfollow", &root, "--delete"]).code(4).says("does not follow");
    let fred = fred.kill().start();
    assert_eq!(fred.json(&["space", "list"])["total"], 0);
    let (ada, bob) = (ada.start(), bob.start());
    fred.json(&["space", "follow", &root]);
    until_balance(&fred, "bob", 300);
    agree([&ada, &bob, &fred]);

    // A copy that was kept first can be deleted later.
    fred.json(&["space", "unfollow", "Bakery"]);
    let gone = fred.json(&["space", "unfollow", &root, "--delete"]);
    assert_eq!((&gone["deleted"], &gone["name"]), (&true.into(), &serde_json::Value::Null));
    assert!(gone["entries"].as_u64() > kept, "{gone}");
}
