//! Rules of endpoints, and what of them is one commit.

use crate::guard::Guard;
use crate::model::{Endpoint, Target, check_name, group};
use crate::repository::Endpoints;
use crate::signature::Secret;
use backlot_core::{Clock, Code, Context, Dice, Error, Permission, Rule, Timestamp};
use backlot_messaging::Engine;
use backlot_messaging::engine::{Begin, Subscription};
use backlot_storage::Store;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use url::Url;

/// The revision of one that nothing happened to.
const FIRST: i64 = 1;
/// The most endpoints: each is a group that every instance reads.
const MOST: i64 = 1000;

/// How long a change waits until those who push have taken notice.
const NOTICE: Duration = Duration::from_secs(2);

/// What operators may do.
struct Operate;

impl Permission for Operate {
    fn name(&self) -> &'static str {
        "manage webhooks"
    }

    fn rule(&self) -> Rule {
        Rule::Role("operator")
    }
}

pub(crate) struct Controller {
    store: Store,
    engine: Arc<dyn Engine>,
    guard: Arc<Guard>,
    clock: Clock,
    dice: Dice,
    /// What secrets are drawn with.
    key: [u8; 32],
    /// Rises when this instance changes something.
    changes: watch::Sender<u64>,
    /// Up to which change those who push have taken notice.
    noticed: watch::Sender<u64>,
}

impl Controller {
    pub(crate) fn new(
        store: Store,
        engine: Arc<dyn Engine>,
        guard: Arc<Guard>,
        (clock, dice): (Clock, Dice),
        key: [u8; 32],
    ) -> Self {
        Controller {
            store,
            engine,
            guard,
            clock,
            dice,
            key,
            changes: watch::Sender::new(0),
            noticed: watch::Sender::new(0),
        }
    }

    /// Whoever has to know that something changed here.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Makes one, and answers its secret too, or changes one that is there. Repeating it under the
    /// same key changes nothing more, and answers the secret again for as long as nothing else
    /// happened to it.
    pub(crate) async fn put(
        &self,
        cx: &Context,
        name: &str,
        target: Target,
    ) -> Result<(Endpoint, Option<Secret>), Error> {
        cx.allow(Operate, "")?;
        check_name(name)?;
        self.url(&target.url)?;
        // Nobody waits for messages of a topic that is misspelt.
        self.engine.inspect(cx, &target.topic, None).await?;
        if self.find(cx, name).await?.is_none() {
            // It gets what is published from now on: its group begins before there is anything to push.
            let subscription = Subscription {
                from: Begin::Newest,
                member: crate::NAME.to_owned(),
                ..Subscription::new(&target.topic, group(name))
            };
            self.engine.attach(cx, &subscription).await?.close().await?;
        }
        let drawn = Secret::drawn(&self.key, &self.dice);
        let target = target.usual();
        let named = name.to_owned();
        // What is kept under the key is no secret, but tells whose it was.
        let made: Option<String> = self
            .store
            .write_once(cx, cx.idempotency(), move |tx| {
                let (name, target, drawn) = (named.clone(), target.clone(), drawn.clone());
                Box::pin(async move {
                    let mut endpoints = Endpoints::in_tx(tx);
                    let before = endpoints.get(&name).await?;
                    let is_new = before.is_none();
                    let endpoint = match before {
                        Some(before) if before.target.topic != target.topic => {
                            return Err(Error::failed_precondition(format!(
                                "topic: webhook {name:?} reads {:?}, and cannot change to {:?}: make one of another name",
                                before.target.topic, target.topic
                            )));
                        }
                        Some(before) => Endpoint {
                            target,
                            revision: before.revision + 1,
                            ..before
                        },
                        None if endpoints.count().await? >= MOST => {
                            return Err(Error::resource_exhausted(format!(
                                "there are {MOST} webhooks, and no more may be: delete some"
                            )));
                        }
                        None => Endpoint {
                            name,
                            target,
                            secret: drawn,
                            old: None,
                            disabled: None,
                            revision: FIRST,
                        },
                    };
                    endpoints.put(&endpoint).await?;
                    Ok::<_, Error>(is_new.then(|| endpoint.secret.fingerprint()))
                })
            })
            .await?;
        self.changed();
        self.noticed().await;
        let endpoint = self.find(cx, name).await?.ok_or_else(|| unknown(name))?;
        let is_as_made = endpoint.revision == FIRST && made == Some(endpoint.secret.fingerprint());
        let secret = is_as_made.then(|| endpoint.secret.clone());
        Ok((endpoint, secret))
    }

    /// A URL that may be called, as far as can be said before its host is resolved.
    pub(crate) fn url(&self, text: &str) -> Result<Url, Error> {
        self.guard.url(text).map_err(|refusal| {
            let said = refusal.to_string();
            Error::invalid_argument(format!("url: {said}")).with_violation("url", said)
        })
    }

    pub(crate) async fn get(&self, cx: &Context, name: &str) -> Result<Endpoint, Error> {
        cx.allow(Operate, "")?;
        self.find(cx, name).await?.ok_or_else(|| unknown(name))
    }

    async fn find(&self, cx: &Context, name: &str) -> Result<Option<Endpoint>, Error> {
        let name = name.to_owned();
        self.store
            .read(cx, move |tx| {
                let name = name.clone();
                Box::pin(async move { Ok::<_, Error>(Endpoints::in_tx(tx).get(&name).await?) })
            })
            .await
    }

    pub(crate) async fn list(&self, cx: &Context) -> Result<Vec<Endpoint>, Error> {
        cx.allow(Operate, "")?;
        self.all(cx).await
    }

    /// All of them, for whoever pushes.
    pub(crate) async fn all(&self, cx: &Context) -> Result<Vec<Endpoint>, Error> {
        self.store
            .read(cx, |tx| {
                Box::pin(async move { Ok::<_, Error>(Endpoints::in_tx(tx).all().await?) })
            })
            .await
    }

    pub(crate) async fn delete(&self, cx: &Context, name: &str) -> Result<(), Error> {
        cx.allow(Operate, "")?;
        let deleted = {
            let name = name.to_owned();
            self.store
                .write(cx, move |tx| {
                    let name = name.clone();
                    Box::pin(
                        async move { Ok::<_, Error>(Endpoints::in_tx(tx).delete(&name).await?) },
                    )
                })
                .await?
        };
        if !deleted {
            return Err(unknown(name));
        }
        self.changed();
        self.noticed().await;
        Ok(())
    }

    /// A new secret, beside which the one before signs for so long.
    pub(crate) async fn rotate(
        &self,
        cx: &Context,
        name: &str,
        keep: Duration,
    ) -> Result<Secret, Error> {
        cx.allow(Operate, "")?;
        let drawn = Secret::drawn(&self.key, &self.dice);
        let (secret, until) = (drawn.clone(), self.clock.wall().plus(keep));
        self.change(cx, name, move |endpoint| {
            let old = std::mem::replace(&mut endpoint.secret, secret.clone());
            endpoint.old = Some((old, until));
        })
        .await?;
        self.noticed().await;
        Ok(drawn)
    }

    pub(crate) async fn enable(&self, cx: &Context, name: &str) -> Result<(), Error> {
        cx.allow(Operate, "")?;
        self.change(cx, name, |endpoint| endpoint.disabled = None)
            .await?;
        self.noticed().await;
        Ok(())
    }

    pub(crate) async fn disable(&self, cx: &Context, name: &str, why: &str) -> Result<(), Error> {
        cx.allow(Operate, "")?;
        let (why, now) = (why.to_owned(), self.clock.wall());
        self.change(cx, name, move |endpoint| {
            // What stopped it first is what there is to know.
            endpoint.disabled.get_or_insert((why.clone(), now));
        })
        .await?;
        self.noticed().await;
        Ok(())
    }

    /// Stops pushing to this endpoint as it is, for whoever pushes: one that was changed, deleted or made
    /// again since is another.
    pub(crate) async fn stop(
        &self,
        cx: &Context,
        endpoint: &Endpoint,
        why: &str,
    ) -> Result<(), Error> {
        let (why, now) = (why.to_owned(), self.clock.wall());
        let stopped = endpoint.clone();
        let changed = self
            .change(cx, &endpoint.name, move |endpoint| {
                if *endpoint == stopped {
                    endpoint.disabled = Some((why.clone(), now));
                }
            })
            .await;
        match changed {
            Err(error) if error.code() == Code::NotFound => Ok(()),
            changed => changed,
        }
    }

    async fn change(
        &self,
        cx: &Context,
        name: &str,
        change: impl Fn(&mut Endpoint) + Send + Sync + 'static,
    ) -> Result<(), Error> {
        let change = Arc::new(change);
        let named = name.to_owned();
        let found = self
            .store
            .write(cx, move |tx| {
                let (name, change) = (named.clone(), Arc::clone(&change));
                Box::pin(async move {
                    let mut endpoints = Endpoints::in_tx(tx);
                    let Some(mut endpoint) = endpoints.get(&name).await? else {
                        return Ok::<_, Error>(false);
                    };
                    let before = endpoint.clone();
                    change(&mut endpoint);
                    if endpoint != before {
                        endpoint.revision += 1;
                        endpoints.put(&endpoint).await?;
                    }
                    Ok(true)
                })
            })
            .await?;
        if !found {
            return Err(unknown(name));
        }
        self.changed();
        Ok(())
    }

    /// Those who push have taken notice of all up to this change.
    pub(crate) fn notice(&self, change: u64) {
        self.noticed.send_replace(change);
    }

    /// Waits a moment until nothing is pushed as it was before: whoever is answered and publishes
    /// then finds the endpoint as it is. Another instance takes notice when it looks.
    async fn noticed(&self) {
        let change = *self.changes.borrow();
        let mut noticed = self.noticed.subscribe();
        let waiting = noticed.wait_for(|noticed| *noticed >= change);
        drop(tokio::time::timeout(NOTICE, waiting).await.map(|_| ()));
    }

    fn changed(&self) {
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// The time, as it is signed.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.wall()
    }
}

fn unknown(name: &str) -> Error {
    Error::not_found(format!(
        "there is no webhook {name:?}: put it first, or correct its name"
    ))
}
