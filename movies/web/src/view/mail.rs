//! Mail: what one gets, and where links in messages lead.

use super::Frame;
use askama::Template;

/// The page about one's mail.
#[derive(Template)]
#[template(path = "mail.html")]
pub(crate) struct Mail<'a> {
    pub(crate) frame: Frame<'a>,
    pub(crate) state: State,
    /// What was just asked for.
    pub(crate) asked: &'a str,
    pub(crate) typed: &'a str,
    /// What is wrong with what was typed; empty when nothing is.
    pub(crate) problem: &'a str,
}

/// What is known of a visitor's mail. Of addresses as much as their owners know them by: a name is
/// anybody's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Mail goes to names.
    Nobody,
    /// It cannot be had now.
    Away,
    Known {
        /// Where mail goes; empty when none does.
        gets: String,
        /// Where a welcome was sent, and nobody has said yes; empty when there is none.
        asked: String,
        note: String,
    },
}

impl Default for State {
    fn default() -> Self {
        State::Known {
            gets: String::new(),
            asked: String::new(),
            note: String::new(),
        }
    }
}

impl Mail<'_> {
    fn gets(&self) -> &str {
        match &self.state {
            State::Known { gets, .. } => gets,
            State::Nobody | State::Away => "",
        }
    }

    fn asked_for(&self) -> &str {
        match &self.state {
            State::Known { asked, .. } => asked,
            State::Nobody | State::Away => "",
        }
    }

    fn note(&self) -> &str {
        match &self.state {
            State::Known { note, .. } => note,
            State::Nobody | State::Away => "",
        }
    }

    fn is_nobody(&self) -> bool {
        self.state == State::Nobody
    }

    fn is_away(&self) -> bool {
        self.state == State::Away
    }
}

/// Where a link in a message leads.
#[derive(Template)]
#[template(path = "mail_link.html")]
pub(crate) struct Link<'a> {
    pub(crate) frame: Frame<'a>,
    pub(crate) token: String,
    /// Whether it is the link to say yes.
    pub(crate) wanted: bool,
    pub(crate) done: bool,
}
