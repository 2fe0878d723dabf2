//! Consumers that are wrong on purpose: a checker that does not find them out checks nothing.

/// What is wrong with a consumer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sabotage {
    /// It acknowledges messages before their effect is committed.
    pub acknowledges_early: bool,
    /// It does not look whether a message had its effect before, by the inbox or the position.
    pub skips_inbox: bool,
    /// Of a batch with messages that fail it acknowledges all.
    pub passes_holes: bool,
}
