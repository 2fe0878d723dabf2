//! Programs started, told to stop, killed, and what they said.

use crate::wait::{PATIENCE, wait_within};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::ffi::OsStr;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// How long output may go on after the program has ended: children it leaves hold the pipe.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A program before it runs. It gets no environment but `PATH`.
#[derive(Debug)]
pub struct Program {
    command: Command,
    name: String,
    read: bool,
}

impl Program {
    /// The program at `path`.
    ///
    /// # Panics
    /// Never; the path is looked at when the program is started.
    #[must_use]
    pub fn new(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref();
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        let mut command = Command::new(path);
        // What the person who runs the tests has configured is not under test.
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin");
        Program {
            command,
            name,
            read: true,
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.command.args(arguments);
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Nobody reads its standard output: as in `program | head`, when head has gone.
    #[must_use]
    pub fn unread(mut self) -> Self {
        self.read = false;
        self
    }

    /// Starts it.
    ///
    /// # Panics
    /// When the system refuses.
    #[must_use]
    pub fn start(mut self) -> Process {
        let out = if self.read {
            Stdio::piped()
        } else {
            match std::io::pipe() {
                Ok((_reader, writer)) => writer.into(),
                Err(error) => panic!("no pipe for {}: {error}", self.name),
            }
        };
        let spawned = self
            .command
            .stdin(Stdio::piped())
            .stdout(out)
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        let mut child = match spawned {
            Ok(child) => child,
            Err(error) => panic!("{} does not start: {error}", self.name),
        };
        let pid = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .map(Pid::from_raw);
        let lines = Lines::default();
        let mut readers = JoinSet::new();
        if let Some(out) = child.stdout.take() {
            readers.spawn(collect(out, Source::Out, lines.clone()));
        }
        if let Some(err) = child.stderr.take() {
            readers.spawn(collect(err, Source::Err, lines.clone()));
        }
        let stdin = child.stdin.take();
        Process {
            name: self.name,
            child,
            pid,
            stdin,
            lines,
            readers,
        }
    }

    /// Starts it, waits for its end, and gives what came of it.
    ///
    /// # Panics
    /// When it does not start, or does not end within a minute.
    pub async fn run(self) -> Ended {
        let mut process = self.start();
        let status = process.ended().await;
        Ended {
            status,
            out: process.out(),
            err: process.err(),
        }
    }
}

/// What came of a program.
#[derive(Clone, Debug)]
pub struct Ended {
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to standard output.
    pub out: String,
    /// What it wrote to standard error.
    pub err: String,
}

/// Which way a line came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// A line a program wrote.
#[derive(Clone, Debug)]
pub struct Line {
    /// Which way.
    pub source: Source,
    /// What, without its end.
    pub text: String,
    /// When it was read.
    pub at: Instant,
}

#[derive(Clone, Debug, Default)]
struct Lines(Arc<Mutex<Vec<Line>>>);

impl Lines {
    fn lock(&self) -> MutexGuard<'_, Vec<Line>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn collect(stream: impl AsyncRead + Unpin, source: Source, lines: Lines) {
    let mut reader = BufReader::new(stream);
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        // Lines that are not UTF-8 are a finding, not a reason to stop reading.
        match reader.read_until(b'\n', &mut bytes).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let text = String::from_utf8_lossy(&bytes)
            .trim_end_matches(['\n', '\r'])
            .to_owned();
        lines.lock().push(Line {
            source,
            text,
            at: Instant::now(),
        });
    }
}

/// A running program. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    pid: Option<Pid>,
    stdin: Option<ChildStdin>,
    lines: Lines,
    readers: JoinSet<()>,
}

impl Process {
    /// Its process id.
    ///
    /// # Panics
    /// When the system gave none.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "a started program has an id until it is waited for"
    )]
    pub fn pid(&self) -> i32 {
        self.pid.expect("a started program has an id").as_raw()
    }

    /// All lines so far.
    #[must_use]
    pub fn lines(&self) -> Vec<Line> {
        self.lines.lock().clone()
    }

    /// Standard output so far.
    #[must_use]
    pub fn out(&self) -> String {
        self.text(Some(Source::Out))
    }

    /// Standard error so far.
    #[must_use]
    pub fn err(&self) -> String {
        self.text(Some(Source::Err))
    }

    /// All it said so far, for a panic's message.
    #[must_use]
    pub fn said(&self) -> String {
        format!("--- {} said:\n{}---", self.name, self.text(None))
    }

    fn text(&self, source: Option<Source>) -> String {
        let lines = self.lines.lock();
        let wanted = lines
            .iter()
            .filter(|line| source.is_none_or(|source| line.source == source));
        wanted.map(|line| format!("{}\n", line.text)).collect()
    }

    /// Waits for a condition while the program runs.
    ///
    /// # Panics
    /// When the program ends, or after a minute; with all that it said.
    pub async fn wait_until<T>(
        &mut self,
        what: &str,
        probe: impl AsyncFnMut() -> Result<T, String>,
    ) -> T {
        self.wait_within(what, PATIENCE, probe).await
    }

    /// As [`Process::wait_until`], with a limit of its own.
    ///
    /// # Panics
    /// When the program ends, or after `limit`; with all that it said.
    pub async fn wait_within<T>(
        &mut self,
        what: &str,
        limit: Duration,
        mut probe: impl AsyncFnMut() -> Result<T, String>,
    ) -> T {
        let Process {
            name,
            child,
            lines,
            readers,
            ..
        } = self;
        let said = || {
            lines
                .lock()
                .iter()
                .map(|line| format!("{}\n", line.text))
                .collect::<String>()
        };
        wait_within(what, limit, async || {
            let status = match probe().await {
                Ok(answer) => return Ok(answer),
                Err(status) => status,
            };
            if let Ok(Some(status)) = child.try_wait() {
                // Its last words may still be on their way.
                while readers.join_next().await.is_some() {}
                panic!(
                    "{name} ended ({status}) before {what}; it said:\n{}",
                    said()
                );
            }
            Err(format!("{status}; {name} said:\n{}", said()))
        })
        .await
    }

    /// Waits for a line that `fits`, from the first on.
    ///
    /// # Panics
    /// As [`Process::wait_until`].
    pub async fn wait_for_line(&mut self, what: &str, fits: impl Fn(&str) -> bool) -> Line {
        self.wait_for_line_after(0, what, fits).await
    }

    /// Waits for a line that `fits` among those after the first `skipped`.
    ///
    /// # Panics
    /// As [`Process::wait_until`].
    pub async fn wait_for_line_after(
        &mut self,
        skipped: usize,
        what: &str,
        fits: impl Fn(&str) -> bool,
    ) -> Line {
        let lines = self.lines.clone();
        self.wait_until(what, async || {
            let lines = lines.lock();
            let found = lines.iter().skip(skipped).find(|line| fits(&line.text));
            found.cloned().ok_or_else(|| "no such line".to_owned())
        })
        .await
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// When the system refuses: the program has ended and was waited for.
    pub fn signal(&self, signal: Signal) {
        let sent = self.pid.map(|pid| kill(pid, signal));
        assert_eq!(
            sent,
            Some(Ok(())),
            "{signal} cannot be sent to {}; {}",
            self.name,
            self.said()
        );
    }

    /// Asks it to end: SIGTERM.
    ///
    /// # Panics
    /// As [`Process::signal`].
    pub fn terminate(&self) {
        self.signal(Signal::SIGTERM);
    }

    /// Ends it at once, with no word to it: SIGKILL; and waits until it is gone.
    ///
    /// # Panics
    /// When it does not go within a minute.
    pub async fn kill(&mut self) {
        // It may have ended by itself just now.
        drop(self.child.start_kill());
        let _status = self.ended().await;
    }

    /// Writes all of its standard input, and closes it. A program that stops reading has read enough.
    pub async fn write_input(&mut self, bytes: &[u8]) {
        if let Some(mut stdin) = self.stdin.take() {
            drop(stdin.write_all(bytes).await);
        }
    }

    /// Closes its standard input.
    pub fn close_input(&mut self) {
        self.stdin = None;
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it does not end within a minute.
    pub async fn ended(&mut self) -> ExitStatus {
        let status = match tokio::time::timeout(PATIENCE, self.child.wait()).await {
            Ok(Ok(status)) => status,
            Ok(Err(error)) => panic!("{} cannot be waited for: {error}", self.name),
            Err(_elapsed) => panic!("{} does not end; {}", self.name, self.said()),
        };
        self.pid = None;
        let readers = async { while self.readers.join_next().await.is_some() {} };
        drop(tokio::time::timeout(LAST_WORDS, readers).await);
        status
    }

    /// Waits for its end and gives the exit code.
    ///
    /// # Panics
    /// When it does not end within a minute, or a signal ended it.
    pub async fn exit_code(&mut self) -> i32 {
        let status = self.ended().await;
        match (status.code(), status.signal()) {
            (Some(code), _) => code,
            (None, signal) => panic!("signal {signal:?} ended {}; {}", self.name, self.said()),
        }
    }
}

/// Sends a signal to a process that somebody else started.
///
/// # Errors
/// When there is no such process, or it is not this user's.
pub fn signal(pid: i32, signal: Signal) -> Result<(), String> {
    kill(Pid::from_raw(pid), signal).map_err(|error| format!("{signal} to {pid}: {error}"))
}

/// Whether a process of this id runs; one that has ended and was not waited for does not.
#[must_use]
pub fn runs(pid: i32) -> bool {
    // The state follows the name, which is in parentheses and may hold anything.
    let state = std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .ok()
        .and_then(|stat| {
            stat.rsplit_once(')')
                .map(|(_, rest)| rest.trim_start().chars().next())
        });
    match state {
        Some(state) => state != Some('Z'),
        None => false,
    }
}

/// The ids of the processes that `pid` started and that still run, with their arguments.
#[must_use]
pub fn children(pid: i32) -> Vec<(i32, Vec<String>)> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let ids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    let is_child = |id: &i32| {
        std::fs::read_to_string(format!("/proc/{id}/stat"))
            .ok()
            .and_then(|stat| {
                stat.rsplit_once(')')?
                    .1
                    .split_whitespace()
                    .nth(1)?
                    .parse::<i32>()
                    .ok()
            })
            == Some(pid)
    };
    let arguments = |id: i32| {
        let line = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0)
            .map(|part| String::from_utf8_lossy(part).into_owned())
            .collect()
    };
    ids.filter(is_child)
        .filter(|id| runs(*id))
        .map(|id| (id, arguments(id)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Program {
        Program::new("/bin/sh").args(["-c", script])
    }

    #[tokio::test]
    async fn what_a_program_says_and_how_it_ends_is_known() {
        let ended = shell("echo good; echo bad >&2; exit 3").run().await;
        assert_eq!(
            (ended.status.code(), ended.out.as_str(), ended.err.as_str()),
            (Some(3), "good\n", "bad\n")
        );
    }

    #[tokio::test]
    async fn a_program_is_waited_for_told_and_killed() {
        let mut process =
            shell("trap 'echo told; exit 7' TERM; echo up; while :; do sleep 0.05; done").start();
        process.wait_for_line("it is up", |line| line == "up").await;
        process.terminate();
        assert_eq!(process.exit_code().await, 7);
        assert_eq!(process.out(), "up\ntold\n");

        let mut process = shell("echo up; exec sleep 100").start();
        let pid = process.pid();
        process.wait_for_line("it is up", |line| line == "up").await;
        assert!(runs(pid));
        process.kill().await;
        assert!(!runs(pid));
    }

    #[tokio::test]
    #[should_panic(expected = "ended (exit status: 1) before rain; it said:\nno rain here")]
    async fn waiting_for_a_program_that_has_ended_fails_at_once() {
        shell("echo no rain here; exit 1")
            .start()
            .wait_until::<()>("rain", async || Err(String::new()))
            .await;
    }

    #[tokio::test]
    async fn the_children_of_a_program_are_known() {
        let mut process = shell("sleep 100 & echo up; wait").start();
        process.wait_for_line("it is up", |line| line == "up").await;
        let children = children(process.pid());
        assert_eq!(children.len(), 1, "{children:?}");
        assert_eq!(children[0].1[..2], ["sleep", "100"]);
        assert_eq!(signal(children[0].0, Signal::SIGKILL), Ok(()));
    }
}
