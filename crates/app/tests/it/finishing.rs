//! Work that a drain waits for.

use backlot_app::cli::{Configuration, Options, Product};
use backlot_app::embedded::Embedded;
use backlot_app::service::Prepared;
use backlot_app::{Service, StartError, Startup, owners, process};
use backlot_cluster::Memory;
use backlot_core::{Code, Context, Env};
use backlot_service::config::Validate;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Config {}

impl Validate for Config {}

static DONE: AtomicBool = AtomicBool::new(false);

/// Begins work that its caller gives up at once.
async fn start(_config: Config, cx: &mut Startup) -> Result<(), StartError> {
    let payments = cx.finishing::<()>("payment");
    let short = Context::background().with_timeout(Duration::from_millis(10));
    let paying = payments.run(&short, |_| async {
        // Longer than tasks have that nobody waits for.
        tokio::time::sleep(Duration::from_millis(700)).await;
        DONE.store(true, Ordering::SeqCst);
        Ok(())
    });
    let given_up = paying.await.map_err(|error| error.code());
    assert_eq!(given_up, Err(Code::DeadlineExceeded));
    Ok(())
}

fn services() -> Vec<Service> {
    vec![Service::new("till", owners!("test"), start)]
}

#[tokio::test]
async fn a_drain_waits_for_what_must_come_to_its_end() {
    let (folder, env) = (tempfile::tempdir().unwrap(), Env::real());
    let product = Product {
        name: "test",
        variables: "TEST",
        data: "data",
        services,
    };
    let options = Options {
        data: Some(folder.path().to_owned()),
        set: vec!["identity.issuer=".to_owned()],
        ..Options::default()
    };
    let configuration = Configuration::load(&product, &options, &env).unwrap();
    let services = configuration.services.iter().cloned();
    let services: Vec<Prepared> = services
        .map(|service| service.listening("127.0.0.1:0", "127.0.0.1:0"))
        .collect();
    let world = process::world(&configuration.platform, &env, Arc::new(Memory::new()));
    let running = Embedded::start(&services, world).await.unwrap();
    let ended = running.stop().await;
    assert_eq!((ended.cut, ended.aborted), (0, 0));
    assert!(DONE.load(Ordering::SeqCst));
}
