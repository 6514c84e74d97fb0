//! The instruments of `cargo xtask bench`: a clock, the limits of the machine, a table.
//!
//! Absolute figures travel badly from machine to machine and from hour to hour. Every limit (a bare signature, a
//! bare `fdatasync`, a bare copy) is therefore measured in the same run, and what counts is the ratio. The
//! program beside this library holds the sections, each of which measures one part of ICN.

pub mod limits;
pub mod machine;
pub mod measure;
pub mod report;

use std::path::PathBuf;
use std::time::Duration;

use crate::limits::Limits;
use crate::report::Section;

/// What every section may use.
#[derive(Debug, Clone)]
pub struct Context {
    /// How long one measurement runs at least.
    pub each: Duration,
    /// The folder on the disk that is measured, for temporary files.
    pub dir: PathBuf,
    /// The limits, measured before any section.
    pub limits: Limits,
}

/// Measures one part and reports its rows.
pub type Measure = fn(&Context) -> anyhow::Result<Section>;
