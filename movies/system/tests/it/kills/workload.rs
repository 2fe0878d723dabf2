//! Workers that rate films and take ratings back, over REST and gRPC, until each write is
//! acknowledged.

use super::shadow::Shadow;
use crate::site::Site;
use backlot::Dice;
use backlot::rpc::generated::prost::Message;
use backlot_testkit::grpc::Connection;
use backlot_testkit::http::ask;
use http::Method;
use movies_api as api;
use movies_api::{DeleteRatingRequest, DeleteRatingResponse, PutRatingRequest, PutRatingResponse};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

const WORKERS: u64 = 16;
const FILMS: u64 = 3;
/// How long one write may take to be acknowledged, kills and all.
const PATIENCE: Duration = Duration::from_secs(60);

/// Workers at work.
pub(super) struct Workload {
    workers: JoinSet<(Shadow, Told)>,
    stop: watch::Sender<bool>,
}

/// What went on.
#[derive(Debug, Default)]
struct Told {
    acknowledged: u64,
    repeated: u64,
    late: u64,
}

impl Workload {
    pub(super) fn start(site: &Arc<Site>, dice: &Dice) -> Workload {
        let (stop, stopped) = watch::channel(false);
        let mut workers = JoinSet::new();
        for number in 0..WORKERS {
            let worker = Worker {
                site: Arc::clone(site),
                dice: dice.branch(&format!("worker {number}")),
                user: format!("user-{number}"),
                shadow: Shadow::default(),
                told: Told::default(),
                done: Vec::new(),
            };
            workers.spawn(worker.work(stopped.clone()));
        }
        Workload { workers, stop }
    }

    /// Lets each worker finish the write it is at; what they were told.
    pub(super) async fn finish(mut self) -> Shadow {
        self.stop.send_replace(true);
        let (mut shadow, mut all) = (Shadow::default(), Told::default());
        while let Some(ended) = self.workers.join_next().await {
            let (own, told) = ended.unwrap();
            assert!(told.acknowledged > 0, "a worker got nothing done");
            shadow.merge(own);
            all.acknowledged += told.acknowledged;
            all.repeated += told.repeated;
            all.late += told.late;
        }
        println!("{all:?}");
        shadow
    }
}

/// One write, and the name of its intended effect.
#[derive(Clone, Debug)]
struct Write {
    key: String,
    film: String,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Put(i32),
    Delete,
}

/// An acknowledgement: what the answer said.
#[derive(Clone, Debug, PartialEq)]
struct Answer {
    deleted: Option<bool>,
    aggregate: (u64, Vec<u64>, u64),
}

struct Worker {
    site: Arc<Site>,
    dice: Dice,
    user: String,
    shadow: Shadow,
    told: Told,
    done: Vec<(Write, Answer)>,
}

impl Worker {
    async fn work(mut self, stopped: watch::Receiver<bool>) -> (Shadow, Told) {
        let mut number = 0;
        while !*stopped.borrow() || number == 0 {
            number += 1;
            let write = Write {
                key: format!("{}-{number}", self.user),
                film: format!("film-{}", self.dice.below(FILMS)),
                what: if self.dice.below(100) < 70 {
                    What::Put(1 + i32::try_from(self.dice.below(10)).unwrap())
                } else {
                    What::Delete
                },
            };
            let answer = self.until_acknowledged(&write).await;
            let (count, histogram, _) = &answer.aggregate;
            assert_eq!(
                histogram.iter().sum::<u64>(),
                *count,
                "{write:?}: {answer:?}"
            );
            match write.what {
                What::Put(half_stars) => self.shadow.put(&write.film, &self.user, half_stars),
                What::Delete => {
                    let there = self.shadow.delete(&write.film, &self.user);
                    assert_eq!(answer.deleted, Some(there), "{write:?}");
                }
            }
            self.told.acknowledged += 1;
            self.done.push((write, answer));
            // Now and then something long done arrives once more.
            if self.dice.below(100) < 15 {
                let index = usize::try_from(self.dice.below(self.done.len() as u64)).unwrap();
                let (write, first) = self.done[index].clone();
                let again = self.until_acknowledged(&write).await;
                assert_eq!(again, first, "{write:?} once more");
                self.told.late += 1;
            }
        }
        (self.shadow, self.told)
    }

    /// Repeats a write under its key until it is acknowledged.
    async fn until_acknowledged(&mut self, write: &Write) -> Answer {
        let end = tokio::time::Instant::now() + PATIENCE;
        loop {
            // Some answers are not waited for: those are lost on the way.
            let patience = match self.dice.below(100) {
                0..10 => Duration::from_millis(self.dice.below(20)),
                _ => Duration::from_millis(200 + self.dice.below(3000)),
            };
            let why = match tokio::time::timeout(patience, self.attempt(write)).await {
                Ok(Ok(answer)) => return answer,
                Ok(Err(why)) => why,
                Err(_elapsed) => format!("no answer within {patience:?}"),
            };
            assert!(
                tokio::time::Instant::now() < end,
                "{write:?} was not acknowledged in {PATIENCE:?}: {why}"
            );
            self.told.repeated += 1;
            tokio::time::sleep(Duration::from_millis(5 + self.dice.below(30))).await;
        }
    }

    /// One attempt.
    ///
    /// # Errors
    /// Why it has to be repeated.
    async fn attempt(&self, write: &Write) -> Result<Answer, String> {
        let bearer = self.site.bearer(&self.user, &[]);
        let headers = [
            ("authorization", &*bearer),
            ("idempotency-key", &*write.key),
        ];
        // A key means the same whichever way it comes.
        if self.dice.below(2) == 0 {
            self.over_rest(write, &headers).await
        } else {
            self.over_grpc(write, &headers).await
        }
    }

    async fn over_rest(&self, write: &Write, headers: &[(&str, &str)]) -> Result<Answer, String> {
        let path = format!("/v1/ratings/movie/{}/users/{}", write.film, self.user);
        let (method, body) = match write.what {
            What::Put(half_stars) => (
                Method::PUT,
                json!({ "value": f64::from(half_stars) / 2.0 }).to_string(),
            ),
            What::Delete => (Method::DELETE, String::new()),
        };
        let mut headers = headers.to_vec();
        headers.push(("content-type", "application/json"));
        let answer = ask(&self.site.address("rating"), method, &path, &headers, body).await;
        let answer = answer.map_err(|error| error.to_string())?;
        match answer.status.as_u16() {
            200 => Ok(said(&answer.json())),
            409 | 503 | 504 => Err(answer.text()),
            // Nothing else may come of a good request, whoever was killed.
            status => panic!("{write:?}: {status}: {}", answer.text()),
        }
    }

    async fn over_grpc(&self, write: &Write, headers: &[(&str, &str)]) -> Result<Answer, String> {
        let (record_type, record_id, user_id) =
            ("movie".to_owned(), write.film.clone(), self.user.clone());
        let (method, message) = match write.what {
            What::Put(half_stars) => (
                "PutRating",
                PutRatingRequest {
                    record_type,
                    record_id,
                    user_id,
                    half_stars,
                }
                .encode_to_vec(),
            ),
            What::Delete => (
                "DeleteRating",
                DeleteRatingRequest {
                    record_type,
                    record_id,
                    user_id,
                }
                .encode_to_vec(),
            ),
        };
        let path = format!("/movies.rating.v1.RatingService/{method}");
        let address = self.site.address("rating");
        let mut connection = Connection::open(&address)
            .await
            .map_err(|error| error.to_string())?;
        let answer = connection
            .call(&path, headers, &message)
            .await
            .map_err(|error| error.to_string())?;
        let message = match answer.code {
            Some(0) => answer.messages[0].clone(),
            Some(1 | 4 | 10 | 14) => return Err(format!("{answer:?}")),
            _ => panic!("{write:?}: {answer:?}"),
        };
        let (deleted, aggregate) = match write.what {
            What::Put(_) => (None, PutRatingResponse::decode(message).unwrap().aggregate),
            What::Delete => {
                let answer = DeleteRatingResponse::decode(message).unwrap();
                (Some(answer.deleted), answer.aggregate)
            }
        };
        let api::Aggregate {
            count,
            histogram,
            version,
            ..
        } = aggregate.unwrap();
        let histogram = histogram.into_iter().map(u64::from).collect();
        Ok(Answer {
            deleted,
            aggregate: (count.into(), histogram, version.into()),
        })
    }
}

fn said(answer: &Value) -> Answer {
    let number = |value: &Value| value.as_u64().unwrap();
    let aggregate = &answer["aggregate"];
    let histogram = aggregate["histogram"]
        .as_array()
        .unwrap()
        .iter()
        .map(number)
        .collect();
    Answer {
        deleted: answer["deleted"].as_bool(),
        aggregate: (
            number(&aggregate["count"]),
            histogram,
            number(&aggregate["version"]),
        ),
    }
}
