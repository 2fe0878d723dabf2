//! What can be set.

use backlot_service::config::{Problems, Secret, Validate};
use serde::{Deserialize, Serialize};

/// Configuration of the console.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What operators log in with, under any name, which is in the audit; needed where the console
    /// listens beyond loopback. At least twelve characters.
    pub password: Secret,
    /// The names under which browsers reach the console, besides those of this machine, for example
    /// `console.example.com`.
    pub hosts: Vec<String>,
}

impl Validate for Config {
    fn validate(&self, at: &str, problems: &mut Problems) {
        let password = self.password.expose();
        if !password.is_empty() && password.chars().count() < 12 {
            problems.push(
                at,
                "password",
                "is shorter than 12 characters",
                "take a longer one: nothing slows down whoever guesses",
            );
        }
        for host in &self.hosts {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
            if host.is_empty() || !host.bytes().all(plain) {
                let cure = "write a name alone, as in console.example.com";
                problems.push(at, "hosts", format!("{host:?} is no name of a host"), cure);
            }
        }
    }
}
