//! What the visitor rated.

use super::Frame;
use super::card::Card;
use super::picker::Picker;
use crate::trail::Ways;
use crate::when::Day;
use askama::Template;

/// The page.
#[derive(Template)]
#[template(path = "mine.html")]
pub(crate) struct Mine<'a> {
    pub(crate) frame: Frame<'a>,
    pub(crate) rows: Vec<Row>,
    pub(crate) ways: Ways,
    /// Whether ratings could not be had.
    pub(crate) away: bool,
}

/// One rating.
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) path: String,
    /// What is known of the film, where it could be had.
    pub(crate) card: Option<Card>,
    pub(crate) picker: Picker,
    pub(crate) day: Option<Day>,
    /// Used for the one write that this form makes.
    pub(crate) key: String,
}

impl Row {
    fn title(&self) -> &str {
        self.card.as_ref().map_or(&self.id, |card| &card.title)
    }

    fn words(&self) -> String {
        self.picker
            .chosen
            .map(|stars| stars.words())
            .unwrap_or_default()
    }
}
