//! The instruments of `cargo xtask bench`: a clock, the limits of the machine, a table.
//!
//! Absolute figures travel badly from machine to machine and from hour to hour. Every limit (a bare signature, a
//! bare `fdatasync`, a bare copy) is therefore measured in the same run, and what counts is the ratio. The
//! program beside this library holds the sections, each of which measures one part of ICN.

pub mod client;
pub mod cores;
pub mod crowd;
pub mod hop;
pub mod limits;
pub mod machine;
pub mod measure;
pub mod mesh;
pub mod process;
pub mod report;

use std::path::PathBuf;
use std::time::Duration;

use crate::limits::Limits;
use crate::report::Section;

/// How much is measured.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How long one measurement in this process runs at least.
    pub each: Duration,
    /// Jobs one after another.
    pub jobs_single: usize,
    /// Jobs with many in flight.
    pub jobs_burst: usize,
    /// The size of the file that goes in and out, in bytes.
    pub file_bytes: usize,
    /// Files that go in and out.
    pub files: usize,
    /// Starts of a node.
    pub starts: usize,
    /// How long an idle node is watched.
    pub idle: Duration,
    /// Members of the graph of trust, each of whom vouches for ten others.
    pub trust_members: usize,
    /// What is measured of common books.
    pub books: BooksPlan,
}

/// How much of the common books is measured.
#[derive(Debug, Clone)]
pub struct BooksPlan {
    /// How long each load of payments runs.
    pub load: Duration,
    /// How long each load of four nodes runs.
    pub mesh: Duration,
    /// Whether databases of others do the same, where they are installed.
    pub has_peers: bool,
    /// Entries that come from another node.
    pub foreign: u32,
    /// Sizes of the sets that are reconciled.
    pub sets: Vec<u32>,
    /// Entries that a node starts with.
    pub start: u32,
}

impl Plan {
    /// A run for figures that are written down.
    #[must_use]
    pub fn full(each: Duration) -> Self {
        Self {
            each,
            jobs_single: 300,
            jobs_burst: 2_000,
            file_bytes: 100_000_000,
            files: 3,
            starts: 10,
            idle: Duration::from_secs(20),
            trust_members: 10_000,
            books: BooksPlan {
                load: Duration::from_secs(5),
                mesh: Duration::from_secs(15),
                has_peers: true,
                foreign: 100_000,
                sets: vec![100_000, 1_000_000],
                start: 1_000_000,
            },
        }
    }

    /// A run that shows whether something is badly wrong.
    #[must_use]
    pub fn quick() -> Self {
        Self {
            each: Duration::from_millis(100),
            jobs_single: 40,
            jobs_burst: 300,
            file_bytes: 10_000_000,
            files: 2,
            starts: 3,
            idle: Duration::from_secs(3),
            trust_members: 2_000,
            books: BooksPlan {
                load: Duration::from_millis(500),
                mesh: Duration::from_secs(2),
                has_peers: true,
                foreign: 5_000,
                sets: vec![20_000],
                start: 20_000,
            },
        }
    }
}

/// What every section may use.
#[derive(Debug, Clone)]
pub struct Context {
    /// How much is measured.
    pub plan: Plan,
    /// The folder on the disk that is measured, for temporary files.
    pub dir: PathBuf,
    /// The program whose processes are measured.
    pub icn: PathBuf,
    /// The limits, measured before any section.
    pub limits: Limits,
}

/// Measures one part and reports its rows.
pub type Measure = fn(&Context) -> anyhow::Result<Section>;
