//! The database host: real SQLite behind the simulated network.
//!
//! The data lives in the world, not in the host: a crash takes the process, its connections and
//! open transactions, and leaves what was committed. One write at a time, in the order of asking;
//! reads share the moments in between, so each sees one committed state.

mod client;
mod host;
mod protocol;
mod state;

pub use state::{Mood, Weakness};

use crate::trace::Trace;
use backlot_app::StoreConfig;
use backlot_app::store::Stores;
use backlot_core::{BoxFuture, Context, Dice, Env};
use backlot_storage::{Migrations, Param, Row, Store, StoreError};
use state::State;
use std::sync::Arc;

pub(crate) use host::serve;

/// The host of the database.
pub const DATABASE: &str = "database";
/// Where it listens.
const PORT: u16 = 5000;

/// The database, from outside of the simulated network: for oracles, and for whoever injects
/// faults. Clones are the same.
#[derive(Clone, Debug)]
pub struct Database(Arc<State>);

impl Database {
    pub(crate) fn new(weakness: Option<Weakness>, dice: Dice, trace: Trace) -> Self {
        Database(Arc::new(State::new(weakness, dice, trace)))
    }

    pub(crate) fn state(&self) -> &Arc<State> {
        &self.0
    }

    /// What a service's store holds now, as of the last commit; nothing while a write is open.
    ///
    /// # Errors
    /// What SQLite says of the statement; [`StoreError::Unavailable`] when the service never
    /// opened its store.
    pub fn committed(
        &self,
        service: &str,
        sql: &str,
        params: &[Param<'_>],
    ) -> Result<Option<Vec<Row>>, StoreError> {
        let Some(store) = self.0.existing(service) else {
            return Err(StoreError::unavailable(format!(
                "{service} never opened its store"
            )));
        };
        let mut store = store.lock();
        if store.write_is_open {
            return Ok(None);
        }
        store.connection.query(sql, params).map(Some)
    }

    /// Looks at each committed state of a service's store, before anybody is told of the commit: what
    /// is wrong for moments only is seen so.
    pub fn after_commits(&self, service: &str, look: impl Fn() + Send + Sync + 'static) {
        self.0.after_commits(service, Arc::new(look));
    }

    /// Makes it behave.
    pub fn set_mood(&self, mood: Mood) {
        self.0.mood.send_replace(mood);
    }
}

/// Stores on the database host.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hosted;

impl Stores for Hosted {
    fn open<'a>(
        &'a self,
        service: &'static str,
        _config: &'a StoreConfig,
        migrations: Migrations,
        env: &'a Env,
    ) -> BoxFuture<'a, Result<Store, StoreError>> {
        Box::pin(async move {
            let client = client::Client::new(service, format!("{DATABASE}:{PORT}"), env);
            let store = Store::remote(Arc::new(client), env.clock.clone());
            store
                .migrate(&Context::system("migrations"), migrations)
                .await?;
            Ok(store)
        })
    }
}

#[cfg(test)]
mod tests;
