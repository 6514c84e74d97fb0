//! What a peer that breaks every rule can do.

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    // Whatever comes, a session ends or goes on; it never panics, and what it says stays small.
    #[test]
    fn hostile_messages_are_harmless(
        ops in ops(4, 30),
        is_lead in any::<bool>(),
        messages in prop::collection::vec(any_message(), 1..30),
    ) {
        let all = dag(&ops);
        let mut log = log();
        fill(&mut log, &all);
        let disk = disk(&all);
        let mut hello = Hello::of(&log, None);
        hello.digest = ByteArray::new([1; 32]);
        hello.tips = if messages.len() % 2 == 0 { 10 } else { 1_000 };
        let mut session = if is_lead {
            let (mut session, _) = SyncSession::initiate(&log, None, vec![]);
            session.handle(&log, &disk, &Message::Hello(hello).encode()).unwrap();
            session
        } else {
            SyncSession::respond(&log, hello, None, vec![]).unwrap().0
        };
        for message in messages {
            let message = aim(message, &all);
            let Ok(steps) = session.handle(&log, &disk, &message) else {
                prop_assert!(session.is_over() && !session.is_sending());
                break;
            };
            let sent: usize =
                steps.iter().map(|step| if let Step::Send(bytes) = step { bytes.len() } else { 0 }).sum();
            prop_assert!(sent <= PUMP_BYTES + SYNC_MESSAGE_BYTES_MAX);
            prop_assert!(session.outbox.len() < 16);
        }
    }

    #[test]
    fn a_changed_byte_is_harmless(
        ops in ops(4, 30),
        mine in any::<u32>(), theirs in any::<u32>(),
        is_neg_only in any::<bool>(),
        place in any::<prop::sample::Index>(), byte in any::<prop::sample::Index>(), to in any::<u8>(),
    ) {
        let all = dag(&ops);
        let (mine, theirs) = (closed(&all, |n| mine >> n & 1 == 1), closed(&all, |n| theirs >> n & 1 == 1));
        let (mut one, mut two) = (Side::new(&mine, &all, false), Side::new(&theirs, &all, false));
        let mut transcript = run(&mut one, &mut two, is_neg_only);
        let place = place.index(transcript.len());
        let (_, message) = &mut transcript[place];
        let byte = byte.index(message.len());
        message[byte] = to;
        // The same messages once more, one of them changed, to fresh sides.
        let (one, two) = (Side::new(&mine, &all, false), Side::new(&theirs, &all, false));
        let (mut lead, _) = SyncSession::initiate(&one.log, Some(b"pass".to_vec()), vec![]);
        lead.is_neg_only = is_neg_only;
        let (disk_one, disk_two) = (disk(&mine), disk(&theirs));
        let mut follow = Hello::parse(&transcript[0].1)
            .and_then(|hello| SyncSession::respond(&two.log, hello, None, vec![]))
            .map(|(session, _)| session);
        for (is_up, message) in transcript.iter().skip(1) {
            if *is_up {
                if let Ok(follow) = &mut follow {
                    let _ = follow.handle(&two.log, &disk_two, message);
                }
            } else {
                let _ = lead.handle(&one.log, &disk_one, message);
            }
        }
    }

    #[test]
    fn hostile_bytes_are_harmless(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Message::parse(&bytes);
        let _ = Hello::parse(&bytes);
        if let Ok(Some((message, used))) = unframe(&bytes) {
            prop_assert_eq!(&frame(message).unwrap()[..], &bytes[..used]);
        }
        let _ = crate::LiveMessage::parse(&bytes);
        let _ = ForkProof::parse(&bytes);
    }
}

/// A message of any kind; `aim` fills in ids of entries that exist.
fn any_message() -> impl Strategy<Value = (Message, Vec<prop::sample::Index>, bool)> {
    let signed = (prop::collection::vec(any::<u8>(), 0..40), prop::collection::vec(any::<u8>(), 0..70))
        .prop_map(|(entry, sig)| SignedEntry::new(entry, sig));
    let tip = (any::<[u8; 32]>(), any::<u64>(), any::<[u8; 32]>())
        .prop_map(|(author, seq, head)| (ByteArray::new(author), seq, ByteArray::new(head)));
    let proof = (signed.clone(), signed.clone()).prop_map(|(first, second)| ForkProof { first, second });
    let frame = prop::collection::vec(any::<u8>(), 0..80).prop_map(|mut bytes| {
        bytes.insert(0, 0x61);
        bytes
    });
    let ids = prop::collection::vec(any::<[u8; 32]>().prop_map(ByteArray::new), 0..4);
    let message = prop_oneof![
        1 => Just(Message::Hello(Hello::of(&log(), None))),
        1 => Just(Message::Refused { code: "x".into(), message: "y".into() }),
        2 => prop::collection::vec(proof, 0..3).prop_map(|list| Message::Proofs { list }),
        2 => prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9).prop_map(ByteBuf::from), 0..3)
            .prop_map(|list| Message::Votes { list }),
        6 => (prop::collection::vec(tip, 0..4), ids.clone())
            .prop_map(|(mut tips, clash)| { tips.sort(); Message::Frontier { tips, clash } }),
        6 => frame.prop_map(|bytes| Message::Neg { bytes: ByteBuf::from(bytes) }),
        6 => (ids, any::<bool>()).prop_map(|(ids, more)| Message::Want { ids, more }),
        6 => prop::collection::vec(signed, 0..3).prop_map(|list| Message::Entries { list }),
        4 => Just(Message::Tails {}),
        1 => Just(Message::Done {}),
    ];
    (message, prop::collection::vec(any::<prop::sample::Index>(), 0..4), prop::bool::weighted(0.05))
}

fn aim((message, picks, is_cut): (Message, Vec<prop::sample::Index>, bool), all: &[Said]) -> Vec<u8> {
    let picked = || picks.iter().map(|pick| &all[pick.index(all.len())].0);
    let digest = |signed| ByteArray::new(message::digest_of_entry(signed).unwrap());
    let mut bytes = match message {
        Message::Frontier { mut tips, clash } => {
            // Real authors and heads, at wrong places.
            for entry in picked() {
                let author = ByteArray::new(*entry.entry().author.public_key());
                tips.push((author, entry.entry().seq + tips.len() as u64 % 2, digest(entry.signed())));
            }
            tips.sort();
            tips.dedup();
            Message::Frontier { tips, clash }
        }
        Message::Want { mut ids, more } => {
            ids.extend(picked().map(|entry| digest(entry.signed())));
            Message::Want { ids, more }
        }
        Message::Entries { mut list } => {
            list.extend(picked().map(|entry| entry.signed().clone()));
            Message::Entries { list }
        }
        other @ (Message::Hello(_)
        | Message::Refused { .. }
        | Message::Proofs { .. }
        | Message::Votes { .. }
        | Message::Neg { .. }
        | Message::Tails {}
        | Message::Done {}) => other,
    }
    .encode();
    if is_cut {
        bytes.pop();
    }
    bytes
}
