//! What of a stranger's bytes is a message, and what is not.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod samples;

use icn_identity::{Ed25519Verifier, Keypair, SignatureError, peer_id};
use icn_protocol::{
    DIRECT_BYTES_MAX, FreshnessPolicy, GOSSIP_BYTES_MAX, Incoming, JobAnnouncement, JobBid, Message, Params,
    PriceRates, ProtocolError, RawMessage, RefusalCode, Verified, announcement_id, parse, sign,
};
use icn_types::{Cid, Duration, Timestamp, Value, codec};
use proptest::prelude::*;
use samples::*;

fn read(bytes: &[u8]) -> Result<RawMessage, ProtocolError> {
    match parse(bytes, DIRECT_BYTES_MAX)? {
        Incoming::Message(raw) => Ok(raw),
        Incoming::Unknown { name } => panic!("unknown variant {name}"),
    }
}

/// The whole way that bytes take at a receiver.
fn accept(bytes: &[u8]) -> Result<Verified, ProtocolError> {
    let raw = read(bytes)?;
    raw.check(NOW, &FreshnessPolicy::default())?;
    Ok(raw.verify(&Ed25519Verifier::new())?)
}

fn is_field(result: Result<Verified, ProtocolError>, wanted: &str) -> bool {
    matches!(result, Err(ProtocolError::Field { field, .. }) if field == wanted)
}

#[test]
fn all_eleven_are_read_back_as_they_were_signed() {
    let samples = messages();
    let names: Vec<&str> = samples.iter().map(|(name, ..)| *name).collect();
    assert_eq!(names, Message::NAMES);
    for (name, wire, by) in samples {
        let verified = accept(&wire).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert_eq!(verified.message().name(), name);
        assert_eq!(verified.sender(), by.did());
        let (_, map) = open(&wire);
        assert_eq!(verified.inner(), codec::encode(&map).unwrap());
        assert_eq!(verified.cid(), Cid::of_dag_cbor(verified.inner()));
    }
}

#[test]
fn a_node_can_be_its_own_receiver() {
    let signed = bid();
    let verified = accept(signed.wire()).unwrap();
    assert_eq!(signed.verified(), verified);
    assert_eq!(signed.id(), verified.id());
    assert_eq!(signed.cid(), verified.cid());
}

#[test]
fn every_changed_byte_is_noticed() {
    for (name, wire, _) in messages() {
        for at in 0..wire.len() {
            for flip in [0x01, 0x20, 0x80] {
                let mut changed = wire.clone();
                changed[at] ^= flip;
                let result = parse(&changed, DIRECT_BYTES_MAX);
                let counts = match result {
                    Ok(Incoming::Message(raw)) => raw.verify(&Ed25519Verifier::new()).is_ok(),
                    // A changed variant name makes an unknown variant, which is ignored.
                    Ok(Incoming::Unknown { .. }) | Err(_) => false,
                };
                assert!(!counts, "{name}: byte {at} ^ {flip:#x}");
            }
        }
    }
}

#[test]
fn every_cut_is_noticed() {
    for (name, wire, _) in messages() {
        assert!((0..wire.len()).all(|len| parse(&wire[..len], DIRECT_BYTES_MAX).is_err()), "{name}");
        let longer = [wire.as_slice(), &[0]].concat();
        assert!(parse(&longer, DIRECT_BYTES_MAX).is_err(), "{name}");
    }
}

#[test]
fn fields_of_newer_peers_are_signed_and_ignored() {
    for (name, wire, by) in messages() {
        let newer = resign(&wire, &by, |map| {
            map.insert("zz_new".into(), Value::List(vec![Value::Integer(1)]));
        });
        let verified = accept(&newer).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert_eq!(verified.message(), accept(&wire).unwrap().message(), "{name}");
        // They are part of what was signed: whoever takes one away or changes it is found out.
        let (_, mut map) = open(&newer);
        map.insert("zz_new".into(), Value::Integer(2));
        assert!(accept(&close(name, &map)).is_err());
        map.remove("zz_new");
        assert!(accept(&close(name, &map)).is_err());
    }
}

#[test]
fn new_fields_of_job_params_survive_and_count() {
    let (name, mut map) = open(announcement().wire());
    let Some(Value::Map(params)) = map.get_mut("job_params") else { panic!("a map") };
    params.insert("zz_new".into(), Value::Bool(true));
    let bytes = codec::encode(params).unwrap();
    let newer = Params::from_bytes(&bytes).unwrap();
    assert_eq!(newer.bytes(), bytes);
    assert_ne!(newer.cid(), samples::params().cid());

    let id = announcement_id(&newer, &originator().did());
    map.insert("announcement_id".into(), Value::String(id.to_string()));
    sign_map(&name, &mut map, &originator());
    let Message::JobAnnouncementV1(body) = accept(&close(&name, &map)).unwrap().into_message() else {
        panic!("an announcement")
    };
    assert_eq!(body.job_params.bytes(), bytes);
    // Announcing it again, as an older originator would after a restart, keeps the bytes and the id.
    let again = JobAnnouncement::new(originator().did(), Params::from_bytes(&bytes).unwrap(), NOW);
    assert_eq!(again.announcement_id, id);
    assert!(accept(sign(again, &originator()).unwrap().wire()).is_ok());
}

#[test]
fn other_orders_of_keys_are_refused() {
    for (name, wire, _) in messages() {
        let (_, map) = open(&wire);
        let mut pairs: Vec<(String, Value)> = map.into_iter().collect();
        pairs.sort_by(|(a, _), (b, _)| (a.len(), a).cmp(&(b.len(), b)));
        let head = &wire[..wire.len() - encode_in_order(&pairs).len()];
        let message = |pairs: &[(String, Value)]| [head, &encode_in_order(pairs)].concat();
        assert_eq!(message(&pairs), wire);
        let mut reversed = pairs.clone();
        reversed.reverse();
        assert!(matches!(read(&message(&reversed)), Err(ProtocolError::Codec(_))), "{name}");
        let mut doubled = pairs.clone();
        doubled.insert(1, pairs[0].clone());
        assert!(matches!(read(&message(&doubled)), Err(ProtocolError::Codec(_))), "{name}");
    }
}

#[test]
fn no_message_passes_for_another_kind() {
    for (name, wire, by) in messages() {
        let (_, map) = open(&wire);
        for other in Message::NAMES.iter().filter(|other| **other != name) {
            let relabelled = close(other, &map);
            assert!(accept(&relabelled).is_err(), "{name} as {other}");
            // Also not when it has every field that the other kind wants.
            let (_, wanted, _) = messages().into_iter().find(|(name, ..)| name == other).unwrap();
            let mut both = open(&wanted).1;
            both.extend(map.clone());
            sign_map(name, &mut both, &by);
            assert!(accept(&close(other, &both)).is_err(), "{name} as {other}, with its fields");
        }
    }
}

#[test]
fn nobody_speaks_for_another() {
    for (name, wire, _) in messages() {
        let forged = resign(&wire, &stranger(), |_| {});
        assert!(
            matches!(accept(&forged), Err(ProtocolError::Signature(SignatureError::Mismatch { .. }))),
            "{name}"
        );
    }
}

#[test]
fn weak_keys_sign_nothing() {
    let mut key = [0; 32];
    key[0] = 1;
    let did = icn_types::Did::from_public_key(key);
    let (name, mut map) = open(interest().wire());
    map.insert("executor_did".into(), Value::String(did.to_string()));
    let mut signature = [0; 64];
    signature[0] = 1;
    map.insert("signature".into(), Value::Bytes(signature.to_vec()));
    let refused = accept(&close(&name, &map));
    assert_eq!(refused, Err(ProtocolError::Signature(SignatureError::Key(did))));
}

#[test]
fn every_required_field_is_required() {
    let optional = [
        "alias",
        "region",
        "attestation_cid",
        "bidding_duration",
        "explain",
        "price",
        "bid_expires_at",
        "available_resources",
        "queue_depth",
        "estimated_start_ms",
        "blobs_held",
        "details",
        "progress_ppm",
        "providers",
        "end_of_stream",
        "detail",
        "lease_epoch",
        "reason",
    ];
    for (name, wire, by) in messages() {
        for field in open(&wire).1.into_keys().filter(|field| field != "signature") {
            let without = resign(&wire, &by, |map| drop(map.remove(&field)));
            let required = match (name, field.as_str()) {
                ("CapabilityAdvertisementV1", "available_resources")
                | ("JobStatusUpdateV1", "lease_epoch")
                | ("AssignJobV1", "lease_epoch") => true,
                (_, field) => !optional.contains(&field),
            };
            assert_eq!(accept(&without).is_err(), required, "{name}.{field}");
            // An absent field is left out, never null; and no field takes a value of a kind that none has.
            for wrong in [Value::Null, Value::Float(1.5), Value::List(vec![Value::Bool(true)])] {
                let replaced = resign(&wire, &by, |map| drop(map.insert(field.clone(), wrong)));
                assert!(accept(&replaced).is_err(), "{name}.{field}");
            }
        }
    }
}

#[test]
fn kinds_are_not_converted() {
    let replaced = |wire: &[u8], by: &Keypair, field: &str, value: Value| {
        accept(&resign(wire, by, |map| drop(map.insert(field.to_owned(), value)))).is_err()
    };
    let (bid, interest, input) = (bid(), interest(), input());
    // A CID as a link, an integer as text, bytes as text, bytes as a list, a bool as an integer.
    let link = Value::Link(::ipld_core::cid::Cid::try_from(job().to_string().as_str()).unwrap());
    assert!(replaced(interest.wire(), &executor(), "announcement_id", link));
    assert!(replaced(bid.wire(), &executor(), "queue_depth", Value::String("1".into())));
    assert!(replaced(bid.wire(), &executor(), "queue_depth", Value::Integer(-1)));
    assert!(replaced(input.wire(), &originator(), "data", Value::String("hello".into())));
    assert!(replaced(input.wire(), &originator(), "data", Value::List(vec![Value::Integer(1)])));
    assert!(replaced(input.wire(), &originator(), "end_of_stream", Value::Integer(1)));
    let amount = Value::List(vec![Value::Integer(5), Value::String("hours".into())]);
    assert!(replaced(bid.wire(), &executor(), "price", amount));
    // Other spellings of the same name.
    let key = Value::String(executor().did().to_did_key());
    assert!(replaced(interest.wire(), &executor(), "executor_did", key));
    let upper = Value::String(job().to_string().to_uppercase());
    assert!(replaced(interest.wire(), &executor(), "announcement_id", upper));
    let seconds = Value::String("2026-11-20T09:30:00Z".into());
    assert!(replaced(interest.wire(), &executor(), "timestamp", seconds));
}

#[test]
fn values_out_of_range_are_refused() {
    let with = |wire: &[u8], by: &Keypair, field: &str, value: Value| {
        accept(&resign(wire, by, |map| drop(map.insert(field.to_owned(), value))))
    };
    let text = |text: String| Value::String(text);
    let foreign = text(peer_id(&stranger().did()).to_string());
    let (ours, theirs) = (executor(), originator());
    assert!(is_field(with(bid().wire(), &ours, "executor_peer_id", foreign.clone()), "executor_peer_id"));
    assert!(is_field(with(capability().wire(), &ours, "peer_id", foreign), "peer_id"));
    assert!(is_field(with(bid().wire(), &ours, "bid_expires_at", text(NOW.to_string())), "bid_expires_at"));
    let held = Value::List(vec![text(job().to_string()); 257]);
    assert!(is_field(with(bid().wire(), &ours, "blobs_held", held), "blobs_held"));
    assert!(is_field(with(assignment().wire(), &theirs, "lease_epoch", Value::Integer(0)), "lease_epoch"));
    assert!(is_field(
        with(assignment().wire(), &theirs, "lease_seconds", Value::Integer(3_601)),
        "lease_seconds"
    ));
    assert!(is_field(
        with(status().wire(), &ours, "p2p_job_status", text("BiddingOpen".into())),
        "p2p_job_status"
    ));
    assert!(with(status().wire(), &ours, "p2p_job_status", text("Defragmenting".into())).is_ok());
    assert!(is_field(with(status().wire(), &ours, "details", text("x".repeat(4_097))), "details"));
    assert!(is_field(
        with(status().wire(), &ours, "progress_ppm", Value::Integer(1_000_001)),
        "progress_ppm"
    ));
    assert!(is_field(with(input().wire(), &theirs, "sequence", Value::Integer(1)), "input_id"));
    assert!(is_field(with(input().wire(), &theirs, "data", Value::Bytes(vec![0; 65_537])), "data"));
    assert!(is_field(with(decline().wire(), &ours, "code", text("No!".into())), "code"));
    assert!(is_field(
        with(announcement().wire(), &theirs, "announcement_id", text(bid().cid().to_string())),
        "announcement_id"
    ));
    let addresses = Value::List(vec![text("example.org:80".into())]);
    assert!(is_field(with(available().wire(), &ours, "providers", addresses), "providers"));
    let short = resign(interest().wire(), &ours, |_| {});
    let (name, mut map) = open(&short);
    map.insert("signature".into(), Value::Bytes(vec![0; 63]));
    assert!(is_field(accept(&close(&name, &map)), "signature"));
}

#[test]
fn unknown_variants_are_no_error() {
    for name in ["JobBidV2", "JobBidV10", "JobBid", "TeleportV1"] {
        let wire = close(name, &open(bid().wire()).1);
        assert!(
            matches!(parse(&wire, DIRECT_BYTES_MAX), Ok(Incoming::Unknown { name: read }) if read == name)
        );
    }
    // Not even their names may be anything.
    for name in ["", "Job BidV1", "JöbV1", &"X".repeat(65)] {
        let wire = close(name, &open(bid().wire()).1);
        assert!(matches!(parse(&wire, DIRECT_BYTES_MAX), Err(ProtocolError::Envelope(_))), "{name}");
    }
}

#[test]
fn what_is_no_message_is_refused() {
    let (name, map) = open(bid().wire());
    let two = codec::encode(&std::collections::BTreeMap::from([(name.as_str(), &map), ("JobBidV2", &map)]))
        .unwrap();
    for bytes in
        [two.as_slice(), b"\xa0", b"\x80", b"\xf6", b"", b"\xa1\x68JobBidV1\x80", b"\xa1\x68JobBidV1\xa0"]
    {
        assert!(parse(bytes, DIRECT_BYTES_MAX).is_err(), "{}", hex::encode(bytes));
    }
    let large = vec![0; GOSSIP_BYTES_MAX + 1];
    assert_eq!(
        parse(&large, GOSSIP_BYTES_MAX).unwrap_err(),
        ProtocolError::TooLarge { bytes: GOSSIP_BYTES_MAX + 1, max: GOSSIP_BYTES_MAX }
    );
}

#[test]
fn complaints_stay_short_whatever_a_stranger_sends() {
    let large = [
        Value::Bytes(vec![7; 1 << 14]),
        Value::String("x".repeat(1 << 14)),
        Value::List(vec![Value::Integer(1); 1 << 14]),
    ];
    let mut refused = 0;
    for value in large {
        for (name, wire, _) in messages() {
            for field in open(&wire).1.into_keys() {
                let (_, mut map) = open(&wire);
                map.insert(field.clone(), value.clone());
                // A chunk's `data` takes bytes.
                let Err(error) = parse(&close(name, &map), DIRECT_BYTES_MAX) else { continue };
                assert!(format!("{error:?}").len() < 2_000, "{name}.{field}");
                refused += 1;
            }
        }
    }
    assert!(refused > 200);
}

#[test]
fn freshness_is_a_window_around_now() {
    let policy = FreshnessPolicy { not_before: NOW.minus(Duration::from_secs(200)), ..Default::default() };
    let raw = read(interest().wire()).unwrap();
    let at = |now: Timestamp, policy: &FreshnessPolicy| raw.check(now, policy).map_err(|error| error.code());
    let (age, skew) = (Duration::from_secs(300), Duration::from_secs(30));
    let (default, ms) = (FreshnessPolicy::default(), Duration::from_millis(1));
    assert_eq!(at(NOW.plus(age), &default), Ok(()));
    assert_eq!(at(NOW.plus(age).plus(ms), &default), Err(RefusalCode::Stale));
    assert_eq!(at(NOW.minus(skew), &default), Ok(()));
    assert_eq!(at(NOW.minus(skew).minus(ms), &default), Err(RefusalCode::Future));
    assert_eq!(at(NOW, &policy), Ok(()));
    // Stamped before this node started: it cannot know whether it saw it then.
    let started = FreshnessPolicy { not_before: NOW.plus(ms), ..Default::default() };
    assert_eq!(at(NOW.plus(ms), &started), Err(RefusalCode::Stale));
}

#[test]
fn rates_price_what_was_used_and_need_a_price() {
    let check = |base, per_million_fuel, fuel, charge| {
        assert_eq!(PriceRates { base, per_million_fuel }.charge(fuel), charge);
    };
    check(1, 2, 0, 1);
    check(1, 2, 1, 3);
    check(1, 2, 1_000_000, 3);
    check(1, 2, 1_000_001, 5);
    check(u64::MAX, u64::MAX, u64::MAX, i64::MAX as u64);
    let with = |change: &dyn Fn(&mut JobBid)| {
        let mut body = bid().into_body();
        body.rates = Some(PriceRates { base: 1, per_million_fuel: 2 });
        change(&mut body);
        sign(body, &executor())
    };
    let signed = with(&|_| {}).unwrap();
    let verified = accept(signed.wire()).unwrap();
    assert_eq!(verified.into_message(), Message::JobBidV1(Box::new(signed.into_body())));
    assert!(with(&|body| body.price = None).is_err());
    let above = PriceRates { base: 0, per_million_fuel: 1 << 63 };
    assert!(with(&|body| body.rates = Some(above)).is_err());
}

#[test]
fn nothing_is_signed_that_would_be_refused() {
    let body = JobAnnouncement { announcement_id: bid().cid(), ..announcement().into_body() };
    assert!(matches!(sign(body, &originator()), Err(ProtocolError::Field { .. })));
    let refused = sign(interest().into_body(), &stranger());
    assert!(matches!(refused, Err(ProtocolError::WrongSigner { .. })));
    let mut body = available().into_body();
    body.providers = vec![format!("/{}", "x".repeat(500)); 256];
    assert!(sign(body.clone(), &executor()).is_ok());
    body.providers = vec![format!("/{}", "x".repeat(511)); 257];
    assert!(sign(body, &executor()).is_err());
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(&bytes, DIRECT_BYTES_MAX);
    }

    #[test]
    fn bids_are_read_back_as_they_were_signed(
        seed in any::<[u8; 32]>(),
        amount in 0..=i64::MAX as u64,
        stamped in 0..200_000_000_000_000u64,
        queue in proptest::option::of(0..=i64::MAX as u64),
        region in proptest::option::of("[a-z0-9-]{1,32}"),
        held in proptest::collection::vec(any::<[u8; 4]>(), 0..9),
    ) {
        let by = Keypair::from_seed(seed);
        let mut body = bid().into_body();
        body.executor_did = by.did();
        body.executor_peer_id = peer_id(&by.did());
        body.price = Some(hours(amount));
        body.timestamp = Timestamp::from_millis(stamped);
        body.bid_expires_at = None;
        body.queue_depth = queue;
        body.region = region.map(|text| text.parse().unwrap());
        body.blobs_held = held.iter().map(|bytes| Cid::of_raw(bytes)).collect();
        let signed = sign(body.clone(), &by).unwrap();
        let verified = read(signed.wire()).unwrap().verify(&Ed25519Verifier::new()).unwrap();
        prop_assert_eq!(verified.id(), signed.id());
        prop_assert_eq!(verified.into_message(), Message::JobBidV1(Box::new(body)));
    }
}
