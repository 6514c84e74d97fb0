//! The metrics of one node.

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use icn_types::End;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::process;

/// The `Content-Type` of the page that [`Metrics::render`] returns.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds of the stage histogram, in seconds: a signature check takes tens of microseconds, a guest may
/// run for the default timeout of ten minutes.
const STAGE_BUCKETS: [f64; 22] = [
    10e-6, 25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 0.1, 0.25, 0.5,
    1.0, 2.5, 5.0, 10.0, 30.0, 120.0, 600.0,
];

/// How far the supervisor of a node has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum SupervisorState {
    /// Opens the keystore, the store and the sockets.
    #[default]
    Starting,
    /// Takes up what an earlier run left open.
    Recovering,
    /// Works; `node.json` is written.
    Running,
    /// Takes nothing new and finishes or hands back what runs.
    Draining,
    /// Has ended; only a process that runs several nodes ever shows it.
    Stopped,
}

impl SupervisorState {
    /// Every state, in the order in which a node passes through them.
    pub const ALL: [Self; 5] =
        [Self::Starting, Self::Recovering, Self::Running, Self::Draining, Self::Stopped];

    /// Returns the value of the label `state`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Recovering => "recovering",
            Self::Running => "running",
            Self::Draining => "draining",
            Self::Stopped => "stopped",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndLabels {
    end: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StageLabels {
    stage: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CodeLabels {
    code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CheckLabels {
    result: &'static str,
}

/// The metrics of one node: a registry of its own, and one method for each thing that can happen.
///
/// Clones are cheap and count together. Every method may be called from any task; none blocks for longer than a
/// short lock.
///
/// | family | kind | labels |
/// |---|---|---|
/// | `compute_tasks_completed` | counter | `end` |
/// | `job_stage_seconds` | histogram | `stage` |
/// | `messages_refused` | counter | `code` |
/// | `replay_detected` | counter | |
/// | `job_checks` | counter | `result` |
/// | `supervisor_state` | gauge, 1 for the present state | `state` |
/// | `process_resident_memory_bytes` | gauge, read at each rendering | |
/// | `icn_build` | info | `version` |
///
/// Other parts of the node add theirs with [`Metrics::register`]; `icn-net` brings the `network_*` families.
/// Counters end in `_total` on the page, as OpenMetrics asks. All families but `process_*` count for the node;
/// memory belongs to the process, whatever number of nodes it runs.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<RwLock<Registry>>,
    tasks_completed: Family<EndLabels, Counter>,
    stages: Family<StageLabels, Histogram, fn() -> Histogram>,
    refused: Family<CodeLabels, Counter>,
    replays: Counter,
    checks: Family<CheckLabels, Counter>,
    state: Arc<AtomicU8>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// Creates the metrics of a node that is starting; `version` is the program's.
    #[must_use]
    pub fn new(version: &str) -> Self {
        let metrics = Self {
            registry: Arc::default(),
            tasks_completed: Family::default(),
            stages: Family::new_with_constructor(|| Histogram::new(STAGE_BUCKETS)),
            refused: Family::default(),
            replays: Counter::default(),
            checks: Family::default(),
            state: Arc::new(AtomicU8::new(SupervisorState::Starting as u8)),
        };
        metrics.register(|registry| metrics.register_own(registry, version));
        metrics
    }

    fn register_own(&self, registry: &mut Registry, version: &str) {
        registry.register(
            "compute_tasks_completed",
            "Executions that this node ended, by end",
            self.tasks_completed.clone(),
        );
        registry.register_with_unit(
            "job_stage",
            "Time that jobs spent in each stage",
            Unit::Seconds,
            self.stages.clone(),
        );
        registry.register(
            "messages_refused",
            "Messages that this node refused, by code",
            self.refused.clone(),
        );
        registry.register("replay_detected", "Messages that had been seen before", self.replays.clone());
        registry.register(
            "job_checks",
            "Jobs of this node that were run again, by result",
            self.checks.clone(),
        );
        registry.register("icn_build", "The program", Info::new([("version", version.to_owned())]));
        registry.register_collector(Box::new(Snapshot { state: Arc::clone(&self.state) }));
    }

    /// Lets another part of the node add families of its own to the page.
    ///
    /// Names must be new: a family that is registered twice stands on the page twice, and scrapers refuse it.
    pub fn register<T>(&self, add: impl FnOnce(&mut Registry) -> T) -> T {
        add(&mut self.registry.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Counts an execution that ended on this node.
    pub fn task_completed(&self, end: End) {
        self.tasks_completed.get_or_create(&EndLabels { end: end.as_str() }).inc();
    }

    /// Records how long a job spent in a stage.
    ///
    /// The stage is a name from the source: names out of a peer's receipt would let that peer fill the memory.
    pub fn stage_observed(&self, stage: &'static str, elapsed: Duration) {
        self.stages.get_or_create(&StageLabels { stage }).observe(elapsed.as_secs_f64());
    }

    /// Counts a message that was refused with one of the response codes of `docs/protocol.md`.
    pub fn message_refused(&self, code: &'static str) {
        self.refused.get_or_create(&CodeLabels { code }).inc();
    }

    /// Counts a message that had been seen before.
    pub fn replay_detected(&self) {
        self.replays.inc();
    }

    /// Counts a finished job that was run again, or could not be.
    pub fn job_checked(&self, result: &'static str) {
        self.checks.get_or_create(&CheckLabels { result }).inc();
    }

    /// States how far the supervisor has come.
    pub fn set_supervisor_state(&self, state: SupervisorState) {
        self.state.store(state as u8, Ordering::Relaxed);
    }

    /// Renders the page in the OpenMetrics text format, with the content type [`CONTENT_TYPE`].
    ///
    /// A family that fails to write itself is logged and leaves the page without its closing `# EOF`, by which a
    /// scraper knows that it is not whole.
    #[must_use]
    pub fn render(&self) -> String {
        let mut page = String::new();
        let registry = self.registry.read().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = text::encode(&mut page, &registry) {
            tracing::error!(%error, "the metrics could not be rendered");
        }
        page
    }
}

/// What is read at the moment of rendering, so that a page never shows two states or an old size.
#[derive(Debug)]
struct Snapshot {
    state: Arc<AtomicU8>,
}

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let present = self.state.load(Ordering::Relaxed);
        let mut states = encoder.encode_descriptor(
            "supervisor_state",
            "1 for the present state",
            None,
            MetricType::Gauge,
        )?;
        for state in SupervisorState::ALL {
            let labels = [("state", state.as_str())];
            ConstGauge::new(i64::from(state as u8 == present)).encode(states.encode_family(&labels)?)?;
        }
        if let Some(bytes) = process::resident_memory_bytes() {
            let size = ConstGauge::<u64>::new(bytes);
            let memory = encoder.encode_descriptor(
                "process_resident_memory",
                "Resident memory of the process",
                Some(&Unit::Bytes),
                MetricType::Gauge,
            )?;
            size.encode(memory)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the value of the line that starts with `series`.
    fn value<'p>(page: &'p str, series: &str) -> Option<&'p str> {
        page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))
    }

    #[test]
    fn each_event_moves_its_own_family() {
        let metrics = Metrics::new("0.1.0");
        metrics.task_completed(End::Exit);
        metrics.task_completed(End::Exit);
        metrics.task_completed(End::OutOfFuel);
        metrics.message_refused("stale");
        metrics.replay_detected();
        metrics.job_checked("agreed");
        let page = metrics.render();
        let check = |series, expected| assert_eq!(value(&page, series), expected, "{series}\n{page}");
        check("compute_tasks_completed_total{end=\"exit\"}", Some("2"));
        check("compute_tasks_completed_total{end=\"out_of_fuel\"}", Some("1"));
        check("compute_tasks_completed_total{end=\"trap\"}", None);
        check("messages_refused_total{code=\"stale\"}", Some("1"));
        check("replay_detected_total", Some("1"));
        check("job_checks_total{result=\"agreed\"}", Some("1"));
        check("icn_build_info{version=\"0.1.0\"}", Some("1"));
        assert!(page.ends_with("# EOF\n"), "{page}");
    }

    #[test]
    fn stages_fall_into_buckets_of_seconds() {
        let metrics = Metrics::new("0.1.0");
        metrics.stage_observed("verify", Duration::from_micros(40));
        metrics.stage_observed("verify", Duration::from_millis(3));
        metrics.stage_observed("run", Duration::from_secs(3_600));
        let page = metrics.render();
        let check = |series, expected| assert_eq!(value(&page, series), Some(expected), "{series}\n{page}");
        check("job_stage_seconds_bucket{le=\"0.000025\",stage=\"verify\"}", "0");
        check("job_stage_seconds_bucket{le=\"0.00005\",stage=\"verify\"}", "1");
        check("job_stage_seconds_bucket{le=\"0.005\",stage=\"verify\"}", "2");
        check("job_stage_seconds_bucket{le=\"600.0\",stage=\"run\"}", "0");
        check("job_stage_seconds_bucket{le=\"+Inf\",stage=\"run\"}", "1");
        check("job_stage_seconds_sum{stage=\"run\"}", "3600.0");
    }

    #[test]
    fn bounds_rise() {
        assert!(STAGE_BUCKETS.is_sorted_by(|low, high| low < high));
    }

    #[test]
    fn exactly_one_supervisor_state_is_present() {
        let metrics = Metrics::new("0.1.0");
        for state in SupervisorState::ALL {
            metrics.set_supervisor_state(state);
            let page = metrics.render();
            for other in SupervisorState::ALL {
                let series = format!("supervisor_state{{state=\"{}\"}}", other.as_str());
                assert_eq!(value(&page, &series), Some(if other == state { "1" } else { "0" }), "{page}");
            }
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn memory_is_read_at_each_rendering() {
        let page = Metrics::new("0.1.0").render();
        let bytes: u64 = value(&page, "process_resident_memory_bytes").unwrap().parse().unwrap();
        assert!(bytes > 100_000, "{page}");
    }

    #[test]
    fn two_nodes_in_one_process_stay_apart_and_clones_count_together() {
        let (first, second) = (Metrics::new("0.1.0"), Metrics::new("0.1.0"));
        first.replay_detected();
        first.clone().replay_detected();
        assert_eq!(value(&first.render(), "replay_detected_total"), Some("2"));
        assert_eq!(value(&second.render(), "replay_detected_total"), Some("0"));
    }

    #[test]
    fn another_part_may_add_families() {
        let metrics = Metrics::new("0.1.0");
        let commits = metrics.register(|registry| {
            let commits: Counter = Counter::default();
            registry.register("store_commits", "Durable commits", commits.clone());
            commits
        });
        commits.inc_by(5);
        assert_eq!(value(&metrics.render(), "store_commits_total"), Some("5"));
    }

    #[test]
    fn no_family_stands_on_the_page_twice() {
        let metrics = Metrics::new("0.1.0");
        metrics.task_completed(End::Exit);
        let page = metrics.render();
        let mut names: Vec<_> = page.lines().filter(|line| line.starts_with("# TYPE ")).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all, "{page}");
    }
}
