//! Messages of the mesh: made and signed, read and checked.

use std::hint::black_box;

use anyhow::{Result, bail};
use icn_bench::Context;
use icn_bench::measure::Samples;
use icn_bench::report::{Row, Section, Unit};
use icn_identity::{Ed25519Verifier, Keypair};
use icn_protocol::{DIRECT_BYTES_MAX, Incoming, JobBid};
use icn_types::{Cid, Duration, Timestamp};

/// Measures a bid on its way out and in, beside the bare signature.
pub(crate) fn measure(context: &Context) -> Result<Section> {
    let keypair = Keypair::from_seed([7; 32]);
    let bid = bid(&keypair);
    let wire = icn_protocol::sign(bid.clone(), &keypair)?.into_wire();
    let out = Samples::collect(context.plan.each, || {
        black_box(icn_protocol::sign(black_box(bid.clone()), &keypair)?.into_wire());
        Ok(())
    })?;
    let verifier = Ed25519Verifier::new();
    let back = Samples::collect(context.plan.each, || {
        let Incoming::Message(raw) = icn_protocol::parse(black_box(&wire), DIRECT_BYTES_MAX)? else {
            bail!("a bid of our own is not known");
        };
        black_box(raw.verify(&verifier)?.into_message());
        Ok(())
    })?;

    let limits = &context.limits;
    let size = wire.len();
    let mut section = Section::new("messages");
    section.push(
        Row::new(format!("sign and encode a bid, {size} B"), out.per_second(), Unit::PerSecond)
            .beside(limits.signs_per_second, "bare sign"),
    );
    section.push(
        Row::new(format!("decode and verify a bid, {size} B"), back.per_second(), Unit::PerSecond)
            .beside(limits.verifies_per_second, "bare strict verify"),
    );
    Ok(section)
}

fn bid(keypair: &Keypair) -> JobBid {
    let at = Timestamp::from_millis(1_800_000_000_000);
    JobBid {
        announcement_id: Cid::of_raw(b"a job"),
        executor_did: keypair.did(),
        executor_peer_id: icn_identity::peer_id(&keypair.did()),
        price: None,
        rates: None,
        region: None,
        timestamp: at,
        bid_expires_at: Some(at.plus(Duration::from_secs(300))),
        available_resources: None,
        queue_depth: Some(3),
        estimated_start_ms: None,
        blobs_held: vec![Cid::of_raw(b"a module")],
    }
}
