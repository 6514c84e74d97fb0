//! A large file through the API of a node, and from node to node.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bytes::Bytes;
use icn_bench::Context;
use icn_bench::measure::Samples;
use icn_bench::mesh::Mesh;
use icn_bench::report::{Row, Section, Unit};

/// Measures adding a file, reading it where it is, and reading it at another node, beside SHA-256 and `cp`.
pub(crate) fn measure(context: &Context) -> Result<Section> {
    let runtime = icn_bench::process::runtime()?;
    let (mut add, mut get, mut fetch) = (Vec::new(), Vec::new(), Vec::new());
    runtime.block_on(async {
        let mesh = Mesh::start(context, 0, 1).await?;
        for number in 0..context.plan.files {
            let bytes = content(number as u64, context.plan.file_bytes);
            let begun = Instant::now();
            let file = mesh.submitter.client.add(bytes).await?;
            add.push(begun.elapsed());
            let read = async |client: &icn_bench::client::Client, durations: &mut Vec<Duration>| {
                let begun = Instant::now();
                let read = client.cat(&file.cid).await?;
                durations.push(begun.elapsed());
                ensure!(read == file.bytes, "{read} of {} bytes came back", file.bytes);
                Ok(())
            };
            read(&mesh.submitter.client, &mut get).await?;
            for other in &mesh.bystanders {
                read(&other.client, &mut fetch).await?;
            }
        }
        anyhow::Ok(())
    })?;

    let size = context.plan.file_bytes;
    let limits = &context.limits;
    let mut section = Section::new(format!("a file of {} MB", size / 1_000_000));
    for (name, durations) in [("add", add), ("get, same node", get), ("get, from another node", fetch)] {
        let median = Samples::of(&durations, durations.iter().sum())?.quantile(0.5);
        let figure = size as f64 / 1e6 / median.as_secs_f64().max(f64::MIN_POSITIVE);
        for (limit, what) in
            [(limits.sha256_mb_per_second, "bare SHA-256"), (limits.copy_mb_per_second, "`cp`")]
        {
            section.push(Row::new(name, figure, Unit::MegabytesPerSecond).beside(limit, what));
        }
    }
    Ok(section)
}

/// Makes bytes that do not repeat from chunk to chunk, so that no block is stored twice (xorshift).
fn content(seed: u64, bytes: usize) -> Bytes {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.take(bytes.div_ceil(8)).flatten().take(bytes).collect::<Vec<u8>>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_differs_and_has_its_length() {
        assert_eq!(content(1, 1_001).len(), 1_001);
        assert_ne!(content(1, 64), content(2, 64));
        assert_eq!(content(3, 64), content(3, 64));
    }
}
