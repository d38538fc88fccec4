//! What the machine has left of memory.

use std::fs;
use std::path::Path;

/// Bytes that can be used without others being put out of memory, as far as it is told: what Linux has available, and what
/// the control groups leave that the process is in.
pub(crate) fn available() -> Option<usize> {
    let machine = number_after(&fs::read_to_string("/proc/meminfo").ok()?, "MemAvailable:")?.saturating_mul(1024);
    Some(of_groups().map_or(machine, |group| group.min(machine)))
}

/// The number behind a word at the beginning of a line.
fn number_after(text: &str, word: &str) -> Option<usize> {
    let line = text.lines().find_map(|line| line.strip_prefix(word))?;
    line.split_whitespace().next()?.parse().ok()
}

/// What is left in the tightest of the control groups (version 2) around the process.
fn of_groups() -> Option<usize> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let root = Path::new("/sys/fs/cgroup");
    let own = root.join(path);
    own.ancestors().take_while(|group| group.starts_with(root)).filter_map(of_group).min()
}

fn of_group(group: &Path) -> Option<usize> {
    let read = |name: &str| fs::read_to_string(group.join(name)).ok();
    // `max` where there is no limit.
    let most: usize = read("memory.max")?.trim().parse().ok()?;
    let used: usize = read("memory.current")?.trim().parse().ok()?;
    // Of files, what nobody has used for a while is given up first.
    let files = read("memory.stat").and_then(|stat| number_after(&stat, "inactive_file ")).unwrap_or(0);
    Some(most.saturating_sub(used.saturating_sub(files)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_in_lines() {
        let text = "MemTotal:       24689132 kB\nMemAvailable:   23000000 kB\n";
        assert_eq!(number_after(text, "MemAvailable:"), Some(23_000_000));
        assert_eq!(number_after(text, "SwapFree:"), None);
        if cfg!(target_os = "linux") {
            assert!(available().is_some_and(|bytes| bytes > 0));
        }
    }
}
