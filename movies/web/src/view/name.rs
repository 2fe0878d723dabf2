//! Picking a name.

use super::Frame;
use crate::name;
use askama::Template;

/// The form.
#[derive(Template)]
#[template(path = "name.html")]
pub(crate) struct PickName<'a> {
    pub(crate) frame: Frame<'a>,
    /// Where it leads back to.
    pub(crate) back: &'a str,
    pub(crate) typed: &'a str,
    /// What is wrong with what was typed; empty when nothing is.
    pub(crate) problem: &'a str,
}

impl PickName<'_> {
    fn rule(&self) -> &'static str {
        name::RULE
    }
}
