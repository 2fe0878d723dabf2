//! Whom a service calls over the network, how those look to it, and by which policy it goes.

use super::Note;
use crate::snapshot::CallsRow;
use askama::Template;
use backlot_app::admin::Calls;
use backlot_rpc::policy::REASONS;
use backlot_rpc::remote::view::Instance;
use serde_json::Value;
use std::collections::BTreeMap;

/// The page.
#[derive(Template)]
#[template(path = "call.html")]
pub(crate) struct Page {
    pub(crate) row: CallsRow,
    /// What came of what was asked for.
    pub(crate) note: Option<Note>,
}

/// A service that another calls, as all instances of that see it.
pub(crate) struct Way {
    pub(crate) service: String,
    pub(crate) target: String,
    /// How many are in which state, the best first.
    pub(crate) states: Vec<(&'static str, usize)>,
    pub(crate) awaited: u64,
    /// The slowest.
    pub(crate) millis: Option<f64>,
}

/// The states of an instance from the best to the worst, and how they are marked.
const STATES: [(&str, &str); 4] = [
    ("ready", "good"),
    ("connecting", "fair"),
    ("ejected", "bad"),
    ("failed", "bad"),
];

/// The mark of a state.
pub(crate) fn mark(state: &str) -> &'static str {
    let known = STATES.iter().find(|(name, _)| *name == state);
    known.map_or("fair", |(_, mark)| mark)
}

/// How bad a state is; one that is not known is as bad as can be.
fn place(state: &str) -> usize {
    let known = STATES.iter().position(|(name, _)| *name == state);
    known.unwrap_or(STATES.len() - 1)
}

/// The ways of all services. An instance that looks worse to one that calls it counts as that.
pub(crate) fn ways(rows: &[CallsRow]) -> Vec<Way> {
    rows.iter().flat_map(of_service).collect()
}

fn of_service(row: &CallsRow) -> Vec<Way> {
    let mut targets: BTreeMap<&str, BTreeMap<&str, Instance>> = BTreeMap::new();
    let said = row.instances.iter().filter_map(|(_, calls)| calls.as_ref());
    for target in said.flat_map(|calls| &calls.targets) {
        let known = targets.entry(&target.service).or_default();
        for seen in &target.instances {
            let all = known.entry(&seen.address).or_insert_with(|| Instance {
                state: STATES[0].0.to_owned(),
                ..Instance::default()
            });
            if place(&seen.state) > place(&all.state) {
                all.state = STATES[place(&seen.state)].0.to_owned();
            }
            all.awaited = all.awaited.saturating_add(seen.awaited);
            all.millis = slower(all.millis, seen.millis);
        }
    }
    let way = |(target, instances): (&str, BTreeMap<&str, Instance>)| {
        let instances = || instances.values();
        let count = |state: &str| instances().filter(|it| it.state == state).count();
        let states = STATES.iter().map(|(state, _)| (*state, count(state)));
        Way {
            service: row.service.clone(),
            target: target.to_owned(),
            states: states.filter(|(_, count)| *count > 0).collect(),
            awaited: instances().map(|it| u64::from(it.awaited)).sum(),
            millis: instances().map(|it| it.millis).fold(None, slower),
        }
    };
    targets.into_iter().map(way).collect()
}

fn slower(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.max(other)),
        (one, other) => one.or(other),
    }
}

/// How long an answer takes.
pub(crate) fn millis(millis: &Option<f64>) -> String {
    millis.map_or_else(String::new, |millis| format!("{millis:.1} ms"))
}

/// A knob, as all instances have it set.
pub(crate) struct Knob {
    pub(crate) name: String,
    /// Towards which service; towards all if none is named.
    pub(crate) to: Option<String>,
    /// Each value that an instance has it set to.
    pub(crate) is: Vec<String>,
    pub(crate) is_changed: bool,
    pub(crate) why: &'static str,
}

impl Page {
    fn said(&self) -> impl Iterator<Item = &Calls> {
        let instances = self.row.instances.iter();
        instances.filter_map(|(_, calls)| calls.as_ref())
    }

    /// The names of those that are called.
    fn targets(&self) -> Vec<&str> {
        let targets = self.said().flat_map(|calls| &calls.targets);
        let differing = self.said().flat_map(|calls| calls.to.keys());
        let mut names: Vec<_> = targets
            .map(|target| target.service.as_str())
            .chain(differing.map(String::as_str))
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn knobs(&self) -> Vec<Knob> {
        let for_all = REASONS.iter().map(|(name, why)| Knob {
            name: (*name).to_owned(),
            to: None,
            is: values(self.said().filter_map(|calls| calls.policy.get(*name))),
            is_changed: self.said().any(|calls| calls.changed.contains_key(*name)),
            why,
        });
        let mut knobs: Vec<_> = for_all.collect();
        let mut differing: BTreeMap<(&str, &str), Vec<&Value>> = BTreeMap::new();
        let mut changed = Vec::new();
        for calls in self.said() {
            for (to, set) in &calls.to {
                for (knob, value) in set {
                    differing.entry((to, knob)).or_default().push(value);
                    let configured = calls.to_configured.get(to).and_then(|set| set.get(knob));
                    if configured != Some(value) {
                        changed.push((to.as_str(), knob.as_str()));
                    }
                }
            }
        }
        knobs.extend(differing.into_iter().map(|((to, knob), is)| Knob {
            name: knob.to_owned(),
            to: Some(to.to_owned()),
            is: values(is),
            is_changed: changed.contains(&(to, knob)),
            why: "",
        }));
        knobs
    }
}

/// A value as one would write it.
pub(crate) fn value(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "on".to_owned(),
        Value::Bool(false) => "off".to_owned(),
        other => other.to_string(),
    }
}

fn values<'v>(values: impl IntoIterator<Item = &'v Value>) -> Vec<String> {
    let mut texts: Vec<_> = values.into_iter().map(value).collect();
    texts.sort();
    texts.dedup();
    texts
}

#[cfg(test)]
mod tests {
    use super::*;
    use backlot_rpc::remote::view::Target;

    fn seen(address: &str, state: &str, millis: Option<f64>) -> Instance {
        Instance {
            address: address.to_owned(),
            state: state.to_owned(),
            awaited: 1,
            millis,
            ..Instance::default()
        }
    }

    #[test]
    fn an_instance_counts_as_the_worst_that_anybody_sees_in_it() {
        let calls = |instances| {
            Some(Calls {
                targets: vec![Target {
                    service: "rating".to_owned(),
                    instances,
                }],
                ..Calls::default()
            })
        };
        let row = CallsRow {
            service: "movie".to_owned(),
            instances: vec![
                (
                    "movie-1".to_owned(),
                    calls(vec![
                        seen("a:1", "ready", Some(2.0)),
                        seen("b:1", "ready", None),
                    ]),
                ),
                (
                    "movie-2".to_owned(),
                    calls(vec![seen("a:1", "ejected", Some(9.0))]),
                ),
                ("movie-3".to_owned(), None),
            ],
        };
        let ways = ways(&[row]);
        assert_eq!(ways.len(), 1);
        assert_eq!(ways[0].states, [("ready", 1), ("ejected", 1)]);
        assert_eq!((ways[0].awaited, ways[0].millis), (3, Some(9.0)));
    }
}
