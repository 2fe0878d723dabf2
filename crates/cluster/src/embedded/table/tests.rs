use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn instance(service: &str, id: &str, address: &str) -> Instance {
    Instance {
        id: id.into(),
        service: service.into(),
        address: address.into(),
        version: String::new(),
        metadata: BTreeMap::new(),
    }
}

#[derive(Clone, Debug)]
enum Step {
    Put {
        service: u8,
        id: u8,
        address: u8,
        ttl: u64,
    },
    Remove {
        service: u8,
        id: u8,
    },
    Expire,
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0u8..3, 0u8..4, 0u8..2, 1u64..4)
            .prop_map(|(service, id, address, ttl)| Step::Put { service, id, address, ttl }),
        2 => (0u8..3, 0u8..4).prop_map(|(service, id)| Step::Remove { service, id }),
        2 => Just(Step::Expire),
        2 => (0u64..3).prop_map(Step::Pass),
    ]
}

/// What the table must hold: (service, id) to address, time to live and expiry.
type Model = BTreeMap<(String, String), (String, u64, u64)>;

fn of<'a>(model: &'a Model, service: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    model
        .iter()
        .filter(move |((name, _), _)| name == service)
        .map(|((_, id), (address, ..))| (id.as_str(), address.as_str()))
}

proptest! {
    #[test]
    fn a_table_is_what_was_put_and_neither_removed_nor_expired(steps in prop::collection::vec(step(), 0..80)) {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let (mut table, mut model, mut now) = (Table::new(), Model::new(), 0);
        for step in steps {
            let before: Vec<_> = (0..3).map(|service| table.view(&format!("s{service}"))).collect();
            match step {
                Step::Put { service, id, address, ttl } => {
                    let (service, id, address) = (format!("s{service}"), format!("i{id}"), format!("a{address}:1"));
                    let put = table.put(instance(&service, &id, &address), Duration::from_secs(ttl), at(now));
                    prop_assert!(put.is_ok());
                    let expires = now + ttl;
                    match model.get_mut(&(service.clone(), id.clone())) {
                        Some(known) if known.0 == address && known.1 == ttl => known.2 = known.2.max(expires),
                        _ => { model.insert((service, id), (address, ttl, expires)); }
                    }
                }
                Step::Remove { service, id } => {
                    let (service, id) = (format!("s{service}"), format!("i{id}"));
                    let was_there = model.remove(&(service.clone(), id.clone())).is_some();
                    prop_assert_eq!(table.remove(&service, &id), was_there);
                }
                Step::Expire => {
                    let expired = table.expire(at(now)).len();
                    let size = model.len();
                    model.retain(|_, (_, _, expires)| *expires > now);
                    prop_assert_eq!(expired, size - model.len());
                }
                Step::Pass(seconds) => now += seconds,
            }
            prop_assert_eq!(table.len(), model.len());
            prop_assert_eq!(table.next_expiry(), model.values().map(|(_, _, expires)| at(*expires)).min());
            for (service, before) in before.iter().enumerate() {
                let name = format!("s{service}");
                let after = table.view(&name);
                let held: Vec<_> =
                    after.instances.iter().map(|(known, _)| (known.id.as_str(), known.address.as_str())).collect();
                prop_assert_eq!(held, of(&model, &name).collect::<Vec<_>>());
                prop_assert_eq!(table.index_of(&name), after.index);
                prop_assert!(after.index >= before.index, "an index never goes back");
                if after.instances != before.instances {
                    prop_assert!(after.index > before.index, "a change has an index of its own");
                }
            }
        }
    }
}

#[test]
fn a_renewal_is_no_change() {
    let now = Instant::now();
    let ttl = Duration::from_secs(3);
    let mut table = Table::new();
    assert_eq!(table.put(instance("s", "a", "x:1"), ttl, now), Ok(true));
    let index = table.index_of("s");
    assert_eq!(
        table.put(instance("s", "a", "x:1"), ttl, now + ttl / 2),
        Ok(false)
    );
    assert_eq!(table.index_of("s"), index);
    assert!(table.expire(now + ttl).is_empty(), "the renewal counts");
    assert_eq!(table.put(instance("s", "a", "y:1"), ttl, now), Ok(true));
    assert!(table.index_of("s") > index);
}

#[test]
fn a_watcher_of_a_forgotten_service_hears_of_it() {
    let now = Instant::now();
    let mut table = Table::new();
    table
        .put(instance("s", "a", "x:1"), Duration::from_secs(3), now)
        .unwrap();
    let seen = table.index_of("s");
    table.expire(now + Duration::from_secs(3));
    assert!(table.is_empty());
    assert!(table.index_of("s") > seen);
    let seen = table.index_of("s");
    table
        .put(instance("s", "a", "x:1"), Duration::from_secs(3), now)
        .unwrap();
    assert!(table.index_of("s") > seen);
}

#[test]
fn time_the_registry_stood_still_costs_nobody_their_place() {
    let now = Instant::now();
    let mut table = Table::new();
    table
        .put(instance("s", "a", "x:1"), Duration::from_secs(3), now)
        .unwrap();
    table.forgive(Duration::from_secs(10));
    assert!(table.expire(now + Duration::from_secs(12)).is_empty());
    assert_eq!(table.expire(now + Duration::from_secs(13)).len(), 1);
}

#[test]
fn a_full_table_takes_renewals_alone() {
    let now = Instant::now();
    let ttl = Duration::from_secs(3);
    let mut table = Table::new();
    for number in 0..MAX_INSTANCES {
        table
            .put(instance("s", &number.to_string(), "x:1"), ttl, now)
            .unwrap();
    }
    assert_eq!(table.put(instance("s", "more", "x:1"), ttl, now), Err(Full));
    assert_eq!(table.put(instance("s", "7", "x:1"), ttl, now), Ok(false));
    assert_eq!(table.put(instance("s", "7", "y:1"), ttl, now), Ok(true));
    table.remove("s", "7");
    assert_eq!(table.put(instance("s", "more", "x:1"), ttl, now), Ok(true));
}
