//! The limits of the machine, measured bare: no code of ours between the clock and the library.

use std::fs::{self, File};
use std::hint::black_box;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use ed25519_dalek::{Signer as _, SigningKey};
use sha2::{Digest as _, Sha256};

use crate::hop;
use crate::measure::Samples;
use crate::report::{Row, Section, Unit};

/// The size of a typical message of the mesh.
pub const MESSAGE_BYTES: usize = 256;

/// The size of one durable write, a page.
pub const WRITE_BYTES: usize = 4_096;

/// The size of one chunk of a file (`docs/protocol.md`: UnixFS, 1 MiB).
pub const CHUNK_BYTES: usize = 1 << 20;

/// The size of the file that is copied.
const COPY_BYTES: usize = 64 << 20;

/// What no program on this machine can beat, in one thread.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Ed25519 signatures made in a second, over 256 bytes.
    pub signs_per_second: f64,
    /// Ed25519 signatures checked strictly in a second, over 256 bytes, the key already decompressed.
    pub verifies_per_second: f64,
    /// Appends of 4 KiB in a second, each made durable by `fdatasync`.
    pub fdatasyncs_per_second: f64,
    /// The median of one such append, in microseconds.
    pub fdatasync_us: f64,
    /// SHA-256 over 1 MiB, in 10^6 bytes a second.
    pub sha256_mb_per_second: f64,
    /// `cp` of a 64 MiB file that is in the page cache, in 10^6 bytes a second.
    pub copy_mb_per_second: f64,
    /// The median of a message from one process's swarm to another's, one way, in microseconds: half of a bare libp2p
    /// request and response of 256 bytes over QUIC on loopback.
    pub hop_us: f64,
}

impl Limits {
    /// Measures each limit for at least the time given, the disk's in `dir`.
    ///
    /// # Errors
    ///
    /// When `dir` cannot be written to, or there is no `cp`.
    pub fn measure(each: Duration, dir: &Path) -> Result<Self> {
        let key = SigningKey::from_bytes(&[7; 32]);
        let fdatasync = fdatasync(each, dir)?;
        Ok(Self {
            signs_per_second: sign(each, &key)?.per_second(),
            verifies_per_second: verify(each, &key)?.per_second(),
            fdatasyncs_per_second: fdatasync.per_second(),
            fdatasync_us: fdatasync.quantile_us(0.5),
            sha256_mb_per_second: sha256(each)?.megabytes_per_second(CHUNK_BYTES),
            copy_mb_per_second: copy(each, dir)?.megabytes_per_second(COPY_BYTES),
            hop_us: hop::round_trips(each, MESSAGE_BYTES)?.quantile_us(0.5) / 2.0,
        })
    }

    /// Measures the disk again: what others write can make it ten times slower from one second to the next, so that a
    /// figure says something only beside the disk of the same moment.
    ///
    /// # Errors
    ///
    /// When `dir` cannot be written to.
    pub fn disk_now(&self, each: Duration, dir: &Path) -> Result<Self> {
        let now = fdatasync(each, dir)?;
        Ok(Self {
            fdatasyncs_per_second: now.per_second(),
            fdatasync_us: now.quantile_us(0.5),
            ..self.clone()
        })
    }

    /// Returns the limits as a section of the report.
    pub fn section(&self) -> Section {
        let mut section = Section::new("limits of the machine");
        section.push(Row::new("Ed25519 sign, 256 B", self.signs_per_second, Unit::PerSecond));
        section.push(Row::new("Ed25519 strict verify, 256 B", self.verifies_per_second, Unit::PerSecond));
        section.push(Row::new("append 4 KiB + fdatasync", self.fdatasyncs_per_second, Unit::PerSecond));
        section.push(Row::new("append 4 KiB + fdatasync, median", self.fdatasync_us, Unit::Microseconds));
        section.push(Row::new("SHA-256, 1 MiB", self.sha256_mb_per_second, Unit::MegabytesPerSecond));
        section.push(Row::new("copy with `cp`, 64 MiB", self.copy_mb_per_second, Unit::MegabytesPerSecond));
        section.push(Row::new("libp2p over QUIC on loopback, one way", self.hop_us, Unit::Microseconds));
        section
    }
}

fn sign(each: Duration, key: &SigningKey) -> Result<Samples> {
    let message = [42; MESSAGE_BYTES];
    Samples::collect(each, || {
        black_box(key.sign(black_box(&message)));
        Ok(())
    })
}

fn verify(each: Duration, key: &SigningKey) -> Result<Samples> {
    let message = [42; MESSAGE_BYTES];
    let (signature, public) = (key.sign(&message), key.verifying_key());
    Samples::collect(each, || {
        public.verify_strict(black_box(&message), &signature).context("checking a signature of our own")
    })
}

fn sha256(each: Duration) -> Result<Samples> {
    let chunk = vec![42; CHUNK_BYTES];
    Samples::collect(each, || {
        black_box(Sha256::digest(black_box(&chunk)));
        Ok(())
    })
}

fn fdatasync(each: Duration, dir: &Path) -> Result<Samples> {
    let mut file = tempfile::tempfile_in(dir).with_context(|| format!("writing in `{}`", dir.display()))?;
    let page = [42; WRITE_BYTES];
    Samples::collect(each, || {
        file.write_all(&page)?;
        Ok(file.sync_data()?)
    })
}

fn copy(each: Duration, dir: &Path) -> Result<Samples> {
    let folder = tempfile::tempdir_in(dir).with_context(|| format!("writing in `{}`", dir.display()))?;
    let (from, to) = (folder.path().join("from"), folder.path().join("to"));
    // Bytes that differ, since file systems store runs of zeros without writing them.
    let bytes: Vec<u8> = (0..COPY_BYTES).map(|index| (index % 251) as u8).collect();
    File::create(&from)?.write_all(&bytes)?;
    let samples = Samples::collect(each, || {
        // A clone of the extents would copy nothing at all.
        let status = Command::new("cp")
            .arg("--reflink=never")
            .arg(&from)
            .arg(&to)
            .status()
            .context("starting `cp`")?;
        if !status.success() {
            bail!("`cp` failed ({status})");
        }
        Ok(())
    })?;
    fs::remove_file(&to).context("removing the copy")?;
    Ok(samples)
}
