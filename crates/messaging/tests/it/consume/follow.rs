//! Followers that begin anew under the name of one that died.

use super::stage::{Counted, Stage};
use async_trait::async_trait;
use backlot_core::{Dice, Env};
use backlot_messaging::Event;
use backlot_messaging::consume::Setup;
use backlot_messaging::engine::{Engine, TopicSpec};
use backlot_messaging::follow::{Follow, Follower};
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// What a follower was told.
#[derive(Clone)]
struct Told {
    begun: watch::Sender<u32>,
    events: Arc<Mutex<BTreeSet<u64>>>,
}

#[async_trait]
impl Follow<Counted> for Told {
    async fn begin(&self) {
        self.begun.send_modify(|begun| *begun += 1);
    }

    fn tell(&self, event: Counted) {
        self.events.lock().insert(event.n);
    }
}

/// A follower of one process after the other: the same names, other dice.
fn follower(stage: &Stage, process: u64) -> (Told, Follower<Counted, Told>) {
    let told = Told {
        begun: watch::Sender::new(0),
        events: Arc::default(),
    };
    let setup = stage.setup();
    let setup = Setup {
        env: Env {
            dice: Dice::seeded(process),
            ..setup.env.clone()
        },
        ..setup
    };
    let follower = Follower::new(&setup, "page", told.clone());
    (told, follower)
}

#[tokio::test(start_paused = true)]
async fn one_that_begins_anew_shares_nothing_with_the_dead() {
    let stage = Stage::new(1).await;
    let spec = TopicSpec::new(Counted::TOPIC, Counted::PARTITIONS);
    let cx = backlot_core::Context::background();
    stage.engine().ensure(&cx, &spec).await.unwrap();
    let (first, dead) = follower(&stage, 1);
    let mut dead = pin!(dead.run(std::future::pending()));
    let mut begun = first.begun.subscribe();
    tokio::select! {
        biased;
        () = &mut dead => {}
        _ = begun.changed() => {}
    }
    // Nobody hears of it any more, and nobody knows that it died.
    let (second, next) = follower(&stage, 2);
    let mut begun = second.begun.subscribe();
    let publishing = async {
        drop(begun.changed().await);
        stage.publish(0..30, |n| n).await;
        stage.until(async || second.events.lock().len() == 30).await;
    };
    let waiting = tokio::time::timeout(Duration::from_secs(10), next.run(publishing));
    assert!(waiting.await.is_ok(), "{:?}", second.events.lock());
}
