//! A policy for all whom a client calls, and what is otherwise for some.

use super::set::meant;
use super::{Balance, Connect, Eject, Policy, Retry, Throttle};
use backlot_core::Error;
use backlot_service::config::{Problems, Validate};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The policy for all whom a client calls, and the knobs that are set otherwise for some.
///
/// As a table of a configuration, `to` holds the same sections by the name of the service that is
/// called, with the knobs that differ:
///
/// ```toml
/// [movie.calls.retry]
/// attempts = 2
///
/// [movie.calls.to.rating.retry]
/// patience = "50ms"
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Policies {
    /// For all.
    pub all: Policy,
    /// What differs, by the name of the service that is called, and of the knob.
    to: BTreeMap<String, BTreeMap<String, Value>>,
}

/// As it is written: knobs in their sections.
#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Written {
    retry: Retry,
    balance: Balance,
    eject: Eject,
    throttle: Throttle,
    connect: Connect,
    to: BTreeMap<String, Sections>,
}

type Sections = BTreeMap<String, BTreeMap<String, Value>>;

impl From<Written> for Policies {
    fn from(written: Written) -> Self {
        let usual = Policy::default();
        let named = |sections: Sections| {
            let knobs = sections.into_iter().flat_map(|(section, knobs)| {
                let usual = &usual;
                let named = move |(knob, value): (String, Value)| {
                    let name = format!("{section}.{knob}");
                    // As it is told, whatever form it was written in.
                    let value = match usual.get(&name) {
                        Some(is) => meant(&is, value),
                        None => value,
                    };
                    (name, value)
                };
                knobs.into_iter().map(named)
            });
            knobs.collect::<BTreeMap<_, _>>()
        };
        Policies {
            all: Policy {
                retry: written.retry,
                balance: written.balance,
                eject: written.eject,
                throttle: written.throttle,
                connect: written.connect,
            },
            to: written
                .to
                .into_iter()
                .map(|(service, sections)| (service, named(sections)))
                .collect(),
        }
    }
}

impl From<Policies> for Written {
    fn from(policies: Policies) -> Self {
        let sections = |knobs: BTreeMap<String, Value>| {
            let mut sections = Sections::new();
            for (name, value) in knobs {
                let (section, knob) = name.split_once('.').unwrap_or((&name, ""));
                let section = sections.entry(section.to_owned()).or_default();
                section.insert(knob.to_owned(), value);
            }
            sections
        };
        let Policy {
            retry,
            balance,
            eject,
            throttle,
            connect,
        } = policies.all;
        Written {
            retry,
            balance,
            eject,
            throttle,
            connect,
            to: policies
                .to
                .into_iter()
                .map(|(service, knobs)| (service, sections(knobs)))
                .collect(),
        }
    }
}

impl From<Policy> for Policies {
    fn from(all: Policy) -> Self {
        Policies {
            all,
            to: BTreeMap::new(),
        }
    }
}

impl Policies {
    /// The policy towards a service: that for all, where what differs does not go with it.
    #[must_use]
    pub fn towards(&self, service: &str) -> Policy {
        let differing = self.to.get(service);
        let differing = differing.and_then(|knobs| self.all.with_all(knobs).ok());
        differing.unwrap_or_else(|| self.all.clone())
    }

    /// The knobs that are set otherwise towards some services, by service and knob.
    #[must_use]
    pub fn differing(&self) -> &BTreeMap<String, BTreeMap<String, Value>> {
        &self.to
    }

    /// How a knob is set, for all or towards one service; nothing if there is no such knob.
    #[must_use]
    pub fn get(&self, service: Option<&str>, knob: &str) -> Option<Value> {
        let own = service.and_then(|service| self.to.get(service)?.get(knob));
        own.cloned().or_else(|| self.all.get(knob))
    }

    /// The same with one knob set, for all or towards one service, to what the text says: `off` and
    /// `on`, a number, a time like `250ms`, a word.
    ///
    /// # Errors
    /// `InvalidArgument` when there is no such knob, or it cannot be set to that.
    pub fn with(&self, service: Option<&str>, knob: &str, text: &str) -> Result<Self, Error> {
        let mut after = self.clone();
        match service {
            None => after.all = self.all.with(knob, text)?,
            Some(service) => {
                let alone = self.towards(service).with(knob, text)?;
                let differing = after.to.entry(service.to_owned()).or_default();
                differing.insert(knob.to_owned(), alone.get(knob).unwrap_or_default());
            }
        }
        after.checked(knob)
    }

    /// The same without what differs of a knob towards a service; with the default for all.
    ///
    /// # Errors
    /// `InvalidArgument` when there is no such knob, or others do not go with that.
    pub fn without(&self, service: Option<&str>, knob: &str) -> Result<Self, Error> {
        let default = match Policy::default().get(knob) {
            Some(Value::String(text)) => text,
            Some(value) => value.to_string(),
            None => String::new(),
        };
        let Some(service) = service else {
            return self.with(None, knob, &default);
        };
        if self.all.get(knob).is_none() {
            // That says which there are.
            self.all.with(knob, &default)?;
        }
        let mut after = self.clone();
        if let Some(knobs) = after.to.get_mut(service) {
            knobs.remove(knob);
        }
        after.to.retain(|_, knobs| !knobs.is_empty());
        after.checked(knob)
    }

    /// Whether all that differs goes with what is for all.
    fn checked(self, knob: &str) -> Result<Self, Error> {
        for (service, knobs) in &self.to {
            if let Err((other, why)) = self.all.with_all(knobs) {
                return Err(Error::invalid_argument(format!(
                    "{knob}: would not go with what is set towards {service}: {other} {why}"
                )));
            }
        }
        Ok(self)
    }
}

impl Validate for Policies {
    fn validate(&self, at: &str, problems: &mut Problems) {
        let before = problems.iter().count();
        self.all.validate(at, problems);
        if problems.iter().count() > before {
            // What differs is looked at beside a policy that makes sense.
            return;
        }
        for (service, knobs) in &self.to {
            if let Err((knob, why)) = self.all.with_all(knobs) {
                let at = format!("{at}.to.{service}");
                problems.push(&at, &knob, why, "leave it out for what is for all");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use backlot_service::config::Layers;
    use std::time::Duration;

    fn read(text: &str) -> Policies {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn what_differs_is_for_the_service_that_is_named() {
        let policies = read(
            "[retry]\nattempts = 2\n[to.rating.retry]\npatience = \"50ms\"\n[to.rating.eject]\non = false\n",
        );
        let (rating, mail) = (policies.towards("rating"), policies.towards("mail"));
        assert_eq!(mail, policies.all);
        assert_eq!((mail.retry.attempts, rating.retry.attempts), (2, 2));
        assert_eq!(rating.retry.patience, Duration::from_millis(50));
        assert!(!rating.eject.on && mail.eject.on);
        let written = toml::to_string(&policies).unwrap();
        assert_eq!(read(&written), policies);
    }

    #[test]
    fn it_is_read_from_a_configuration_whatever_form_that_has() {
        let file = "[movie.to.rating.retry]\npatience = \"50ms\"\n";
        let layers = Layers::new().text("test.toml", file).unwrap();
        let layers = layers.flag("movie.to.rating.eject.failures=7");
        let (mut tree, mut problems) = (layers.tree(), Problems::default());
        let policies: Policies = tree.take("movie", &mut problems);
        tree.finish(&mut problems);
        assert_eq!(problems.to_string(), "");
        let rating = policies.towards("rating");
        assert_eq!(rating.retry.patience, Duration::from_millis(50));
        assert_eq!(rating.eject.failures, 7);
    }

    #[test]
    fn what_does_not_fit_or_go_together_is_told_by_its_place() {
        for (text, key, why) in [
            (
                "[to.rating.retry]\nattempts = 9\n",
                "movie.calls.to.rating.retry.attempts",
                "must be 1 to 5",
            ),
            (
                "[to.rating.retry]\nattemps = 2\n",
                "movie.calls.to.rating.retry.attemps",
                "is no knob",
            ),
            (
                "[to.rating.retry]\nattempts = \"many\"\n",
                "movie.calls.to.rating.retry.attempts",
                "does not fit",
            ),
            (
                "[to.rating.retry]\npause = \"2s\"\n",
                "movie.calls.to.rating.retry.pause",
                "does not go with retry.longest_pause, which must be as long as pause",
            ),
        ] {
            let mut problems = Problems::default();
            read(text).validate("movie.calls", &mut problems);
            let told: Vec<_> = problems.iter().collect();
            assert_eq!(told.len(), 1, "{text}: {problems}");
            assert_eq!(told[0].key, key);
            assert!(told[0].problem.contains(why), "{problems}");
        }
        let mut problems = Problems::default();
        let together = "[to.rating.retry]\npause = \"2s\"\nlongest_pause = \"3s\"\n";
        read(together).validate("movie.calls", &mut problems);
        assert_eq!(problems.to_string(), "");
        // As a variable of the environment or a command says it.
        let text = read("[to.rating.eject]\non = \"off\"\nfailures = \"7\"\n");
        let eject = text.towards("rating").eject;
        assert_eq!((eject.on, eject.failures), (false, 7));
    }

    #[test]
    fn knobs_are_set_and_taken_back_for_all_and_for_one() {
        let policies = Policies::default();
        let set = policies
            .with(Some("rating"), "retry.pause", "500ms")
            .unwrap();
        assert_eq!(set.get(Some("rating"), "retry.pause").unwrap(), "500ms");
        assert_eq!(set.get(None, "retry.pause").unwrap(), "25ms");
        assert_eq!(set.differing().len(), 1);
        // What is for all has to go with it.
        let refused = set.with(None, "retry.longest_pause", "100ms").unwrap_err();
        let told = refused.message();
        assert!(told.contains("towards rating"), "{told}");
        let back = set.without(Some("rating"), "retry.pause").unwrap();
        assert_eq!(back, policies);
        let all = set.with(None, "retry.attempts", "1").unwrap();
        assert_eq!(all.without(None, "retry.attempts").unwrap(), set);
        // What is taken back need not go with what is for all.
        let long = policies.with(None, "retry.longest_pause", "5s").unwrap();
        let long = long.with(None, "retry.pause", "2s").unwrap();
        let own = long
            .with(Some("rating"), "retry.longest_pause", "4s")
            .unwrap();
        assert_eq!(
            own.without(Some("rating"), "retry.longest_pause").unwrap(),
            long
        );
        for refused in [
            policies.with(Some("rating"), "eject.of", "off"),
            policies.without(Some("rating"), "eject.of"),
            policies.without(None, "eject.of"),
        ] {
            let told = refused.unwrap_err();
            assert!(told.message().contains("there is no knob"), "{told}");
        }
    }
}
