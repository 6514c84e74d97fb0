//! What the operating system says of this process.

use std::fs;

/// Returns the resident memory of this process in bytes, or nothing where `/proc` is not at hand.
pub(crate) fn resident_memory_bytes() -> Option<u64> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    resident_pages(&statm)?.checked_mul(u64::try_from(rustix::param::page_size()).ok()?)
}

/// Reads the second field of `statm`: resident pages (proc_pid_statm(5)).
fn resident_pages(statm: &str) -> Option<u64> {
    statm.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_field_counts() {
        assert_eq!(resident_pages("14000 2500 900 300 0 1200 0\n"), Some(2500));
        assert_eq!(resident_pages("14000"), None);
        assert_eq!(resident_pages("14000 many"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_has_a_plausible_size() {
        let bytes = resident_memory_bytes().unwrap();
        assert!((100_000..100_000_000_000).contains(&bytes), "{bytes}");
    }
}
