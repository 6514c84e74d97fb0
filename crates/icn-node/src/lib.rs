//! The shell of a node.
//!
//! The machines of `icn-mesh` decide; everything that touches the world happens here: the clock is read, messages are
//! verified as they come in, effects are carried out in order, guests are run, blocks are fetched. [`run`] is a node from
//! start to clean end, [`offline`] is what can be done with a data folder while no node holds it.

mod advertise;
mod answer;
mod api;
pub mod backup;
mod clock;
pub mod config;
mod content;
mod core;
mod data_dir;
mod hearing;
mod index;
mod node_file;
pub mod offline;
mod perform;
mod receipt;
mod replay;
mod spaces;
mod spot;
mod supervisor;
mod trust;
mod view;
mod work;

pub use crate::config::{Config, ConfigError};
pub use crate::data_dir::DataDir;
pub use crate::node_file::NodeFile;
pub use crate::receipt::chain;
pub use crate::supervisor::{RunError, RunOptions, run};
