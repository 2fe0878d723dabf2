//! What can be set.

use crate::post::smtp::Security;
use backlot::config::{Problems, Secret, Validate, human_duration};
use backlot::storage::StoreConfig;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// Configuration of the mail service.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where subscribers and the mailbox are kept.
    pub store: StoreConfig,
    /// Who messages come from: an address, or a name with an address in `<>`.
    pub from: String,
    /// Where the page people use is, for links in messages.
    pub site: String,
    /// How often the chart is sent: 7 days are every Monday at 7:00 UTC.
    #[serde(with = "human_duration")]
    pub every: Duration,
    /// How long messages stay in the mailbox.
    #[serde(with = "human_duration")]
    pub keep: Duration,
    /// How many messages are sent at once, 1 to 64.
    pub senders: usize,
    /// The mail server; without one, messages go to the mailbox.
    pub smtp: SmtpConfig,
}

/// A mail server.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SmtpConfig {
    /// Host and port, for example `mail.example.com:587`; empty for none.
    pub server: String,
    /// `starttls` (usual on port 587), `tls` (usual on port 465) or `plain`, which anybody on the way
    /// reads.
    pub security: Security,
    /// Who logs in; empty for nobody.
    pub user: String,
    /// With which password.
    pub password: Secret,
    /// A file of certificates (PEM) that are believed besides those that browsers believe.
    pub authorities: Option<PathBuf>,
    /// How long a connection may take, with all that comes before the message.
    #[serde(with = "human_duration")]
    pub timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        Config {
            store: StoreConfig::default(),
            from: "Movies <movies@localhost>".to_owned(),
            site: "http://127.0.0.1:8080".to_owned(),
            every: DAY * 7,
            keep: DAY * 30,
            senders: 2,
            smtp: SmtpConfig::default(),
        }
    }
}

impl Default for SmtpConfig {
    fn default() -> Self {
        SmtpConfig {
            server: String::new(),
            security: Security::Starttls,
            user: String::new(),
            password: Secret::default(),
            authorities: None,
            timeout: Duration::from_secs(20),
        }
    }
}

impl Validate for Config {
    fn validate(&self, at: &str, problems: &mut Problems) {
        self.store.validate(&format!("{at}.store"), problems);
        if self.from.parse::<lettre::message::Mailbox>().is_err() {
            let said = format!("{:?} is no sender", self.from);
            problems.push(
                at,
                "from",
                said,
                "write it as in Movies <movies@example.com>",
            );
        }
        if !self.site.starts_with("http://") && !self.site.starts_with("https://") {
            let said = format!("{:?} is no address of a site", self.site);
            problems.push(
                at,
                "site",
                said,
                "write it as in https://movies.example.com",
            );
        }
        if self.every < Duration::from_secs(1) {
            problems.push(at, "every", "is shorter than 1s", "the default is 7days");
        }
        if self.keep < Duration::from_secs(60) {
            problems.push(at, "keep", "is shorter than 1m", "the default is 30days");
        }
        if !(1..=64).contains(&self.senders) {
            let said = format!("{} is out of range", self.senders);
            problems.push(at, "senders", said, "set 1 to 64");
        }
        let smtp = &self.smtp;
        let at = &format!("{at}.smtp");
        let is_address = smtp.server.rsplit_once(':').is_some_and(|(host, port)| {
            !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)
        });
        if !smtp.server.is_empty() && !is_address {
            let said = format!("{:?} is no host with a port", smtp.server);
            problems.push(at, "server", said, "write it as in mail.example.com:587");
        }
        if smtp.user.is_empty() != smtp.password.is_empty() {
            let cure = "set both, or neither";
            problems.push(at, "password", "goes with smtp.user", cure);
        }
        if !smtp.user.is_empty() && smtp.security == Security::Plain {
            let cure = "set starttls or tls: anybody on the way would read the password";
            problems.push(at, "security", "is plain", cure);
        }
        if smtp.timeout < Duration::from_secs(1) {
            problems.push(at, "timeout", "is shorter than 1s", "the default is 20s");
        }
    }
}
