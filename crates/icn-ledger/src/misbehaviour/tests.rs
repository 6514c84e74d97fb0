use super::*;

const AT: Timestamp = Timestamp::from_millis(1_000);

fn did(n: u64) -> Did {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&n.to_be_bytes());
    Did::from_public_key(bytes)
}

fn bytes(n: u64, len: usize) -> Evidence {
    let mut bytes = vec![0; len.max(8)];
    bytes[..8].copy_from_slice(&n.to_be_bytes());
    Evidence::Bytes(ByteBuf::from(bytes))
}

fn record(record: &mut Misbehaviour, offender: u64, violation: Violation, evidence: Evidence) -> bool {
    record.record(AT, did(offender), violation, "why", evidence)
}

/// What must hold after anything.
fn check(record: &Misbehaviour) {
    let size = |offence: &Offence| match &offence.evidence {
        Evidence::Bytes(bytes) => bytes.len(),
        Evidence::None | Evidence::Block(_) | Evidence::Digest { .. } => 0,
    };
    assert_eq!(record.evidence_bytes, record.offences.values().map(size).sum::<usize>());
    assert!(record.evidence_bytes <= EVIDENCE_TOTAL_MAX && record.offenders.len() <= OFFENDERS_MAX);
    assert!(record.offenders.values().all(|entry| entry.numbers.len() <= PER_OFFENDER_MAX));
    assert_eq!(record.offenders.values().map(|entry| entry.numbers.len()).sum::<usize>(), record.len());
    assert_eq!(&Misbehaviour::from_snapshot(&record.snapshot().unwrap()).unwrap(), record);
}

#[test]
fn what_was_done_is_listed_newest_first_and_survives_a_restart() {
    let mut book = Misbehaviour::new();
    assert!(record(&mut book, 1, Violation::Malformed, bytes(1, 10)));
    assert!(record(&mut book, 2, Violation::InvalidSignature, Evidence::Block(Cid::of_dag_cbor(b"x"))));
    assert!(record(&mut book, 1, Violation::Equivocation, bytes(2, 10)));
    assert!(record(&mut book, 1, Violation::ExcessiveRate, Evidence::None));
    check(&book);
    let kinds: Vec<Violation> = book.list(0, 3).map(|offence| offence.violation).collect();
    assert_eq!(kinds, [Violation::ExcessiveRate, Violation::Equivocation, Violation::InvalidSignature]);
    assert_eq!(book.list(3, 10).count(), 1);
    assert_eq!(book.of(&did(1)).count(), 3);
    let counts =
        OffenceCounts { equivocations: 1, malformed: 1, excessive_rates: 1, ..OffenceCounts::default() };
    assert_eq!(book.counts(&did(1)), counts);
    assert_eq!(book.counts(&did(9)), OffenceCounts::default());
    assert!(Misbehaviour::from_snapshot(b"\xa0").is_err());
}

#[test]
fn the_same_again_is_counted_only() {
    let mut book = Misbehaviour::new();
    for n in 0..10 {
        assert_eq!(record(&mut book, 1, Violation::Malformed, bytes(1, EVIDENCE_BYTES_MAX + 1)), n == 0);
        assert_eq!(record(&mut book, 1, Violation::Equivocation, bytes(1, 10)), n == 0);
    }
    assert_eq!((book.len(), book.counts(&did(1)).malformed, book.counts(&did(1)).equivocations), (2, 10, 10));
    // Even when of the bytes only the digest is left.
    let number = book.of(&did(1)).find(|offence| offence.weight() == 1).unwrap().number;
    book.lighten(number);
    assert!(!record(&mut book, 1, Violation::Equivocation, bytes(1, 10)));
    check(&book);
}

#[test]
fn one_offender_fills_only_its_own_room_and_its_forks_stay() {
    let mut book = Misbehaviour::new();
    record(&mut book, 2, Violation::Malformed, bytes(0, 10));
    record(&mut book, 1, Violation::Equivocation, bytes(0, 10));
    for n in 1..1_000 {
        record(&mut book, 1, Violation::Malformed, bytes(n, 10));
    }
    check(&book);
    assert_eq!((book.of(&did(1)).count(), book.of(&did(2)).count()), (PER_OFFENDER_MAX, 1));
    assert_eq!(book.of(&did(1)).filter(|offence| offence.weight() == 1).count(), 1);
    assert_eq!((book.counts(&did(1)).malformed, book.dropped()), (999, 1_000 - PER_OFFENDER_MAX as u64));
    for n in 1..100 {
        record(&mut book, 1, Violation::Equivocation, bytes(n, 10));
    }
    check(&book);
    assert_eq!(book.of(&did(1)).count(), PER_OFFENDER_MAX);
}

#[test]
fn a_crowd_of_new_names_does_not_push_out_forks() {
    let mut book = Misbehaviour::new();
    record(&mut book, 0, Violation::Equivocation, bytes(0, 10));
    for n in 1..OFFENDERS_MAX as u64 + 100 {
        record(&mut book, n, Violation::ExcessiveRate, Evidence::None);
    }
    check(&book);
    assert_eq!((book.of(&did(0)).count(), book.of(&did(1)).count(), book.len()), (1, 0, OFFENDERS_MAX));
}

#[test]
fn evidence_is_bounded_in_bytes() {
    let mut book = Misbehaviour::new();
    record(&mut book, 1, Violation::Malformed, bytes(1, EVIDENCE_BYTES_MAX + 1));
    assert!(
        matches!(book.of(&did(1)).next().unwrap().evidence, Evidence::Digest { len, .. } if len == 16_385)
    );
    record(&mut book, 1, Violation::Equivocation, bytes(0, EVIDENCE_BYTES_MAX));
    for n in 0..1_100 {
        record(&mut book, 2 + n / 32, Violation::Malformed, bytes(n, EVIDENCE_BYTES_MAX));
    }
    check(&book);
    assert!(matches!(book.of(&did(1)).next().unwrap().evidence, Evidence::Bytes(_)), "forks keep theirs");
    assert!(matches!(book.of(&did(2)).last().unwrap().evidence, Evidence::Digest { .. }));
    assert_eq!(book.len(), 1_102);
    book.record(AT, did(1), Violation::Malformed, &"é".repeat(1_000), Evidence::None);
    assert_eq!(book.of(&did(1)).next().unwrap().detail.chars().count(), DETAIL_CHARS_MAX);
}
