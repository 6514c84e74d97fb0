//! What a job is: the `job_params` of an announcement.

mod block;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use icn_types::{Cid, Did, Mode, Region, ResourceProfile, Timestamp, TokenAmount, check_paths};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use self::block::{Params, announcement_id};
use crate::bounds::Fields;
use crate::bytes::Nonce;
use crate::error::ProtocolError;
use crate::limits::{
    ARGS_BYTES_MAX, ARGS_LEN_MAX, FUEL_MAX, LIST_LEN_MAX, MEMORY_BYTES_MAX, NAME_BYTES_MAX, OUTPUT_BYTES_MAX,
    REPLICAS_MAX, TEXT_BYTES_MAX, TIMEOUT_SECONDS_MAX,
};

/// What to run, on what, within which limits, and who may run it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeshJobParams {
    /// Makes the job, and so its announcement id, unique.
    pub nonce: Nonce,
    /// The WebAssembly module.
    pub wasm_cid: Cid,
    /// What the job is, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The exported function that is called; `_start` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
    /// The guest's arguments after `argv[0]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// The guest's environment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// What the guest reads from standard input; nothing when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdin_cid: Option<Cid>,
    /// The files under `/in`.
    pub input_cids: Vec<NamedCid>,
    /// What the executor must have free.
    pub resources_required: ResourceProfile,
    /// How long the guest may run, in seconds.
    pub timeout_seconds: u64,
    /// How much fuel the guest may use.
    pub max_fuel: u64,
    /// How much memory the guest may use, in bytes.
    pub memory_bytes_max: u64,
    /// How much the guest may write, in bytes: files, standard output and standard error together.
    pub output_bytes_max: u64,
    /// How strictly the result is determined; canonical when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// What matters most to the originator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qos_profile: Option<QosProfile>,
    /// When the result loses its use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// An older name of `execution_policy.max_price`; both must agree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_acceptable_bid_tokens: Option<TokenAmount>,
    /// The space in whose ledger the job is paid, by its root; the originator's own choice when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub space: Option<Did>,
    /// Whether the job is one module or several.
    pub workflow_type: WorkflowType,
    /// The modules of a workflow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<Stage>,
    /// Whether originator and guest exchange chunks while it runs.
    pub is_interactive: bool,
    /// How many executors run the job beside each other; one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<u32>,
    /// What the output should look like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_output_schema_cid: Option<Cid>,
    /// Names a grant of resources that the job is charged to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_token: Option<String>,
    /// Who may run the job, and how bids are weighed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_policy: Option<ExecutionPolicy>,
}

/// A block and the name that the guest sees it under.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NamedCid {
    /// The path below `/in`.
    pub name: String,
    /// The file.
    pub cid: Cid,
}

/// Who may run a job, and how bids are weighed. Every rule that is absent admits everybody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutionPolicy {
    /// How much reputation counts, in parts per million.
    pub rep_weight: u32,
    /// How much the price counts, in parts per million.
    pub price_weight: u32,
    /// Where the executor must stand; the job is announced on this region's topic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region_filter: Option<Region>,
    /// The least reputation, in parts per million, by the originator's own count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_reputation: Option<u32>,
    /// The highest price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_price: Option<TokenAmount>,
    /// The only executors that may bid; everybody when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_executors: Vec<Did>,
    /// The placement policy by name, such as `FIFO`; the originator's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement: Option<String>,
}

/// What matters most to the originator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum QosProfile {
    /// Nothing in particular.
    BestEffort,
    /// To have the result soon.
    LowLatency,
    /// To pay little.
    CostOptimized,
    /// To have the result at all.
    GuaranteedCompletion,
}

/// Whether a job is one module or several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum WorkflowType {
    /// One module.
    SingleWasmModule,
    /// Stages one after the other, each on the outputs of the one before.
    SequentialPipeline,
    /// Stages with dependencies.
    DagWorkflow,
}

/// One module of a workflow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// The stage's name within the job: 1 to 32 of `a-z`, `0-9` and `-`.
    pub stage_id: String,
    /// What the stage is, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The WebAssembly module.
    pub wasm_cid: Cid,
    /// Where the stage's inputs come from.
    pub input_source: InputSource,
    /// What the executor must have free; the job's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources_required: Option<ResourceProfile>,
    /// When the stage's result loses its use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
}

/// Where a stage's inputs come from: `job`, or `stages:` and the names of earlier stages separated by commas.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum InputSource {
    /// The inputs of the job.
    Job,
    /// The outputs of these stages.
    Stages(Vec<String>),
}

impl fmt::Display for InputSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Job => f.write_str("job"),
            Self::Stages(names) => write!(f, "stages:{}", names.join(",")),
        }
    }
}

impl FromStr for InputSource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "job" {
            return Ok(Self::Job);
        }
        let names: Vec<String> = text
            .strip_prefix("stages:")
            .ok_or("an input source is `job` or `stages:<name>,<name>…`")?
            .split(',')
            .map(str::to_owned)
            .collect();
        if names.len() <= LIST_LEN_MAX && names.iter().all(|name| is_stage_id(name)) {
            Ok(Self::Stages(names))
        } else {
            Err("a stage's name has 1 to 32 of `a-z`, `0-9` and `-`".into())
        }
    }
}

impl Serialize for InputSource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for InputSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

fn is_stage_id(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

impl MeshJobParams {
    /// Asks for a module to be run with the default limits of this protocol: ten minutes, 10^12 fuel, 512 MiB of memory,
    /// 256 MiB of outputs, by anybody who asks no price.
    #[must_use]
    pub fn new(nonce: Nonce, wasm_cid: Cid) -> Self {
        Self {
            nonce,
            wasm_cid,
            description: None,
            entry: None,
            args: Vec::new(),
            env: BTreeMap::new(),
            stdin_cid: None,
            input_cids: Vec::new(),
            resources_required: ResourceProfile::default(),
            timeout_seconds: 600,
            max_fuel: 1_000_000_000_000,
            memory_bytes_max: 512 << 20,
            output_bytes_max: 256 << 20,
            mode: None,
            qos_profile: None,
            deadline: None,
            max_acceptable_bid_tokens: None,
            space: None,
            workflow_type: WorkflowType::SingleWasmModule,
            stages: Vec::new(),
            is_interactive: false,
            replicas: None,
            expected_output_schema_cid: None,
            resource_token: None,
            execution_policy: None,
        }
    }

    /// Returns the function to call.
    #[must_use]
    pub fn entry(&self) -> &str {
        self.entry.as_deref().unwrap_or("_start")
    }

    /// Returns the mode, canonical when none is named.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode.unwrap_or_default()
    }

    /// Returns the highest price under either of its names.
    #[must_use]
    pub fn max_price(&self) -> Option<&TokenAmount> {
        self.execution_policy
            .as_ref()
            .and_then(|policy| policy.max_price.as_ref())
            .or(self.max_acceptable_bid_tokens.as_ref())
    }

    /// Returns the region that the executor must stand in.
    #[must_use]
    pub fn region(&self) -> Option<&Region> {
        self.execution_policy.as_ref()?.region_filter.as_ref()
    }

    /// Checks every field's range (`docs/protocol.md`, section 7).
    ///
    /// # Errors
    ///
    /// [`ProtocolError::Field`] with the first field that is wrong.
    pub fn check(&self) -> Result<(), ProtocolError> {
        let fields = Fields("job_params");
        fields.text("description", self.description.as_deref(), TEXT_BYTES_MAX)?;
        fields.name("entry", self.entry())?;
        self.check_arguments(fields)?;
        check_paths(self.input_cids.iter().map(|input| input.name.as_str()))
            .map_err(|error| fields.fault("input_cids", error.to_string()))?;
        fields.profile("resources_required", &self.resources_required)?;
        fields.within("timeout_seconds", self.timeout_seconds, 1, TIMEOUT_SECONDS_MAX)?;
        fields.within("max_fuel", self.max_fuel, 1, FUEL_MAX)?;
        fields.within("memory_bytes_max", self.memory_bytes_max, 1, MEMORY_BYTES_MAX)?;
        fields.within("output_bytes_max", self.output_bytes_max, 0, OUTPUT_BYTES_MAX)?;
        fields.amount("max_acceptable_bid_tokens", self.max_acceptable_bid_tokens.as_ref())?;
        fields.within("replicas", u64::from(self.replicas.unwrap_or(1)), 1, u64::from(REPLICAS_MAX))?;
        fields.text("resource_token", self.resource_token.as_deref(), NAME_BYTES_MAX)?;
        self.check_stages(fields)?;
        if let Some(policy) = &self.execution_policy {
            policy.check()?;
            let agree = match (&policy.max_price, &self.max_acceptable_bid_tokens) {
                (Some(a), Some(b)) => a == b,
                _ => true,
            };
            fields.ensure("max_acceptable_bid_tokens", agree, "differs from execution_policy.max_price")?;
        }
        Ok(())
    }

    fn check_arguments(&self, fields: Fields) -> Result<(), ProtocolError> {
        fields.len("args", self.args.len(), ARGS_LEN_MAX)?;
        fields.len("env", self.env.len(), ARGS_LEN_MAX)?;
        // C programs end each text with a zero byte, and split the environment at the first `=`.
        let no_zero = |text: &String| !text.contains('\0');
        fields.ensure("args", self.args.iter().all(no_zero), "contains a zero byte")?;
        fields.ensure("env", self.env.values().all(no_zero), "contains a zero byte")?;
        let is_key = |key: &String| !key.is_empty() && !key.contains(['\0', '=']);
        fields.ensure(
            "env",
            self.env.keys().all(is_key),
            "has a name that is empty or contains `=` or zero",
        )?;
        let bytes: usize = self.args.iter().map(|arg| arg.len() + 1).sum::<usize>()
            + self.env.iter().map(|(key, value)| key.len() + value.len() + 2).sum::<usize>();
        fields.len("args", bytes, ARGS_BYTES_MAX)
    }

    /// A single module has no stages; a workflow has some, each named once, each fed by stages named before it.
    fn check_stages(&self, fields: Fields) -> Result<(), ProtocolError> {
        fields.len("stages", self.stages.len(), LIST_LEN_MAX)?;
        let single = self.workflow_type == WorkflowType::SingleWasmModule;
        fields.ensure("stages", single == self.stages.is_empty(), "does not fit workflow_type")?;
        let mut known = BTreeSet::new();
        for stage in &self.stages {
            let fields = Fields("stages");
            fields.ensure("stage_id", is_stage_id(&stage.stage_id), "is not 1 to 32 of `a-z`, `0-9`, `-`")?;
            if let InputSource::Stages(names) = &stage.input_source {
                let earlier = names.iter().all(|name| known.contains(name.as_str()));
                fields.ensure("input_source", earlier, "names a stage that is not earlier in the list")?;
                let one = self.workflow_type == WorkflowType::DagWorkflow || names.len() == 1;
                fields.ensure("input_source", one, "names several stages in a pipeline")?;
            }
            fields.ensure("stage_id", known.insert(stage.stage_id.as_str()), "is there twice")?;
            fields.text("description", stage.description.as_deref(), TEXT_BYTES_MAX)?;
            if let Some(profile) = &stage.resources_required {
                fields.profile("resources_required", profile)?;
            }
        }
        Ok(())
    }
}

impl ExecutionPolicy {
    fn check(&self) -> Result<(), ProtocolError> {
        let fields = Fields("execution_policy");
        fields.ppm("rep_weight", self.rep_weight)?;
        fields.ppm("price_weight", self.price_weight)?;
        fields.ppm("min_reputation", self.min_reputation.unwrap_or(0))?;
        fields.amount("max_price", self.max_price.as_ref())?;
        fields.len("allowed_executors", self.allowed_executors.len(), LIST_LEN_MAX)?;
        self.placement.as_deref().map_or(Ok(()), |name| fields.name("placement", name))
    }
}
