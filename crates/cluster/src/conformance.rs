//! What any registry must pass: call [`run`] from a test of the backend, on a runtime with time.

use crate::registry::{Registration, Registry, Status};
use backlot_core::BoxFuture;
use backlot_core::discovery::{Instance, InstanceSet};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How long a change may take to show.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs every check, each on a registry of its own.
///
/// # Panics
/// When a check fails, saying which promise is broken and what was seen last.
pub async fn run<M>(make: M)
where
    M: Fn() -> BoxFuture<'static, Arc<dyn Registry>>,
{
    a_registered_instance_shows_with_all_it_said(&*make().await).await;
    a_set_is_in_order_of_id(&*make().await).await;
    services_do_not_see_each_other(&*make().await).await;
    services_that_have_instances_are_listed(&*make().await).await;
    a_deregistered_instance_is_gone(&*make().await).await;
    a_dropped_registration_is_gone(&*make().await).await;
    a_watch_begun_later_sees_what_is_there(&*make().await).await;
    a_watch_of_nobody_is_empty_and_then_hears(&*make().await).await;
    an_id_registered_again_is_replaced(&*make().await).await;
    many_instances_come_and_go(&*make().await).await;
}

async fn a_registered_instance_shows_with_all_it_said(registry: &dyn Registry) {
    let said = Instance {
        version: "1.2.3".into(),
        metadata: BTreeMap::from([("admin".to_owned(), "127.0.0.1:8092".to_owned())]),
        ..instance("rating", "rating-1", 8082)
    };
    let registration = registry.register(said.clone());
    registered(&registration).await;
    let watch = registry.resolver().watch("rating");
    let set = until(watch, "the instance shows", |set| set.instances.len() == 1).await;
    assert_eq!(
        set.instances[0], said,
        "a registry carries all an instance says"
    );
    assert!(!set.stale, "a registry that answers is not stale");
}

async fn a_set_is_in_order_of_id(registry: &dyn Registry) {
    let watch = registry.resolver().watch("rating");
    let _kept: Vec<_> = ["c", "a", "d", "b"]
        .iter()
        .map(|id| registry.register(instance("rating", id, 8082)))
        .collect();
    let set = until(watch, "all four show", |set| set.instances.len() == 4).await;
    assert_eq!(ids(&set), ["a", "b", "c", "d"], "a set is in order of id");
}

async fn services_do_not_see_each_other(registry: &dyn Registry) {
    let _rating = registry.register(instance("rating", "rating-1", 8082));
    let movie = registry.register(instance("movie", "movie-1", 8083));
    registered(&movie).await;
    let set = until(registry.resolver().watch("rating"), "rating shows", |set| {
        !set.instances.is_empty()
    })
    .await;
    assert_eq!(
        ids(&set),
        ["rating-1"],
        "a service's set holds its own instances"
    );
}

async fn services_that_have_instances_are_listed(registry: &dyn Registry) {
    let rating = registry.register(instance("rating", "rating-1", 8082));
    let movie = registry.register(instance("movie", "movie-1", 8083));
    registered(&rating).await;
    registered(&movie).await;
    // Watched by somebody, and nobody is there.
    let _watch = registry.resolver().watch("mail");
    let listed = registry.services().await;
    assert_eq!(
        listed.ok(),
        Some(vec!["movie".to_owned(), "rating".to_owned()])
    );
    movie.deregister().await;
    let listed = registry.services().await;
    assert_eq!(listed.ok(), Some(vec!["rating".to_owned()]));
}

async fn a_deregistered_instance_is_gone(registry: &dyn Registry) {
    let watch = registry.resolver().watch("rating");
    let stays = registry.register(instance("rating", "stays", 1));
    let leaves = registry.register(instance("rating", "leaves", 2));
    registered(&stays).await;
    registered(&leaves).await;
    until(watch.clone(), "both show", |set| set.instances.len() == 2).await;
    leaves.deregister().await;
    until(watch, "one is left", |set| ids(set) == ["stays"]).await;
    assert_eq!(stays.status(), Status::Registered);
}

async fn a_dropped_registration_is_gone(registry: &dyn Registry) {
    let watch = registry.resolver().watch("rating");
    let registration = registry.register(instance("rating", "a", 1));
    until(watch.clone(), "it shows", |set| set.instances.len() == 1).await;
    drop(registration);
    until(watch, "it is gone", |set| set.instances.is_empty()).await;
}

async fn a_watch_begun_later_sees_what_is_there(registry: &dyn Registry) {
    let first = registry.resolver().watch("rating");
    let _kept = registry.register(instance("rating", "a", 1));
    until(first, "it shows", |set| set.instances.len() == 1).await;
    until(
        registry.resolver().watch("rating"),
        "it shows to a later watch",
        |set| set.instances.len() == 1,
    )
    .await;
}

async fn a_watch_of_nobody_is_empty_and_then_hears(registry: &dyn Registry) {
    let watch = registry.resolver().watch("mail");
    assert!(watch.borrow().instances.is_empty(), "nobody is there");
    let _kept = registry.register(instance("mail", "mail-1", 1));
    until(watch, "it shows", |set| set.instances.len() == 1).await;
}

async fn an_id_registered_again_is_replaced(registry: &dyn Registry) {
    let watch = registry.resolver().watch("rating");
    let old = registry.register(instance("rating", "a", 1));
    until(watch.clone(), "it shows", |set| set.instances.len() == 1).await;
    old.deregister().await;
    let _new = registry.register(instance("rating", "a", 2));
    let set = until(watch, "the new address shows", |set| {
        set.instances
            .first()
            .is_some_and(|instance| instance.address.ends_with(":2"))
    })
    .await;
    assert_eq!(set.instances.len(), 1, "a set holds each id once");
}

async fn many_instances_come_and_go(registry: &dyn Registry) {
    let watch = registry.resolver().watch("rating");
    let mut kept: Vec<_> = (1u16..=30)
        .map(|number| registry.register(instance("rating", &format!("r{number:02}"), number)))
        .collect();
    until(watch.clone(), "all thirty show", |set| {
        set.instances.len() == 30
    })
    .await;
    kept.truncate(10);
    let set = until(watch, "ten are left", |set| set.instances.len() == 10).await;
    assert_eq!(set.instances[9].id, "r10");
}

fn instance(service: &str, id: &str, port: u16) -> Instance {
    Instance {
        id: id.to_owned(),
        service: service.to_owned(),
        address: format!("127.0.0.1:{port}"),
        version: String::new(),
        metadata: BTreeMap::new(),
    }
}

fn ids(set: &InstanceSet) -> Vec<&str> {
    set.instances
        .iter()
        .map(|instance| instance.id.as_str())
        .collect()
}

async fn registered(registration: &Registration) {
    let outcome = tokio::time::timeout(PATIENCE, registration.registered()).await;
    assert!(
        outcome.is_ok(),
        "not registered within {PATIENCE:?}, last seen {:?}",
        registration.status()
    );
}

async fn until(
    mut watch: watch::Receiver<InstanceSet>,
    what: &str,
    mut holds: impl FnMut(&InstanceSet) -> bool,
) -> InstanceSet {
    let seen = async {
        watch
            .wait_for(|set| holds(set))
            .await
            .map(|set| set.clone())
    };
    let seen = tokio::time::timeout(PATIENCE, seen).await;
    match seen {
        Ok(Ok(set)) => set,
        _ => panic!(
            "{what}: not within {PATIENCE:?}, last seen {:?}",
            *watch.borrow()
        ),
    }
}
