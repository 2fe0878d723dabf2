//! The issuer's public keys: fetched, refreshed behind the calls, and kept when the issuer is away.

use super::contract::identity::v1::{GetKeySetRequest, Key};
use super::contract::{KeySet, KeySetClient};
use super::token::{PublicKey, public_key};
use arc_swap::ArcSwap;
use backlot_core::backoff::Backoff;
use backlot_core::{BoxFuture, Context, Dice, Error};
use backlot_service::tasks::Tasks;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// How often the keys are fetched again.
const REFRESH: Duration = Duration::from_secs(300);
/// How long the last good set serves while the issuer is away.
const LAST_GOOD: Duration = Duration::from_secs(24 * 3600);
/// An unknown key makes us fetch at most this often.
const UNKNOWN: Duration = Duration::from_secs(10);
/// How long one fetch may take.
const FETCH: Duration = Duration::from_secs(2);
/// How long a call waits for the first set, or for a fetch that its unknown key caused.
const WAIT: Duration = Duration::from_secs(2);

/// Where public keys come from.
pub trait KeySource: Send + Sync + 'static {
    /// All current keys.
    fn fetch(&self) -> BoxFuture<'_, Result<Vec<Key>, Error>>;
}

impl KeySource for KeySetClient {
    fn fetch(&self) -> BoxFuture<'_, Result<Vec<Key>, Error>> {
        Box::pin(async move {
            let cx = Context::background().with_timeout(FETCH);
            Ok(KeySet::get_key_set(self, &cx, GetKeySetRequest {})
                .await?
                .keys)
        })
    }
}

/// A cached key set. Clones share it.
#[derive(Clone)]
pub struct Keys(Arc<Shared>);

struct Shared {
    current: ArcSwap<Snapshot>,
    fetched: watch::Sender<u64>,
    wanted: Notify,
}

#[derive(Default)]
struct Snapshot {
    keys: BTreeMap<String, Arc<PublicKey>>,
    at: Option<Instant>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Keys")
            .field(&self.0.current.load().keys.keys().collect::<Vec<_>>())
            .finish()
    }
}

impl Keys {
    /// Fetches keys from `source` in a task of its own, from now on.
    #[must_use]
    pub fn fetching(source: impl KeySource, tasks: &Tasks, dice: Dice) -> Self {
        let shared = Arc::new(Shared {
            current: ArcSwap::default(),
            fetched: watch::Sender::new(0),
            wanted: Notify::new(),
        });
        let keys = Keys(Arc::clone(&shared));
        tasks.spawn_endless("identity keys", async move {
            refresh(source, &shared, &dice).await
        });
        keys
    }

    /// The key of this id, waiting for a fetch if it is unknown.
    ///
    /// # Errors
    /// `Unavailable` when no set was ever fetched, or the last is older than 24 hours.
    pub(super) async fn get(&self, kid: &str) -> Result<Option<Arc<PublicKey>>, Error> {
        let mut fetched = self.0.fetched.subscribe();
        if let Some(key) = self.lookup(kid)? {
            return Ok(Some(key));
        }
        self.0.wanted.notify_one();
        // A rotated key: the fetch it caused may bring it. A flood of unknown keys waits for the
        // same fetch and causes no more.
        drop(tokio::time::timeout(WAIT, fetched.changed()).await);
        let known = self.lookup(kid)?;
        if known.is_none() && self.0.current.load().at.is_none() {
            return Err(Error::unavailable(
                "the token issuer's keys are not to be had yet: try again",
            )
            .with_pushback(Duration::from_secs(1)));
        }
        Ok(known)
    }

    fn lookup(&self, kid: &str) -> Result<Option<Arc<PublicKey>>, Error> {
        let snapshot = self.0.current.load();
        let Some(at) = snapshot.at else {
            return Ok(None);
        };
        if Instant::now().saturating_duration_since(at) > LAST_GOOD {
            return Err(Error::unavailable(
                "the token issuer has been away for more than 24 hours",
            ));
        }
        Ok(snapshot.keys.get(kid).cloned())
    }
}

/// Fetches for ever: every five minutes, sooner for an unknown key (at most every ten seconds),
/// and with backoff while the issuer is away.
async fn refresh(source: impl KeySource, shared: &Shared, dice: &Dice) {
    let mut failures = 0;
    loop {
        // Without any key no user can be served: then the issuer's return must not go unseen long.
        let cap = Duration::from_secs(if shared.current.load().at.is_none() {
            1
        } else {
            5
        });
        let backoff = Backoff {
            base: Duration::from_millis(200),
            cap,
        };
        match source.fetch().await.and_then(|keys| parse(&keys)) {
            Ok(keys) => {
                failures = 0;
                shared.current.store(Arc::new(Snapshot {
                    keys,
                    at: Some(Instant::now()),
                }));
                shared.fetched.send_modify(|count| *count += 1);
                tokio::time::sleep(UNKNOWN).await;
                // An unknown key cuts the wait short; without one it is the usual refresh.
                drop(tokio::time::timeout(REFRESH - UNKNOWN, shared.wanted.notified()).await);
            }
            Err(error) => {
                failures += 1;
                if failures == 1 || failures % 20 == 0 {
                    tracing::info!(error = %error.chain(), failures, "the token issuer's keys cannot be fetched, trying again");
                }
                tokio::time::sleep(backoff.wait(failures, dice).max(Duration::from_millis(50)))
                    .await;
            }
        }
    }
}

fn parse(keys: &[Key]) -> Result<BTreeMap<String, Arc<PublicKey>>, Error> {
    let mut parsed = BTreeMap::new();
    for key in keys {
        // Keys of other kinds are for others.
        if key.kty != "OKP" || key.crv != "Ed25519" || key.alg != "EdDSA" || key.kid.is_empty() {
            continue;
        }
        let decoding = public_key(&key.x)
            .ok_or_else(|| Error::internal("the issuer published a malformed key"))?;
        parsed.insert(key.kid.clone(), Arc::new(decoding));
    }
    Ok(parsed)
}
