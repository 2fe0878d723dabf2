//! Who did what.

use crate::audit::Entry;
use askama::Template;

/// The page.
#[derive(Template)]
#[template(path = "audit.html")]
pub(crate) struct Audit {
    pub(crate) entries: Vec<Entry>,
}
