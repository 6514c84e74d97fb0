//! What a node keeps: one process a folder, a full disk, a copy.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::guests::guest;
use crate::node::PATIENCE;
use crate::world::{Running, World, program, wait_for};

/// A small disk of its own. Dropping it takes it away.
struct Disk(PathBuf);

impl Disk {
    /// Makes one, where the tester may mount.
    fn mount(at: &Path, mebibytes: u32) -> Option<Self> {
        std::fs::create_dir(at).unwrap();
        let size = format!("size={mebibytes}m");
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(at).output();
        done.is_ok_and(|done| done.status.success()).then(|| Self(at.to_owned()))
    }

    /// Takes up what is left, but for so many bytes, and returns the file that does.
    fn fill(&self, left: u64) -> PathBuf {
        let free = rustix::fs::statvfs(&self.0).unwrap();
        let bytes = (free.f_bavail * free.f_frsize).saturating_sub(left);
        let path = self.0.join("filler");
        std::fs::write(&path, vec![1; usize::try_from(bytes).unwrap()]).unwrap();
        path
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a process that was just killed may still hold it for a moment.
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

#[test]
fn a_folder_is_for_one_process() {
    let world = World::new();
    let mut a = world.node("a").start();
    let second = Running::start(program(&world.path("")).args([
        "node",
        "--data-dir",
        "a",
        "--no-mdns",
        "--api",
        "127.0.0.1:0",
    ]));
    second.ended().code(1).says("the data folder `a`").says("in use by process");
    a.assert_alive();
    assert_eq!(a.json(&["status"])["did"], a.file["did"], "the first one's node.json and token stay");
    // Nor can anybody read it at rest while it is in use, or make a node anew.
    world.icn(&["init", "--no-passphrase", "--data-dir", "a"]).code(1).says("already");
    world.icn(&["node", "--data-dir", "empty", "--no-mdns"]).code(1).says("icn init");
    drop(a);
    // After kill -9 nothing has to be cleaned up by hand.
    world.node("a").start().assert_alive();
}

#[test]
fn a_full_disk_is_said_and_survived() {
    let world = World::new();
    let a = world.node("a").start();
    a.icn(&["job", "run", &guest("noop")]).code(0);
    let kept = a.json(&["add", &guest("hello")])["items"][0]["cid"].as_str().unwrap().to_owned();
    let (_, plan) = a.terminate();

    // More free space is asked for than any disk has: every write is refused from the start.
    let mut a = plan.clone().env("ICN_STORAGE_FREE_BYTES_MIN", "4611686018427387904").start();
    let file = world.file("new", "something that is not stored yet");
    for line in [vec!["add", &file], vec!["job", "run", &guest("wordcount")], vec!["job", "run", &kept]] {
        let ran = a.icn(&line).code(1);
        assert!(ran.stderr.contains("disk") || ran.stderr.contains("space"), "{line:?}: {}", ran.stderr);
    }
    a.assert_alive();
    // What is there can still be read, and no job was half made.
    a.icn(&["cat", &kept]).code(0);
    assert_eq!(a.json(&["job", "list"])["total"], 1);
    let (status, _) = a.terminate();
    assert_eq!(status.code(), Some(0));

    // With room again it goes on.
    let a = plan.start();
    a.icn(&["add", &file]).code(0);
    a.icn(&["job", "run", &guest("noop")]).code(0);
    assert_eq!(a.json(&["job", "list"])["total"], 2);
}

/// Fills a real disk, below the node's own reserve and down to the last byte.
#[test]
fn a_disk_that_fills_up_loses_nothing() {
    let world = World::new();
    let Some(disk) = Disk::mount(&world.path("disk"), 96) else {
        eprintln!(
            "skipped: this user may not mount a disk; the test above asks for a reserve that no disk has"
        );
        return;
    };
    let mut a = world.node("disk/a").start();
    let kept = a.json(&["add", &guest("hello")])["items"][0]["cid"].as_str().unwrap().to_owned();
    let done = a.json(&["job", "run", &guest("noop")])["id"].as_str().unwrap().to_owned();
    let full = |ran: &crate::world::Ran| ran.stderr.contains("disk") || ran.stderr.contains("space");

    // More than there is room for: what has arrived before it is told may go again, nothing else is touched.
    let bytes: Vec<u8> =
        (0..30_000_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let large = world.file("large", bytes);
    let ran = a.icn(&["add", &large]).code(1);
    assert!(full(&ran), "{}", ran.stderr);
    a.assert_alive();
    a.icn(&["cat", &kept]).code(0);
    let (status, plan) = a.terminate();
    assert_eq!(status.code(), Some(0));

    // Without any reserve the system itself refuses, in the middle of a write.
    let filler = disk.fill(200_000);
    let small = world.file("small", vec![7; 3_000_000]);
    let mut a = plan.clone().env("ICN_STORAGE_FREE_BYTES_MIN", "0").start();
    let ran = a.icn(&["add", &small]).code(1);
    assert!(full(&ran), "{}", ran.stderr);
    a.assert_alive();
    drop(a);

    std::fs::remove_file(filler).unwrap();
    let a = plan.start();
    assert_eq!(a.job(&done)["status"], "CompletedSuccessfully");
    a.icn(&["cat", &kept]).code(0);
    a.icn(&["add", &small]).code(0);
    a.icn(&["job", "run", &guest("noop")]).code(0);
}

#[test]
fn a_copy_is_the_same_node() {
    let world = World::new();
    let a = world.node("a").no_executor().start();
    let b = world.node("b").peer(&a).start();
    a.until_knows(1, 1);
    let input = format!("book={}", world.file("book", "kept well"));
    let job = a.json(&["job", "run", &guest("wordcount"), "--input", &input]);
    let (id, receipt) = (job["id"].as_str().unwrap(), job["receipt_cid"].as_str().unwrap());
    // The copy is made while jobs go on.
    let busy: Vec<Running> = (0..4).map(|_| a.begin(&["job", "run", &guest("noop")])).collect();
    a.icn(&["backup", "copy.tar"]).code(0);
    for running in busy {
        running.ended().code(0);
    }
    let open = a.submit(&[&guest("noop"), "--region", "nowhere"]);
    a.icn(&["backup", "later.tar"]).code(0);
    a.icn(&["backup", "copy.tar"]).code(1);
    world.icn(&["restore", "copy.tar", "--data-dir", "a"]).code(1).says("not empty");
    drop(a);

    world.icn(&["restore", "copy.tar", "--data-dir", "early"]).code(0);
    world.icn(&["restore", "later.tar", "--data-dir", "second"]).code(0);
    let second = world.node("second").no_executor().peer(&b).start();
    second.until_knows(1, 1);
    let shown = second.job(id);
    assert_eq!((&shown["originator"], &shown["history"]), (&second.file["did"], &job["history"]));
    let list = second.json(&["job", "list"]);
    assert_eq!(list["total"], 6);
    assert_eq!(second.json(&["receipt", "verify", receipt])["valid"], true);
    assert_eq!(
        second.json(&["receipt", "replay", receipt])["identical"],
        true,
        "inputs and outputs are there too"
    );
    // What was open when the copy was made is open still.
    wait_for("open job", PATIENCE, || (second.job(&open)["status"] == "Pending").then_some(()));
    second.icn(&["job", "cancel", &open]).code(0);
    second.icn(&["job", "run", &guest("noop")]).code(0);
    drop(second);

    let early = world.node("early").no_executor().peer(&b).start();
    assert_eq!(early.job(id)["receipt_cid"], receipt);
    // Damage is noticed, and leaves no half folder behind.
    let mut bytes = std::fs::read(world.path("copy.tar")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    world.file("damaged.tar", &bytes);
    world.icn(&["restore", "damaged.tar", "--data-dir", "third"]).code(1);
    world.icn(&["restore", "book", "--data-dir", "third"]).code(1);
    assert!(!world.path("third").exists());
}
