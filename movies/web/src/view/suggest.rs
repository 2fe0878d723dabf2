//! What a search box offers while somebody types.

use super::card::Card;
use askama::Template;

/// A list of films without a page around it.
#[derive(Template)]
#[template(path = "suggest.html")]
pub(crate) struct Suggest {
    pub(crate) cards: Vec<Card>,
}
