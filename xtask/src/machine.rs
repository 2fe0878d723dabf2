//! What the commands ask of the machine: its clock, its environment, the programs on it. The one
//! place in `xtask` that does.
#![expect(
    clippy::disallowed_types,
    reason = "times commands on a real machine; never simulated"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Time since it was started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(std::time::Instant);

impl Stopwatch {
    pub(crate) fn start() -> Stopwatch {
        Stopwatch(std::time::Instant::now())
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// An environment variable; one that is empty or no text counts as unset.
#[expect(
    clippy::disallowed_methods,
    reason = "xtask is no service: nothing hands it an environment"
)]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Whether this run is continuous integration: nothing may be skipped then.
pub(crate) fn is_ci() -> bool {
    variable("CI").is_some_and(|value| value != "false" && value != "0")
}

/// A number nobody chose, to start a batch of fresh seeds from. It stays below a billion, so that
/// people can type it.
#[expect(
    clippy::disallowed_methods,
    reason = "fresh seeds are to differ from run to run"
)]
pub(crate) fn fresh_number() -> u64 {
    let since_epoch = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    1_000 + since_epoch.as_secs().wrapping_mul(2_654_435_761) % 999_000_000
}

/// The processor time of all children that ended so far, where the system tells (Linux).
pub(crate) fn children_cpu() -> Option<Duration> {
    children_ticks(&fs::read_to_string("/proc/self/stat").ok()?)
        .map(|ticks| Duration::from_millis(ticks * 10))
}

/// User and system time of waited-for children, in ticks of 10 ms (`proc(5)`, fields 16 and 17).
fn children_ticks(stat: &str) -> Option<u64> {
    // The second field is a name in parentheses that may hold blanks; count from behind it.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(13);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// The first of these programs found on `PATH`.
pub(crate) fn program(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    names.iter().find_map(|name| {
        std::env::split_paths(&path)
            .map(|folder| folder.join(name))
            .find(|candidate| candidate.is_file())
    })
}

/// The folder that outlives clones: installed tools and CI's build artefacts. `None` where the
/// account has no home.
pub(crate) fn cache() -> Option<PathBuf> {
    let base = variable("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| std::env::home_dir().map(|home| home.join(".cache")))?;
    Some(base.join("backlot"))
}

/// Whether packages of the system may be installed.
pub(crate) fn is_root() -> bool {
    answer(Command::new("id").arg("-u")).is_some_and(|id| id == "0")
}

/// What a short command prints, trimmed; `None` if it cannot run or fails.
pub(crate) fn answer(command: &mut Command) -> Option<String> {
    let output = command.stderr(Stdio::null()).output().ok()?;
    if !output.status.success() {
        return None;
    }
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// `PATH` with a folder in front.
pub(crate) fn path_with(folder: &Path) -> std::ffi::OsString {
    let rest = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(folder.to_path_buf()).chain(std::env::split_paths(&rest));
    // Only a folder with a separator in its name cannot be joined; leave it out then.
    std::env::join_paths(folders).unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_found_behind_a_name_with_blanks() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194304 100 200 0 0 11 12 250 31 20 0 1 0 99";
        assert_eq!(children_ticks(stat), Some(281));
    }

    #[test]
    fn a_cut_line_gives_no_processor_time() {
        assert_eq!(children_ticks("7 (x) S 1 7"), None);
    }

    #[test]
    fn fresh_numbers_can_be_typed() {
        assert!((1_000..1_000_000_000).contains(&fresh_number()));
    }
}
