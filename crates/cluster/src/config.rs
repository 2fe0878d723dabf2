//! Where the registry is, and its times.

use backlot_service::config::{Problems, Validate, human_duration};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// The loopback address a registry is at when nobody says otherwise.
pub const DEFAULT_ADDRESS: &str = "127.0.0.1:8070";
/// The shortest and the longest time to live a registry takes.
pub const TTL_BOUNDS: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(60)];

/// The table `registry`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the registry listens, `host:port`; the same for all processes.
    pub address: String,
    /// How long an instance stays without a heartbeat.
    #[serde(with = "human_duration")]
    pub ttl: Duration,
    /// How often an instance says that it is there.
    #[serde(with = "human_duration")]
    pub heartbeat: Duration,
    /// How long the registry may wait for a change before it answers a watcher.
    #[serde(with = "human_duration")]
    pub poll: Duration,
    /// Fixed addresses by service. When there are any, no registry is used.
    pub services: BTreeMap<String, Vec<String>>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            address: DEFAULT_ADDRESS.to_owned(),
            ttl: Duration::from_secs(3),
            heartbeat: Duration::from_secs(1),
            poll: Duration::from_secs(5),
            services: BTreeMap::new(),
        }
    }
}

impl Validate for Config {
    fn validate(&self, at: &str, problems: &mut Problems) {
        if let Err(wrong) = check_address(&self.address) {
            problems.push(
                at,
                "address",
                wrong,
                format!("the default is {DEFAULT_ADDRESS:?}"),
            );
        }
        let [shortest, longest] = TTL_BOUNDS;
        if self.ttl < shortest || self.ttl > longest {
            problems.push(
                at,
                "ttl",
                format!("must be 500ms to 1m, got {}", show(self.ttl)),
                "the default is \"3s\"",
            );
        }
        if self.heartbeat.is_zero() || self.heartbeat > self.ttl / 2 {
            let wrong = format!(
                "must be at most half of ttl ({}), got {}",
                show(self.ttl / 2),
                show(self.heartbeat)
            );
            problems.push(at, "heartbeat", wrong, "the default is \"1s\"");
        }
        if self.poll < Duration::from_millis(100) || self.poll > MAX_WAIT {
            problems.push(
                at,
                "poll",
                format!("must be 100ms to 1m, got {}", show(self.poll)),
                "the default is \"5s\"",
            );
        }
        for (service, addresses) in &self.services {
            for address in addresses {
                if let Err(wrong) = check_address(address) {
                    problems.push(at, &format!("services.{service}"), wrong, "");
                }
            }
        }
    }
}

/// The longest a watcher may ask to wait.
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(60);

fn show(duration: Duration) -> humantime::FormattedDuration {
    humantime::format_duration(duration)
}

/// Checks `host:port`.
pub(crate) fn check_address(address: &str) -> Result<(), String> {
    let wrong = || format!("must be HOST:PORT such as \"127.0.0.1:8082\", got {address:?}");
    let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
    let host_is_plausible = !host.is_empty()
        && address.len() <= 255
        && host.bytes().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']')
        })
        && (!host.contains(':') || (host.starts_with('[') && host.ends_with(']')));
    let port_is_plausible = port.bytes().all(|byte| byte.is_ascii_digit())
        && port.parse::<u16>().is_ok_and(|port| port > 0);
    if host_is_plausible && port_is_plausible {
        Ok(())
    } else {
        Err(wrong())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_valid() {
        let mut problems = Problems::default();
        Config::default().validate("registry", &mut problems);
        assert_eq!(problems.to_string(), "");
    }

    #[test]
    fn all_that_is_wrong_is_told() {
        let config = Config {
            address: "localhost".into(),
            ttl: Duration::from_millis(10),
            heartbeat: Duration::from_secs(2),
            poll: Duration::ZERO,
            services: BTreeMap::from([("rating".into(), vec!["a:0".into()])]),
        };
        let mut problems = Problems::default();
        config.validate("registry", &mut problems);
        let keys: Vec<_> = problems
            .iter()
            .map(|problem| problem.key.as_str())
            .collect();
        assert_eq!(
            keys,
            [
                "registry.address",
                "registry.ttl",
                "registry.heartbeat",
                "registry.poll",
                "registry.services.rating"
            ]
        );
    }

    #[test]
    fn addresses_are_a_host_and_a_port() {
        for good in ["127.0.0.1:1", "rating-0.rating:65535", "[::1]:80"] {
            assert!(check_address(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "a",
            ":1",
            "a:0",
            "a:65536",
            "a b:1",
            "::1:80",
            "a:+1",
            "http://a:1",
            "ä:1",
        ] {
            assert!(check_address(bad).is_err(), "{bad}");
        }
    }
}
