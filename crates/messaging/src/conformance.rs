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

mod dead;
mod delivery;
mod ephemeral;
mod failure;
mod group;
mod place;
mod publish;
mod stage;

pub use place::Place;

use crate::{Caps, Error};
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
    group::a_partition_that_comes_back_has_another_epoch if |caps| caps.order,
    group::a_message_that_is_never_settled_goes_to_another if |_| true,
    group::an_extended_message_stays_out if |_| true,
    group::a_token_of_another_epoch_changes_nothing if |_| true,
    group::a_message_that_kills_its_process_is_found if |caps| caps.starts,
    group::a_clean_end_counts_nothing if |caps| caps.starts,
    failure::a_retry_comes_at_its_time_with_its_failures if |caps| caps.retry_at,
    failure::a_retry_survives_a_restart if |caps| caps.retry_at,
    failure::later_is_no_attempt if |caps| caps.retry_at,
    failure::a_failed_message_stays_out_and_its_attempt_is_counted if |caps| caps.retry_at,
    failure::what_failed_and_came_to_its_end_in_one_call_is_at_its_end if |caps| caps.retry_at,
    failure::a_failed_message_comes_before_its_later_neighbours_after_a_death if |caps| caps.retry_at,
    failure::a_failed_message_comes_before_its_later_neighbours_to_another_member if |caps| caps.retry_at,
    failure::a_dead_letter_and_its_acknowledgement_are_one if |caps| caps.atomic_dead,
    failure::settling_twice_changes_nothing if |_| true,
    failure::a_subscription_that_needs_more_is_refused if |_| true,
};

macro_rules! checks_of_more {
    ($($module:ident::$check:ident,)*) => {
        &[$((stringify!($check), |stage| Box::pin($module::$check(stage))),)*]
    };
}

/// Of an engine that gives an index of dead letters.
const LETTERS: &[(&str, Check)] = checks_of_more! {
    dead::a_letter_is_in_the_index_as_soon_as_its_message_is_settled,
    dead::letters_are_found_by_group_class_time_key_and_status,
    dead::pages_hold_every_letter_once,
    dead::a_letter_shows_what_it_is_and_how_it_failed,
    dead::a_letter_published_by_hand_is_unknown,
    dead::redriven_letters_reach_only_their_group,
    dead::a_letter_that_dies_again_knows_how_often_it_was_sent,
    dead::a_dry_run_counts_exactly_and_changes_nothing,
    dead::an_edited_letter_is_sent_as_it_was_edited,
    dead::a_redrive_goes_on_where_it_was_stopped,
    dead::a_redrive_ends_although_letters_die_again,
    dead::a_redrive_keeps_to_its_rate,
    dead::a_letter_whose_group_is_gone_is_refused_by_name,
    dead::a_letter_that_is_not_there_is_named,
    dead::purged_letters_are_not_found,
    dead::letters_too_old_are_not_found,
};

/// Of an engine that lists its topics and removes groups.
const GROUPS: &[(&str, Check)] = checks_of_more! {
    ephemeral::topics_are_listed_with_their_groups,
    ephemeral::a_forgotten_group_begins_anew,
    ephemeral::a_group_with_members_is_not_forgotten,
    ephemeral::an_ephemeral_group_ends_with_its_last_member,
    ephemeral::an_ephemeral_group_whose_process_died_ends_when_its_lease_is_long_over,
    ephemeral::a_group_stays_what_its_first_member_made_it,
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
    let stage = Stage::new(make().await).await;
    let has_letters = stage.engine().dead_letters().is_some();
    let listed = stage.engine().topics(&stage.cx()).await;
    let has_groups = !matches!(listed, Err(Error::Lacking { .. }));
    drop(stage);
    for (has, checks) in [(has_letters, LETTERS), (has_groups, GROUPS)] {
        for (name, check) in checks {
            if !has {
                left_out.push(*name);
                continue;
            }
            let checking = Checking(name);
            check(Stage::new(make().await).await).await;
            drop(checking);
        }
    }
    left_out
}

/// Runs the check of this name, whether it applies or not.
///
/// # Panics
/// When the check fails, or there is none of this name.
pub async fn run_one<M>(name: &str, make: M)
where
    M: AsyncFn() -> Box<dyn Place>,
{
    let declared = CHECKS.iter().map(|(name, _, check)| (*name, *check));
    let more = LETTERS.iter().chain(GROUPS).copied();
    let found = declared.chain(more).find(|(known, _)| *known == name);
    let Some((name, check)) = found else {
        panic!("there is no check {name:?}");
    };
    let checking = Checking(name);
    check(Stage::new(make().await).await).await;
    drop(checking);
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
