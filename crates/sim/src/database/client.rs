//! The store's end: transactions over the simulated network.

use super::protocol::{Answer, Request, read, write};
use backlot_core::net::{Network, Stream};
use backlot_core::{BoxFuture, Deadline, Env};
use backlot_storage::backend::Mode;
use backlot_storage::remote::{Remote, Transaction};
use backlot_storage::{Dialect, Param, Row, StoreError, Value};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// How long the host may take for one answer.
const ANSWER: Duration = Duration::from_secs(1);
/// The most connections kept for later.
const IDLE: usize = 16;

/// A service's way to the database host.
#[derive(Debug)]
pub(super) struct Client(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    service: &'static str,
    address: String,
    net: Arc<dyn Network>,
    pool: Mutex<Pool>,
}

#[derive(Debug, Default)]
struct Pool {
    idle: Vec<Stream>,
    closed: bool,
}

impl Client {
    pub(super) fn new(service: &'static str, address: String, env: &Env) -> Self {
        Client(Arc::new(Shared {
            service,
            address,
            net: Arc::clone(&env.net),
            pool: Mutex::default(),
        }))
    }
}

impl Remote for Client {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn begin(
        &self,
        mode: Mode,
        deadline: Deadline,
    ) -> BoxFuture<'static, Result<Box<dyn Transaction>, StoreError>> {
        let shared = Arc::clone(&self.0);
        Box::pin(async move {
            let idle = {
                let mut pool = shared.pool.lock();
                if pool.closed {
                    return Err(StoreError::Closed);
                }
                pool.idle.pop()
            };
            if let Some(stream) = idle {
                let mut session = Session::new(Arc::clone(&shared), stream);
                match session.begin(mode, deadline).await {
                    Ok(()) => return Ok(Box::new(session) as Box<dyn Transaction>),
                    Err(error) if session.stream.is_some() => return Err(error),
                    // The others will be like this one.
                    Err(lost) => {
                        shared.pool.lock().idle.clear();
                        if session.silent {
                            return Err(lost);
                        }
                        // It was closed while nobody looked, and nothing has begun.
                    }
                }
            }
            let connecting = timeout(ANSWER, shared.net.connect(&shared.address)).await;
            let stream = match connecting {
                Ok(Ok(stream)) => stream,
                Ok(Err(error)) => {
                    return Err(StoreError::unavailable(format!(
                        "the database is not there: {error}"
                    )));
                }
                Err(_elapsed) => {
                    return Err(StoreError::unavailable("the database does not answer"));
                }
            };
            let mut session = Session::new(shared, stream);
            session.begin(mode, deadline).await?;
            Ok(Box::new(session) as Box<dyn Transaction>)
        })
    }

    fn close(&self) -> BoxFuture<'static, Result<(), StoreError>> {
        let mut pool = self.0.pool.lock();
        pool.closed = true;
        pool.idle.clear();
        Box::pin(std::future::ready(Ok(())))
    }
}

/// A transaction. Dropped before its end it takes the connection with it, and the host rolls back.
struct Session {
    shared: Arc<Shared>,
    /// Absent once it broke.
    stream: Option<Stream>,
    /// Whether it broke by silence.
    silent: bool,
}

impl Session {
    fn new(shared: Arc<Shared>, stream: Stream) -> Self {
        Session {
            shared,
            stream: Some(stream),
            silent: false,
        }
    }

    async fn begin(&mut self, mode: Mode, deadline: Deadline) -> Result<(), StoreError> {
        let budget_ms = deadline.remaining().as_millis() as u64;
        let service = self.shared.service.to_owned();
        let begin = Request::Begin {
            service,
            mode,
            budget_ms,
        };
        match self.ask(begin).await? {
            Answer::Waiting => {}
            other => return Err(out_of_turn(&other)),
        }
        // The host gives up waiting by then, and says so.
        let turn = deadline.remaining() + ANSWER;
        match self.hear(turn).await? {
            Answer::Done => Ok(()),
            other => Err(out_of_turn(&other)),
        }
    }

    /// One question and its answer. Without an answer the connection is given up: nobody knows
    /// what became of the question.
    async fn ask(&mut self, request: Request) -> Result<Answer, StoreError> {
        let mut stream = self.stream.take().ok_or_else(broken)?;
        write(&mut stream, &request)
            .await
            .map_err(|_error| broken())?;
        self.stream = Some(stream);
        self.hear(ANSWER).await
    }

    /// The next answer.
    async fn hear(&mut self, within: Duration) -> Result<Answer, StoreError> {
        let mut stream = self.stream.take().ok_or_else(broken)?;
        let answer = match timeout(within, read(&mut stream)).await {
            Ok(Ok(Some(answer))) => answer,
            Ok(Ok(None) | Err(_)) => return Err(broken()),
            Err(_elapsed) => {
                self.silent = true;
                return Err(StoreError::unavailable(
                    "the database did not answer in time",
                ));
            }
        };
        self.stream = Some(stream);
        match answer {
            Answer::Failed(error) => Err(error),
            answer => Ok(answer),
        }
    }

    async fn done(&mut self, request: Request) -> Result<(), StoreError> {
        match self.ask(request).await? {
            Answer::Done => Ok(()),
            other => Err(out_of_turn(&other)),
        }
    }

    /// Ends the transaction and keeps the connection for the next.
    async fn end(mut self: Box<Self>, request: Request) -> Result<(), StoreError> {
        if self.stream.is_none() {
            // The host has rolled back what it no longer hears of.
            return match request {
                Request::Rollback => Ok(()),
                _ => Err(broken()),
            };
        }
        self.done(request).await?;
        let mut pool = self.shared.pool.lock();
        if !pool.closed
            && pool.idle.len() < IDLE
            && let Some(stream) = self.stream.take()
        {
            pool.idle.push(stream);
        }
        Ok(())
    }
}

impl Transaction for Session {
    fn execute<'a>(
        &'a mut self,
        sql: &'a str,
        params: &'a [Param<'a>],
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        Box::pin(async move {
            match self
                .ask(Request::Execute {
                    sql: sql.to_owned(),
                    params: owned(params),
                })
                .await?
            {
                Answer::Changed(rows) => Ok(rows),
                other => Err(out_of_turn(&other)),
            }
        })
    }

    fn query<'a>(
        &'a mut self,
        sql: &'a str,
        params: &'a [Param<'a>],
    ) -> BoxFuture<'a, Result<Vec<Row>, StoreError>> {
        Box::pin(async move {
            match self
                .ask(Request::Query {
                    sql: sql.to_owned(),
                    params: owned(params),
                })
                .await?
            {
                Answer::Rows(rows) => Ok(rows),
                other => Err(out_of_turn(&other)),
            }
        })
    }

    fn batch<'a>(&'a mut self, script: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.done(Request::Batch {
            script: script.to_owned(),
        }))
    }

    fn commit(self: Box<Self>) -> BoxFuture<'static, Result<(), StoreError>> {
        Box::pin(self.end(Request::Commit))
    }

    fn rollback(self: Box<Self>) -> BoxFuture<'static, Result<(), StoreError>> {
        Box::pin(self.end(Request::Rollback))
    }
}

fn owned(params: &[Param<'_>]) -> Vec<Value> {
    params.iter().copied().map(Value::from).collect()
}

fn broken() -> StoreError {
    StoreError::unavailable("the connection to the database broke")
}

fn out_of_turn(answer: &Answer) -> StoreError {
    StoreError::sql(format!("the database answered out of turn: {answer:?}"))
}
