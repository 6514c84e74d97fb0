//! Naming and checking content: what every block costs on its way in and out.

use std::hint::black_box;

use anyhow::Result;
use icn_bench::Context;
use icn_bench::limits::CHUNK_BYTES;
use icn_bench::measure::Samples;
use icn_bench::report::{Row, Section, Unit};
use icn_types::Cid;

/// Measures the CID of a block, and the check of a block against its CID, beside the bare hash.
pub(crate) fn measure(context: &Context) -> Result<Section> {
    let block = vec![42; CHUNK_BYTES];
    let cid = Cid::of_raw(&block);
    let named = Samples::collect(context.plan.each, || {
        black_box(Cid::of_raw(black_box(&block)));
        Ok(())
    })?;
    let checked = Samples::collect(context.plan.each, || Ok(cid.verify(black_box(&block))?))?;

    let mut section = Section::new("content");
    for (name, samples) in [("CID of a 1 MiB block", named), ("check of a 1 MiB block", checked)] {
        section.push(
            Row::new(name, samples.megabytes_per_second(CHUNK_BYTES), Unit::MegabytesPerSecond)
                .beside(context.limits.sha256_mb_per_second, "bare SHA-256"),
        );
    }
    Ok(section)
}
