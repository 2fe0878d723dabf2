//! Real database servers for one test: started on a free port in a temporary folder, told to
//! stop, killed, frozen, started again on what they left; and gone with the test, however it ends.
//!
//! A server that is not installed is a test that does not run, and says so; under `CI` it is one
//! that fails.

mod mariadb;
mod postgres;
mod template;

use crate::ports::Ports;
use crate::process::{Process, Program, children, runs, signal};
use crate::wait::wait_until;
use nix::sys::signal::Signal;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use tempfile::TempDir;

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// MariaDB, which speaks MySQL.
    Mariadb,
    /// PostgreSQL.
    Postgres,
}

/// What a server needs to be started, and what differs between them.
struct Installed {
    kind: Kind,
    /// The folder of its programs.
    programs: PathBuf,
    /// The account it runs as, where this one is the administrator: both refuse that.
    account: Option<&'static str>,
}

/// A running server.
#[derive(Debug)]
pub struct Engine {
    kind: Kind,
    programs: PathBuf,
    account: Option<&'static str>,
    folder: TempDir,
    ports: Ports,
    process: Option<Process>,
    databases: AtomicU32,
}

impl Engine {
    /// Starts a server; none if it is not installed, which is said on standard error.
    ///
    /// # Panics
    /// When it does not start; and when it is not installed and `CI` is set.
    pub async fn start(kind: Kind) -> Option<Engine> {
        let Some(Installed {
            kind,
            programs,
            account,
        }) = Installed::find(kind)
        else {
            let cure = format!(
                "{kind:?} is not installed; cargo xtask test --engines installs it (apt-get install {})",
                kind.package()
            );
            assert!(!is_ci(), "{cure}");
            eprintln!("SKIPPED: {cure}");
            return None;
        };
        let folder = crate::folder();
        template::copy(kind, &programs, account, folder.path());
        let mut engine = Engine {
            kind,
            programs,
            account,
            folder,
            ports: Ports::claim(1),
            process: None,
            databases: AtomicU32::new(0),
        };
        engine.restart().await;
        Some(engine)
    }

    /// Which server this is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.ports.number(0)
    }

    /// The url of one of its databases, for its administrator, who needs no password.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        self.url_at(self.port(), database)
    }

    /// As [`Engine::url`], through another port: that of a proxy.
    #[must_use]
    pub fn url_at(&self, port: u16, database: &str) -> String {
        match self.kind {
            Kind::Mariadb => format!("mysql://root@127.0.0.1:{port}/{database}"),
            Kind::Postgres => format!("postgres://postgres@127.0.0.1:{port}/{database}"),
        }
    }

    /// Makes an empty database and gives its name. Its text is compared by the rules of a language
    /// unless a column says otherwise, so that a test sees which does not.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::SeqCst));
        self.make_database(&name).await;
        name
    }

    /// Makes an empty database of this name.
    ///
    /// # Panics
    /// As [`Engine::database`].
    pub async fn make_database(&self, name: &str) {
        self.say("", &format!("CREATE DATABASE {name}")).await;
    }

    /// Runs SQL as its administrator with its own client, and gives what that prints. An empty
    /// database name takes the server's own.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn say(&self, database: &str, sql: &str) -> String {
        let program = match self.kind {
            Kind::Mariadb => mariadb::client(&self.programs, self.port(), database, sql),
            Kind::Postgres => postgres::client(&self.programs, self.port(), database, sql),
        };
        let ended = program.run().await;
        assert!(ended.status.success(), "{sql}: {}", ended.err);
        ended.out
    }

    /// Starts it again, on the same port and the data it left, and waits until it answers.
    ///
    /// # Panics
    /// When it does not get ready within a minute.
    pub async fn restart(&mut self) {
        let (data, port) = (self.folder.path(), self.port());
        let arguments = match self.kind {
            Kind::Mariadb => mariadb::server(&self.programs, data, port),
            Kind::Postgres => postgres::server(&self.programs, data, port),
        };
        let mut process = as_account(self.account, self.kind.leave(), &arguments).start();
        let programs = &self.programs;
        let kind = self.kind;
        process
            .wait_until("the server answers", async || {
                let probe = match kind {
                    Kind::Mariadb => mariadb::client(programs, port, "", "SELECT 1"),
                    Kind::Postgres => postgres::client(programs, port, "", "SELECT 1"),
                };
                let ended = probe.run().await;
                if ended.status.success() {
                    Ok(())
                } else {
                    Err(ended.err)
                }
            })
            .await;
        self.process = Some(process);
    }

    /// Stops it in order: it ends what it is asked at once, and writes all down.
    ///
    /// # Panics
    /// When it does not end within a minute.
    pub async fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.signal(match self.kind {
                Kind::Mariadb => Signal::SIGTERM,
                Kind::Postgres => Signal::SIGINT,
            });
            process.ended().await;
        }
    }

    /// Ends it with no word to it, all its processes at once: `kill -9`.
    ///
    /// # Panics
    /// When it does not go within a minute.
    pub async fn kill(&mut self) {
        let Some(mut process) = self.process.take() else {
            return;
        };
        let pid = process.pid();
        // Frozen first, so that none is started between the list and the end.
        process.signal(Signal::SIGSTOP);
        let mut all = children(pid);
        all.push((pid, Vec::new()));
        for (pid, _) in &all {
            // It may be gone by itself.
            drop(signal(*pid, Signal::SIGKILL));
        }
        process.ended().await;
        wait_until("its processes are gone", async || {
            match all.iter().find(|(pid, _)| runs(*pid)) {
                Some((pid, _)) => Err(format!("{pid} runs")),
                None => Ok(()),
            }
        })
        .await;
    }

    /// Freezes all its processes: SIGSTOP. Connections stay, nothing answers.
    ///
    /// # Panics
    /// When it does not run.
    pub fn freeze(&self) {
        self.signal_all(Signal::SIGSTOP);
    }

    /// Lets it go on: SIGCONT.
    ///
    /// # Panics
    /// When it does not run.
    pub fn thaw(&self) {
        self.signal_all(Signal::SIGCONT);
    }

    fn signal_all(&self, sent: Signal) {
        let Some(process) = &self.process else {
            panic!("the server does not run");
        };
        process.signal(sent);
        for (pid, _) in children(process.pid()) {
            // It may be gone by itself.
            drop(signal(pid, sent));
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let Some(process) = &self.process else { return };
        let pid = process.pid();
        let mut all = vec![pid];
        all.extend(children(pid).into_iter().map(|(pid, _)| pid));
        // It may be gone by itself, or frozen. A PostgreSQL that is killed leaves a segment of
        // shared memory behind, of which a machine has few; so it is told to leave at once.
        for (target, sent) in [(pid, self.kind.leave())]
            .into_iter()
            .chain(all.iter().map(|pid| (*pid, Signal::SIGCONT)))
        {
            drop(signal(target, sent));
        }
        for _ in 0..LEAVING {
            if !runs(pid) {
                return;
            }
            pause();
        }
        for pid in all {
            drop(signal(pid, Signal::SIGKILL));
        }
    }
}

/// How many pauses of ten milliseconds it gets to leave.
const LEAVING: u32 = 500;

#[expect(
    clippy::disallowed_methods,
    reason = "whoever drops cannot wait otherwise, and the condition is looked at each time"
)]
fn pause() {
    std::thread::sleep(std::time::Duration::from_millis(10));
}

impl Kind {
    /// What makes it end at once, without writing anything down.
    fn leave(self) -> Signal {
        match self {
            Kind::Mariadb => Signal::SIGKILL,
            Kind::Postgres => Signal::SIGQUIT,
        }
    }

    /// What Debian calls it.
    #[must_use]
    pub fn package(self) -> &'static str {
        match self {
            Kind::Mariadb => "mariadb-server",
            Kind::Postgres => "postgresql",
        }
    }
}

impl Installed {
    fn find(kind: Kind) -> Option<Self> {
        let (programs, account) = match kind {
            Kind::Mariadb => (mariadb::programs()?, "mysql"),
            Kind::Postgres => (postgres::programs()?, "postgres"),
        };
        Some(Installed {
            kind,
            programs,
            account: nix::unistd::geteuid().is_root().then_some(account),
        })
    }
}

/// A program as another account, which ends when we do, however we end.
fn as_account(account: Option<&str>, leave: Signal, arguments: &[String]) -> Program {
    let leave = leave.as_str().trim_start_matches("SIG");
    let mut program = Program::new("/usr/bin/setpriv").args(["--pdeathsig", leave]);
    if let Some(account) = account {
        program = program.args([
            format!("--reuid={account}"),
            format!("--regid={account}"),
            "--clear-groups".to_owned(),
        ]);
    }
    program.arg("--").args(arguments)
}

/// The first of these folders that has the program.
fn folder_of(program: &str, folders: impl IntoIterator<Item = PathBuf>) -> Option<PathBuf> {
    folders
        .into_iter()
        .find(|folder| folder.join(program).is_file())
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[expect(
    clippy::disallowed_methods,
    reason = "whether a missing server fails a test; no product code reads it"
)]
fn is_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| !matches!(&*value, "" | "false" | "0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_keeps_what_it_was_told_through_a_kill_and_is_gone_with_its_test() {
        for kind in [Kind::Mariadb, Kind::Postgres] {
            let Some(mut engine) = Engine::start(kind).await else {
                continue;
            };
            let database = engine.database().await;
            engine.say(&database, "CREATE TABLE kept (id INT)").await;
            engine.say(&database, "INSERT INTO kept VALUES (7)").await;
            engine.kill().await;
            engine.restart().await;
            assert_eq!(engine.say(&database, "SELECT id FROM kept").await, "7\n");
            engine.freeze();
            engine.thaw();
            assert_eq!(engine.say(&database, "SELECT id FROM kept").await, "7\n");
            let pid = engine.process.as_ref().map(Process::pid).unwrap();
            drop(engine);
            wait_until("it is gone", async || {
                if runs(pid) {
                    Err("it runs".to_owned())
                } else {
                    Ok(())
                }
            })
            .await;
        }
    }
}
