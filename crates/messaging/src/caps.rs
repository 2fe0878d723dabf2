//! What an engine promises, and what a subscription asks for. An engine never keeps less than it
//! was asked for in silence: what it cannot keep makes attaching fail, by name.

use crate::Error;
use std::fmt;

/// What `Ok` of a publish means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// Kept while the process lives.
    Memory,
    /// Handed to the operating system: kept when the process dies, not when the machine does.
    Process,
    /// On the disk: kept when the machine loses its power.
    Disk,
    /// On the disks of several machines.
    Replicated,
}

/// What an engine promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// The engine's name, for messages.
    pub name: &'static str,
    /// What `Ok` of a publish means.
    pub durability: Durability,
    /// Messages of one partition are first delivered in the order they were published in.
    pub order: bool,
    /// Messages are settled one by one, in any order, and that survives a restart.
    pub single_acks: bool,
    /// A message can be delivered again at a time, with its errors, across restarts.
    pub retry_at: bool,
    /// A message can be published at a later time.
    pub delay: bool,
    /// A message with an id seen lately is not published again.
    pub dedupe: bool,
    /// A dead letter is written in the same commit as its acknowledgement.
    pub atomic_dead: bool,
    /// A group can be moved to an offset.
    pub seek_offset: bool,
    /// A group can be moved to a time.
    pub seek_time: bool,
    /// Deliveries whose process died are counted.
    pub starts: bool,
}

/// What a subscription cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// At least this.
    pub durability: Durability,
    /// Order within partitions.
    pub order: bool,
    /// Retries at a time that survive a restart.
    pub retry_at: bool,
}

impl Default for Needs {
    /// Nothing: for tests and experiments.
    fn default() -> Self {
        Needs {
            durability: Durability::Memory,
            order: false,
            retry_at: false,
        }
    }
}

impl Caps {
    /// Refuses what the engine cannot keep.
    ///
    /// # Errors
    /// [`Error::Lacking`] naming the engine and the promise.
    pub fn check(&self, needs: &Needs) -> Result<(), Error> {
        let lacking = |promise: String, cure| {
            Err(Error::Lacking {
                engine: self.name,
                promise,
                cure,
            })
        };
        if self.durability < needs.durability {
            return lacking(
                format!("durability {}, only {}", needs.durability, self.durability),
                "take an engine that does, or ask for less",
            );
        }
        if needs.order && !self.order {
            return lacking(
                "order within a partition".to_owned(),
                "take an engine that does",
            );
        }
        if needs.retry_at && !self.retry_at {
            return lacking("retries at a time".to_owned(), "take an engine that does");
        }
        Ok(())
    }
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Durability::Memory => "memory",
            Durability::Process => "process",
            Durability::Disk => "disk",
            Durability::Replicated => "replicated",
        })
    }
}
