//! What templates are filled with. Text is escaped by the templates; drawings escape their own.

pub(crate) mod browse;
pub(crate) mod card;
pub(crate) mod chart;
pub(crate) mod facets;
pub(crate) mod film;
pub(crate) mod home;
pub(crate) mod mail;
pub(crate) mod message;
pub(crate) mod mine;
pub(crate) mod name;
pub(crate) mod picker;
pub(crate) mod search;
pub(crate) mod suggest;

use crate::assets::Assets;
use crate::name::Name;
use crate::page::Page;
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
    /// What stands in the search box.
    pub(crate) query: &'a str,
    section: &'static str,
}

impl<'a> Frame<'a> {
    pub(crate) fn new(page: &'a Page, name: Option<&'a Name>, here: &'a str) -> Self {
        Frame {
            assets: page.assets(),
            name,
            here,
            query: "",
            section: "",
        }
    }

    /// Within a section that the navigation names: `home`, `browse`, `charts` or `mine`.
    pub(crate) fn within(self, section: &'static str) -> Self {
        Frame { section, ..self }
    }

    /// With what was searched for.
    pub(crate) fn asking(self, query: &'a str) -> Self {
        Frame { query, ..self }
    }

    /// Marks the link to this section in the navigation.
    fn mark(&self, section: &str) -> &'static str {
        if self.section == section {
            " aria-current=\"page\""
        } else {
            ""
        }
    }
}

/// Path and query of a request.
pub(crate) fn here(uri: &Uri) -> &str {
    uri.path_and_query().map_or("/", |here| here.as_str())
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
