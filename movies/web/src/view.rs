//! What templates are filled with. Text is escaped by the templates; drawings escape their own.

pub(crate) mod film;
pub(crate) mod list;
pub(crate) mod message;
pub(crate) mod name;

use crate::assets::Assets;
use crate::name::Name;
use crate::page::Page;
use crate::percent;
use askama::Template;
use axum::http::{StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};

/// What stands around every page.
pub(crate) struct Frame<'a> {
    pub(crate) assets: &'a Assets,
    /// Who visits.
    pub(crate) name: Option<&'a Name>,
    /// Where picking a name leads back to.
    pub(crate) here: &'a str,
}

impl<'a> Frame<'a> {
    pub(crate) fn new(page: &'a Page, name: Option<&'a Name>, here: &'a str) -> Self {
        Frame {
            assets: page.assets(),
            name,
            here,
        }
    }
}

/// Path and query of a request.
pub(crate) fn here(uri: &Uri) -> &str {
    uri.path_and_query().map_or("/", |here| here.as_str())
}

/// The address of a film's page.
pub(crate) fn film_path(id: &str) -> String {
    format!("/movies/{}", percent::encoded(id))
}

/// A rendered page.
pub(crate) fn html(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => (status, Html(text)).into_response(),
        // Writing to a string does not fail; a filter could.
        Err(_) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "the page could not be drawn\n",
        )
            .into_response(),
    }
}
