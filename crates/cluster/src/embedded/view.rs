//! What a watcher believes: a pure state machine over (answer, time) that keeps instances when the
//! registry has forgotten them for reasons of its own.

use super::wire::Answer;
use backlot_core::discovery::{Instance, InstanceSet};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// How much longer than its time to live an instance is kept after the registry restarted.
pub(super) const GRACE: Duration = Duration::from_secs(1);

/// What is known of one service.
#[derive(Debug, Default)]
pub(super) struct View {
    /// The epoch and index of the last answer.
    pub(super) seen: Option<(String, u64)>,
    /// In the last answer, with its time to live.
    reported: BTreeMap<String, (Instance, Duration)>,
    /// Reported in an earlier epoch and not yet again: kept until then.
    kept: BTreeMap<String, (Instance, Instant)>,
    stale: bool,
}

impl View {
    /// Takes the registry's answer.
    pub(super) fn apply(&mut self, answer: Answer, now: Instant) {
        let restarted = self
            .seen
            .as_ref()
            .is_some_and(|(epoch, _)| *epoch != answer.epoch);
        if restarted {
            // A registry that has just started knows nobody: absence means nothing yet.
            let earlier = std::mem::take(&mut self.reported);
            self.kept.extend(
                earlier
                    .into_iter()
                    .map(|(id, (instance, ttl))| (id, (instance, now + ttl + GRACE))),
            );
        }
        self.seen = Some((answer.epoch, answer.index));
        self.reported = answer
            .instances
            .into_iter()
            .map(|wire| {
                let ttl = Duration::from_millis(wire.ttl_ms);
                (wire.id.clone(), (wire.into_instance(&answer.service), ttl))
            })
            .collect();
        self.kept.retain(|id, _| !self.reported.contains_key(id));
        self.stale = false;
        self.expire(now);
    }

    /// The registry cannot be asked: nothing changes but the mark.
    pub(super) fn unreachable(&mut self) {
        self.stale = true;
    }

    /// Lets go of what was kept long enough. Nothing is let go while the registry cannot be asked.
    pub(super) fn expire(&mut self, now: Instant) {
        if !self.stale {
            self.kept.retain(|_, (_, until)| *until > now);
        }
    }

    /// When [`View::expire`] has something to do.
    pub(super) fn next_expiry(&self) -> Option<Instant> {
        if self.stale {
            None
        } else {
            self.kept.values().map(|(_, until)| *until).min()
        }
    }

    /// Whether the registry could not be asked last time.
    pub(super) fn is_stale(&self) -> bool {
        self.stale
    }

    /// The set as callers see it.
    pub(super) fn set(&self) -> InstanceSet {
        let reported = self.reported.values().map(|(instance, _)| instance);
        let kept = self.kept.values().map(|(instance, _)| instance);
        InstanceSet {
            stale: self.stale,
            ..InstanceSet::new(reported.chain(kept).cloned().collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire::WireInstance;
    use super::*;

    fn answer(epoch: &str, index: u64, ids: &[&str]) -> Answer {
        let instance = |id: &&str| WireInstance {
            id: (*id).to_owned(),
            address: format!("{id}:1"),
            version: String::new(),
            ttl_ms: 3000,
            metadata: BTreeMap::new(),
        };
        Answer {
            epoch: epoch.to_owned(),
            service: "s".to_owned(),
            index,
            instances: ids.iter().map(instance).collect(),
        }
    }

    fn ids(view: &View) -> String {
        view.set()
            .instances
            .iter()
            .map(|instance| instance.id.as_str())
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn within_an_epoch_absence_means_gone() {
        let now = Instant::now();
        let mut view = View::default();
        view.apply(answer("one", 1, &["a", "b"]), now);
        view.apply(answer("one", 2, &["b"]), now);
        assert_eq!(ids(&view), "b");
    }

    #[test]
    fn after_a_restart_absence_means_nothing_for_a_time_to_live_and_a_second() {
        let now = Instant::now();
        let mut view = View::default();
        view.apply(answer("one", 7, &["a", "b"]), now);
        view.apply(answer("two", 0, &[]), now);
        assert_eq!(ids(&view), "a b");
        view.apply(answer("two", 1, &["b", "c"]), now + Duration::from_secs(1));
        assert_eq!(ids(&view), "a b c");
        // Reported again and then gone is gone.
        view.apply(answer("two", 2, &["c"]), now + Duration::from_secs(2));
        assert_eq!(ids(&view), "a c");
        assert_eq!(view.next_expiry(), Some(now + Duration::from_secs(4)));
        view.expire(now + Duration::from_secs(4));
        assert_eq!(ids(&view), "c");
        assert_eq!(view.next_expiry(), None);
    }

    #[test]
    fn an_unreachable_registry_changes_nothing_but_the_mark() {
        let now = Instant::now();
        let mut view = View::default();
        view.apply(answer("one", 1, &["a"]), now);
        view.apply(answer("two", 1, &[]), now);
        view.unreachable();
        assert_eq!(view.next_expiry(), None);
        view.expire(now + Duration::from_secs(3600));
        assert_eq!(ids(&view), "a");
        assert!(view.set().stale);
        view.apply(answer("two", 1, &["a"]), now);
        assert!(!view.set().stale);
    }
}
