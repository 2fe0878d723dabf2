//! What is acknowledged survives: lost power, disks that fail, lie and fill up, flipped bits, and
//! `kill -9` at any point. Effects are made once through all of it.
//!
//! The program under test is this test binary itself: [`child`] runs an engine, a publisher, two
//! groups of consumers with a store of their own, and the relay of that store's outbox, and says
//! each step as a line of a history, which `backlot_testkit::history` checks at the end.
//!
//! | variable | what it asks for |
//! |---|---|
//! | `SEED` | the same dice as in another run, whose seed was printed |
//! | `KILLS` | so many kills instead of 100 |
//! | `FLIPS` | so many flipped bits in each kind of file instead of 60 |
//! | `IMAGES` | so many disks after a loss of power instead of 220 |

#![expect(
    clippy::unwrap_used,
    reason = "a test that meets an error has failed; clippy allows this in test functions only, not in what they share"
)]

mod checker;
mod child;
mod faults;
mod flips;
mod journal;
mod kills;
mod power;
mod publisher;
mod system;
mod tally;
mod traffic;
mod worker;

/// The seed of a test, printed: a failing test says which it was.
#[expect(
    clippy::print_stderr,
    reason = "whoever meets a failure repeats it with this"
)]
fn seed() -> u64 {
    let seed = backlot_testkit::knob::number("SEED");
    let seed = seed.unwrap_or_else(|| backlot_core::Dice::from_entropy().below(1 << 32));
    eprintln!("SEED={seed}");
    seed
}
