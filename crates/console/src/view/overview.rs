//! Everything at a glance, in panels that are drawn anew when their words change.

use super::{ago, cache, calls, live};
use crate::snapshot::{CacheRow, GroupRow, InstanceRow, PanelRow, Part, ServiceRow, Snapshot};
use askama::Template;
use backlot_app::admin::Panel;
use backlot_app::admin::client::Health;
use backlot_cache::Report;
use backlot_core::Timestamp;
use backlot_messaging::dead::OfGroup;
use backlot_messaging::pull::{Out, QueueReport};

/// The page.
#[derive(Template)]
#[template(path = "overview.html")]
pub(crate) struct Overview {
    pub(crate) panels: Panels,
}

/// The panels as they are drawn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Panels {
    pub(crate) services: String,
    pub(crate) groups: String,
    pub(crate) dead: String,
    pub(crate) queues: String,
    pub(crate) caches: String,
    pub(crate) calls: String,
    /// Those that services have.
    pub(crate) others: String,
}

#[derive(Template)]
#[template(path = "services.html")]
struct Services<'a> {
    part: &'a Part<Vec<ServiceRow>>,
}

#[derive(Template)]
#[template(path = "groups.html")]
struct Groups<'a> {
    part: &'a Part<Vec<GroupRow>>,
    now: Timestamp,
}

#[derive(Template)]
#[template(path = "dead_groups.html")]
struct Dead<'a> {
    part: &'a Part<Vec<OfGroup>>,
    now: Timestamp,
}

#[derive(Template)]
#[template(path = "queues.html")]
struct Queues<'a> {
    part: &'a Part<Vec<QueueReport>>,
    now: Timestamp,
}

#[derive(Template)]
#[template(path = "caches.html")]
struct Caches<'a> {
    rows: &'a [CacheRow],
}

#[derive(Template)]
#[template(path = "calls.html")]
struct Calls {
    ways: Vec<calls::Way>,
}

#[derive(Template)]
#[template(path = "panels.html")]
struct Others<'a> {
    rows: &'a [PanelRow],
}

impl Panels {
    pub(crate) fn of(snapshot: &Snapshot) -> Self {
        let now = snapshot.at;
        // Writing to a string does not fail.
        let drawn = |template: Result<String, askama::Error>| template.unwrap_or_default();
        Panels {
            services: drawn(
                Services {
                    part: &snapshot.services,
                }
                .render(),
            ),
            groups: drawn(
                Groups {
                    part: &snapshot.groups,
                    now,
                }
                .render(),
            ),
            dead: drawn(
                Dead {
                    part: &snapshot.dead,
                    now,
                }
                .render(),
            ),
            queues: drawn(
                Queues {
                    part: &snapshot.queues,
                    now,
                }
                .render(),
            ),
            caches: drawn(
                Caches {
                    rows: &snapshot.caches,
                }
                .render(),
            ),
            calls: drawn(
                Calls {
                    ways: calls::ways(&snapshot.calls),
                }
                .render(),
            ),
            others: drawn(
                Others {
                    rows: &snapshot.panels,
                }
                .render(),
            ),
        }
    }

    /// Events for those that are other than before.
    pub(crate) fn changed(&self, before: &Panels) -> Vec<String> {
        let both = [
            ("services", &self.services, &before.services),
            ("groups", &self.groups, &before.groups),
            ("dead", &self.dead, &before.dead),
            ("queues", &self.queues, &before.queues),
            ("caches", &self.caches, &before.caches),
            ("calls", &self.calls, &before.calls),
            ("others", &self.others, &before.others),
        ];
        let changed = both.into_iter().filter(|(_, now, before)| now != before);
        changed
            .map(|(name, now, _)| live::event(name, now))
            .collect()
    }
}

impl Services<'_> {
    fn state(&self, row: &InstanceRow) -> (&'static str, &'static str) {
        match row.health {
            Health::Ready => ("good", "ready"),
            Health::Degraded(_) => ("fair", "degraded"),
            Health::NotReady(_) => ("bad", "not ready"),
            Health::Silent => ("bad", "silent"),
            Health::Unknown => ("fair", "unknown"),
        }
    }

    fn why<'r>(&self, row: &'r InstanceRow) -> &'r str {
        match &row.health {
            Health::Degraded(why) | Health::NotReady(why) => why,
            Health::Ready | Health::Silent | Health::Unknown => "",
        }
    }

    fn owner<'r>(&self, row: &'r ServiceRow) -> &'r str {
        let first = row.instances.first();
        let owner = first.and_then(|row| row.instance.metadata.get("owner"));
        owner.map_or("", String::as_str)
    }
}

impl Groups<'_> {
    fn behind(&self, row: &GroupRow) -> String {
        match (row.lag, row.oldest) {
            (0, _) | (_, None) => String::new(),
            (_, Some(oldest)) => ago(oldest, self.now),
        }
    }

    fn state(&self, row: &GroupRow) -> (&'static str, &'static str) {
        match (row.is_paused, row.members, row.lag) {
            (true, _, _) => ("fair", "paused"),
            (false, 0, 1..) => ("bad", "nobody reads"),
            (false, 0, 0) => ("fair", "nobody reads"),
            (false, _, _) => ("good", "reads"),
        }
    }
}

impl Dead<'_> {
    fn waiting(&self, group: &OfGroup) -> u64 {
        group.waiting.values().sum()
    }

    fn redriven(&self, group: &OfGroup) -> u64 {
        group.redriven.values().sum()
    }

    fn age(&self, group: &OfGroup) -> String {
        group.oldest.map(|at| ago(at, self.now)).unwrap_or_default()
    }

    fn all(&self) -> u64 {
        let groups = self.part.as_ref().map_or(&[][..], Vec::as_slice);
        groups.iter().map(|group| self.waiting(group)).sum()
    }
}

impl Queues<'_> {
    fn left(&self, out: &Out) -> String {
        ago(self.now, out.until)
    }

    fn since(&self, out: &Out) -> String {
        ago(out.since, self.now)
    }
}

impl Caches<'_> {
    /// Of all instances together.
    fn all(&self, row: &CacheRow) -> Report {
        cache::all(row)
    }
}

impl Others<'_> {
    /// A page with more, if that is one that browsers may be sent to.
    fn page<'r>(&self, panel: &'r Panel) -> Option<&'r str> {
        let page = panel.page.as_str();
        let is_page = page.starts_with("http://") || page.starts_with("https://");
        is_page.then_some(page)
    }
}
