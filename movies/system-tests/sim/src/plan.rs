//! Which run.

use backlot_sim::{Fault, Weakness};

/// One run, to the letter: the same plan gives the same trace (unless it leaks).
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// What everything is drawn from.
    pub seed: u64,
    /// What goes wrong.
    pub faults: Faults,
    /// A defence switched off, to see that the oracle notices.
    pub without: Option<Defence>,
    /// Lets true randomness in, to see that the comparison of traces notices.
    pub leak: bool,
    /// Whether log lines of the services go into the timeline.
    pub logs: bool,
}

/// What goes wrong in a run.
#[derive(Clone, Debug, Default)]
pub enum Faults {
    /// What the seed draws.
    #[default]
    Drawn,
    /// Of what the seed draws only these, counted from 1.
    Only(Vec<usize>),
    /// Exactly these, in order of time; perhaps none.
    These(Vec<Fault>),
}

/// Something the promises rest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Defence {
    /// A commit is durable before it is acknowledged.
    Durability,
    /// A rating and its aggregate change in one transaction.
    Transactions,
    /// A repeated write carries the key of the first attempt.
    Idempotency,
    /// A call carries its deadline.
    Deadlines,
    /// A consumer settles events when their effects are committed, not before.
    LateSettling,
    /// What a consumer could not do with others it does by itself.
    Repetition,
    /// An event that is published again has the id that it had.
    Deduplication,
}

impl Plan {
    /// The plan of a seed with everything that can go wrong.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        Plan {
            seed,
            ..Plan::default()
        }
    }

    /// The faults of this run, of those that were drawn.
    pub(crate) fn choose(&self, drawn: Vec<Fault>) -> Vec<Fault> {
        match &self.faults {
            Faults::Drawn => drawn,
            Faults::Only(numbers) => {
                let numbered = drawn.into_iter().zip(1..);
                numbered
                    .filter(|(_, number)| numbers.contains(number))
                    .map(|(fault, _)| fault)
                    .collect()
            }
            Faults::These(faults) => faults.clone(),
        }
    }

    /// Whether this defence is on.
    #[must_use]
    pub fn has(&self, defence: Defence) -> bool {
        self.without != Some(defence)
    }

    /// What is wrong with the database itself.
    pub(crate) fn weakness(&self) -> Option<Weakness> {
        match self.without {
            Some(Defence::Durability) => Some(Weakness::LateSync),
            Some(Defence::Transactions) => Some(Weakness::NoTransactions),
            Some(
                Defence::Idempotency
                | Defence::Deadlines
                | Defence::LateSettling
                | Defence::Repetition
                | Defence::Deduplication,
            )
            | None => None,
        }
    }
}
