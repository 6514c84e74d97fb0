use super::*;

fn constraints(rate: u32, burst: u32) -> Constraints {
    Constraints { messages_per_second: rate, burst, ..Constraints::default() }
}

fn limits(rate: u32, burst: u32) -> Limits {
    Limits::new(constraints(rate, burst), None, 1_000, 1_000)
}

fn share(n: u8, burst: u32) -> Share {
    Share { group: ShareId([n; 32]), limits: ShareLimits { messages_per_second: 1, burst, streams_max: 3 } }
}

fn strangers(burst: u32, share_burst: u32) -> Strangers {
    Strangers {
        is_limited: true,
        constraints: Constraints { streams_max: 2, ..constraints(1, burst) },
        share: ShareLimits { messages_per_second: 1, burst: share_burst, streams_max: 3 },
        together: ShareLimits { messages_per_second: 1, burst: 100, streams_max: 4 },
        slots_max: 10,
        slots_per_group_max: 5,
    }
}

fn taken(limits: &Limits, peer: PeerId, tries: usize) -> usize {
    (0..tries).filter(|_| limits.take(peer, Kind::Direct, 1).is_ok()).count()
}

fn corner(n: u8) -> Option<AddressGroup> {
    Some(AddressGroup::V4([10, 0, n]))
}

#[test]
fn one_peer_does_not_spend_anothers_burst() {
    let limits = limits(1, 5);
    let (loud, quiet) = (PeerId::random(), PeerId::random());
    assert_eq!(taken(&limits, loud, 100), 5);
    assert_eq!(taken(&limits, quiet, 1), 1);
    // Protocols are counted apart.
    assert_eq!(limits.take(loud, Kind::Gossip, 1), Ok(()));
}

#[test]
fn a_large_message_counts_for_several() {
    let limits = limits(1, 8);
    let peer = PeerId::random();
    assert_eq!(limits.take(peer, Kind::Gossip, 4 * UNIT_BYTES), Ok(()));
    assert_eq!(limits.take(peer, Kind::Gossip, 3 * UNIT_BYTES + 1), Ok(()));
    assert_eq!(limits.take(peer, Kind::Gossip, 1), Err(Refused::Own));
}

#[test]
fn a_change_of_limits_holds_at_once_and_fills_nothing() {
    let limits = limits(1, 100);
    let peer = PeerId::random();
    assert_eq!(taken(&limits, peer, 60), 60);
    limits.set(peer, &constraints(1, 10), None);
    assert_eq!(taken(&limits, peer, 100), 10);
    for _ in 0..5 {
        limits.set(peer, &constraints(1, 50), None);
        limits.set(peer, &constraints(1, 100), None);
        limits.clear(peer, None, true);
    }
    assert_eq!(taken(&limits, peer, 100), 0);
    // More a second is felt at once.
    limits.set(peer, &constraints(250, 250), None);
    std::thread::sleep(std::time::Duration::from_millis(100));
    assert!(taken(&limits, peer, 100) > 5);
}

#[test]
fn a_thousand_behind_one_introducer_get_what_one_gets() {
    let limits = limits(1, 100);
    let crowd: Vec<PeerId> = (0..1_000).map(|_| PeerId::random()).collect();
    for peer in &crowd {
        limits.set(*peer, &constraints(1, 100), Some(share(1, 30)));
    }
    let honest = PeerId::random();
    limits.set(honest, &constraints(1, 100), Some(share(2, 30)));
    let got: usize = crowd.iter().map(|peer| taken(&limits, *peer, 2)).sum();
    assert!((30..=32).contains(&got), "{got}");
    assert_eq!(limits.take(crowd[7], Kind::Direct, 1), Err(Refused::Group));
    assert_eq!(taken(&limits, honest, 20), 20);
    // Streams too.
    let held: Vec<_> = crowd.iter().filter_map(|peer| limits.stream(*peer)).collect();
    assert_eq!(held.len(), 3);
    assert!(limits.stream(honest).is_some());
}

#[test]
fn no_group_uses_up_what_all_get() {
    let limits = limits(1_000_000, 1_000_000);
    let (crowd, lone, honest) = (PeerId::random(), PeerId::random(), PeerId::random());
    limits.set(crowd, &constraints(1_000_000, 1_000_000), Some(share(1, 1_000_000)));
    let a_quarter = 250..300;
    assert!(a_quarter.contains(&taken(&limits, crowd, 2_000)), "a group gets a quarter");
    assert!(a_quarter.contains(&taken(&limits, lone, 2_000)), "and so does a peer of none");
    assert_eq!(taken(&limits, honest, 100), 100);
}

#[test]
fn strangers_share_by_address_and_all_of_them_get_a_part() {
    let limits = Limits::new(constraints(100, 100), Some(strangers(10, 20)), 1_000, 1_000);
    let stranger = |n: u8| {
        let peer = PeerId::random();
        limits.met(peer, corner(n), true);
        peer
    };
    assert_eq!(taken(&limits, stranger(1), 100), 10);
    assert_eq!(taken(&limits, stranger(1), 100), 10);
    assert_eq!(taken(&limits, stranger(1), 100), 0, "the third of one corner finds its share used");
    let got: usize = (2..100).map(|n| taken(&limits, stranger(n), 100)).sum();
    assert!((60..90).contains(&got), "{got}: all strangers together get what they get together");
    assert_eq!(limits.take(stranger(200), Kind::Direct, 1), Err(Refused::Strangers));
    // Somebody who is known is not touched by it, also one that was a stranger before.
    let (known, operators) = (stranger(1), PeerId::random());
    limits.set(known, &constraints(50, 50), None);
    limits.know(operators);
    std::thread::sleep(std::time::Duration::from_millis(100));
    assert!(taken(&limits, known, 100) > 1);
    assert_eq!(taken(&limits, operators, 100), 100);
    limits.clear(known, corner(1), true);
    assert!(taken(&limits, known, 100) <= 1);
}

#[test]
fn strangers_hold_so_many_streams_together() {
    let limits = Limits::new(constraints(100, 100), Some(strangers(10, 20)), 1_000, 1_000);
    let crowd: Vec<PeerId> = (0..9).map(|_| PeerId::random()).collect();
    for (peer, n) in crowd.iter().zip(0..) {
        limits.met(*peer, corner(n), true);
    }
    let held: Vec<_> = crowd.iter().filter_map(|peer| limits.stream(*peer)).collect();
    assert_eq!(held.len(), 4);
    let known = PeerId::random();
    limits.met(known, corner(1), false);
    assert!(limits.stream(known).is_some());
    drop(held);
    assert!(limits.stream(crowd[8]).is_some(), "who was refused holds nothing");
}

#[test]
fn strangers_are_limited_from_when_policy_says_so() {
    let relaxed = Strangers { is_limited: false, ..strangers(10, 20) };
    let limits = Limits::new(constraints(100, 100), Some(relaxed), 1_000, 1_000);
    let (stranger, member) = (PeerId::random(), PeerId::random());
    let meet = || {
        limits.met(stranger, corner(1), true);
        limits.met(member, corner(1), false);
    };
    meet();
    assert!(limits.group_of(stranger).is_none() && !limits.is_judged(stranger));
    assert_eq!(taken(&limits, stranger, 60), 60);
    assert!(limits.limit_strangers(true) && !limits.limit_strangers(true));
    meet();
    assert_eq!((limits.group_of(member), limits.is_judged(stranger)), (None, true));
    assert_eq!(limits.group_of(stranger), corner(1).map(GroupKey::Address));
    assert!(taken(&limits, stranger, 100) <= 10);
    assert_eq!(taken(&limits, member, 90), 90);
    // One that becomes known draws from nobody's share, and one that is set by name has what was set.
    limits.met(stranger, corner(1), false);
    assert!(limits.group_of(stranger).is_none() && !limits.is_judged(stranger));
    limits.set(member, &constraints(1, 5), None);
    limits.met(member, corner(1), true);
    assert!(taken(&limits, member, 100) <= 5);
    assert!(limits.limit_strangers(false));
    limits.met(stranger, corner(1), true);
    assert!(limits.group_of(stranger).is_none());
}

#[test]
fn all_peers_together_are_bounded() {
    let limits = Limits::new(constraints(100, 100), None, 10, 1_000);
    let got: usize = (0..100).map(|_| taken(&limits, PeerId::random(), 1)).sum();
    assert!((10..=11).contains(&got), "{got}");
}

#[test]
fn peers_that_leave_are_forgotten_once_there_are_many() {
    let limits = Limits::new(constraints(1, 1), None, 1_000_000, 1_000);
    for _ in 0..PEERS_REMEMBERED_MAX * 2 {
        let peer = PeerId::random();
        let _ = limits.take(peer, Kind::Record, 1);
        limits.left(peer);
    }
    assert!(limits.lock().len() <= PEERS_REMEMBERED_MAX + 1);
    for _ in 0..NAMED_REMEMBERED_MAX * 2 {
        limits.set(PeerId::random(), &constraints(1, 1), None);
    }
    assert!(limits.lock().len() <= NAMED_REMEMBERED_MAX);
}
