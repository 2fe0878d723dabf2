//! A list from the configuration: for places where addresses never change, or where something
//! else balances.

use crate::registry::{Registration, Registry};
use backlot_core::discovery::{Instance, InstanceSet, Resolver};
use backlot_core::{BoxFuture, Error};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;

/// Addresses by service. Announcing changes nothing.
#[derive(Clone, Debug)]
pub struct Fixed(Arc<Sets>);

#[derive(Debug)]
struct Sets {
    known: BTreeMap<String, watch::Sender<InstanceSet>>,
    /// What watchers of any other service see.
    nobody: watch::Sender<InstanceSet>,
}

impl Fixed {
    /// Takes the addresses (`host:port`) of each service. An instance's id is its service and
    /// address, so that it stays the same over restarts.
    #[must_use]
    pub fn new(services: &BTreeMap<String, Vec<String>>) -> Self {
        let set = |service: &String, addresses: &Vec<String>| {
            let instance = |address: &String| Instance {
                id: format!("{service}-{address}"),
                service: service.clone(),
                address: address.clone(),
                version: String::new(),
                metadata: BTreeMap::new(),
            };
            let mut instances: Vec<_> = addresses.iter().map(instance).collect();
            instances.sort();
            instances.dedup();
            watch::Sender::new(InstanceSet::new(instances))
        };
        let known = services
            .iter()
            .map(|(service, addresses)| (service.clone(), set(service, addresses)))
            .collect();
        Fixed(Arc::new(Sets {
            known,
            nobody: watch::Sender::default(),
        }))
    }
}

impl Registry for Fixed {
    fn register(&self, instance: Instance) -> Registration {
        tracing::debug!(
            instance = instance.id,
            "instance {} is not announced: the list is fixed",
            instance.id
        );
        Registration::immediate(|| {})
    }

    fn resolver(&self) -> Arc<dyn Resolver> {
        Arc::new(self.clone())
    }

    fn services(&self) -> BoxFuture<'_, Result<Vec<String>, Error>> {
        let names = self.0.known.keys().cloned().collect();
        Box::pin(std::future::ready(Ok(names)))
    }
}

impl Resolver for Fixed {
    fn watch(&self, service: &str) -> watch::Receiver<InstanceSet> {
        self.0
            .known
            .get(service)
            .unwrap_or(&self.0.nobody)
            .subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_list_is_sorted_and_holds_each_address_once() {
        let addresses = ["b:1", "a:1", "b:1"].map(str::to_owned).to_vec();
        let fixed = Fixed::new(&BTreeMap::from([("rating".to_owned(), addresses)]));
        let watch = fixed.resolver().watch("rating");
        let addresses: Vec<_> = watch
            .borrow()
            .instances
            .iter()
            .map(|instance| instance.address.clone())
            .collect();
        assert_eq!(addresses, ["a:1", "b:1"]);
        assert!(fixed.resolver().watch("mail").borrow().instances.is_empty());
    }
}
