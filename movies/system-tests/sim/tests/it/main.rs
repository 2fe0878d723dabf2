//! The simulated world keeps its own promises: the same seed gives the same trace, and an oracle
//! that nothing escapes.

mod broker;
mod equivalence;
mod ledger;
mod oracle;
mod trace;
