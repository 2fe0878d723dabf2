//! The service that is drilled. How each instance behaves is set from outside; what it writes down
//! lies where all of them see it, like a database that never fails.

pub mod contract {
    //! What was written from the desk's .proto file.
    include!(concat!(env!("OUT_DIR"), "/contract.rs"));
}

use async_trait::async_trait;
use backlot::config::Validate;
use backlot::{Context, Dice, Error, Service, StartError, Startup, owners};
use contract::{Desk, ReadRequest, ReadResponse, WriteRequest, WriteResponse, desk};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How an instance behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Mood {
    /// It answers after one to three milliseconds.
    #[default]
    Well,
    /// It takes so many times as long.
    Slow(u32),
    /// It fails each call at once.
    FailsFast,
    /// It fails so many calls of a hundred, at once.
    FailsSome(u64),
}

/// What all instances share. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Stage(Arc<Mutex<Shared>>);

#[derive(Debug, Default)]
struct Shared {
    moods: BTreeMap<String, Mood>,
    /// How often each number was written down.
    written: BTreeMap<u64, u32>,
    /// How many calls came.
    came: u64,
}

impl Stage {
    /// From now on the instance on this host behaves like that.
    pub fn set(&self, host: &str, mood: Mood) {
        self.0.lock().moods.insert(host.to_owned(), mood);
    }

    /// How many calls came to all instances.
    #[must_use]
    pub fn came(&self) -> u64 {
        self.0.lock().came
    }

    /// How often a number was written down.
    #[must_use]
    pub fn written(&self, number: u64) -> u32 {
        self.0.lock().written.get(&number).copied().unwrap_or(0)
    }

    fn comes(&self, host: &str) -> Mood {
        let mut shared = self.0.lock();
        shared.came += 1;
        shared.moods.get(host).copied().unwrap_or_default()
    }

    fn write(&self, number: u64) {
        *self.0.lock().written.entry(number).or_default() += 1;
    }
}

/// On which host an instance is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Its name.
    pub host: String,
}

impl Validate for Config {}

/// The service, on this stage.
#[must_use]
pub fn service(stage: &Stage) -> Service {
    let stage = stage.clone();
    Service::new(
        "desk",
        owners!("drills"),
        async move |config: Config, cx: &mut Startup| -> Result<(), StartError> {
            cx.serve(desk(Clerk {
                host: config.host,
                stage: stage.clone(),
                dice: cx.dice("clerk"),
            }));
            Ok(())
        },
    )
}

struct Clerk {
    host: String,
    stage: Stage,
    dice: Dice,
}

impl Clerk {
    async fn work(&self) -> Result<(), Error> {
        let mood = self.stage.comes(&self.host);
        let takes = Duration::from_micros(1000 + self.dice.below(2000));
        let failed = || Err(Error::unavailable("this desk is made to fail"));
        match mood {
            Mood::Well => tokio::time::sleep(takes).await,
            Mood::Slow(times) => tokio::time::sleep(takes * times).await,
            Mood::FailsFast => return failed(),
            Mood::FailsSome(share) if self.dice.below(100) < share => return failed(),
            Mood::FailsSome(_) => tokio::time::sleep(takes).await,
        }
        Ok(())
    }
}

#[async_trait]
impl Desk for Clerk {
    async fn read(&self, _cx: &Context, _request: ReadRequest) -> Result<ReadResponse, Error> {
        self.work().await?;
        Ok(ReadResponse {})
    }

    async fn write(&self, _cx: &Context, request: WriteRequest) -> Result<WriteResponse, Error> {
        self.work().await?;
        self.stage.write(request.number);
        Ok(WriteResponse {})
    }
}
