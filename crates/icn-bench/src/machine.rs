//! What the figures were measured on.

use std::fmt;
use std::fs;
use std::path::Path;

use serde::Serialize;

/// The facts that explain a figure. What cannot be read is `unknown`.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    cpu: String,
    cores: usize,
    kernel: String,
    memory_mib: Option<u64>,
    load: String,
}

impl Machine {
    /// Reads the facts of this machine from `/proc`.
    pub fn read() -> Self {
        let read = |path: &str| fs::read_to_string(Path::new("/proc").join(path)).unwrap_or_default();
        Self {
            cpu: field(&read("cpuinfo"), "model name"),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: or_unknown(read("sys/kernel/osrelease").trim()),
            memory_mib: kib(&field(&read("meminfo"), "MemTotal")).map(|kib| kib / 1_024),
            load: or_unknown(read("loadavg").split(' ').next().unwrap_or_default()),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cpu, cores, kernel, memory_mib, load } = self;
        write!(f, "Machine: {cpu}, {cores} cores, ")?;
        if let Some(mib) = memory_mib {
            write!(f, "{mib} MiB, ")?;
        }
        write!(f, "Linux {kernel}, load {load} at the start; icn {}", env!("CARGO_PKG_VERSION"))
    }
}

/// Returns the value of the first `name : value` line.
fn field(text: &str, name: &str) -> String {
    let value = text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim())
    });
    or_unknown(value.unwrap_or_default())
}

/// Reads an amount such as `1024 kB`.
fn kib(text: &str) -> Option<u64> {
    text.strip_suffix(" kB")?.trim().parse().ok()
}

fn or_unknown(text: &str) -> String {
    if text.is_empty() { "unknown".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found() {
        let text = "processor\t: 0\nmodel name\t: Great CPU @ 2 GHz\nmodel name\t: second\n";
        assert_eq!(field(text, "model name"), "Great CPU @ 2 GHz");
        assert_eq!(field(text, "stepping"), "unknown");
        assert_eq!(kib("1024 kB"), Some(1_024));
        assert_eq!(kib("unknown"), None);
    }

    #[test]
    fn this_machine_has_cores() {
        assert!(Machine::read().to_string().starts_with("Machine: "));
        assert!(Machine::read().cores >= 1);
    }
}
