//! Letters on their way.

use super::time;
use crate::runs::{Progress, Run};
use askama::Template;

/// All runs.
#[derive(Template)]
#[template(path = "runs.html")]
pub(crate) struct Runs {
    pub(crate) rows: Vec<Shown>,
}

/// A run as it is now.
#[derive(Template)]
#[template(path = "run.html")]
pub(crate) struct Shown {
    number: u64,
    what: &'static str,
    of: String,
    by: String,
    began: String,
    progress: Progress,
}

#[derive(Template)]
#[template(path = "run_inner.html")]
struct Inner<'a> {
    run: &'a Shown,
}

impl Shown {
    pub(crate) fn of(run: &Run) -> Self {
        Shown {
            number: run.number,
            what: run.what,
            of: run.of.clone(),
            by: run.by.0.to_string(),
            began: time(run.began),
            progress: run.watch().borrow().clone(),
        }
    }

    /// The part that changes.
    pub(crate) fn inner(&self) -> String {
        // Writing to a string does not fail.
        Inner { run: self }.render().unwrap_or_default()
    }

    fn is_under_way(&self) -> bool {
        self.progress.ended.is_none()
    }

    fn outcome(&self) -> String {
        match &self.progress.ended {
            None => "under way".to_owned(),
            Some(Ok(ended)) => (*ended).to_owned(),
            Some(Err(error)) => error.clone(),
        }
    }

    fn failed(&self) -> bool {
        matches!(self.progress.ended, Some(Err(_)))
    }
}
