//! What is said, and where the process is killed.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// In front of every line of the history: others write to standard output as well.
const MARK: &str = "| ";

/// Takes lines of a history, and kills the process at a step.
#[derive(Clone, Debug)]
pub(crate) struct Journal(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Kept here, or said.
    kept: Option<Mutex<String>>,
    kill: Option<(String, u64)>,
    passed: AtomicU64,
}

impl Journal {
    /// Says each line on standard output before it goes on; is killed when it comes to this step
    /// for this time, as `step:number`.
    pub(crate) fn said(kill: Option<&str>) -> Self {
        let kill = kill.map(|kill| {
            let (step, number) = kill.split_once(':').unwrap();
            (step.to_owned(), number.parse().unwrap())
        });
        Journal(Arc::new(Inner {
            kept: None,
            kill,
            passed: AtomicU64::new(0),
        }))
    }

    pub(crate) fn kept() -> Self {
        Journal(Arc::new(Inner {
            kept: Some(Mutex::default()),
            kill: None,
            passed: AtomicU64::new(0),
        }))
    }

    pub(crate) fn line(&self, line: &str) {
        match &self.0.kept {
            Some(kept) => {
                let mut kept = kept.lock().unwrap();
                kept.push_str(line);
                kept.push('\n');
            }
            None => {
                // One call, so that no other's line is within this one.
                let text = format!("{MARK}{line}\n");
                let mut out = std::io::stdout().lock();
                out.write_all(text.as_bytes()).unwrap();
                out.flush().unwrap();
            }
        }
    }

    /// What was kept.
    pub(crate) fn text(&self) -> String {
        let kept = self.0.kept.as_ref();
        kept.map_or_else(String::new, |kept| kept.lock().unwrap().clone())
    }

    /// Comes to a step, and may not go on.
    pub(crate) fn step(&self, name: &str) {
        if let Some((step, number)) = &self.0.kill
            && step == name
            && self.0.passed.fetch_add(1, Ordering::SeqCst) + 1 == *number
        {
            kill(Pid::this(), Signal::SIGKILL).unwrap();
        }
    }
}

/// The lines of a history in what a child said. A last line that was cut off is none.
pub(crate) fn history(said: &str) -> String {
    let whole = said.rfind('\n').map_or("", |end| &said[..=end]);
    let lines = whole.lines().filter_map(|line| line.strip_prefix(MARK));
    lines.map(|line| format!("{line}\n")).collect()
}
