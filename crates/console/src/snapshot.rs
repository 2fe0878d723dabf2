//! What is known at one moment. A part that cannot be had says why, and the others are shown all
//! the same.

use backlot_app::admin::client::{self, Health};
use backlot_app::admin::{Calls, Panel};
use backlot_cache::Report;
use backlot_core::discovery::Instance;
use backlot_core::{Context, Timestamp};
use backlot_messaging::dead::{Letters, OfGroup, QUEUE, RETRY};
use backlot_messaging::pull::QueueReport;
use backlot_messaging::{Engine, Error};
use std::time::Duration;

/// How long one part may take to be known.
const PATIENCE: Duration = Duration::from_secs(2);

/// A part, or why it is not there.
pub(crate) type Part<T> = Result<T, String>;

/// What is known.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) at: Timestamp,
    pub(crate) services: Part<Vec<ServiceRow>>,
    pub(crate) caches: Vec<CacheRow>,
    pub(crate) calls: Vec<CallsRow>,
    pub(crate) panels: Vec<PanelRow>,
    pub(crate) groups: Part<Vec<GroupRow>>,
    pub(crate) dead: Part<Vec<OfGroup>>,
    pub(crate) queues: Part<Vec<QueueReport>>,
}

/// A service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServiceRow {
    pub(crate) name: String,
    /// Whether the registry could not be asked lately.
    pub(crate) is_stale: bool,
    pub(crate) instances: Vec<InstanceRow>,
}

/// An instance, and how it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InstanceRow {
    pub(crate) instance: Instance,
    pub(crate) health: Health,
}

/// A cache of a service, as each of its instances has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CacheRow {
    pub(crate) service: String,
    pub(crate) name: String,
    /// By the ids of instances; nothing of those that do not say.
    pub(crate) instances: Vec<(String, Option<Report>)>,
}

/// A service that calls others over the network, as each of its instances says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CallsRow {
    pub(crate) service: String,
    /// By the ids of instances; nothing of those that do not say.
    pub(crate) instances: Vec<(String, Option<Calls>)>,
}

/// A table that a service has for operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PanelRow {
    pub(crate) service: String,
    /// Under which it is announced.
    pub(crate) name: String,
    pub(crate) panel: Part<Panel>,
}

/// A group that reads a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupRow {
    pub(crate) topic: String,
    pub(crate) group: String,
    pub(crate) lag: u64,
    /// When the oldest message was stored that is not settled.
    pub(crate) oldest: Option<Timestamp>,
    pub(crate) retrying: u64,
    pub(crate) members: usize,
    pub(crate) is_paused: bool,
    /// How far it was behind lately, as points of a line.
    pub(crate) line: String,
}

/// Counts the caches that an instance announced to those of its service.
pub(crate) fn add_caches(rows: &mut Vec<CacheRow>, instance: &Instance, reports: &[Report]) {
    for name in client::caches(instance) {
        let report = reports.iter().find(|report| report.name == name);
        let one = (instance.id.clone(), report.cloned());
        let same = |row: &&mut CacheRow| row.service == instance.service && row.name == name;
        match rows.iter_mut().find(same) {
            Some(row) => row.instances.push(one),
            None => rows.push(CacheRow {
                service: instance.service.clone(),
                name: name.to_owned(),
                instances: vec![one],
            }),
        }
    }
}

/// Counts an instance that calls others to those of its service.
pub(crate) fn add_calls(rows: &mut Vec<CallsRow>, instance: &Instance, said: Option<Calls>) {
    let one = (instance.id.clone(), said);
    match rows.iter_mut().find(|row| row.service == instance.service) {
        Some(row) => row.instances.push(one),
        None => rows.push(CallsRow {
            service: instance.service.clone(),
            instances: vec![one],
        }),
    }
}

/// Adds panels: instances of one service show the same, so that one that has it is enough.
pub(crate) fn add_panels(rows: &mut Vec<PanelRow>, panels: Vec<PanelRow>) {
    for panel in panels {
        let same = |row: &&mut PanelRow| row.service == panel.service && row.name == panel.name;
        match rows.iter_mut().find(same) {
            Some(row) if row.panel.is_err() => *row = panel,
            Some(_) => {}
            None => rows.push(panel),
        }
    }
}

/// A call to the log.
pub(crate) fn cx() -> Context {
    Context::system("console").with_timeout(PATIENCE)
}

/// All groups; those that read letters again are counted to the group they are of.
pub(crate) async fn groups(engine: &dyn Engine) -> Part<Vec<GroupRow>> {
    let topics = engine.topics(&cx()).await.map_err(told)?;
    let mut rows: Vec<GroupRow> = Vec::new();
    let mut again: Vec<GroupRow> = Vec::new();
    for topic in topics {
        let name = &topic.spec.name;
        if topic.groups.is_empty() || name.ends_with(QUEUE) {
            continue;
        }
        let report = match engine.inspect(&cx(), name, None).await {
            // It went just now.
            Err(Error::UnknownTopic { .. }) => continue,
            report => report.map_err(told)?,
        };
        let of = report.groups.into_iter().map(|group| GroupRow {
            topic: name.clone(),
            lag: group.partitions.iter().map(|part| part.lag).sum(),
            oldest: group.partitions.iter().filter_map(|part| part.oldest).min(),
            retrying: group.partitions.iter().map(|part| part.retrying).sum(),
            members: group.members.len(),
            is_paused: group.paused,
            group: group.group,
            line: String::new(),
        });
        match name.ends_with(RETRY) {
            true => again.extend(of),
            false => rows.extend(of),
        }
    }
    for retry in again {
        let main = rows.iter_mut().find(|row| {
            row.group == retry.group
                && backlot_messaging::dead::retry_of(&row.topic, &row.group) == retry.topic
        });
        if let Some(main) = main {
            main.lag += retry.lag;
            main.retrying += retry.lag;
            main.oldest = [main.oldest, retry.oldest].into_iter().flatten().min();
        }
    }
    Ok(rows)
}

/// All groups that have or had dead letters.
pub(crate) async fn dead(engine: &dyn Engine) -> Part<Vec<OfGroup>> {
    let letters = Letters::of(engine).map_err(told)?;
    letters.groups(&cx()).await.map_err(told)
}

/// All queues that workers pulled from lately.
pub(crate) async fn queues(engine: &dyn Engine) -> Part<Vec<QueueReport>> {
    match engine.queues() {
        Some(queues) => queues.queues(&cx()).await.map_err(told),
        None => Ok(Vec::new()),
    }
}

/// An error, for operators.
pub(crate) fn told(error: Error) -> String {
    backlot_core::error::chain(&error)
}
