//! The best films by Bayesian average: (v/(v+m))R + (m/(v+m))C, where a film has v ratings of mean
//! R, all films' ratings have the mean C, and m is the configured weight.
//!
//! The service keeps nothing on disk. A task of its own follows what changes at metadata and
//! rating into a [`projection`], which holds of every film what it is ranked and sorted by (about
//! 140 bytes), and draws all charts anew when something changed, at most once a second. A request
//! reads a chart that is ready.

mod drawn;
mod follow;
mod projection;

pub(crate) use drawn::{Entry, LENGTH, Selection};
pub(crate) use follow::{Charts, Sources, follow};

#[cfg(test)]
mod speed;
#[cfg(test)]
mod tests;
