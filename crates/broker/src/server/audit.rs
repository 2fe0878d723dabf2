//! Who changed what: a line in the log for each change that an operator makes, whichever way the
//! call came.

use backlot_core::{Context, Error};
use backlot_service::logs::AUDIT;
use std::fmt;

/// What somebody is called who showed no token.
const SECRET: &str = "somebody who knows the broker's secret";

/// Notes a change; gives back what became of it.
pub(super) fn noted<T>(
    cx: &Context,
    what: &'static str,
    to: impl fmt::Display,
    outcome: Result<T, Error>,
) -> Result<T, Error> {
    let who = cx.principal().subject().unwrap_or(SECRET);
    let said = match &outcome {
        Ok(_) => "done",
        Err(error) => error.message(),
    };
    tracing::info!(target: AUDIT, who, what, %to, outcome = said, "{what} by {who}");
    outcome
}
