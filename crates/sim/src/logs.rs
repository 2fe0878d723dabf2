//! What services log, as lines of the timeline. Only for people: with it or without, a run is the
//! same.

use crate::trace::{Kind, Trace};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use tokio::runtime::{Handle, Id};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Record};
use tracing::{Event, Level, Metadata, Subscriber, span};

/// Which host a runtime plays.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hosts(Arc<Mutex<BTreeMap<String, String>>>);

impl Hosts {
    /// The running runtime plays `host` from now on.
    pub(crate) fn is_here(&self, host: &str) {
        self.0
            .lock()
            .insert(key(Handle::current().id()), host.to_owned());
    }

    fn here(&self) -> String {
        let running = Handle::try_current().ok().map(|handle| key(handle.id()));
        running
            .and_then(|id| self.0.lock().get(&id).cloned())
            .unwrap_or_default()
    }
}

fn key(id: Id) -> String {
    id.to_string()
}

/// Writes log lines into a trace.
pub(crate) struct Logs {
    pub(crate) trace: Trace,
    pub(crate) hosts: Hosts,
    pub(crate) level: Level,
}

impl Subscriber for Logs {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event()
            && *metadata.level() <= self.level
            && !metadata.target().starts_with("turmoil")
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line {
            message: String::new(),
            fields: String::new(),
        };
        event.record(&mut line);
        let metadata = event.metadata();
        let text = format!(
            "{} {}: {}{}",
            metadata.level(),
            metadata.target(),
            line.message,
            line.fields
        );
        self.trace.event(&self.hosts.here(), Kind::Log, text);
    }

    // Spans are never enabled.
    fn new_span(&self, _span: &Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _span: &span::Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &span::Id, _follows: &span::Id) {}

    fn enter(&self, _span: &span::Id) {}

    fn exit(&self, _span: &span::Id) {}
}

struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = if field.name() == "message" {
            &mut self.message
        } else {
            &mut self.fields
        };
        if field.name() != "message" {
            text.push_str(&format!(" {}=", field.name()));
        }
        text.push_str(&format!("{value:?}"));
    }
}
