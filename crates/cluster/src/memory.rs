//! The registry of one process: for the embedded composition and for tests. An instance is there
//! for as long as its registration is held.

use crate::registry::{Registration, Registry};
use backlot_core::discovery::{Instance, InstanceSet, Resolver};
use backlot_core::{BoxFuture, Error};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;

/// A registry in memory. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Memory(Arc<Mutex<Services>>);

#[derive(Debug, Default)]
struct Services {
    registrations: u64,
    services: BTreeMap<String, Service>,
}

#[derive(Debug, Default)]
struct Service {
    /// By id, with the number of the registration that put it there.
    instances: BTreeMap<String, (u64, Instance)>,
    set: watch::Sender<InstanceSet>,
}

impl Memory {
    /// Nobody is there yet.
    #[must_use]
    pub fn new() -> Self {
        Memory::default()
    }

    fn take_back(&self, service: &str, id: &str, registration: u64) {
        let mut services = self.0.lock();
        let Some(service) = services.services.get_mut(service) else {
            return;
        };
        // A later registration of the same id is somebody else's.
        if service
            .instances
            .get(id)
            .is_some_and(|(number, _)| *number == registration)
        {
            service.instances.remove(id);
            service.publish();
        }
    }
}

impl Service {
    fn publish(&self) {
        let instances = self
            .instances
            .values()
            .map(|(_, instance)| instance.clone())
            .collect();
        self.set.send_replace(InstanceSet::new(instances));
    }
}

impl Registry for Memory {
    fn register(&self, instance: Instance) -> Registration {
        let (name, id) = (instance.service.clone(), instance.id.clone());
        let mut services = self.0.lock();
        services.registrations += 1;
        let number = services.registrations;
        let service = services.services.entry(name.clone()).or_default();
        service.instances.insert(id.clone(), (number, instance));
        service.publish();
        drop(services);
        let memory = self.clone();
        Registration::immediate(move || memory.take_back(&name, &id, number))
    }

    fn resolver(&self) -> Arc<dyn Resolver> {
        Arc::new(self.clone())
    }

    fn services(&self) -> BoxFuture<'_, Result<Vec<String>, Error>> {
        let services = self.0.lock();
        let there = services.services.iter();
        let there = there.filter(|(_, service)| !service.instances.is_empty());
        let names = there.map(|(name, _)| name.clone()).collect();
        Box::pin(std::future::ready(Ok(names)))
    }
}

impl Resolver for Memory {
    fn watch(&self, service: &str) -> watch::Receiver<InstanceSet> {
        self.0
            .lock()
            .services
            .entry(service.to_owned())
            .or_default()
            .set
            .subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_registration_does_not_take_back_a_newer_one_of_the_same_id() {
        let registry = Memory::new();
        let instance = |address: &str| Instance {
            id: "a".into(),
            service: "s".into(),
            address: address.into(),
            version: String::new(),
            metadata: BTreeMap::new(),
        };
        let old = registry.register(instance("old:1"));
        let _new = registry.register(instance("new:1"));
        drop(old);
        let watch = registry.watch("s");
        assert_eq!(watch.borrow().instances[0].address, "new:1");
    }
}
