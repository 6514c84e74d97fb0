//! Guests that mean harm: each is stopped, says so in a receipt, and leaves the node as it was.

use std::time::{Duration, Instant};

use crate::guests::{guest, hostile};
use crate::node::PATIENCE;
use crate::world::{World, wait_for};

#[test]
fn hostile_guests_are_stopped_and_receipted() {
    let world = World::new();
    let a = world.node("a").no_executor().start();
    let mut b = world.node("b").peer(&a).start();
    a.until_knows(1, 1);
    let not_wasm = world.file("text.wasm", "this is no module");
    let trap = world.file(
        "trap.wasm",
        wat::parse_str("(module (memory (export \"memory\") 1) (func (export \"_start\") unreachable))")
            .unwrap(),
    );
    let unknown = world.file(
        "import.wasm",
        wat::parse_str("(module (import \"env\" \"system\" (func)) (memory (export \"memory\") 1) (func (export \"_start\")))").unwrap(),
    );
    let small: &[&str] = &["--output-max", "1MiB", "--memory", "16MiB"];
    let cases: [(&str, &[&str], &str, &str); 11] = [
        (&hostile(&world, "memory_bomb"), small, "memory_limit", "memory_limit"),
        (&hostile(&world, "memory_huge_start"), small, "memory_limit", "memory_limit"),
        (&hostile(&world, "table_bomb"), small, "memory_limit", "memory_limit"),
        (&hostile(&world, "output_bomb"), small, "output_limit", "output_limit"),
        (&hostile(&world, "stdout_bomb"), small, "output_limit", "output_limit"),
        (&hostile(&world, "recursion"), small, "trap", "stack_overflow"),
        (&hostile(&world, "endless_calls"), &["--max-fuel", "1000000"], "out_of_fuel", "out_of_fuel"),
        (&trap, small, "trap", "unreachable"),
        (&not_wasm, small, "bad_module", "not_a_module"),
        (&unknown, small, "bad_module", ""),
        (&hostile(&world, "endless_start"), &["--max-fuel", "1000000"], "out_of_fuel", "out_of_fuel"),
    ];
    for (module, limits, end, code) in cases {
        let line = [&["job", "run", module, "--json"], limits].concat();
        let job = a.icn(&line).code(125).json();
        assert_eq!((&job["end"], &job["status"]), (&end.into(), &"Failed".into()), "{module}: {job}");
        if !code.is_empty() {
            assert_eq!(job["error"]["code"], code, "{module}");
        }
        assert_eq!((&job["receipt_verified"], &job["lease_epoch"]), (&true.into(), &1.into()), "{module}");
    }

    // Time, unlike fuel, is measured: a loop that calls nothing is stopped all the same.
    let began = Instant::now();
    let job = a
        .icn(&["job", "run", &hostile(&world, "endless_loop"), "--timeout", "1s", "--json"])
        .code(124)
        .json();
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(6), "{took:?}");
    assert_eq!((&job["end"], &job["status"]), (&"timeout".into(), &"Failed".into()));
    let cid = job["receipt_cid"].as_str().unwrap();
    assert!(a.json(&["receipt", "replay", cid])["identical"].is_null(), "time does not replay");

    // Every other end replays, also those of bombs.
    for job in a.json(&["job", "list", "--limit", "100"])["items"].as_array().unwrap() {
        if ["trap", "out_of_fuel"].contains(&job["end"].as_str().unwrap()) {
            let replay = a.json(&["receipt", "replay", job["receipt_cid"].as_str().unwrap()]);
            assert_eq!(replay["identical"], true, "{job}: {replay}");
        }
    }
    b.assert_alive();
    wait_for("executor without work", PATIENCE, || (b.json(&["status"])["jobs_running"] == 0).then_some(()));
    a.icn(&["job", "run", &guest("noop")]).code(0);
}
