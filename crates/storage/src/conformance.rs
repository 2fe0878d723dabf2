//! The suite every backend passes: what a store promises, whatever is under it.
//!
//! ```no_run
//! # async fn suite() {
//! use backlot_storage::{conformance, sqlite};
//!
//! conformance::run(async |migrations, clock| sqlite::memory(migrations, clock).expect("memory is there")).await;
//! # }
//! ```

mod inbox;
mod once;
mod outbox;
mod position;
mod shared;
mod transactions;
mod values;

use outbox::{lease, relay, rows};

use crate::job::caught;
use crate::{Migration, Migrations, Param, Sql, Store, StoreError, params, sql};
use backlot_core::{BoxFuture, Clock, Code, Context, Error, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// What the suite's stores hold.
pub const MIGRATIONS: Migrations = &[
    Migration::new(
        1,
        "counters",
        "CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL CHECK (value >= 0)) STRICT;
         CREATE TABLE step (id INTEGER PRIMARY KEY, counter TEXT NOT NULL REFERENCES counter (name)) STRICT;",
    )
    .mysql(
        "CREATE TABLE counter (name VARCHAR(64) PRIMARY KEY, value BIGINT NOT NULL CHECK (value >= 0));
         CREATE TABLE step (id BIGINT PRIMARY KEY, counter VARCHAR(64) NOT NULL,
                            FOREIGN KEY (counter) REFERENCES counter (name));",
    )
    .postgres(
        "CREATE TABLE counter (name TEXT COLLATE \"C\" PRIMARY KEY, value BIGINT NOT NULL CHECK (value >= 0));
         CREATE TABLE step (id BIGINT PRIMARY KEY, counter TEXT COLLATE \"C\" NOT NULL REFERENCES counter (name));",
    ),
    Migration::new(2, "kinds", "CREATE TABLE kind (id INTEGER PRIMARY KEY, t TEXT, r REAL, b BLOB, n INTEGER) STRICT;")
        .mysql("CREATE TABLE kind (id BIGINT PRIMARY KEY, t LONGTEXT, r DOUBLE, b LONGBLOB, n BIGINT);")
        .postgres("CREATE TABLE kind (id BIGINT PRIMARY KEY, t TEXT COLLATE \"C\", r DOUBLE PRECISION, b BYTEA, n BIGINT);"),
];

const INSERT: Sql = sql!("INSERT INTO counter (name, value) VALUES (?, ?)");
const ADD: Sql = sql!("UPDATE counter SET value = value + ? WHERE name = ?");
const SET: Sql = sql!("UPDATE counter SET value = ? WHERE name = ?");
const VALUE: Sql = sql!("SELECT value FROM counter WHERE name = ?");

/// Runs every check on a store of its own, made by `make` with the suite's migrations and clock.
///
/// # Panics
/// When a check fails; after all of them ran, naming each that failed and why.
pub async fn run<M>(make: M)
where
    M: AsyncFn(Migrations, Clock) -> Store,
{
    run_all(make, CHECKS).await;
}

/// Runs the checks of large values and many rows, which a simulated database does not serve in the
/// time it has.
///
/// # Panics
/// As [`run`].
pub async fn run_amounts<M>(make: M)
where
    M: AsyncFn(Migrations, Clock) -> Store,
{
    run_all(make, AMOUNTS).await;
}

async fn run_all<M>(make: M, checks: &[(&str, Check)])
where
    M: AsyncFn(Migrations, Clock) -> Store,
{
    let mut failed = Vec::new();
    for (name, check) in checks {
        let now = Arc::new(AtomicI64::new(1_700_000_000_000));
        let clock = Clock::from_fn({
            let now = Arc::clone(&now);
            move || Timestamp(now.load(Ordering::SeqCst))
        });
        let stage = Stage {
            store: make(MIGRATIONS, clock).await,
            now,
        };
        let store = stage.store.clone();
        if let Err(words) = caught(|| check(stage)).await {
            failed.push(format!("{name}: {words}"));
        }
        if let Err(error) = store.close().await {
            failed.push(format!("{name}: closing failed: {error}"));
        }
    }
    assert!(
        failed.is_empty(),
        "{} of {} checks failed:\n{}",
        failed.len(),
        checks.len(),
        failed.join("\n")
    );
}

/// Runs the checks of a database that several programs share: `make` gives two stores on one empty
/// database, as two replicas of a service have them.
///
/// # Panics
/// As [`run`].
pub async fn run_shared<M>(make: M)
where
    M: AsyncFn(Migrations, Clock) -> (Store, Store),
{
    let mut failed = Vec::new();
    for (name, check) in SHARED {
        let clock = Clock::from_fn(|| Timestamp(1_700_000_000_000));
        let (one, other) = make(MIGRATIONS, clock).await;
        if let Err(words) = caught(|| check(one.clone(), other.clone())).await {
            failed.push(format!("{name}: {words}"));
        }
        for store in [one, other] {
            if let Err(error) = store.close().await {
                failed.push(format!("{name}: closing failed: {error}"));
            }
        }
    }
    assert!(
        failed.is_empty(),
        "{} of {} checks failed:\n{}",
        failed.len(),
        SHARED.len(),
        failed.join("\n")
    );
}

/// A check of two stores on one database.
type SharedCheck = fn(Store, Store) -> BoxFuture<'static, ()>;

const SHARED: &[(&str, SharedCheck)] = &[
    ("what_one_writes_the_other_reads", |one, other| {
        Box::pin(shared::what_one_writes_the_other_reads(one, other))
    }),
    (
        "concurrent_changes_of_one_value_are_not_lost",
        |one, other| {
            Box::pin(shared::concurrent_changes_of_one_value_are_not_lost(
                one, other,
            ))
        },
    ),
    ("a_rule_over_several_rows_holds", |one, other| {
        Box::pin(shared::a_rule_over_several_rows_holds(one, other))
    }),
    ("a_request_sent_to_both_is_done_once", |one, other| {
        Box::pin(shared::a_request_sent_to_both_is_done_once(one, other))
    }),
    (
        "both_may_bring_the_schema_up_to_date_at_once",
        |one, other| {
            Box::pin(shared::both_may_bring_the_schema_up_to_date_at_once(
                one, other,
            ))
        },
    ),
    (
        "a_message_sent_to_both_has_its_effect_once",
        |one, other| {
            Box::pin(shared::a_message_sent_to_both_has_its_effect_once(
                one, other,
            ))
        },
    ),
    ("a_batch_sent_to_both_has_its_effect_once", |one, other| {
        Box::pin(shared::a_batch_sent_to_both_has_its_effect_once(one, other))
    }),
    (
        "a_relay_at_each_loses_nothing_and_keeps_the_order_of_each_key",
        |one, other| {
            Box::pin(
                shared::a_relay_at_each_loses_nothing_and_keeps_the_order_of_each_key(one, other),
            )
        },
    ),
    (
        "a_message_committed_late_is_not_taken_for_one_that_was_sent",
        |one, other| {
            Box::pin(
                shared::a_message_committed_late_is_not_taken_for_one_that_was_sent(one, other),
            )
        },
    ),
];

/// One check: it panics when the store does not keep its promise.
type Check = fn(Stage) -> BoxFuture<'static, ()>;

macro_rules! checks {
    ($($module:ident::$check:ident,)*) => {
        &[$((stringify!($check), |stage| Box::pin($module::$check(stage))),)*]
    };
}

const CHECKS: &[(&str, Check)] = checks! {
    transactions::a_committed_write_is_seen_by_every_later_read,
    transactions::a_transaction_sees_its_own_changes,
    transactions::an_error_undoes_everything,
    transactions::a_panic_undoes_everything_and_the_store_lives_on,
    transactions::a_read_sees_one_snapshot,
    transactions::a_read_changes_nothing,
    transactions::concurrent_increments_are_not_lost,
    transactions::a_failing_write_does_not_fail_its_neighbours,
    transactions::a_write_whose_deadline_passed_is_not_run,
    transactions::a_broken_constraint_says_which_kind,
    transactions::one_statement_over_many_rows_says_what_each_did,
    transactions::wrong_sql_is_the_codes_fault_and_stays_hidden,
    transactions::every_kind_of_value_comes_back,
    transactions::one_row_means_one,
    transactions::a_failed_statement_spoils_its_transaction,
    transactions::a_closure_may_await_something_else_or_is_told_so,
    values::text_of_every_kind_comes_back_and_is_told_apart_by_bytes,
    values::what_no_database_keeps_is_the_callers_fault,
    values::the_ends_of_numbers_come_back,
    values::null_and_numbers_take_turns_at_one_place,
    values::a_sum_is_a_whole_number,
    transactions::a_closed_store_is_unavailable,
    once::the_second_call_gets_the_first_answer,
    once::another_request_under_the_same_key_is_refused,
    once::what_was_answered_can_be_asked_for,
    once::a_key_is_its_principals_and_methods_own,
    once::a_failed_write_leaves_its_key_free,
    once::a_key_is_forgotten_after_a_day,
    once::old_keys_go_as_fast_as_new_ones_come,
    once::the_same_request_twice_at_once_is_done_once,
    once::without_a_key_every_call_counts,
    rows::a_message_leaves_with_its_commit_and_never_without,
    rows::messages_come_out_as_they_went_in_and_in_their_order,
    rows::what_does_not_fit_is_refused_with_field_limit_and_cure,
    rows::concurrent_writes_of_one_key_leave_in_the_order_of_their_effects,
    lease::what_was_confirmed_is_gone_and_the_rest_waits,
    lease::a_lease_is_one_relays_until_it_expires,
    lease::a_stale_holder_removes_nothing_and_is_told,
    lease::a_relay_started_anew_does_not_wait_for_itself,
    lease::a_holder_that_does_not_stir_is_replaced_whatever_the_clocks_say,
    relay::a_commit_wakes_its_relay_at_once,
    relay::a_relay_that_is_told_to_stop_sends_what_waits_first,
    relay::a_broker_that_is_away_is_tried_again_and_nothing_is_lost,
    relay::a_relay_that_crashes_anywhere_loses_nothing_and_keeps_the_order,
    relay::two_relays_lose_nothing_and_keep_the_order_of_each_key,
    relay::limits_that_allow_nothing_are_refused,
    inbox::a_message_has_its_effect_once_in_each_group,
    inbox::an_effect_that_is_undone_leaves_its_message_new,
    inbox::sixteen_consumers_of_one_message_make_its_effect_once,
    inbox::an_earlier_failure_is_not_forgiven_by_a_message_that_came_again,
    inbox::old_messages_are_forgotten_in_slices,
    inbox::a_name_that_is_none_is_the_callers_fault,
    position::a_batch_has_its_effect_once_and_none_is_left_out,
    position::a_log_that_begins_anew_is_read_from_its_beginning_and_the_old_one_never_again,
    position::a_position_moves_with_its_effect_or_not_at_all,
    position::what_is_done_ahead_is_kept_with_the_position,
    position::consumers_of_the_same_batches_make_each_effect_once,
    position::what_is_no_position_is_refused,
};

const AMOUNTS: &[(&str, Check)] = checks! {
    values::large_and_empty_bytes_come_back,
    values::ten_thousand_rows_come_back,
};

/// A store and its clock.
struct Stage {
    store: Store,
    now: Arc<AtomicI64>,
}

impl Stage {
    /// Time enough for a busy machine: how long anything takes is not what the suite is about.
    fn cx(&self) -> Context {
        Context::background().with_timeout(Duration::from_secs(60))
    }

    fn wait(&self, time: Duration) {
        self.now.fetch_add(
            i64::try_from(time.as_millis()).unwrap_or(i64::MAX),
            Ordering::SeqCst,
        );
    }

    fn wait_back(&self, time: Duration) {
        self.now.fetch_sub(
            i64::try_from(time.as_millis()).unwrap_or(i64::MAX),
            Ordering::SeqCst,
        );
    }

    async fn insert(&self, name: &'static str, value: i64) -> Result<u64, Error> {
        self.change(INSERT, params![name, value].map(owned)).await
    }

    async fn add(&self, name: &'static str, value: i64) -> Result<u64, Error> {
        self.change(ADD, params![value, name].map(owned)).await
    }

    async fn change<const N: usize>(
        &self,
        sql: Sql,
        values: [crate::Value; N],
    ) -> Result<u64, Error> {
        self.store
            .write(&self.cx(), move |tx| {
                let values = values.clone();
                Box::pin(async move {
                    let params: Vec<Param<'_>> = values.iter().map(Param::from).collect();
                    Ok(tx.execute(sql, params).await?)
                })
            })
            .await
    }

    async fn value(&self, name: &'static str) -> Option<i64> {
        self.store
            .read(&self.cx(), move |tx| {
                Box::pin(async move {
                    let row = tx.query_opt(VALUE, params![name]).await?;
                    row.map(|row| row.get(0)).transpose()
                })
            })
            .await
            .unwrap_or_else(|error: StoreError| panic!("reading {name} failed: {error}"))
    }
}

fn owned(param: Param<'_>) -> crate::Value {
    param.into()
}

/// The code a call failed with.
fn code<T>(result: &Result<T, Error>) -> Option<Code> {
    result.as_ref().err().map(Error::code)
}
