use proptest::prelude::*;

use super::*;

const RULES: Rules = Rules {
    peers_max: 20,
    inbound_max: 16,
    strangers_max: 6,
    strangers_inbound_max: 6,
    strangers_kept: 3,
    per_group_max: Some(2),
    trust_ppm_min: 0,
};
const STRANGER: Standing = Standing { trust_ppm: 0, is_known: false, is_protected: false, group: None };
const FRIEND: Standing = Standing { is_protected: true, ..STRANGER };
/// A member for whom nobody has vouched.
const MEMBER: Standing = Standing { is_known: true, ..STRANGER };

fn trusted(trust_ppm: u32) -> Standing {
    Standing { trust_ppm, ..STRANGER }
}

fn corner(n: usize) -> Option<AddressGroup> {
    Some(AddressGroup::V4([10, (n / 256) as u8, n as u8]))
}

/// A newcomer, let in when it may.
fn come(slots: &mut Slots, now: Instant, standing: Standing, from: Option<AddressGroup>) -> (PeerId, Answer) {
    let peer = PeerId::random();
    let answer = slots.ask(now, &peer, standing, Direction::Inbound, from);
    if let Answer::Replace(victim) = answer {
        slots.leave(&victim);
    }
    if !matches!(answer, Answer::Refuse(_)) {
        let member = Member {
            standing,
            direction: Direction::Inbound,
            from,
            since: now,
            steadiness: 0,
            tie: 0,
            is_leaving: false,
        };
        slots.enter(peer, member);
    }
    (peer, answer)
}

#[test]
fn strangers_fill_their_pool_and_no_more() {
    let (mut slots, now) = (Slots::new(RULES), Instant::now());
    let answers: Vec<Answer> = (0..50).map(|n| come(&mut slots, now, STRANGER, corner(n)).1).collect();
    assert_eq!(answers.iter().filter(|answer| **answer == Answer::Enter).count(), 6);
    assert_eq!(answers[6..], [Answer::Refuse(Refusal::Strangers)].repeat(44));
}

#[test]
fn a_fifth_of_the_pool_is_for_strangers_that_this_node_dials() {
    let (mut slots, now) = (Slots::new(Rules { strangers_inbound_max: 5, ..RULES }), Instant::now());
    let answers: Vec<Answer> = (0..9).map(|n| come(&mut slots, now, STRANGER, corner(n)).1).collect();
    assert_eq!(answers.iter().filter(|answer| **answer == Answer::Enter).count(), 5);
    let mut dial = |n: usize| slots.ask(now, &PeerId::random(), STRANGER, Direction::Outbound, corner(n));
    assert_eq!(dial(20), Answer::Enter);
    let dialled = PeerId::random();
    let member = Member {
        standing: STRANGER,
        direction: Direction::Outbound,
        from: corner(20),
        since: now,
        steadiness: 0,
        tie: 0,
        is_leaving: false,
    };
    slots.enter(dialled, member);
    let answer = slots.ask(now, &PeerId::random(), STRANGER, Direction::Outbound, corner(21));
    assert_eq!(answer, Answer::Refuse(Refusal::Strangers), "six is all there are");
}

#[test]
fn a_member_for_whom_nobody_vouched_is_no_stranger() {
    let (mut slots, now) = (Slots::new(Rules { inbound_max: 20, ..RULES }), Instant::now());
    for n in 0..6 {
        assert_eq!(come(&mut slots, now, STRANGER, corner(n)).1, Answer::Enter);
    }
    // Neither the pool of strangers nor the share of a corner is theirs.
    for _ in 0..14 {
        assert_eq!(come(&mut slots, now, MEMBER, corner(1)).1, Answer::Enter);
    }
    assert!(
        matches!(come(&mut slots, now, MEMBER, corner(1)).1, Answer::Replace(_)),
        "a stranger goes for it"
    );
    for _ in 0..2 {
        assert!(matches!(come(&mut slots, now, MEMBER, corner(1)).1, Answer::Replace(_)));
    }
    assert_eq!(come(&mut slots, now, MEMBER, corner(1)).1, Answer::Refuse(Refusal::Full));
    assert!(
        matches!(come(&mut slots, now, trusted(1), corner(1)).1, Answer::Replace(_)),
        "who is trusted is better"
    );
}

#[test]
fn known_peers_leave_strangers_half_of_their_pool() {
    let (mut slots, now) = (Slots::new(Rules { inbound_max: 20, ..RULES }), Instant::now());
    let entered = (0..50).filter(|_| come(&mut slots, now, trusted(100), None).1 == Answer::Enter).count();
    assert_eq!(entered, 17);
    for n in 0..3 {
        assert_eq!(come(&mut slots, now, STRANGER, corner(n)).1, Answer::Enter);
    }
    assert_eq!(come(&mut slots, now, STRANGER, corner(9)).1, Answer::Refuse(Refusal::Full));
    assert_eq!(come(&mut slots, now, trusted(100), None).1, Answer::Refuse(Refusal::Full));
}

#[test]
fn a_known_peer_takes_the_place_of_the_worst_stranger_and_then_of_who_is_trusted_less() {
    let (mut slots, now) = (Slots::new(Rules { inbound_max: 20, ..RULES }), Instant::now());
    let strangers: Vec<PeerId> = (0..6)
        .map(|n| come(&mut slots, now + Duration::from_secs(n), STRANGER, corner(n as usize)).0)
        .collect();
    for _ in 0..14 {
        come(&mut slots, now, trusted(500), None);
    }
    // The last to come is the worst; three of them stay in any case.
    for victim in [5, 4, 3] {
        assert_eq!(come(&mut slots, now, trusted(500), None).1, Answer::Replace(strangers[victim]));
    }
    assert_eq!(come(&mut slots, now, trusted(500), None).1, Answer::Refuse(Refusal::Full));
    let Answer::Replace(victim) = come(&mut slots, now, trusted(501), None).1 else { panic!("it is better") };
    assert!(!strangers.contains(&victim));
}

#[test]
fn a_crowd_behind_one_introducer_gives_way_until_it_has_no_more_than_others() {
    let behind = |n| Standing { group: Some(ShareId([n; 32])), ..MEMBER };
    let (mut slots, mut now) = (Slots::new(RULES), Instant::now());
    let crowd: Vec<PeerId> = (0..30)
        .map(|n| come(&mut slots, now, behind(1), corner(n)))
        .filter_map(|(peer, answer)| (answer == Answer::Enter).then_some(peer))
        .collect();
    assert_eq!(crowd.len(), RULES.inbound_max, "while there is room, anybody has it");
    let left = |slots: &Slots| crowd.iter().filter(|peer| slots.get(peer).is_some()).count();
    // Who stands for itself, and others behind another, come in.
    let mut others = 0;
    for n in 0..30 {
        now += EVICTION_EVERY;
        let standing = if n < 3 { MEMBER } else { behind(2) };
        let (_, answer) = come(&mut slots, now, standing, corner(n));
        match answer {
            Answer::Replace(victim) => assert!(crowd.contains(&victim), "{n}"),
            Answer::Refuse(Refusal::Full) => {}
            Answer::Enter | Answer::Refuse(_) => panic!("{n}: {answer:?}"),
        }
        others += usize::from(matches!(answer, Answer::Replace(_)));
    }
    assert_eq!((left(&slots), others), (7, 9), "three that stand for themselves, and six of the others");
    let back = come(&mut slots, now + EVICTION_EVERY, behind(1), corner(1)).1;
    assert_eq!(back, Answer::Refuse(Refusal::Full), "it does not come back");
    // Whoever is trusted more is nobody's to push out.
    let (mut slots, peer) = (Slots::new(RULES), Standing { trust_ppm: 5, ..behind(1) });
    while come(&mut slots, now, peer, corner(1)).1 == Answer::Enter {}
    assert_eq!(come(&mut slots, now, behind(2), corner(1)).1, Answer::Refuse(Refusal::Full));
}

#[test]
fn the_history_decides_between_strangers() {
    let (mut slots, now) = (Slots::new(Rules { inbound_max: 20, ..RULES }), Instant::now());
    let strangers: Vec<PeerId> = (0..6).map(|n| come(&mut slots, now, STRANGER, corner(n)).0).collect();
    for (place, peer) in strangers.iter().enumerate() {
        slots.get_mut(peer).unwrap().steadiness = if place == 2 { 0 } else { 9 };
    }
    for _ in 0..14 {
        come(&mut slots, now, trusted(500), None);
    }
    assert_eq!(come(&mut slots, now, trusted(500), None).1, Answer::Replace(strangers[2]));
}

#[test]
fn one_corner_of_the_address_space_gets_few_places() {
    let (mut slots, now) = (Slots::new(RULES), Instant::now());
    let answers: Vec<Answer> = (0..50).map(|_| come(&mut slots, now, STRANGER, corner(1)).1).collect();
    assert_eq!(answers.iter().filter(|answer| **answer == Answer::Enter).count(), 2);
    assert_eq!(answers[49], Answer::Refuse(Refusal::AddressGroup));
    assert_eq!(come(&mut slots, now, STRANGER, corner(2)).1, Answer::Enter);
    assert_eq!(come(&mut slots, now, FRIEND, corner(1)).1, Answer::Enter);
    assert_eq!(come(&mut slots, now, trusted(1), corner(1)).1, Answer::Enter);
}

#[test]
fn coming_and_going_wears_off() {
    let (mut slots, now) = (Slots::new(RULES), Instant::now());
    let mut entered = 0;
    for _ in 0..100 {
        let (peer, answer) = come(&mut slots, now, STRANGER, corner(1));
        entered += usize::from(answer == Answer::Enter);
        slots.leave(&peer);
    }
    assert_eq!(entered, 4, "twice as many as may be here at once");
    assert_eq!(come(&mut slots, now, STRANGER, corner(1)).1, Answer::Refuse(Refusal::Churn));
    assert_eq!(come(&mut slots, now + ARRIVAL_EVERY, STRANGER, corner(1)).1, Answer::Enter);
    // Nor can known peers that replace each other keep the door turning.
    let mut slots = Slots::new(Rules { inbound_max: 20, ..RULES });
    for _ in 0..17 {
        come(&mut slots, now, trusted(1), None);
    }
    let answers: Vec<Answer> = (2..40).map(|n| come(&mut slots, now, trusted(n), None).1).collect();
    let replaced = answers.iter().filter(|answer| matches!(answer, Answer::Replace(_))).count();
    assert_eq!((replaced, answers[37]), (8, Answer::Refuse(Refusal::Churn)));
}

#[test]
fn who_became_a_stranger_goes_when_the_pool_is_full() {
    let (mut slots, now) = (Slots::new(RULES), Instant::now());
    for n in 0..6 {
        come(&mut slots, now, STRANGER, corner(n));
    }
    let (fallen, _) = come(&mut slots, now + Duration::from_secs(1), trusted(5), None);
    assert!(slots.surplus().is_empty());
    slots.get_mut(&fallen).unwrap().standing = STRANGER;
    assert_eq!(slots.surplus(), [fallen]);
}

proptest! {
    /// Whoever comes in whatever order: bounds hold, nobody protected goes, no stranger puts anybody out.
    #[test]
    fn bounds_hold(arrivals in proptest::collection::vec((0..5u32, 0..30usize, any::<bool>()), 1..120)) {
        let (mut slots, now) = (Slots::new(RULES), Instant::now());
        let mut friends = Vec::new();
        for (second, (kind, place, goes)) in (0u64..).zip(arrivals) {
            let standing = match kind {
                0 => STRANGER,
                1 => FRIEND,
                4 => MEMBER,
                _ => trusted(kind * 100_000),
            };
            if friends.len() >= 3 && standing == FRIEND {
                continue;
            }
            let before = slots.members.clone();
            let at = now + Duration::from_secs(second);
            let (peer, answer) = come(&mut slots, at, standing, corner(place));
            if let Answer::Replace(victim) = answer {
                let victim = before[&victim];
                let is_better = standing.trust_ppm > victim.standing.trust_ppm
                    || (standing == MEMBER && victim.standing == STRANGER);
                prop_assert!(is_better && !victim.standing.is_protected);
            }
            match standing {
                FRIEND => friends.push(peer),
                _ if goes && place % 3 == 0 => { slots.leave(&peer); }
                _ => {}
            }
            for friend in &friends {
                prop_assert!(slots.get(friend).is_some());
            }
            let strangers: Vec<&Member> = slots.members.values().filter(|member| member.is_stranger()).collect();
            prop_assert!(strangers.len() <= 6);
            prop_assert!(slots.members.len() <= 20 + friends.len());
            for member in &strangers {
                prop_assert!(strangers.iter().filter(|other| other.from == member.from).count() <= 2);
            }
        }
    }
}
