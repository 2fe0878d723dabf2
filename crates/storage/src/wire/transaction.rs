//! The course of one transaction.

use super::Engine;
use super::connections::{Connections, Lease};
use crate::backend::Mode;
use crate::remote::Transaction;
use crate::{Param, Row, StoreError};
use backlot_core::{BoxFuture, Deadline};
use std::sync::Arc;

pub(super) struct Running<E: Engine> {
    lease: Lease<E>,
    mode: Mode,
    /// Something happened after which the connection is of no use.
    lost: bool,
}

/// Connections that may turn out dead before one is asked for no more.
const TRIES: u32 = 8;

/// Begins a transaction on a connection that works: one that rested may have died meanwhile, and
/// nothing has happened yet, so the next is taken.
pub(super) async fn begin<E: Engine>(
    connections: &Arc<Connections<E>>,
    mode: Mode,
    deadline: Deadline,
) -> Result<Running<E>, StoreError> {
    let mut tries = 1;
    loop {
        let (mut lease, used) = connections.take(mode, deadline).await?;
        let script = lease.engine().begin(mode, deadline.remaining());
        let Err(error) = E::script(&mut lease, script).await else {
            return Ok(Running {
                lease,
                mode,
                lost: false,
            });
        };
        if used && tries < TRIES && lease.engine().is_lost(&error) {
            connections.forget();
            tries += 1;
            continue;
        }
        return Err(lease.engine().failure(mode, &error, "BEGIN"));
    }
}

impl<E: Engine> Running<E> {
    fn failed(&mut self, error: &sqlx::Error, sql: &str) -> StoreError {
        let engine = self.lease.engine();
        let (lost, failure) = (engine.is_lost(error), engine.failure(self.mode, error, sql));
        self.lost |= lost;
        failure
    }

    async fn end(mut self, commit: bool) -> Result<(), StoreError> {
        if self.lost {
            // Dropping the connection rolls back.
            return if commit {
                Err(StoreError::unavailable(
                    "the connection was lost before the commit",
                ))
            } else {
                Ok(())
            };
        }
        let script = self.lease.engine().end(commit);
        match E::script(&mut self.lease, script).await {
            Ok(()) => {
                self.lease.put_back();
                Ok(())
            }
            Err(error) => {
                let failure = self.failed(&error, if commit { "COMMIT" } else { "ROLLBACK" });
                if !self.lost {
                    // A refused commit ends the transaction as well.
                    self.lease.put_back();
                }
                Err(failure)
            }
        }
    }
}

impl<E: Engine> Transaction for Running<E> {
    fn execute<'a>(
        &'a mut self,
        sql: &'a str,
        params: &'a [Param<'a>],
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        Box::pin(async move {
            let (text, arguments) = self.lease.engine().statement(self.mode, sql, params)?;
            match E::execute(&mut self.lease, text, arguments).await {
                Ok(changed) => Ok(changed),
                Err(error) => Err(self.failed(&error, sql)),
            }
        })
    }

    fn query<'a>(
        &'a mut self,
        sql: &'a str,
        params: &'a [Param<'a>],
    ) -> BoxFuture<'a, Result<Vec<Row>, StoreError>> {
        Box::pin(async move {
            let (text, arguments) = self.lease.engine().statement(self.mode, sql, params)?;
            match E::query(&mut self.lease, text, arguments).await {
                Ok(Ok(rows)) => Ok(rows),
                Ok(Err(error)) => {
                    // The rest of the answer is still on its way.
                    self.lost = true;
                    Err(error)
                }
                Err(error) => Err(self.failed(&error, sql)),
            }
        })
    }

    fn batch<'a>(&'a mut self, script: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            match E::script(&mut self.lease, script.to_owned()).await {
                Ok(()) => Ok(()),
                Err(error) => Err(self.failed(&error, script)),
            }
        })
    }

    fn commit(self: Box<Self>) -> BoxFuture<'static, Result<(), StoreError>> {
        Box::pin(self.end(true))
    }

    fn rollback(self: Box<Self>) -> BoxFuture<'static, Result<(), StoreError>> {
        Box::pin(self.end(false))
    }
}
