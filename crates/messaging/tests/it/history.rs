//! Members that come, go, fall silent and die, in every order: nothing is lost, and nothing that
//! was settled comes again.

use crate::stage::{Stage, TOPIC, cx, ids};
use backlot_core::{Clock, Dice, Timestamp};
use backlot_messaging::Record;
use backlot_messaging::embedded::{MIGRATIONS, Options};
use backlot_messaging::engine::{
    Delivery, Engine, Failure, Input, Outgoing, Settle, Source, Subscription, TopicSpec,
};
use backlot_storage::{Refusal, StoreError, sqlite};
use std::collections::BTreeSet;
use std::time::Duration;

const DEAD: &str = "events.g.dlq";
const STEPS: u64 = 150;

/// A member, and what it has out.
struct Member {
    source: Box<dyn Source>,
    out: Vec<Delivery>,
}

struct History {
    dice: Dice,
    place: sqlite::Memory,
    stage: Option<Stage>,
    members: Vec<Member>,
    published: u64,
    done: BTreeSet<u64>,
    dead: BTreeSet<u64>,
    seed: u64,
}

async fn open(place: &sqlite::Memory) -> Stage {
    let store = loop {
        match place.open(MIGRATIONS, Clock::real()) {
            Ok(store) => break store,
            Err(StoreError::Refused {
                refusal: Refusal::InUse,
                ..
            }) => tokio::time::sleep(Duration::from_millis(1)).await,
            Err(error) => panic!("{error}"),
        }
    };
    let options = Options {
        tend: Duration::from_secs(3600),
        ..Options::default()
    };
    Stage::on(store, options, 3).await
}

impl History {
    fn stage(&self) -> &Stage {
        self.stage.as_ref().expect("it is open between deaths")
    }

    async fn step(&mut self) {
        match self.dice.below(20) {
            0..5 => self.publish().await,
            5..7 => self.join().await,
            7 => self.leave().await,
            8 => tokio::time::sleep(Duration::from_secs(self.dice.below(40))).await,
            9 if self.dice.below(3) == 0 => self.die().await,
            9..14 => self.receive().await,
            _ => self.settle().await,
        }
    }

    async fn publish(&mut self) {
        let count = self.dice.below(12);
        let ids = self.published..self.published + count;
        self.published += count;
        let message = |id: u64| {
            let record = Record::new(id.to_string(), "Counted", "test", "");
            Outgoing::new(TOPIC, record.with_key((id % 7).to_string()))
        };
        self.stage()
            .publish(ids.map(message).collect())
            .await
            .unwrap();
    }

    async fn join(&mut self) {
        if self.members.len() >= 4 {
            return;
        }
        let subscription = Subscription {
            in_flight: 1 + u32::try_from(self.dice.below(20)).unwrap(),
            drain: Duration::from_secs(self.dice.below(3)),
            ..Subscription::new(TOPIC, "g")
        };
        let source = self
            .stage()
            .engine
            .attach(&cx(), &subscription)
            .await
            .unwrap();
        self.members.push(Member {
            source,
            out: Vec::new(),
        });
    }

    fn pick(&mut self) -> Option<usize> {
        let count = self.members.len() as u64;
        (count > 0).then(|| usize::try_from(self.dice.below(count)).unwrap())
    }

    async fn leave(&mut self) {
        let Some(at) = self.pick() else { return };
        let member = self.members.swap_remove(at);
        if self.dice.below(2) == 0 {
            member.source.close().await.unwrap();
        }
    }

    async fn die(&mut self) {
        if self.dice.below(2) == 0 {
            self.stage().engine.close().await.unwrap();
        }
        self.members.clear();
        self.stage = None;
        self.stage = Some(open(&self.place).await);
    }

    async fn receive(&mut self) {
        let Some(at) = self.pick() else { return };
        let most = 1 + usize::try_from(self.dice.below(20)).unwrap();
        let next = self.members[at].source.next(most);
        let Ok(input) = tokio::time::timeout(Duration::from_millis(20), next).await else {
            return;
        };
        match input.unwrap() {
            Input::Deliveries(deliveries) => {
                for id in ids(&deliveries) {
                    let is_settled = self.done.contains(&id) || self.dead.contains(&id);
                    assert!(!is_settled, "{id} came again, seed {}", self.seed);
                }
                self.members[at].out.extend(deliveries);
            }
            Input::Skipped { .. } => panic!("nothing is gone, seed {}", self.seed),
            Input::Assigned(_) | Input::Revoked { .. } => {}
        }
    }

    async fn settle(&mut self) {
        let Some(at) = self.pick() else { return };
        let out = &mut self.members[at].out;
        let count = usize::try_from(self.dice.below(out.len() as u64 + 1)).unwrap();
        // Not in order: whatever is first to be done.
        if !out.is_empty() {
            let turn = usize::try_from(self.dice.below(out.len() as u64)).unwrap();
            out.rotate_left(turn);
        }
        let settling: Vec<Delivery> = out.drain(..count).collect();
        self.say(at, settling).await;
    }

    async fn say(&mut self, at: usize, settling: Vec<Delivery>) {
        let said: Vec<_> = settling
            .iter()
            .map(|delivery| {
                let settle = match self.dice.below(10) {
                    0 => Settle::Dead(Box::new(Outgoing::new(DEAD, delivery.record.clone()))),
                    1 | 2 if delivery.attempts < 3 => Settle::Retry {
                        at: Timestamp(0),
                        failure: (self.dice.below(2) == 0).then(|| Failure {
                            at_ms: 0,
                            class: "transient".into(),
                            message: String::new(),
                        }),
                    },
                    3 if delivery.attempts < 3 => Settle::Failed(Failure {
                        at_ms: i64::from(delivery.attempts),
                        class: "transient".into(),
                        message: String::new(),
                    }),
                    _ => Settle::Done,
                };
                (delivery.token, settle)
            })
            .collect();
        let stale = self.members[at].source.settle(said.clone()).await.unwrap();
        for ((token, settle), delivery) in said.iter().zip(settling) {
            let id = ids(std::slice::from_ref(&delivery))[0];
            if stale.iter().any(|stale| stale.token == *token) {
                continue;
            }
            let is_first = match settle {
                Settle::Done => self.done.insert(id),
                Settle::Dead(_) => self.dead.insert(id),
                Settle::Failed(_) => {
                    // It is out still, and is settled another time.
                    let attempts = delivery.attempts + 1;
                    self.members[at].out.push(Delivery {
                        attempts,
                        ..delivery
                    });
                    true
                }
                Settle::Retry { .. } | Settle::Extend(_) => true,
            };
            assert!(is_first, "{id} was settled twice, seed {}", self.seed);
        }
    }

    /// One member takes all that is left, and every message is accounted for.
    async fn finish(mut self) {
        self.members.clear();
        self.join().await;
        while self.stage().lag_of_all("g").await > 0 {
            self.receive().await;
            let out = std::mem::take(&mut self.members[0].out);
            self.say(0, out).await;
        }
        assert!(self.done.is_disjoint(&self.dead), "seed {}", self.seed);
        let settled = self.done.len() + self.dead.len();
        assert_eq!(
            settled as u64, self.published,
            "none is lost, seed {}",
            self.seed
        );
        let letters = self
            .stage()
            .engine
            .inspect(&cx(), DEAD, None)
            .await
            .unwrap();
        let letters = letters.partitions[0].head;
        assert_eq!(
            letters,
            self.dead.len() as u64,
            "one letter each, seed {}",
            self.seed
        );
        let report = self
            .stage()
            .engine
            .inspect(&cx(), TOPIC, Some("g"))
            .await
            .unwrap();
        for part in &report.groups[0].partitions {
            assert_eq!(part.retrying, 0, "seed {}", self.seed);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_members_do_nothing_is_lost_and_nothing_settled_comes_again() {
    for seed in 0..60 {
        let place = sqlite::Memory::default();
        let stage = open(&place).await;
        stage
            .engine
            .ensure(&cx(), &TopicSpec::new(DEAD, 1))
            .await
            .unwrap();
        let mut history = History {
            dice: Dice::seeded(seed),
            stage: Some(stage),
            place,
            members: Vec::new(),
            published: 0,
            done: BTreeSet::new(),
            dead: BTreeSet::new(),
            seed,
        };
        for _ in 0..STEPS {
            history.step().await;
        }
        history.finish().await;
    }
}
