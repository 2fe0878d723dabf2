//! What a registry knows: a pure state machine over (operation, time).

use backlot_core::discovery::Instance;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// The most instances a table holds.
pub const MAX_INSTANCES: usize = 10_000;

/// Instances by service, each with a time to live; every change has an index.
///
/// An index grows over all services, so that it never goes back for one, even when the service
/// was forgotten in between.
#[derive(Debug, Default)]
pub struct Table {
    index: u64,
    /// What a service nobody knows is at: the index of the last service forgotten.
    floor: u64,
    count: usize,
    services: BTreeMap<String, Service>,
}

#[derive(Debug, Default)]
struct Service {
    index: u64,
    entries: BTreeMap<String, Entry>,
}

#[derive(Debug)]
struct Entry {
    instance: Instance,
    ttl: Duration,
    expires: Instant,
}

/// The table is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the registry holds {MAX_INSTANCES} instances and takes no more")]
pub struct Full;

/// One service as of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The index of its last change.
    pub index: u64,
    /// Its instances in order of id, each with its time to live.
    pub instances: Vec<(Instance, Duration)>,
}

impl Table {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        Table::default()
    }

    /// Registers or renews an instance, and tells whether its service changed: a renewal alone is
    /// no change.
    ///
    /// # Errors
    /// When it is a new one and the table is full.
    pub fn put(&mut self, instance: Instance, ttl: Duration, now: Instant) -> Result<bool, Full> {
        let expires = now + ttl;
        let existing = self
            .services
            .get_mut(&instance.service)
            .and_then(|service| service.entries.get_mut(&instance.id));
        match existing {
            Some(entry) if entry.instance == instance && entry.ttl == ttl => {
                // Time may come out of order from two requests at once; a renewal never shortens.
                entry.expires = entry.expires.max(expires);
                return Ok(false);
            }
            Some(_) => {}
            None if self.count >= MAX_INSTANCES => return Err(Full),
            None => self.count += 1,
        }
        self.index += 1;
        let service = self.services.entry(instance.service.clone()).or_default();
        service.index = self.index;
        service.entries.insert(
            instance.id.clone(),
            Entry {
                instance,
                ttl,
                expires,
            },
        );
        Ok(true)
    }

    /// Takes an instance out, and tells whether it was there.
    pub fn remove(&mut self, service: &str, id: &str) -> bool {
        let Some(known) = self.services.get_mut(service) else {
            return false;
        };
        if known.entries.remove(id).is_none() {
            return false;
        }
        self.count -= 1;
        self.index += 1;
        known.index = self.index;
        self.forget_if_empty(service);
        true
    }

    /// Takes out everything whose time to live has passed, and returns it in order of service and
    /// id.
    pub fn expire(&mut self, now: Instant) -> Vec<Instance> {
        let mut expired = Vec::new();
        for service in self.services.values_mut() {
            let before = expired.len();
            let gone = service
                .entries
                .extract_if(.., |_, entry| entry.expires <= now);
            expired.extend(gone.map(|(_, entry)| entry.instance));
            if expired.len() > before {
                self.index += 1;
                service.index = self.index;
            }
        }
        self.count -= expired.len();
        for instance in &expired {
            self.forget_if_empty(&instance.service);
        }
        expired
    }

    /// Gives every instance this much longer: for time in which nobody could have renewed, because
    /// the registry itself stood still.
    pub fn forgive(&mut self, pause: Duration) {
        for entry in self
            .services
            .values_mut()
            .flat_map(|service| service.entries.values_mut())
        {
            entry.expires += pause;
        }
    }

    /// When the next instance expires unless it is renewed.
    #[must_use]
    pub fn next_expiry(&self) -> Option<Instant> {
        self.services
            .values()
            .flat_map(|service| service.entries.values())
            .map(|entry| entry.expires)
            .min()
    }

    /// One service as it is now.
    #[must_use]
    pub fn view(&self, service: &str) -> View {
        match self.services.get(service) {
            None => View {
                index: self.floor,
                instances: Vec::new(),
            },
            Some(known) => View {
                index: known.index,
                instances: known
                    .entries
                    .values()
                    .map(|entry| (entry.instance.clone(), entry.ttl))
                    .collect(),
            },
        }
    }

    /// The index of the last change of one service.
    #[must_use]
    pub fn index_of(&self, service: &str) -> u64 {
        self.services
            .get(service)
            .map_or(self.floor, |known| known.index)
    }

    /// Names of the services that have instances, in order.
    pub fn services(&self) -> impl Iterator<Item = &str> {
        self.services.keys().map(String::as_str)
    }

    /// How many instances there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn forget_if_empty(&mut self, service: &str) {
        if self
            .services
            .get(service)
            .is_some_and(|known| known.entries.is_empty())
        {
            self.services.remove(service);
            self.floor = self.index;
        }
    }
}

#[cfg(test)]
mod tests;
