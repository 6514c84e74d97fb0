//! What a job needs and a node has, counted in integers.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A kind of resource, by its name on the wire.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum ResourceType {
    /// Thousandths of a processor core.
    CpuMillicores,
    /// Bytes of memory.
    MemoryBytes,
    /// Bytes of disk.
    StorageBytes,
    /// Bits per second to the network.
    NetworkBitsPerSecond,
    /// Anything else, counted in units that its name implies (`gpu_nvidia_a100`).
    Other(String),
}

impl ResourceType {
    /// Returns the name on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::CpuMillicores => "cpu_millicores",
            Self::MemoryBytes => "memory_bytes",
            Self::StorageBytes => "storage_bytes",
            Self::NetworkBitsPerSecond => "network_bits_per_second",
            Self::Other(name) => name,
        }
    }
}

impl From<String> for ResourceType {
    fn from(name: String) -> Self {
        match name.as_str() {
            "cpu_millicores" => Self::CpuMillicores,
            "memory_bytes" => Self::MemoryBytes,
            "storage_bytes" => Self::StorageBytes,
            "network_bits_per_second" => Self::NetworkBitsPerSecond,
            _ => Self::Other(name),
        }
    }
}

impl From<ResourceType> for String {
    fn from(kind: ResourceType) -> Self {
        kind.as_str().to_owned()
    }
}

impl FromStr for ResourceType {
    type Err = std::convert::Infallible;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Ok(name.to_owned().into())
    }
}

impl fmt::Display for ResourceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Amounts by kind, in the unit of each kind.
pub type Resources = BTreeMap<ResourceType, u64>;

/// What a job asks of the node that runs it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ResourceProfile(pub Resources);

/// What a node can still give.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeCapacity(pub Resources);

impl NodeCapacity {
    /// Returns the first kind of which `profile` wants more than is here, with both figures (wanted, available).
    #[must_use]
    pub fn lacks(&self, profile: &ResourceProfile) -> Option<(ResourceType, u64, u64)> {
        profile.0.iter().find_map(|(kind, wanted)| {
            let available = self.0.get(kind).copied().unwrap_or(0);
            (available < *wanted).then(|| (kind.clone(), *wanted, available))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capacity_names_what_it_lacks() {
        let has =
            NodeCapacity([(ResourceType::MemoryBytes, 100), (ResourceType::Other("gpu".into()), 1)].into());
        let wants = |kind: &str, n| ResourceProfile([(ResourceType::from(kind.to_owned()), n)].into());
        assert_eq!(has.lacks(&wants("memory_bytes", 100)), None);
        assert_eq!(has.lacks(&wants("memory_bytes", 101)), Some((ResourceType::MemoryBytes, 101, 100)));
        assert_eq!(has.lacks(&wants("gpu", 1)), None);
        assert_eq!(has.lacks(&wants("cpu_millicores", 1)), Some((ResourceType::CpuMillicores, 1, 0)));
    }
}
