//! A closure, the place its answer goes to, and what becomes of its panics.

use crate::backend::{Job, Outcome};
use crate::carried::{Left, Signals};
use crate::origin::Setting;
use crate::{StoreError, Tx};
use backlot_core::BoxFuture;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::oneshot;

/// What a caller receives: its closure's result, or how the store failed around it. It becomes
/// the caller's error type on the caller's side, so that no foreign code runs on a store's thread.
pub(crate) type Answer<T, E> = Result<Result<T, E>, StoreError>;

/// The way back to the caller.
pub(crate) struct Reply<T, E> {
    result: Option<Result<T, E>>,
    sender: oneshot::Sender<Answer<T, E>>,
    /// What the latest attempt leaves if it is committed, and who wants to know.
    left: Left,
    signals: Arc<Signals>,
}

pub(crate) fn reply<T, E>(signals: Arc<Signals>) -> (Reply<T, E>, oneshot::Receiver<Answer<T, E>>) {
    let (sender, receiver) = oneshot::channel();
    (
        Reply {
            result: None,
            sender,
            left: Left::default(),
            signals,
        },
        receiver,
    )
}

impl<T, E> Reply<T, E> {
    /// Keeps the result of the latest attempt and says what is owed to it.
    pub(crate) fn keep(&mut self, result: Result<Result<T, E>, String>, left: Left) -> Outcome {
        self.left = left;
        match result {
            Ok(result) => {
                let outcome = if result.is_ok() {
                    Outcome::Commit
                } else {
                    Outcome::RollBack
                };
                self.result = Some(result);
                outcome
            }
            Err(words) => Outcome::Panicked(words),
        }
    }

    pub(crate) fn is_abandoned(&self) -> bool {
        self.sender.is_closed()
    }

    pub(crate) fn send(self, settled: Result<(), StoreError>) {
        if settled.is_ok() && matches!(self.result, Some(Ok(_))) {
            self.signals.committed(self.left);
        }
        let answer = settled.and_then(|()| {
            self.result
                .ok_or_else(|| StoreError::sql("the backend answered before it made an attempt"))
        });
        // A caller that went away misses nothing: a write it started stands.
        drop(self.sender.send(answer));
    }
}

/// A read or a write.
pub(crate) struct Plain<T, E, F> {
    pub(crate) work: F,
    pub(crate) reply: Reply<T, E>,
    pub(crate) setting: Setting,
}

impl<T, E, F> Job for Plain<T, E, F>
where
    F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send,
    T: Send,
    E: From<StoreError> + Send,
{
    fn attempt<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, Outcome> {
        Box::pin(async move {
            let result = worked(tx, &self.setting, &mut self.work).await;
            self.reply.keep(result, tx.left())
        })
    }

    fn is_abandoned(&self) -> bool {
        self.reply.is_abandoned()
    }

    fn answer(self: Box<Self>, settled: Result<(), StoreError>) {
        self.reply.send(settled);
    }
}

/// Runs a closure, and then writes what it left in the outbox: after everything else, so that the
/// numbers of two transactions that were in each other's way are in the order of their effects.
pub(crate) async fn worked<T, E, F>(
    tx: &mut Tx,
    setting: &Setting,
    work: &mut F,
) -> Result<Result<T, E>, String>
where
    F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send,
    E: From<StoreError>,
{
    tx.carry(setting.clone());
    let result = caught(|| work(tx)).await;
    if let Ok(Ok(_)) = &result
        && let Err(error) = tx.unload().await
    {
        return Ok(Err(error.into()));
    }
    result
}

/// Runs work whose panics become errors that hold their words.
pub(crate) fn caught<'t, R>(start: impl FnOnce() -> BoxFuture<'t, R>) -> Caught<'t, R> {
    // The transaction is rolled back and the closure's captures are shared values only: nothing
    // half done outlives the panic.
    Caught(catch_unwind(AssertUnwindSafe(start)).map_err(words))
}

pub(crate) struct Caught<'t, R>(Result<BoxFuture<'t, R>, String>);

impl<R> Future for Caught<'_, R> {
    type Output = Result<R, String>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Err(said) => Poll::Ready(Err(std::mem::take(said))),
            Ok(work) => match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))) {
                Ok(polled) => polled.map(Ok),
                Err(panic) => Poll::Ready(Err(words(panic))),
            },
        }
    }
}

/// What a panic said.
pub(crate) fn words(panic: Box<dyn Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic
            .downcast::<&str>()
            .map_or_else(|_| "no words".to_owned(), |text| (*text).to_owned()),
    }
}
