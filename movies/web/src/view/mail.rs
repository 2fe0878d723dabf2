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

/// What is known of a visitor's mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Mail goes to names.
    Nobody,
    /// It cannot be had now.
    Away,
    None {
        note: String,
    },
    /// A welcome was sent, and nobody there has said yes.
    Asked {
        address: String,
        note: String,
    },
    Gets {
        address: String,
    },
}

impl Mail<'_> {
    fn address(&self) -> &str {
        match &self.state {
            State::Asked { address, .. } | State::Gets { address } => address,
            State::Nobody | State::Away | State::None { .. } => "",
        }
    }

    fn note(&self) -> &str {
        match &self.state {
            State::None { note } | State::Asked { note, .. } => note,
            State::Nobody | State::Away | State::Gets { .. } => "",
        }
    }

    fn is_nobody(&self) -> bool {
        self.state == State::Nobody
    }

    fn is_away(&self) -> bool {
        self.state == State::Away
    }

    fn is_asked(&self) -> bool {
        matches!(self.state, State::Asked { .. })
    }

    fn gets(&self) -> bool {
        matches!(self.state, State::Gets { .. })
    }

    /// What stands in the field.
    fn value(&self) -> &str {
        match self.typed {
            "" => self.address(),
            typed => typed,
        }
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
