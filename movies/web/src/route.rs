//! What each address does.

pub(crate) mod browse;
pub(crate) mod chart;
pub(crate) mod film;
pub(crate) mod home;
pub(crate) mod live;
pub(crate) mod mail;
pub(crate) mod mine;
pub(crate) mod name;
pub(crate) mod poster;
pub(crate) mod rating;
pub(crate) mod search;
pub(crate) mod suggest;

use crate::name::Name;
use crate::page::Page;
use crate::view::{Frame, here, message};
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;

/// What films are called towards the rating service.
const RECORD_TYPE: &str = "movie";

/// No such page.
pub(crate) async fn missing(State(page): State<Page>, uri: Uri, headers: HeaderMap) -> Response {
    let name = Name::of_visitor(&headers);
    message::missing(
        Frame::new(&page, name.as_ref(), here(&uri)),
        "There is nothing here",
    )
}
