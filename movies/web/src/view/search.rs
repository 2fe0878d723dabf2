//! What was found.

use super::Frame;
use super::card::Card;
use super::facets::Facets;
use crate::trail::Ways;
use askama::Template;

/// The page.
#[derive(Template)]
#[template(path = "search.html")]
pub(crate) struct Search<'a> {
    pub(crate) frame: Frame<'a>,
    pub(crate) cards: Vec<Card>,
    /// Other ways to a film, where nothing was found or asked.
    pub(crate) facets: Facets,
    pub(crate) ways: Ways,
    /// Whether ratings could not be had.
    pub(crate) away: bool,
}
