//! What is counted of a call, and what is logged of one that failed.

use crate::contract::Method;
use backlot_core::{Code, Context, Error};
use backlot_service::telemetry::InFlight;
use tokio::time::Instant;

/// Records the call even when its future is dropped half way: then it was cancelled.
pub(super) struct Recording {
    running: Option<InFlight>,
    started: Instant,
    finished: bool,
}

impl Recording {
    pub(super) fn new(running: Option<InFlight>, started: Instant) -> Self {
        Recording {
            running,
            started,
            finished: false,
        }
    }

    pub(super) fn finish(mut self, method: &'static Method, error: Option<&Error>, cx: &Context) {
        self.finished = true;
        self.record(error.map(Error::code));
        let Some(error) = error.filter(|error| error.code().is_server_fault()) else {
            return;
        };
        let trace = format_args!("{:032x}", cx.trace().trace_id);
        match error.code() {
            Code::Unavailable | Code::DeadlineExceeded => {
                tracing::debug!(method = method.path, trace_id = %trace, error = %error.chain(), "call failed");
            }
            _ => {
                tracing::error!(method = method.path, trace_id = %trace, error = %error.chain(), "call failed")
            }
        }
    }

    fn record(&self, code: Option<Code>) {
        if let Some(running) = &self.running {
            let took = Instant::now().saturating_duration_since(self.started);
            running.metrics().record(code.map_or(Ok(()), Err), took);
        }
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        if !self.finished {
            self.record(Some(Code::Cancelled));
        }
    }
}
