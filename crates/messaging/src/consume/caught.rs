//! Work whose panics become words.

use backlot_core::BoxFuture;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

/// Runs work; a panic ends it with what it said.
pub(crate) struct Caught<'t, R>(BoxFuture<'t, R>);

/// What is half done belongs to the handler, which ends here; ours is behind its answer.
pub(crate) fn caught<'t, R>(work: impl Future<Output = R> + Send + 't) -> Caught<'t, R> {
    Caught(Box::pin(work))
}

impl<R> Future for Caught<'_, R> {
    type Output = Result<R, String>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(cx))) {
            Ok(polled) => polled.map(Ok),
            Err(panic) => Poll::Ready(Err(words(panic.as_ref()))),
        }
    }
}

/// The same for work that waits for nothing.
pub(super) fn caught_now<R>(work: impl FnOnce() -> R) -> Result<R, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| words(panic.as_ref()))
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("no words").to_owned()
}
