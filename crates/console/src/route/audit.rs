//! `/audit`: who did what, the latest first.

use crate::page::Page;
use crate::view::audit::Audit;
use crate::view::html;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

pub(crate) async fn show(State(page): State<Page>) -> Response {
    let entries = page.audit().latest();
    html(StatusCode::OK, &Audit { entries })
}
