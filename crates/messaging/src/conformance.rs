//! The suite every engine passes: what it declares, it keeps.
//!
//! ```no_run
//! use backlot_messaging::conformance::{self, Place};
//!
//! # async fn suite(make: impl AsyncFn() -> Box<dyn Place>) {
//! conformance::run(make).await;
//! # }
//! ```
//!
//! Checks of what an engine does not declare are left out, visibly: [`run`] answers their names.

mod delivery;
mod failure;
mod group;
mod place;
mod publish;
mod stage;

pub use place::Place;

use crate::Caps;
use backlot_core::BoxFuture;
use stage::Stage;

/// One check: it panics when the engine does not keep its promise.
type Check = fn(Stage) -> BoxFuture<'static, ()>;
/// Whether an engine declares what a check is about.
type Applies = fn(&Caps) -> bool;

macro_rules! checks {
    ($($module:ident::$check:ident if $applies:expr,)*) => {
        &[$((stringify!($check), $applies, |stage| Box::pin($module::$check(stage))),)*]
    };
}

const CHECKS: &[(&str, Applies, Check)] = checks! {
    publish::what_is_published_is_delivered_as_it_was if |_| true,
    publish::messages_of_one_partition_come_in_order if |caps| caps.order,
    publish::a_key_stays_in_its_partition_and_no_key_takes_turns if |_| true,
    publish::many_are_stored_all_or_not_at_all if |_| true,
    publish::an_id_seen_lately_is_a_duplicate if |caps| caps.dedupe,
    publish::a_message_comes_when_it_is_due if |caps| caps.delay,
    publish::a_schedule_survives_a_restart if |caps| caps.delay,
    publish::an_unknown_topic_is_named if |_| true,
    publish::an_oversized_record_is_refused_with_the_limit if |_| true,
    publish::the_number_of_partitions_never_changes if |_| true,
    delivery::two_groups_get_everything_each if |_| true,
    delivery::a_new_group_may_begin_with_what_is_new if |_| true,
    delivery::what_is_settled_ahead_stays_settled_after_a_restart if |caps| caps.single_acks,
    delivery::many_holes_lose_nothing if |caps| caps.single_acks && caps.retry_at,
    delivery::to_stop_waiting_loses_nothing if |_| true,
    delivery::lag_is_counted_exactly if |caps| caps.single_acks,
    delivery::a_paused_group_gets_nothing_until_it_resumes if |_| true,
    delivery::a_group_is_moved_to_an_offset if |caps| caps.seek_offset,
    delivery::a_group_is_moved_to_a_time if |caps| caps.seek_time,
    delivery::what_is_too_old_is_passed_over_and_told if |_| true,
    group::partitions_are_shared_evenly_and_move_when_members_come_and_go if |_| true,
    group::a_zombie_is_refused_and_told if |_| true,
    group::a_leaving_member_may_finish_what_it_has if |caps| caps.order,
    group::a_message_that_is_never_settled_goes_to_another if |_| true,
    group::an_extended_message_stays_out if |_| true,
    group::a_token_of_another_epoch_changes_nothing if |_| true,
    group::a_message_that_kills_its_process_is_found if |caps| caps.starts,
    group::a_clean_end_counts_nothing if |caps| caps.starts,
    failure::a_retry_comes_at_its_time_with_its_failures if |caps| caps.retry_at,
    failure::a_retry_survives_a_restart if |caps| caps.retry_at,
    failure::later_is_no_attempt if |caps| caps.retry_at,
    failure::a_failed_message_stays_out_and_its_attempt_is_counted if |caps| caps.retry_at,
    failure::a_failed_message_comes_before_its_later_neighbours_after_a_death if |caps| caps.retry_at,
    failure::a_failed_message_comes_before_its_later_neighbours_to_another_member if |caps| caps.retry_at,
    failure::a_dead_letter_and_its_acknowledgement_are_one if |caps| caps.atomic_dead,
    failure::settling_twice_changes_nothing if |_| true,
    failure::a_subscription_that_needs_more_is_refused if |_| true,
};

/// Runs every check that applies, each in a place of its own; answers which did not apply.
///
/// # Panics
/// When a check fails, saying which promise is broken.
pub async fn run<M>(make: M) -> Vec<&'static str>
where
    M: AsyncFn() -> Box<dyn Place>,
{
    let mut left_out = Vec::new();
    for (name, applies, check) in CHECKS {
        let stage = Stage::new(make().await).await;
        if !applies(&stage.engine().caps()) {
            left_out.push(*name);
            continue;
        }
        let checking = Checking(name);
        check(stage).await;
        drop(checking);
    }
    left_out
}

/// Says which check it was that panicked.
struct Checking(&'static str);

impl Drop for Checking {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the check {} failed", self.0);
        }
    }
}
