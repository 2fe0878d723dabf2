//! One child process, started again with growing waits when it ends by itself.

use super::status::Board;
use crate::cli::Options;
use crate::out;
use crate::process::CUT;
use crate::service::Prepared;
use backlot_core::Env;
use backlot_core::backoff::Backoff;
use backlot_core::env::Phase;
use backlot_service::tasks::Tasks;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::Instant;

/// Waits between restarts. A child that ran for ten seconds counts as healthy.
const BACKOFF: Backoff = Backoff {
    base: Duration::from_millis(200),
    cap: Duration::from_secs(5),
};
const HEALTHY: Duration = Duration::from_secs(10);

/// How a child is started.
pub(super) struct Command {
    /// For example `rating-0`.
    name: String,
    service: &'static str,
    program: PathBuf,
    arguments: Vec<OsString>,
}

impl Command {
    /// This program again, running one service. The first copy takes the configured addresses, the
    /// others free ports.
    pub(super) fn new(
        service: &'static str,
        replica: usize,
        options: &Options,
        prepared: &Prepared,
    ) -> io::Result<Self> {
        let mut arguments: Vec<OsString> = vec![service.into(), "--exit-with-parent".into()];
        if let Some(file) = &options.config {
            arguments.extend(["--config".into(), file.into()]);
        }
        if let Some(data) = &options.data {
            arguments.extend(["--data".into(), data.into()]);
        }
        for assignment in &options.set {
            arguments.extend(["--set".into(), assignment.into()]);
        }
        if replica > 0 {
            for (key, address) in [
                ("listen", &prepared.server.listen),
                ("admin", &prepared.server.admin),
            ] {
                let host = address
                    .as_deref()
                    .and_then(|address| address.rsplit_once(':'))
                    .map_or("127.0.0.1", |(host, _)| host);
                arguments.extend([
                    "--set".into(),
                    format!("{service}.server.{key}={host}:0").into(),
                ]);
            }
        }
        let name = format!("{service}-{replica}");
        Ok(Command {
            name,
            service,
            program: std::env::current_exe()?,
            arguments,
        })
    }
}

pub(super) struct Child;

impl Child {
    /// Keeps the process running, in a task of `tasks`, until the fleet drains.
    pub(super) fn keep(command: Command, env: &Env, tasks: &Tasks, board: &Board) {
        let (env, board) = (env.clone(), board.clone());
        let dice = env.dice.branch(&command.name);
        tasks.spawn(command.name.clone(), async move {
            let mut failures = 0;
            loop {
                let started = Instant::now();
                let ended = run(&command, &env, &board).await;
                if env.shutdown.phase() >= Phase::Draining {
                    if let Ok(status) = ended {
                        board.ended(&command.name, status.code() == Some(i32::from(CUT)));
                    }
                    return;
                }
                failures = if Instant::now().saturating_duration_since(started) > HEALTHY {
                    1
                } else {
                    failures + 1
                };
                let wait = BACKOFF.wait(failures, &dice).max(Duration::from_millis(50));
                let how = ended.map_or_else(|error| error.to_string(), |status| status.to_string());
                out::note(format_args!(
                    "{} ended ({how}); starting it again in {:.1} s",
                    command.name,
                    wait.as_secs_f64()
                ));
                board.restarting(&command.name);
                tokio::select! {
                    biased;
                    () = env.shutdown.reached(Phase::Draining) => return,
                    () = tokio::time::sleep(wait) => {}
                }
            }
        });
    }
}

async fn run(command: &Command, env: &Env, board: &Board) -> io::Result<ExitStatus> {
    let mut child = tokio::process::Command::new(&command.program)
        .args(&command.arguments)
        // The child watches its standard input: it ends with us, however we end.
        .stdin(Stdio::piped())
        .stdout(Stdio::inherit())
        .stderr(Stdio::piped())
        // Ctrl-C reaches the whole foreground group: children are told by us alone.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    board.started(&command.name, command.service, child.id());
    let stdin = child.stdin.take();
    let mut lines = child
        .stderr
        .take()
        .map(|stderr| BufReader::new(stderr).lines());
    let mut stdin = stdin;
    let mut told = false;
    loop {
        tokio::select! {
            biased;
            line = next_line(&mut lines) => match line {
                Some(line) => out::note(format_args!("{:<11} {line}", command.name)),
                None => lines = None,
            },
            status = child.wait() => return status,
            () = env.shutdown.reached(Phase::Draining), if !told => {
                told = true;
                // Closing the pipe is the word to drain.
                drop(stdin.take());
            }
        }
    }
}

async fn next_line(
    lines: &mut Option<tokio::io::Lines<BufReader<tokio::process::ChildStderr>>>,
) -> Option<String> {
    match lines {
        Some(lines) => lines.next_line().await.ok().flatten(),
        None => std::future::pending().await,
    }
}
