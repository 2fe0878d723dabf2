//! The process on the database host.

use super::protocol::{Answer, Request, read, write};
use super::state::{Mood, Open, State};
use super::{DATABASE, PORT};
use crate::host::Host;
use backlot_core::net::Stream;
use backlot_storage::backend::Mode;
use backlot_storage::{Param, StoreError, Value};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

/// How long a transaction waits for those before it, whatever its store asked for.
const TURN: Duration = Duration::from_secs(5);
/// How long a transaction may stay open, whatever its store asked for.
const OPEN: Duration = Duration::from_secs(2);
/// With [`super::Weakness::LateSync`]: between making what was acknowledged durable.
const SYNC: Duration = Duration::from_secs(1);

/// One process of the host. Who waits for whom is forgotten with it.
struct Process {
    state: Arc<State>,
    locks: Mutex<BTreeMap<String, Arc<RwLock<()>>>>,
}

/// The right to read or write one service's data.
enum Turn {
    Read { _guard: OwnedRwLockReadGuard<()> },
    Write { _guard: OwnedRwLockWriteGuard<()> },
}

/// Serves until the process dies.
pub(crate) async fn serve(host: Host, state: Arc<State>) -> io::Result<()> {
    state.recover().map_err(io::Error::other)?;
    let mut listener = host.env().net.bind(&format!("0.0.0.0:{PORT}")).await?;
    host.trace().note(DATABASE, "serves");
    let process = Arc::new(Process {
        state: Arc::clone(&state),
        locks: Mutex::default(),
    });
    let mut sessions = JoinSet::new();
    sessions.spawn(keep_syncing(Arc::clone(&state)));
    loop {
        let (stream, _peer) = listener.accept().await?;
        while sessions.try_join_next().is_some() {}
        if *state.mood.borrow() != Mood::Refusing {
            sessions.spawn(session(Arc::clone(&process), stream));
        }
    }
}

async fn keep_syncing(state: Arc<State>) {
    loop {
        tokio::time::sleep(SYNC).await;
        if let Err(error) = state.sync() {
            state
                .trace
                .violation(DATABASE, format!("nothing can be made durable: {error}"));
        }
    }
}

/// One connection: transactions, one after the other, until something is wrong with it.
async fn session(process: Arc<Process>, mut stream: Stream) {
    while let Ok(Some(request)) = process.next(&mut stream).await {
        let Request::Begin {
            service,
            mode,
            budget_ms,
        } = request
        else {
            return;
        };
        let budget = Duration::from_millis(budget_ms);
        let deadline = Instant::now() + budget.min(TURN);
        if write(&mut stream, &Answer::Waiting).await.is_err() {
            return;
        }
        let begun = process.begin(&service, mode, deadline).await;
        let (turn, open) = match begun {
            Ok(begun) => begun,
            Err(error) => match write(&mut stream, &Answer::Failed(error)).await {
                Ok(()) => continue,
                Err(_broken) => return,
            },
        };
        let deadline = deadline.min(Instant::now() + OPEN);
        let ended = timeout_at(
            deadline,
            process.transaction(&mut stream, &service, mode, open),
        )
        .await;
        // Whoever comes next finds the transaction ended.
        drop(turn);
        if !matches!(ended, Ok(Ok(true))) {
            return;
        }
    }
}

impl Process {
    /// The next request, not before the database is in the mood for one.
    async fn next(&self, stream: &mut Stream) -> io::Result<Option<Request>> {
        let request = read(stream).await?;
        let mut mood = self.state.mood.subscribe();
        // The sender lives in the state: waiting cannot fail.
        drop(mood.wait_for(|mood| *mood != Mood::Stalled).await.map(drop));
        let refusing = *mood.borrow() == Mood::Refusing;
        Ok(request.filter(|_| !refusing))
    }

    async fn begin(
        &self,
        service: &str,
        mode: Mode,
        deadline: Instant,
    ) -> Result<(Turn, Open), StoreError> {
        let held = self.state.store(service)?;
        let lock = Arc::clone(self.locks.lock().entry(service.to_owned()).or_default());
        let turn = timeout_at(deadline, async {
            match mode {
                Mode::Read => Turn::Read {
                    _guard: lock.read_owned().await,
                },
                Mode::Write => Turn::Write {
                    _guard: lock.write_owned().await,
                },
            }
        });
        let turn = turn
            .await
            .map_err(|_elapsed| StoreError::unavailable("too many transactions wait"))?;
        Ok((turn, Open::begin(&self.state, held, mode)?))
    }

    /// One transaction from the answer to its beginning to that to its end; whether the connection
    /// can be used again. It is rolled back unless it got to its commit.
    async fn transaction(
        &self,
        stream: &mut Stream,
        service: &str,
        mode: Mode,
        mut open: Open,
    ) -> io::Result<bool> {
        write(stream, &Answer::Done).await?;
        while let Some(request) = self.next(stream).await? {
            let answer = match request {
                Request::Execute { sql, params } => open
                    .with(|connection| connection.execute(&sql, &borrowed(&params)))
                    .map(Answer::Changed),
                Request::Query { sql, params } => open
                    .with(|connection| connection.query(&sql, &borrowed(&params)))
                    .map(Answer::Rows),
                Request::Batch { script } => open
                    .with(|connection| connection.batch(&script))
                    .map(|()| Answer::Done),
                Request::Commit => return self.commit(stream, service, mode, open).await,
                Request::Rollback => {
                    drop(open);
                    write(stream, &Answer::Done).await?;
                    return Ok(true);
                }
                Request::Begin { .. } => return Ok(false),
            };
            write(stream, &answer.unwrap_or_else(Answer::Failed)).await?;
        }
        Ok(false)
    }

    async fn commit(
        &self,
        stream: &mut Stream,
        service: &str,
        mode: Mode,
        open: Open,
    ) -> io::Result<bool> {
        let committed = open.commit();
        if mode == Mode::Write && committed.is_ok() {
            self.state.committed(service);
        }
        let losing = *self.state.mood.borrow() == Mood::LosingAnswers;
        if mode == Mode::Write && committed.is_ok() && losing && self.state.dice.below(2) == 0 {
            self.state.trace.count("answers lost after a commit");
            self.state.trace.fault(
                DATABASE,
                format!("committed for {service}; the answer is lost"),
            );
            return Ok(false);
        }
        let answer = committed.map_or_else(Answer::Failed, |()| Answer::Done);
        write(stream, &answer).await?;
        Ok(true)
    }
}

fn borrowed(values: &[Value]) -> Vec<Param<'_>> {
    values.iter().map(Param::from).collect()
}
