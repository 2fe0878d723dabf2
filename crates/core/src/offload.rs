//! Where long computations run: an executor that waits for one answers nobody meanwhile.

use std::fmt;

/// Runs what computes for longer than a moment. Clones do the same.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Offload(Where);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Where {
    Threads,
    Here,
}

impl Offload {
    /// On threads of their own, as many as there are computations: who begins them bounds them.
    #[must_use]
    pub fn threads() -> Self {
        Offload(Where::Threads)
    }

    /// At once, on the thread of who asks: for a simulation, in which nothing else goes on meanwhile.
    #[must_use]
    pub fn here() -> Self {
        Offload(Where::Here)
    }

    /// What `work` comes to. Work that has begun goes on to its end, also when nobody waits for it
    /// any more.
    ///
    /// # Panics
    /// When `work` does, and in a process that ends.
    pub async fn run<T: Send + 'static>(self, work: impl FnOnce() -> T + Send + 'static) -> T {
        match self.0 {
            Where::Here => work(),
            Where::Threads => {
                #[expect(clippy::disallowed_methods, reason = "this is the seam")]
                let done = tokio::task::spawn_blocking(work).await;
                done.unwrap_or_else(|error| match error.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    Err(error) => panic!("the runtime ends: {error}"),
                })
            }
        }
    }
}

impl fmt::Debug for Offload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Where::Threads => "Offload(threads)",
            Where::Here => "Offload(here)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_executor_goes_on_while_something_is_computed() {
        let (done, wait) = std::sync::mpsc::channel();
        let computing = Offload::threads().run(move || wait.recv());
        let other = async move { done.send(7).is_ok() };
        assert_eq!(tokio::join!(computing, other), (Ok(7), true));
        assert_eq!(Offload::here().run(|| 8).await, 8);
    }

    #[tokio::test]
    #[should_panic(expected = "too large")]
    async fn a_computation_that_panics_does_so_where_it_was_asked_for() {
        Offload::threads().run(|| panic!("too large")).await
    }
}
