//! What the system tells of processes (`proc(5)`; Linux alone).

use anyhow::{Context, Result};
use std::fs;
use std::time::Duration;

/// User and system time of a process so far, to 10 ms.
///
/// # Errors
/// When there is no such process.
pub fn cpu(pid: u32) -> Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path).with_context(|| format!("{path} cannot be read"))?;
    ticks(&stat)
        .map(|ticks| Duration::from_millis(ticks * 10))
        .with_context(|| format!("{path} is malformed"))
}

/// The sum over several processes.
///
/// # Errors
/// As [`cpu`].
pub fn cpu_of(pids: &[u32]) -> Result<Duration> {
    pids.iter().map(|pid| cpu(*pid)).sum()
}

/// Resident memory of a process in bytes.
///
/// # Errors
/// When there is no such process.
pub fn resident(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).with_context(|| format!("{path} cannot be read"))?;
    resident_in(&status).with_context(|| format!("{path} is malformed"))
}

/// User and system time in ticks of 10 ms: fields 14 and 15.
fn ticks(stat: &str) -> Option<u64> {
    // The second field is a name in parentheses that may hold blanks; count from behind it.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

fn resident_in(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_found_behind_a_name_with_blanks() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194304 100 200 0 0 11 12 250 31 20 0 1 0 99";
        assert_eq!(ticks(stat), Some(23));
    }

    #[test]
    fn resident_memory_is_told_in_kib() {
        assert_eq!(
            resident_in("VmPeak:\t 90 kB\nVmRSS:\t    12 kB\n"),
            Some(12 * 1024)
        );
        assert_eq!(resident_in("VmPeak:\t 90 kB\n"), None);
    }
}
