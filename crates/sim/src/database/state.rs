//! What outlives the process of the database: its data, and what is wrong with it now.

use crate::trace::Trace;
use backlot_core::Dice;
use backlot_storage::StoreError;
use backlot_storage::backend::Mode;
use backlot_storage::sqlite::Connection;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use tokio::sync::watch;

/// How the database behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// As it should.
    Well,
    /// Takes no connections and ends those it has.
    Refusing,
    /// Answers nobody.
    Stalled,
    /// Half of the commits are done without saying so, and the connection ends.
    LosingAnswers,
}

/// A defence switched off, to see whether an oracle notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weakness {
    /// A commit is acknowledged before it is durable: what was committed in the last second is
    /// gone when the process dies.
    LateSync,
    /// A transaction is none: each statement is committed by itself and nothing is undone.
    NoTransactions,
}

/// Looks at what was just committed.
type Look = Arc<dyn Fn() + Send + Sync>;

pub(crate) struct State {
    stores: Mutex<BTreeMap<String, Arc<Mutex<Held>>>>,
    pub(crate) mood: watch::Sender<Mood>,
    pub(crate) weakness: Option<Weakness>,
    pub(crate) dice: Dice,
    pub(crate) trace: Trace,
    /// Who looks at the commits of which service.
    looks: Mutex<Vec<(String, Look)>>,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("mood", &*self.mood.borrow())
            .field("weakness", &self.weakness)
            .finish_non_exhaustive()
    }
}

/// One service's data.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) connection: Connection,
    pub(crate) write_is_open: bool,
}

impl State {
    pub(crate) fn new(weakness: Option<Weakness>, dice: Dice, trace: Trace) -> Self {
        State {
            stores: Mutex::default(),
            mood: watch::Sender::new(Mood::Well),
            weakness,
            dice,
            trace,
            looks: Mutex::default(),
        }
    }

    pub(crate) fn after_commits(&self, service: &str, look: Look) {
        self.looks.lock().push((service.to_owned(), look));
    }

    /// Has those look who asked for it.
    pub(crate) fn committed(&self, service: &str) {
        let looks = self.looks.lock();
        let looks: Vec<Look> = looks
            .iter()
            .filter(|(of, _)| of == service)
            .map(|(_, look)| Arc::clone(look))
            .collect();
        for look in looks {
            look();
        }
    }

    pub(crate) fn existing(&self, service: &str) -> Option<Arc<Mutex<Held>>> {
        self.stores.lock().get(service).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Mutex<Held>>> {
        self.stores.lock().values().cloned().collect()
    }

    /// The data of a service, empty at first.
    pub(crate) fn store(&self, service: &str) -> Result<Arc<Mutex<Held>>, StoreError> {
        let mut stores = self.stores.lock();
        if let Some(store) = stores.get(service) {
            return Ok(Arc::clone(store));
        }
        let mut connection = Connection::in_memory()?;
        if self.weakness == Some(Weakness::LateSync) {
            connection.batch("BEGIN")?;
        }
        let store = Arc::new(Mutex::new(Held {
            connection,
            write_is_open: false,
        }));
        stores.insert(service.to_owned(), Arc::clone(&store));
        Ok(store)
    }

    /// What is durable, and nothing else: the state after the process died.
    pub(crate) fn recover(&self) -> Result<(), StoreError> {
        for store in self.all() {
            let mut held = store.lock();
            held.write_is_open = false;
            if held.connection.in_transaction() {
                held.connection.batch("ROLLBACK")?;
            }
            if self.weakness == Some(Weakness::LateSync) {
                held.connection.batch("BEGIN")?;
            }
        }
        Ok(())
    }

    /// Makes everything acknowledged so far durable, when acknowledging did not.
    pub(crate) fn sync(&self) -> Result<(), StoreError> {
        if self.weakness != Some(Weakness::LateSync) {
            return Ok(());
        }
        for store in self.all() {
            let mut held = store.lock();
            if !held.write_is_open {
                held.connection.batch("COMMIT; BEGIN")?;
            }
        }
        Ok(())
    }

    fn begin_sql(&self) -> &'static str {
        match self.weakness {
            None => "BEGIN IMMEDIATE",
            Some(Weakness::LateSync) => "SAVEPOINT one_write",
            Some(Weakness::NoTransactions) => "",
        }
    }

    fn commit_sql(&self) -> &'static str {
        match self.weakness {
            None => "COMMIT",
            Some(Weakness::LateSync) => "RELEASE one_write",
            Some(Weakness::NoTransactions) => "",
        }
    }

    fn rollback_sql(&self) -> &'static str {
        match self.weakness {
            None => "ROLLBACK",
            Some(Weakness::LateSync) => "ROLLBACK TO one_write; RELEASE one_write",
            Some(Weakness::NoTransactions) => "",
        }
    }
}

/// An open transaction; one that is dropped is rolled back.
pub(crate) struct Open {
    state: Arc<State>,
    pub(crate) held: Arc<Mutex<Held>>,
    mode: Mode,
    ended: bool,
}

impl Open {
    /// The caller holds the lock that `mode` asks for.
    pub(crate) fn begin(
        state: &Arc<State>,
        held: Arc<Mutex<Held>>,
        mode: Mode,
    ) -> Result<Open, StoreError> {
        if mode == Mode::Write {
            let mut held = held.lock();
            held.connection.batch(state.begin_sql())?;
            // Without transactions there is nothing but committed states.
            held.write_is_open = state.weakness != Some(Weakness::NoTransactions);
        }
        Ok(Open {
            state: Arc::clone(state),
            held,
            mode,
            ended: false,
        })
    }

    /// Runs `work` on the connection, which refuses changes in a read.
    pub(crate) fn with<T>(
        &mut self,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut held = self.held.lock();
        if self.mode == Mode::Write {
            return work(&mut held.connection);
        }
        held.connection.batch("PRAGMA query_only = ON")?;
        let done = work(&mut held.connection);
        held.connection.batch("PRAGMA query_only = OFF")?;
        done
    }

    pub(crate) fn commit(mut self) -> Result<(), StoreError> {
        if self.mode == Mode::Read {
            return Ok(());
        }
        let committed = self.held.lock().connection.batch(self.state.commit_sql());
        if committed.is_ok() {
            self.ended = true;
            self.held.lock().write_is_open = false;
        }
        committed
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if self.ended || self.mode == Mode::Read {
            return;
        }
        let mut held = self.held.lock();
        held.write_is_open = false;
        if held.connection.in_transaction()
            && let Err(error) = held.connection.batch(self.state.rollback_sql())
        {
            self.state.trace.violation(
                "database",
                format!("a transaction cannot be rolled back: {error}"),
            );
        }
    }
}
