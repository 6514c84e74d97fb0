//! What the replay guard remembers, and what it refuses to forget.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod samples;

use icn_identity::Keypair;
use icn_protocol::replay::{GuardLimits, MessageKey};
use icn_protocol::{RefusalCode, ReplayGuard, Response, Seen};
use icn_types::{Duration, Timestamp};
use proptest::prelude::*;
use samples::NOW;

fn key(sender: u8, number: u32, stamped: Timestamp) -> MessageKey {
    let mut id = [0; 32];
    id[..4].copy_from_slice(&number.to_be_bytes());
    MessageKey { sender: Keypair::from_seed([sender; 32]).did(), stamped, id }
}

fn guard(per_sender: usize, total: usize) -> ReplayGuard {
    ReplayGuard::new(GuardLimits {
        per_sender,
        total,
        answer_bytes_per_sender: 100,
        ..GuardLimits::default()
    })
}

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn a_repeat_gets_the_first_answer() {
    let mut guard = guard(10, 10);
    let message = key(1, 1, NOW);
    assert_eq!(guard.check(NOW, message), Seen::New);
    assert_eq!(guard.check(NOW, message), Seen::New, "looking changes nothing");
    assert_eq!(guard.record(NOW, message), Seen::New);
    assert_eq!(guard.check(NOW, message), Seen::Repeat { answer: None });
    guard.answer(message, &Response::Ack);
    guard.answer(message, &Response::refused(RefusalCode::Busy, "later"));
    assert_eq!(guard.check(NOW, message), Seen::Repeat { answer: Some(Response::Ack) });
    assert_eq!(guard.record(NOW, message), Seen::Repeat { answer: Some(Response::Ack) });
    assert_eq!(guard.len(), 1);
}

#[test]
fn fresh_messages_are_never_forgotten_to_make_room() {
    let mut guard = guard(3, 100);
    for number in 0..3 {
        assert_eq!(guard.record(NOW, key(1, number, NOW)), Seen::New);
    }
    assert_eq!(guard.record(NOW, key(1, 3, NOW)), Seen::Full);
    assert_eq!(guard.check(NOW, key(1, 0, NOW)), Seen::Repeat { answer: None });
    assert_eq!(guard.record(NOW, key(2, 3, NOW)), Seen::New, "others are not concerned");
    // Still remembered at the last moment at which it would be fresh; room again soon after.
    assert!(matches!(guard.check(NOW.plus(secs(300)), key(1, 0, NOW)), Seen::Repeat { .. }));
    let later = NOW.plus(secs(311));
    assert_eq!(guard.check(later, key(1, 4, later)), Seen::New);
    assert_eq!(guard.record(later, key(1, 4, later)), Seen::New);
    assert_eq!(guard.len(), 2);
    guard.sweep(later.plus(secs(311)));
    assert!(guard.is_empty());
}

#[test]
fn all_senders_together_are_bounded() {
    let mut guard = guard(10, 4);
    for sender in 0..4 {
        assert_eq!(guard.record(NOW, key(sender, 0, NOW)), Seen::New);
    }
    assert_eq!(guard.record(NOW, key(9, 0, NOW)), Seen::Full);
    let later = NOW.plus(secs(311));
    assert_eq!(guard.record(later, key(9, 0, later)), Seen::New);
}

#[test]
fn long_refusals_do_not_fill_the_memory() {
    let mut guard = guard(10, 10);
    let refused = Response::refused(RefusalCode::Busy, "x".repeat(90));
    for number in 0..2 {
        guard.record(NOW, key(1, number, NOW));
        guard.answer(key(1, number, NOW), &refused);
    }
    assert_eq!(guard.check(NOW, key(1, 0, NOW)), Seen::Repeat { answer: Some(refused.clone()) });
    let short = Response::refused(RefusalCode::Busy, "");
    assert_eq!(guard.check(NOW, key(1, 1, NOW)), Seen::Repeat { answer: Some(short) });
    // The room comes back with the messages' age.
    let later = NOW.plus(secs(311));
    guard.record(later, key(1, 2, later));
    guard.answer(key(1, 2, later), &refused);
    assert_eq!(guard.check(later, key(1, 2, later)), Seen::Repeat { answer: Some(refused) });
}

proptest! {
    /// Against the plainest guard there is: a list.
    #[test]
    fn the_guard_agrees_with_a_list(
        steps in proptest::collection::vec((0u8..2, 0u32..40, 0u64..40), 1..120)
    ) {
        let mut guard = guard(6, 100);
        let mut list: Vec<MessageKey> = Vec::new();
        let mut now = NOW;
        for (sender, number, step) in steps {
            now = now.plus(secs(step));
            // The number fixes the stamp, as the bytes of a message do.
            let message = key(sender, number, NOW.plus(secs(17 * u64::from(number))));
            let fresh = message.stamped.plus(secs(300)) >= now && message.stamped <= now.plus(secs(30));
            if !fresh {
                continue;
            }
            let known = list.contains(&message);
            let seen = guard.record(now, message);
            prop_assert_eq!(matches!(seen, Seen::Repeat { .. }), known);
            if seen == Seen::New {
                list.push(message);
            }
            let fresh_of_sender = list
                .iter()
                .filter(|m| m.sender == message.sender && m.stamped.plus(secs(300)) >= now)
                .count();
            prop_assert!(fresh_of_sender <= 6);
        }
    }
}
