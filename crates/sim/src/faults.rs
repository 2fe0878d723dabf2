//! What goes wrong, when and for how long, drawn from the seed.

use backlot_core::Dice;
use std::fmt;
use std::ops::Range;
use std::time::Duration;

/// One thing that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A host's process dies at once and is started again when the fault is over.
    Crash(String),
    /// A host's process is told to stop: it drains, and starts again by itself.
    Restart(String),
    /// What two hosts send each other is lost.
    Partition([String; 2]),
    /// What the first host sends the second is lost.
    OneWay([String; 2]),
    /// What two hosts send each other is kept back and arrives when the fault is over.
    Hold([String; 2]),
    /// What two hosts send each other takes up to [`SLOW`].
    Slow([String; 2]),
    /// The database takes no connections and ends those it has.
    Refuse,
    /// The database answers nobody.
    Stall,
    /// The database commits half of the time without saying so, and ends the connection.
    LoseAnswers,
}

/// The longest a message takes on a slow link.
pub const SLOW: Duration = Duration::from_millis(250);

/// Something that goes wrong at a moment, for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// When it begins, in simulated time.
    pub at: Duration,
    /// How long it lasts; nothing for a [`What::Restart`].
    pub lasts: Duration,
    /// What happens.
    pub what: What,
}

/// What can go wrong in a world.
#[derive(Clone, Debug)]
pub struct Terrain {
    /// Hosts whose process can crash.
    pub processes: Vec<String>,
    /// Hosts whose process can be told to stop.
    pub services: Vec<String>,
    /// Pairs of hosts that talk to each other.
    pub links: Vec<[String; 2]>,
    /// When faults begin and by when all are over, in simulated time.
    pub window: Range<Duration>,
    /// How many faults, at least and at most.
    pub count: Range<u64>,
    /// How long a fault lasts, at least and at most.
    pub lasts: Range<Duration>,
}

/// A pause between two faults of the same thing.
const BREATH: Duration = Duration::from_millis(300);

impl Fault {
    /// When it is over.
    #[must_use]
    pub fn until(&self) -> Duration {
        self.at + self.lasts
    }

    /// Whether both would meddle with the same thing at the same time.
    fn clashes(&self, other: &Fault) -> bool {
        let apart = self.at >= other.until() + BREATH || other.at >= self.until() + BREATH;
        !apart && self.what.subject() == other.what.subject()
    }
}

impl What {
    /// What it happens to, in one spelling.
    fn subject(&self) -> String {
        match self {
            What::Crash(host) | What::Restart(host) => host.clone(),
            What::Partition(pair) | What::OneWay(pair) | What::Hold(pair) | What::Slow(pair) => {
                let mut pair = pair.clone();
                pair.sort();
                pair.join(" ")
            }
            What::Refuse | What::Stall | What::LoseAnswers => "the database's mood".to_owned(),
        }
    }
}

impl Terrain {
    /// Draws what goes wrong, in order of time. The same dice draw the same.
    #[must_use]
    pub fn draw(&self, dice: &Dice) -> Vec<Fault> {
        let mut faults: Vec<Fault> = Vec::new();
        let count =
            self.count.start + dice.below(self.count.end.saturating_sub(self.count.start) + 1);
        // A draw that clashes is drawn again, so often and no more: a small terrain may have no
        // room for all.
        for _attempt in 0..count * 8 {
            if faults.len() as u64 == count {
                break;
            }
            let Some(fault) = self.draw_one(dice) else {
                continue;
            };
            if faults.iter().all(|earlier| !earlier.clashes(&fault)) {
                faults.push(fault);
            }
        }
        faults.sort_by_key(|fault| fault.at);
        faults
    }

    fn draw_one(&self, dice: &Dice) -> Option<Fault> {
        let one = |hosts: &[String]| hosts.get(dice.below(hosts.len() as u64) as usize).cloned();
        let pair = || {
            let [a, b] = self
                .links
                .get(dice.below(self.links.len() as u64) as usize)?
                .clone();
            Some(if dice.below(2) == 0 { [a, b] } else { [b, a] })
        };
        let what = match dice.below(100) {
            0..22 => What::Crash(one(&self.processes)?),
            22..32 => What::Restart(one(&self.services)?),
            32..46 => What::Partition(pair()?),
            46..54 => What::OneWay(pair()?),
            54..64 => What::Hold(pair()?),
            64..72 => What::Slow(pair()?),
            72..78 => What::Refuse,
            78..84 => What::Stall,
            _ => What::LoseAnswers,
        };
        let lasts = match &what {
            What::Restart(_) => Duration::ZERO,
            _ => between(dice, &self.lasts),
        };
        let latest = self.window.end.saturating_sub(lasts);
        if latest <= self.window.start {
            return None;
        }
        Some(Fault {
            at: between(dice, &(self.window.start..latest)),
            lasts,
            what,
        })
    }
}

/// Whole milliseconds, drawn evenly.
fn between(dice: &Dice, range: &Range<Duration>) -> Duration {
    let millis = range.end.saturating_sub(range.start).as_millis() as u64;
    range.start + Duration::from_millis(dice.below(millis.max(1)))
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Crash(host) => write!(f, "{host} crashes"),
            What::Restart(host) => write!(f, "{host} is told to restart"),
            What::Partition([a, b]) => write!(f, "{a} and {b} are cut off from each other"),
            What::OneWay([from, to]) => write!(f, "what {from} sends to {to} is lost"),
            What::Hold([a, b]) => write!(f, "what {a} and {b} send each other is kept back"),
            What::Slow([a, b]) => write!(f, "the way between {a} and {b} is slow"),
            What::Refuse => f.write_str("the database refuses connections"),
            What::Stall => f.write_str("the database answers nobody"),
            What::LoseAnswers => f.write_str("the database commits and loses answers"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.what)?;
        if !self.lasts.is_zero() {
            write!(f, " for {:.3} s", self.lasts.as_secs_f64())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terrain() -> Terrain {
        Terrain {
            processes: vec!["a".into(), "b".into()],
            services: vec!["a".into()],
            links: vec![["a".into(), "b".into()]],
            window: Duration::from_secs(2)..Duration::from_secs(12),
            count: 4..9,
            lasts: Duration::from_millis(200)..Duration::from_secs(3),
        }
    }

    #[test]
    fn the_same_dice_draw_the_same_faults_and_others_draw_others() {
        let draw = |seed| terrain().draw(&Dice::seeded(seed));
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn faults_stay_in_the_window_in_order_and_out_of_each_others_way() {
        for seed in 0..500 {
            let faults = terrain().draw(&Dice::seeded(seed));
            assert!(!faults.is_empty(), "seed {seed}");
            assert!(faults.is_sorted_by_key(|fault| fault.at), "seed {seed}");
            for (index, fault) in faults.iter().enumerate() {
                assert!(
                    fault.at >= terrain().window.start && fault.until() <= terrain().window.end,
                    "seed {seed}"
                );
                assert!(
                    faults[..index]
                        .iter()
                        .all(|earlier| !earlier.clashes(fault)),
                    "seed {seed}"
                );
            }
        }
    }
}
