//! Whoever members trust reads their books without being a member, and writes nothing.

use super::{agree, balance, found, join, keeper, until, until_balance, word};
use crate::world::World;

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
