//! What each address does.

pub(crate) mod assets;
pub(crate) mod audit;
pub(crate) mod cache;
pub(crate) mod calls;
pub(crate) mod dead;
pub(crate) mod group;
pub(crate) mod letter;
pub(crate) mod overview;
pub(crate) mod run;

use crate::snapshot::told;
use crate::view::{self, message};
use axum::http::StatusCode;
use axum::response::Response;
use backlot_messaging::Error;

/// No such page.
pub(crate) async fn missing() -> Response {
    view::html(
        StatusCode::NOT_FOUND,
        &message(
            "There is nothing here",
            "The address has a slip in it, or what it named is gone.",
        ),
    )
}

/// What the log says when it does not do what it was asked.
fn refused(error: Error) -> Response {
    let (status, title) = match &error {
        Error::NoLetter { .. } | Error::UnknownTopic { .. } | Error::UnknownGroup { .. } => {
            (StatusCode::NOT_FOUND, "That is not there")
        }
        Error::Invalid { .. }
        | Error::Letter { .. }
        | Error::TooLarge { .. }
        | Error::Orphan { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "That cannot be"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "The log did not do it"),
    };
    view::html(status, &message(title, &told(error)))
}
