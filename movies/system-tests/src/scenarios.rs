//! What the system does, in sentences. Each scenario holds in every world: bound directly, over
//! gRPC, simulated. They use no time, thread, file or network of their own, and each its own films
//! and users, so that they can be played in any order, each once per world.

mod catalogue;
mod chart;
mod deadline;
mod events;
mod failure;
mod film;
mod idempotency;
mod identity;
mod mail;
mod mine;
mod pictures;
mod power;
mod rating;
mod requests;
mod upload;
mod watch;

use crate::Clients;
use crate::clients::Turn;

/// One sentence.
#[derive(Clone, Copy)]
pub struct Scenario {
    /// The sentence, in words joined by `_`.
    pub name: &'static str,
    /// Whether it stops and starts services: for worlds with a switch ([`Clients::power`]), and
    /// not at the same time as others.
    pub needs_power: bool,
    /// Plays it; it panics where the system does otherwise.
    pub run: for<'a> fn(&'a Clients) -> Turn<'a>,
}

impl std::fmt::Debug for Scenario {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

macro_rules! scenarios {
    ($($(#[$power:ident])? $module:ident::$name:ident,)*) => {
        /// All sentences.
        #[must_use]
        pub fn all() -> Vec<Scenario> {
            vec![$(Scenario {
                name: stringify!($name),
                needs_power: stringify!($($power)?) == "power",
                run: |world| Box::pin($module::$name(world)),
            }),*]
        }

        /// Calls a macro with the names of all sentences.
        #[macro_export]
        macro_rules! for_each_scenario {
            ($then:ident) => { $then! { $($name)* } };
        }
    };
}

scenarios! {
    film::a_film_comes_with_its_rating,
    film::a_film_nobody_rated_is_whole_without_a_rating,
    film::an_unknown_film_is_not_found,
    film::films_come_a_page_at_a_time_each_with_its_rating,
    film::a_film_that_changes_is_shown_so_at_once,
    film::a_malformed_page_token_is_the_callers_fault,
    film::only_an_editor_writes_films,
    film::all_that_is_wrong_with_a_film_is_told_at_once,
    film::a_film_of_the_largest_size_comes_back_whole,
    catalogue::films_are_found_as_people_type,
    catalogue::lists_are_narrowed_by_genre_decade_and_person,
    catalogue::films_are_written_and_read_in_batches,
    catalogue::a_poster_comes_in_pieces_and_back_whole,
    catalogue::changes_are_told_in_order,
    rating::rating_again_replaces,
    rating::deleting_takes_a_rating_back,
    rating::a_value_out_of_range_is_the_callers_fault_and_changes_nothing,
    rating::another_users_rating_is_nobody_elses,
    rating::nobody_may_not_rate,
    rating::a_record_nobody_rated_has_a_count_of_zero_and_no_mean,
    rating::records_come_in_the_order_asked,
    rating::a_flood_of_violations_is_told_and_cut_short,
    idempotency::a_repeated_key_gives_the_first_answer,
    idempotency::a_key_with_another_payload_is_refused,
    idempotency::a_key_belongs_to_its_user_and_its_method,
    idempotency::a_refused_write_does_not_use_up_its_key,
    idempotency::a_malformed_key_is_the_callers_fault,
    idempotency::a_write_travels_under_a_key_and_a_read_does_not,
    deadline::a_deadline_that_has_passed_does_not_run_the_handler,
    deadline::a_deadline_shrinks_at_each_hop,
    deadline::a_call_that_hangs_ends_at_its_deadline_and_its_handler_with_it,
    deadline::a_caller_that_leaves_ends_the_handler,
    deadline::a_stream_ends_at_its_deadline,
    deadline::no_deadline_is_longer_than_a_minute,
    identity::a_part_of_the_system_is_nobody_to_others,
    identity::a_token_for_others_shows_nobody,
    identity::a_token_that_has_ended_is_refused,
    identity::a_user_stays_the_same_from_hop_to_hop,
    identity::a_picked_name_can_rate,
    identity::trace_and_criticality_travel,
    failure::every_code_comes_as_it_was_told,
    failure::any_words_come_as_they_were_told,
    failure::violations_and_pushback_come_as_they_were_told,
    failure::a_stream_fails_after_what_it_gave,
    failure::a_stream_ends_after_what_it_gave,
    requests::many_requests_arrive_whole_and_in_order,
    requests::no_requests_at_all_are_answered_too,
    requests::the_first_wrong_request_is_named_and_refuses_the_call,
    requests::a_callee_that_fails_early_ends_the_sending,
    requests::requests_that_fail_give_the_call_up_and_their_error_is_the_callers,
    requests::a_stream_of_requests_ends_at_its_deadline,
    requests::a_sender_that_leaves_ends_the_handler,
    requests::a_slow_callee_holds_the_sender_back,
    requests::requests_pass_through_hops_under_their_key,
    watch::a_watcher_sees_the_present_and_then_each_change_the_latest_last,
    watch::a_watcher_of_one_record_hears_nothing_of_others,
    events::a_rating_submitted_as_an_event_is_counted_once_and_taken_back,
    events::the_books_form_of_an_event_is_taken,
    events::a_wrong_event_goes_to_the_dead_letters_and_others_go_on,
    events::every_change_is_published_with_its_version,
    events::the_log_is_for_operators,
    mine::own_ratings_come_the_latest_first_a_page_at_a_time,
    mine::only_the_user_sees_the_own_ratings,
    mine::a_batch_needs_the_role_importer,
    mine::a_batch_counts_each_rating_once_however_often_it_comes,
    mine::changed_aggregates_are_told_from_a_time_on,
    upload::a_file_sent_in_pieces_becomes_the_poster,
    upload::an_upload_that_broke_off_goes_on_where_it_stopped,
    upload::what_is_wrong_with_an_upload_is_told_and_no_poster_comes_of_it,
    upload::a_file_that_is_no_picture_is_refused_with_the_reason_and_what_was_shown_stays,
    upload::a_poster_that_was_replaced_is_gone,
    mail::a_user_who_wants_mail_gets_one_welcome_and_says_yes_by_its_link,
    mail::the_mailbox_is_for_operators_and_a_subscription_for_its_user,
    chart::a_chart_follows_new_ratings,
    chart::charts_are_of_a_genre_a_decade_or_both,
    #[power] power::without_ratings_a_film_still_comes_marked_and_they_return,
    #[power] power::without_the_catalogue_films_that_are_known_come_marked,
    #[power] power::acknowledged_ratings_survive_a_restart,
    #[power] power::without_the_log_browsing_and_rating_go_on_and_everything_catches_up,
    #[power] power::without_mail_all_else_goes_on_and_it_catches_up,
    #[power] power::without_a_maker_of_posters_all_else_goes_on_and_it_catches_up,
    #[power] chart::a_chart_outlives_the_ratings_it_comes_from,
    #[power] power::a_watcher_is_told_to_reconnect_when_the_service_stops,
}
