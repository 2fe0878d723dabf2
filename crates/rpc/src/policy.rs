//! What clients of other processes do about failures: every knob, with its default and the reason
//! for it. Changes apply to calls made after them, without a restart.
//!
//! ```
//! use backlot_rpc::policy::{Knobs, Policy};
//!
//! let knobs = Knobs::default();
//! let mut policy = Policy::clone(&knobs.now());
//! policy.retry.attempts = 1;
//! knobs.set(policy);
//! assert_eq!(knobs.now().retry.attempts, 1);
//! ```
//!
//! One policy is for all whom a client calls; knobs may be set otherwise for some of them
//! ([`Policies`]).

mod knobs;
mod policies;
mod set;
mod validate;

pub use knobs::{Knobs, Live};
pub use policies::Policies;

use backlot_service::config::human_duration;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Everything that can be set about calls to other processes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// What is made again.
    pub retry: Retry,
    /// Which instance gets a call.
    pub balance: Balance,
    /// When an instance gets no calls for a while.
    pub eject: Eject,
    /// When calls are not sent at all.
    pub throttle: Throttle,
    /// How connections are made and watched.
    pub connect: Connect,
}

/// What is made again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retry {
    /// The most attempts of one call, the first included: 1 to 5; 1 repeats nothing but what no
    /// callee saw.
    pub attempts: u32,
    /// The longest pause before the second attempt; doubled before each further one.
    #[serde(with = "human_duration")]
    pub pause: Duration,
    /// The longest pause of all.
    #[serde(with = "human_duration")]
    pub longest_pause: Duration,
    /// Of a hundred calls of the last ten seconds so many may be made again: 0 to 100.
    pub share: u32,
    /// So many a second may be made again beside the share, for clients of few calls: 0 to 1,000.
    pub floor: u32,
    /// The largest request that is kept to be sent again, in bytes, up to 4 MiB.
    pub replay: usize,
    /// How much of such requests one client keeps at a time, in bytes, up to 1 GiB; above, calls
    /// are made once.
    pub replay_in_all: usize,
    /// How long one attempt of a read may take, where the call may take longer; 0s for as long.
    #[serde(with = "human_duration")]
    pub patience: Duration,
}

/// Which instance gets a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Balance {
    /// The rule.
    pub rule: Rule,
    /// To how many instances a client connects, in its own zone and in others; 0 to all.
    pub subset: usize,
    /// Where clients go by load: they call in their own zone, and elsewhere only when the instances
    /// here are so many times as busy; 1 to 1,000.
    pub spill: f64,
    /// How slowly what was measured of an instance is forgotten: to a third in this time.
    #[serde(with = "human_duration")]
    pub decay: Duration,
    /// For how long instances are kept that leave the registry, when more than half leave at once
    /// and still take connections; 0s for none.
    #[serde(with = "human_duration")]
    pub hold: Duration,
}

/// A rule to choose by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// The less busy of two drawn at random: latency times calls awaited.
    LeastBusy,
    /// One after the other.
    RoundRobin,
    /// The same instance for the same request (or the same
    /// [`affinity`](backlot_core::Context::with_affinity)), while it is no busier than others.
    ConsistentHash,
}

/// When an instance gets no calls for a while.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Eject {
    /// Whether instances are ejected.
    pub on: bool,
    /// So many failures in a row do it: 1 to 1,000.
    pub failures: u32,
    /// Fewer successes than so many in a hundred in ten seconds do it: 0 to 100; 0 never.
    pub success: u32,
    /// Of so many answers at least: 1 to 100,000.
    pub answers: u32,
    /// For how long the first time, by half more or less; doubled each further time.
    #[serde(with = "human_duration")]
    pub shortest: Duration,
    /// For how long at most.
    #[serde(with = "human_duration")]
    pub longest: Duration,
    /// Of a hundred instances so many may be out at once: 0 to 100.
    pub most: u32,
    /// How long it takes until an instance that comes back gets as many calls as others.
    #[serde(with = "human_duration")]
    pub ramp: Duration,
}

/// When calls are not sent at all, because hardly any is accepted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Throttle {
    /// Whether calls are held back.
    pub on: bool,
    /// So many times what is accepted may be sent: 1.1 to 100.
    pub excess: f64,
    /// The largest share that is held back, in a hundred: 0 to 99. The rest finds out when the
    /// callee is well.
    pub most: u32,
    /// Below so many calls a second none is held back.
    pub least: u32,
}

/// How connections are made and watched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Connect {
    /// How long connecting may take.
    #[serde(with = "human_duration")]
    pub timeout: Duration,
    /// The longest pause after the first attempt that failed; doubled after each further one.
    #[serde(with = "human_duration")]
    pub pause: Duration,
    /// The longest pause of all.
    #[serde(with = "human_duration")]
    pub longest_pause: Duration,
    /// How often a peer is asked whether it is there.
    #[serde(with = "human_duration")]
    pub ping: Duration,
    /// How long it may take to answer that.
    #[serde(with = "human_duration")]
    pub answer: Duration,
    /// How many connections to one instance there may be: another is made when those there are
    /// have as many calls under way as the instance answers at a time. 1 to 16.
    pub connections: usize,
}

impl Default for Retry {
    fn default() -> Self {
        Retry {
            attempts: 3,
            pause: Duration::from_millis(25),
            longest_pause: Duration::from_secs(1),
            share: 10,
            floor: 1,
            replay: 64 * 1024,
            replay_in_all: 4 * 1024 * 1024,
            patience: Duration::ZERO,
        }
    }
}

impl Default for Balance {
    fn default() -> Self {
        Balance {
            rule: Rule::LeastBusy,
            subset: 32,
            spill: 2.0,
            decay: Duration::from_secs(10),
            hold: Duration::from_secs(30),
        }
    }
}

impl Default for Eject {
    fn default() -> Self {
        Eject {
            on: true,
            failures: 5,
            success: 80,
            answers: 20,
            shortest: Duration::from_secs(1),
            longest: Duration::from_secs(60),
            most: 50,
            ramp: Duration::from_secs(10),
        }
    }
}

impl Default for Throttle {
    fn default() -> Self {
        Throttle {
            on: true,
            excess: 2.0,
            most: 80,
            least: 5,
        }
    }
}

impl Default for Connect {
    fn default() -> Self {
        Connect {
            timeout: Duration::from_secs(1),
            pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(1),
            ping: Duration::from_secs(2),
            answer: Duration::from_secs(1),
            connections: 2,
        }
    }
}

/// Why each default is what it is, by its key.
pub const REASONS: &[(&str, &str)] = &[
    (
        "retry.attempts",
        "two more find a well instance; each further one is load without hope",
    ),
    (
        "retry.pause",
        "longer than a hiccup, and drawn anew each time, so that callers do not come back together",
    ),
    ("retry.longest_pause", "a person waits"),
    (
        "retry.share",
        "a callee that fails every call gets 1.1 times the calls, not three times",
    ),
    ("retry.floor", "a client of few calls has hardly a share"),
    (
        "retry.replay",
        "what is larger costs more to keep than to fail",
    ),
    ("retry.replay_in_all", "64 of the largest"),
    (
        "retry.patience",
        "only who knows the method knows what is too long",
    ),
    (
        "balance.rule",
        "a slow instance loses its calls, and no crowd runs to an idle one",
    ),
    (
        "balance.subset",
        "connections cost memory at both ends, and more instances balance no better",
    ),
    (
        "balance.spill",
        "the way to another zone costs time and often money; waiting twice as long costs more",
    ),
    (
        "balance.decay",
        "longer than one stutter, shorter than a person waits",
    ),
    (
        "balance.hold",
        "more than half at once is a fault of the registry more often than of the instances",
    ),
    (
        "eject.on",
        "a sick instance is avoided by all its callers, each for itself",
    ),
    (
        "eject.failures",
        "five in a row are no chance where one call in ten fails",
    ),
    ("eject.success", "below, callers feel it"),
    ("eject.answers", "of fewer a share says little"),
    ("eject.shortest", "a restart takes about as long"),
    ("eject.longest", "nobody is given up"),
    ("eject.most", "the rest has to carry the load of all"),
    ("eject.ramp", "caches are cold after a restart"),
    (
        "throttle.on",
        "who is down comes up sooner under a fifth of the load",
    ),
    (
        "throttle.excess",
        "up to half of the calls may fail before any is held back",
    ),
    (
        "throttle.most",
        "a fifth of the calls finds out when the callee is well",
    ),
    ("throttle.least", "so few calls hurt nobody"),
    (
        "connect.timeout",
        "in one network a connection takes milliseconds",
    ),
    ("connect.pause", "a restart is over soon"),
    (
        "connect.longest_pause",
        "how long a restarted instance at a fixed address goes unseen at most",
    ),
    (
        "connect.ping",
        "with its answer a dead peer is seen within three seconds",
    ),
    ("connect.answer", "longer than a busy peer takes"),
    (
        "connect.connections",
        "a callee that answers so many calls at a time over one answers twice as many over two",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn each_knob_has_its_reason() {
        let policy = serde_json::to_value(Policy::default()).unwrap();
        let mut keys = Vec::new();
        for (section, knobs) in policy.as_object().unwrap() {
            let knobs = knobs.as_object().map(|knobs| knobs.keys());
            keys.extend(
                knobs
                    .into_iter()
                    .flatten()
                    .map(|knob| format!("{section}.{knob}")),
            );
        }
        let mut reasons: Vec<_> = REASONS.iter().map(|(key, _)| (*key).to_owned()).collect();
        keys.sort();
        reasons.sort();
        assert_eq!(keys, reasons);
    }

    #[test]
    fn a_policy_is_read_as_it_is_written() {
        let written = serde_json::to_value(Policy::default()).unwrap();
        assert_eq!(written["balance"]["rule"], Value::from("least-busy"));
        assert_eq!(written["retry"]["pause"], Value::from("25ms"));
        let read: Policy = serde_json::from_value(written).unwrap();
        assert_eq!(read, Policy::default());
    }
}
