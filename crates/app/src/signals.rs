//! The operating system's wish that this process ends.

use crate::out;
use std::process;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The exit code after a second signal.
pub const INTERRUPTED: i32 = 130;

/// SIGINT and SIGTERM.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Takes the signals over: from now on they end nothing by themselves.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn take() -> std::io::Result<Self> {
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) {
        tokio::select! {
            biased;
            _some = self.interrupt.recv() => {}
            _some = self.terminate.recv() => {}
        }
    }

    /// Runs `work`, ending the process at once if a signal comes meanwhile.
    pub async fn or_exit<T>(&mut self, work: impl Future<Output = T>) -> T {
        tokio::select! {
            biased;
            done = work => done,
            () = self.next() => {
                out::note("\nsecond signal: leaving at once");
                process::exit(INTERRUPTED)
            }
        }
    }
}
