//! The child: this binary, started again with its work in the environment.

use crate::journal::Journal;
use crate::system::{Break, LOG_PAGES, Parts};
use backlot_core::Env;
use backlot_testkit::disk::{Disk, Run};
use backlot_testkit::{Process, Program};
use std::path::Path;

/// What a child does.
#[derive(Clone, Debug, Default)]
pub(crate) struct Work {
    /// Its number, in the ids of what it publishes.
    pub(crate) run: u64,
    /// How many messages each of its publishers sends before it finishes and ends.
    pub(crate) count: u64,
    /// The step it is killed at, and at which time: `step:number`.
    pub(crate) kill: Option<String>,
    pub(crate) broken: Option<Break>,
    /// Keeps all commits in the write-ahead log, instead of moving them often.
    pub(crate) keeps_log: bool,
}

/// Starts a child over the files of a folder.
pub(crate) fn start(folder: &Path, work: &Work) -> Process {
    program(folder, work).start()
}

/// Starts a child whose files are on an imagined disk.
pub(crate) fn start_on(disk: &Disk, run: &Run, work: &Work) -> Process {
    disk.under(program(&run.folder, work), run).start()
}

fn program(folder: &Path, work: &Work) -> Program {
    let mut program = Program::new(std::env::current_exe().unwrap())
        .args(["child::works", "--exact", "--ignored", "--nocapture"])
        .env("CRASH_FOLDER", folder.to_str().unwrap())
        .env("CRASH_RUN", &work.run.to_string())
        .env("CRASH_COUNT", &work.count.to_string());
    if work.keeps_log {
        program = program.env("CRASH_KEEPS_LOG", "yes");
    }
    if let Some(kill) = &work.kill {
        program = program.env("CRASH_KILL", kill);
    }
    let broken = Break::ALL.iter().find(|(_, one)| Some(*one) == work.broken);
    if let Some((name, _)) = broken {
        program = program.env("CRASH_BREAK", name);
    }
    program
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "this is the program that the other tests start"]
async fn works() {
    let variables = Env::real().variables;
    let Some(folder) = variables.get("CRASH_FOLDER") else {
        panic!("it is started by other tests: run those");
    };
    let number = |name: &str| variables[name].parse::<u64>().unwrap();
    let named = variables.get("CRASH_BREAK");
    let broken = named.and_then(|named| Break::ALL.iter().find(|(name, _)| name == named));
    let journal = Journal::said(variables.get("CRASH_KILL").map(String::as_str));
    // What the test harness said before ends here.
    println!();
    journal.line("start");
    let broken = broken.map(|(_, broken)| *broken);
    let log_pages = match variables.get("CRASH_KEEPS_LOG") {
        Some(_) => u32::MAX,
        None => LOG_PAGES,
    };
    let place = Path::new(folder);
    let parts = match Parts::open(place, log_pages, journal.clone(), broken).await {
        Ok(parts) => parts,
        Err(error) => panic!("it does not open: {}", backlot_core::error::chain(&error)),
    };
    journal.line("# it is open");
    let (run, count) = (number("CRASH_RUN"), number("CRASH_COUNT"));
    if let Err(problem) = parts.run(run, count).await {
        panic!("{problem}");
    }
    parts.close().await;
    journal.line("# all is done");
}
