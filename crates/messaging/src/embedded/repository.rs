//! All SQL of the log. Each function runs inside a transaction of its caller.

pub(super) mod cursors;
pub(super) mod dead;
pub(super) mod ephemeral;
pub(super) mod log;
pub(super) mod timers;
pub(super) mod topics;
