//! The sessions of a broker, by name: so many and no more.

use super::Options;
use super::session::{Order, Session, run};
use crate::wire::failure::{TOO_MANY_SESSIONS, UNKNOWN_SESSION};
use backlot_core::error::Reason;
use backlot_core::{Env, Error};
use backlot_messaging::engine::{Source, Subscription};
use backlot_service::Tasks;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// Orders of one session that wait for their turn.
const WAITING: usize = 16;

/// All sessions. Clones share them.
#[derive(Clone)]
pub(super) struct Sessions(Arc<Table>);

struct Table {
    options: Options,
    env: Env,
    tasks: Tasks,
    places: Arc<Semaphore>,
    known: Mutex<BTreeMap<String, mpsc::Sender<Order>>>,
}

/// A place for one session more.
pub(super) struct Place {
    table: Arc<Table>,
    permit: OwnedSemaphorePermit,
}

/// Takes the session out of the table when it has ended, however it did.
struct Listed {
    table: Arc<Table>,
    name: String,
    _place: OwnedSemaphorePermit,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.table.known.lock().remove(&self.name);
    }
}

impl Sessions {
    pub(super) fn new(options: Options, env: &Env, tasks: &Tasks) -> Self {
        let places = Arc::new(Semaphore::new(options.sessions));
        Sessions(Arc::new(Table {
            options,
            env: env.clone(),
            tasks: tasks.clone(),
            places,
            known: Mutex::default(),
        }))
    }

    pub(super) fn len(&self) -> usize {
        self.0.known.lock().len()
    }

    /// # Errors
    /// `ResourceExhausted` when all are taken.
    pub(super) fn place(&self) -> Result<Place, Error> {
        let taken = Arc::clone(&self.0.places).try_acquire_owned();
        let permit = taken.map_err(|_none_left| {
            let most = self.0.options.sessions;
            Error::resource_exhausted(format!(
                "there are {most} sessions, and no more may be: leave those that are not needed, or set broker.sessions"
            ))
            .with_reason(Reason::new(TOO_MANY_SESSIONS).with("most", most))
        })?;
        Ok(Place {
            table: Arc::clone(&self.0),
            permit,
        })
    }

    /// # Errors
    /// `NotFound` when it has ended, or never was.
    pub(super) fn find(&self, name: &str) -> Result<Session, Error> {
        let known = self.0.known.lock().get(name).cloned();
        known.map(Session).ok_or_else(ended)
    }
}

/// What whoever asks for a session that is not there is told.
pub(super) fn ended() -> Error {
    Error::not_found(
        "the session has ended: it was silent for too long, or the broker was started again; join anew",
    )
    .with_reason(Reason::new(UNKNOWN_SESSION))
}

impl Place {
    /// Begins the session of a member; answers its name.
    pub(super) fn fill(self, source: Box<dyn Source>, subscription: Subscription) -> String {
        let Place { table, permit } = self;
        let name = table.env.dice.uuid();
        let (sender, orders) = mpsc::channel(WAITING);
        table.known.lock().insert(name.clone(), sender);
        let listed = Listed {
            table: Arc::clone(&table),
            name: name.clone(),
            _place: permit,
        };
        let silence = subscription.lease + table.options.grace;
        let shutdown = table.env.shutdown.clone();
        table.tasks.spawn("broker-session", async move {
            let _listed = listed;
            run(source, &subscription, orders, silence, shutdown).await;
        });
        name
    }
}
