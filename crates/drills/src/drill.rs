//! The drills: what goes wrong, and which defence is there for it.

use crate::desk::Mood;
use backlot::rpc::policy::{Policy, Rule};
use std::time::Duration;

/// The caller, the registry and the instances of the service.
pub const CALLER: &str = "caller";
/// How many instances there are.
pub const INSTANCES: usize = 4;
/// How long the system is watched before anything goes wrong.
pub const BEFORE: Duration = Duration::from_secs(10);
/// How long it is watched afterwards.
pub const AFTER: Duration = Duration::from_secs(15);

/// The host of an instance, counted from 1.
#[must_use]
pub fn host(number: usize) -> String {
    format!("desk-{number}")
}

/// What goes wrong.
#[derive(Clone, Copy, Debug)]
pub enum Trouble {
    /// An instance dies again and again, each time without a word, and is started again.
    Kills,
    /// What the caller sends one instance is lost.
    OneWay,
    /// What the caller and one instance send each other is lost.
    BothWays,
    /// The first so many instances behave like that.
    Moods(usize, Mood),
    /// The registry is dead.
    NoRegistry,
    /// The registry dies again and again, each time coming back without knowing anybody.
    RegistryFlaps,
    /// The instances cannot reach the registry, which believes them dead.
    Forgotten,
    /// Each instance is stopped in order and started again, one after the other.
    Rolling,
}

/// One drill.
#[derive(Clone, Copy, Debug)]
pub struct Drill {
    /// Its name.
    pub name: &'static str,
    /// What it is about, in a sentence.
    pub about: &'static str,
    /// What goes wrong.
    pub trouble: Trouble,
    /// For how long.
    pub lasts: Duration,
    /// Calls a second.
    pub rate: u32,
    /// What the caller does otherwise than by default, in every case.
    pub with: fn(&mut Policy),
    /// The defences that are there for it.
    pub defences: &'static str,
    /// How they are switched off, if they can be.
    pub without: Without,
}

/// How the defences of a drill are switched off.
#[derive(Clone, Copy, Debug)]
pub enum Without {
    /// By the caller's policy.
    Policy(fn(&mut Policy)),
    /// The instances do not wait when they stop, neither for callers to notice nor for calls.
    Drain,
    /// Not at all: other tests take them out.
    Nothing,
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn nothing(_policy: &mut Policy) {}

/// All of them.
pub const DRILLS: &[Drill] = &[
    Drill {
        name: "kill",
        about: "one of four instances dies without a word every 2 s for 20 s",
        trouble: Trouble::Kills,
        lasts: seconds(20),
        rate: 400,
        // It gets its full share at once each time it is back, or hardly a call would meet its end.
        with: |policy| {
            policy.eject.ramp = Duration::ZERO;
            policy.balance.rule = Rule::RoundRobin;
        },
        defences: "retries",
        without: Without::Policy(|policy| policy.retry.attempts = 1),
    },
    Drill {
        name: "partition one way",
        about: "what is sent to one of four instances is lost for 10 s",
        trouble: Trouble::OneWay,
        lasts: seconds(10),
        rate: 100,
        with: nothing,
        defences: "pings, and balancing by load",
        without: Without::Policy(|policy| {
            policy.connect.ping = seconds(600);
            policy.balance.rule = Rule::RoundRobin;
        }),
    },
    Drill {
        name: "partition",
        about: "one of four instances is cut off for 10 s",
        trouble: Trouble::BothWays,
        lasts: seconds(10),
        rate: 100,
        with: nothing,
        defences: "pings, and balancing by load",
        without: Without::Policy(|policy| {
            policy.connect.ping = seconds(600);
            policy.balance.rule = Rule::RoundRobin;
        }),
    },
    Drill {
        name: "slow",
        about: "one of four instances takes ten times as long for 20 s",
        trouble: Trouble::Moods(1, Mood::Slow(10)),
        lasts: seconds(20),
        rate: 100,
        with: nothing,
        defences: "balancing by load",
        without: Without::Policy(|policy| policy.balance.rule = Rule::RoundRobin),
    },
    Drill {
        name: "fails fast",
        about: "one of four instances fails each call at once for 20 s",
        trouble: Trouble::Moods(1, Mood::FailsFast),
        lasts: seconds(20),
        rate: 100,
        // By turn, so that it does not lose its calls by looking slow.
        with: |policy| policy.balance.rule = Rule::RoundRobin,
        defences: "ejection",
        without: Without::Policy(|policy| policy.eject.on = false),
    },
    Drill {
        name: "half sick",
        about: "two of four instances fail half of their calls for 20 s",
        trouble: Trouble::Moods(2, Mood::FailsSome(50)),
        lasts: seconds(20),
        rate: 100,
        with: |policy| policy.balance.rule = Rule::RoundRobin,
        defences: "ejection",
        without: Without::Policy(|policy| policy.eject.on = false),
    },
    Drill {
        name: "all fail",
        about: "all instances fail each call for 20 s",
        trouble: Trouble::Moods(INSTANCES, Mood::FailsFast),
        lasts: seconds(20),
        rate: 100,
        with: nothing,
        defences: "the budget of retries, and calls held back",
        without: Without::Policy(|policy| {
            policy.retry.share = 100;
            policy.throttle.on = false;
        }),
    },
    Drill {
        name: "no registry",
        about: "the registry is dead for an hour",
        trouble: Trouble::NoRegistry,
        lasts: seconds(3600),
        rate: 2,
        with: nothing,
        defences: "clients of the registry keep what they know",
        without: Without::Nothing,
    },
    Drill {
        name: "registry flaps",
        about: "the registry dies every 4 s for 30 s and comes back empty each time",
        trouble: Trouble::RegistryFlaps,
        lasts: seconds(30),
        rate: 100,
        with: nothing,
        defences: "clients of the registry keep what they know",
        without: Without::Nothing,
    },
    Drill {
        name: "forgotten",
        about: "the registry hears of no instance for 20 s and believes all of them dead",
        trouble: Trouble::Forgotten,
        lasts: seconds(20),
        rate: 100,
        with: nothing,
        defences: "instances that answer are kept in doubt",
        without: Without::Policy(|policy| policy.balance.hold = Duration::ZERO),
    },
    Drill {
        name: "rolling restart",
        about: "each instance drains and is started again, retries off",
        trouble: Trouble::Rolling,
        lasts: seconds(20),
        rate: 400,
        with: |policy| policy.retry.attempts = 1,
        defences: "the drain of the instances",
        without: Without::Drain,
    },
];
