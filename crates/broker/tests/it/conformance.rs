//! The suite of engines, over the wire.

use crate::stage::{Caller, Process};
use async_trait::async_trait;
use backlot_broker::Options;
use backlot_core::{Clock, Context};
use backlot_messaging::conformance::{self, Place};
use backlot_messaging::dead::DeadLetters;
use backlot_messaging::engine::{
    Outgoing, Receipt, Report, Seek, Source, Subscription, TopicReport, TopicSpec,
};
use backlot_messaging::{Caps, Engine, Error};
use std::sync::Arc;
use tokio::sync::Mutex;

/// A file, and the process that serves it now.
struct Served {
    folder: tempfile::TempDir,
    process: Mutex<Option<Arc<Process>>>,
}

/// A broker and its caller in one: closing the one ends the other.
#[derive(Debug)]
struct Both {
    caller: Caller,
    process: Arc<Process>,
}

impl std::fmt::Debug for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.remote.fmt(f)
    }
}

impl std::fmt::Debug for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.server.fmt(f)
    }
}

#[async_trait]
impl Place for Served {
    async fn open(&self, clock: Clock) -> Arc<dyn Engine> {
        let mut process = self.process.lock().await;
        if let Some(before) = process.take() {
            before.kill().await;
        }
        let file = self.folder.path().join("broker.db");
        let started = Process::start(&file, "127.0.0.1:0", clock, Options::default()).await;
        let started = Arc::new(started);
        *process = Some(Arc::clone(&started));
        Arc::new(Both {
            caller: Caller::of(&started.address),
            process: started,
        })
    }
}

#[async_trait]
impl Engine for Both {
    fn caps(&self) -> Caps {
        self.caller.remote.caps()
    }

    async fn ensure(&self, cx: &Context, spec: &TopicSpec) -> Result<(), Error> {
        self.caller.remote.ensure(cx, spec).await
    }

    async fn append(&self, cx: &Context, outgoing: Vec<Outgoing>) -> Result<Vec<Receipt>, Error> {
        self.caller.remote.append(cx, outgoing).await
    }

    async fn try_append(
        &self,
        cx: &Context,
        outgoing: Vec<Outgoing>,
    ) -> Result<Vec<Receipt>, Error> {
        self.caller.remote.try_append(cx, outgoing).await
    }

    async fn attach(
        &self,
        cx: &Context,
        subscription: &Subscription,
    ) -> Result<Box<dyn Source>, Error> {
        self.caller.remote.attach(cx, subscription).await
    }

    async fn inspect(
        &self,
        cx: &Context,
        topic: &str,
        group: Option<&str>,
    ) -> Result<Report, Error> {
        self.caller.remote.inspect(cx, topic, group).await
    }

    async fn seek(&self, cx: &Context, topic: &str, group: &str, to: Seek) -> Result<(), Error> {
        self.caller.remote.seek(cx, topic, group, to).await
    }

    async fn pause(
        &self,
        cx: &Context,
        topic: &str,
        group: &str,
        paused: bool,
    ) -> Result<(), Error> {
        self.caller.remote.pause(cx, topic, group, paused).await
    }

    async fn topics(&self, cx: &Context) -> Result<Vec<TopicReport>, Error> {
        self.caller.remote.topics(cx).await
    }

    async fn forget(&self, cx: &Context, topic: &str, group: &str) -> Result<(), Error> {
        self.caller.remote.forget(cx, topic, group).await
    }

    fn dead_letters(&self) -> Option<Arc<dyn DeadLetters>> {
        self.caller.remote.dead_letters()
    }

    async fn close(&self) -> Result<(), Error> {
        self.caller.remote.close().await?;
        self.process.stop().await;
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_engine_of_another_process_keeps_every_promise() {
    let make = async || {
        Box::new(Served {
            folder: tempfile::tempdir().unwrap(),
            process: Mutex::default(),
        }) as Box<dyn Place>
    };
    let left_out = conformance::run(make).await;
    assert!(left_out.is_empty(), "{left_out:?}");
}
