//! One knob of a policy by its name, as operators and commands say it.

use super::Policy;
use backlot_core::Error;
use backlot_service::config::{Problems, Validate};
use serde_json::Value;
use std::collections::BTreeMap;

impl Policy {
    /// How a knob is set, for example `eject.on`; nothing if there is no such knob.
    #[must_use]
    pub fn get(&self, knob: &str) -> Option<Value> {
        let tree = serde_json::to_value(self).ok()?;
        let (section, key) = knob.split_once('.')?;
        tree.get(section)?.get(key).cloned()
    }

    /// The names of all knobs, in order.
    pub fn names() -> impl Iterator<Item = &'static str> {
        super::REASONS.iter().map(|(name, _)| *name)
    }

    /// The same policy with one knob set to what the text says: `off` and `on`, a number, a time
    /// like `250ms`, a word.
    ///
    /// # Errors
    /// `InvalidArgument` when there is no such knob, or it cannot be set to that.
    pub fn with(&self, knob: &str, text: &str) -> Result<Policy, Error> {
        let Some(is) = self.get(knob) else {
            let names: Vec<_> = Policy::names().collect();
            return Err(Error::invalid_argument(format!(
                "there is no knob {knob:?}; there are: {}",
                names.join(", ")
            )));
        };
        let text = text.trim();
        let value = meant(&is, Value::from(text));
        self.replaced(&[(knob, value)])
            .map_err(|(_, why)| Error::invalid_argument(format!("{knob}: {text:?} {why}")))
    }

    /// The same policy with several knobs set at once; which cannot be, and why.
    pub(super) fn with_all(
        &self,
        knobs: &BTreeMap<String, Value>,
    ) -> Result<Policy, (String, String)> {
        let mut meanings = Vec::new();
        for (knob, value) in knobs {
            let Some(is) = self.get(knob) else {
                return Err((knob.clone(), "is no knob: correct its name".to_owned()));
            };
            let meaning = [(knob.as_str(), meant(&is, value.clone()))];
            // One that does not fit alone is told of by its own name.
            if let Err(why) = self.written(&meaning) {
                return Err((knob.clone(), why));
            }
            meanings.extend(meaning);
        }
        self.replaced(&meanings)
    }

    fn replaced(&self, knobs: &[(&str, Value)]) -> Result<Policy, (String, String)> {
        let first = || knobs.first().map_or("", |(knob, _)| *knob).to_owned();
        let policy = self.written(knobs).map_err(|why| (first(), why))?;
        let mut problems = Problems::default();
        policy.validate("", &mut problems);
        let Some(problem) = problems.iter().next() else {
            return Ok(policy);
        };
        let is_told = knobs.iter().any(|(knob, _)| *knob == problem.key);
        Err(match is_told {
            true => (problem.key.clone(), problem.problem.clone()),
            false => {
                let why = format!(
                    "does not go with {}, which {}",
                    problem.key, problem.problem
                );
                (first(), why)
            }
        })
    }

    /// With these knobs, whether that makes sense or not; why they do not fit.
    fn written(&self, knobs: &[(&str, Value)]) -> Result<Policy, String> {
        let mut tree = serde_json::to_value(self).map_err(|error| error.to_string())?;
        for (knob, value) in knobs {
            if let Some(is) = tree.pointer_mut(&format!("/{}", knob.replace('.', "/"))) {
                *is = value.clone();
            }
        }
        serde_json::from_value(tree).map_err(|error| format!("does not fit: {error}"))
    }
}

/// What a text says where something like `is` is: programs and variables of the environment know
/// but texts.
pub(super) fn meant(is: &Value, value: Value) -> Value {
    let Value::String(text) = &value else {
        return value;
    };
    match (is, text.trim()) {
        (Value::Bool(_), "on" | "true") => Value::Bool(true),
        (Value::Bool(_), "off" | "false") => Value::Bool(false),
        (Value::Number(_), text) => {
            serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
        }
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_knob_is_set_by_its_name() {
        let policy = Policy::default();
        assert!(!policy.with("eject.on", "off").unwrap().eject.on);
        let set = policy.with("retry.pause", " 250ms ").unwrap();
        assert_eq!(set.retry.pause, Duration::from_millis(250));
        assert_eq!(
            policy.with("balance.spill", "3").unwrap().balance.spill,
            3.0
        );
        let hashed = policy.with("balance.rule", "consistent-hash").unwrap();
        assert_eq!(hashed.get("balance.rule").unwrap(), "consistent-hash");
    }

    #[test]
    fn what_does_not_fit_or_make_sense_is_refused_with_its_name_and_value() {
        let policy = Policy::default();
        for (knob, value, why) in [
            ("eject.of", "off", "there is no knob"),
            ("eject", "off", "there is no knob"),
            ("eject.on", "maybe", "does not fit"),
            ("retry.attempts", "many", "does not fit"),
            ("retry.attempts", "-1", "does not fit"),
            ("retry.attempts", "9", "must be 1 to 5"),
            ("retry.pause", "250", "does not fit"),
            ("retry.longest_pause", "1ms", "must be as long as pause"),
            ("balance.rule", "fair", "does not fit"),
        ] {
            let error = policy.with(knob, value).unwrap_err();
            assert!(error.message().contains(why), "{knob}={value}: {error:?}");
            let named = error.message().matches(knob).count();
            match policy.get(knob) {
                Some(_) => assert_eq!(named, 1, "{error:?}"),
                // All that there are follow.
                None => assert!(named >= 1, "{error:?}"),
            }
        }
    }
}
