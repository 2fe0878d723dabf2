//! Which letters a command is about.

use crate::reach::{Reached, Refused};
use crate::table::time_of;
use backlot_core::Timestamp;
use backlot_messaging::dead::{Filter, Id, Letters, Which};
use std::fmt;

/// Letters that have all of this in common.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub(super) struct Choice {
    /// Only those that died of this: permanent, exhausted, undecodable, unknown-version, expired,
    /// panic, crash-loop, corrupt or unknown
    #[arg(long)]
    class: Option<String>,
    /// Only those that died at this time or later: 2026-05-01T12:00:00Z, or 1h for an hour ago
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only those that died before this time: 2026-05-01T12:00:00Z, or 1h for an hour ago
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only those of this key
    #[arg(long)]
    key: Option<String>,
    /// Only those that came from this topic
    #[arg(long)]
    topic: Option<String>,
}

/// Letters by name, or those of a group.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Chosen {
    /// A group, or the ids of letters
    #[arg(required = true, value_name = "GROUP|ID")]
    targets: Vec<String>,
    #[command(flatten)]
    choice: Choice,
}

impl Choice {
    /// # Errors
    /// For a class or a time that there is not.
    pub(super) fn filter(&self, group: Option<&str>, now: Timestamp) -> Result<Filter, Refused> {
        let time = |field, text: &Option<String>| {
            let text = text.as_deref();
            text.map(|text| time_of(field, text, now)).transpose()
        };
        Ok(Filter {
            group: group.map(str::to_owned),
            topic: self.topic.clone(),
            class: self.class.as_deref().map(str::parse).transpose()?,
            since: time("since", &self.since)?,
            until: time("until", &self.until)?,
            key: self.key.clone(),
            status: None,
        })
    }
}

impl fmt::Display for Chosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.targets.join(" "))?;
        let Choice {
            class,
            since,
            until,
            key,
            topic,
        } = &self.choice;
        let flags = [
            ("class", class),
            ("since", since),
            ("until", until),
            ("key", key),
            ("topic", topic),
        ];
        for (flag, value) in flags {
            if let Some(value) = value {
                write!(f, " --{flag} {value}")?;
            }
        }
        Ok(())
    }
}

impl Chosen {
    /// # Errors
    /// For ids and a group at once, several groups, a group that has no letters, and what a filter
    /// refuses.
    pub(super) async fn which(
        &self,
        letters: &Letters,
        reached: &Reached,
    ) -> Result<Which, Refused> {
        let is_id = |target: &&String| target.contains('/');
        if self.targets.iter().any(|target| is_id(&target)) {
            if self.choice != Choice::default() {
                return Err(Refused::Asked(
                    "ids: letters are named, and --class, --since, --until, --key and --topic choose among those of a group: leave them out, or name a group".to_owned(),
                ));
            }
            let ids: Result<Vec<Id>, _> = self.targets.iter().map(|id| id.parse()).collect();
            return Ok(Which::Ids(ids?));
        }
        let [group] = &self.targets[..] else {
            return Err(Refused::Asked(format!(
                "group: {} are several: name one group, or the ids of letters",
                self.targets.join(", ")
            )));
        };
        let filter = self
            .choice
            .filter(Some(group), reached.env().clock.wall())?;
        known(letters, reached, group).await?;
        Ok(Which::Matching(filter))
    }
}

/// # Errors
/// For a group that has no letters, with those that have.
pub(super) async fn known(
    letters: &Letters,
    reached: &Reached,
    group: &str,
) -> Result<(), Refused> {
    let groups = letters.groups(&reached.cx()).await?;
    if groups.iter().any(|known| known.group == group) {
        return Ok(());
    }
    let mut names: Vec<_> = groups.iter().map(|known| known.group.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let names = match names.len() {
        0 => "no group has any".to_owned(),
        1..=20 => format!("take one that has: {}", names.join(", ")),
        many => format!("{many} groups have some: see dead"),
    };
    Err(Refused::Asked(format!(
        "group: {group:?} has no dead letters, and had none: {names}"
    )))
}
