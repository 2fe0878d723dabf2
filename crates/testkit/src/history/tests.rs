use super::*;

/// Two messages of one key, each stored, delivered and in effect once.
const GOOD: &[&str] = &[
    "start",
    "publish a t k",
    "ok a 0 0",
    "publish b t k",
    "ok b 0 1",
    "publish c t k dead",
    "ok c 0 2",
    "publish d t k",
    "unknown d",
    "publish e t k",
    "fail e",
    "deliver g t 0 0 1 0 0 100 a",
    "deliver g t 0 1 1 0 0 100 b",
    "again g t b 150",
    "deliver g t 0 2 1 0 0 101 c",
    "deliver g t 0 1 1 1 0 150 b",
    "stored t 0 0 a",
    "stored t 0 1 b",
    "stored t 0 2 c",
    "effect g a",
    "effect g b",
    "dead g c",
];

fn rules() -> Rules {
    Rules::new([("g", "t")])
}

fn kinds(lines: &[&str]) -> Vec<Kind> {
    let verdict = check(&lines.join("\n"), &rules());
    verdict.kinds().into_iter().collect()
}

fn without(line: &str) -> Vec<&'static str> {
    let left: Vec<&str> = GOOD
        .iter()
        .copied()
        .filter(|known| *known != line)
        .collect();
    assert_eq!(left.len() + 1, GOOD.len(), "{line}");
    left
}

fn with(line: &'static str) -> Vec<&'static str> {
    let mut lines = GOOD.to_vec();
    lines.push(line);
    lines
}

fn instead(line: &str, other: &'static str) -> Vec<&'static str> {
    let change = |known: &&'static str| if *known == line { other } else { known };
    let lines: Vec<&str> = GOOD.iter().map(change).collect();
    assert_ne!(lines, GOOD, "{line}");
    lines
}

#[test]
fn a_good_history_is_sound() {
    let verdict = check(&GOOD.join("\n"), &rules());
    verdict.expect_sound();
    assert_eq!(
        (
            verdict.sent,
            verdict.acknowledged,
            verdict.stored,
            verdict.deliveries
        ),
        (5, 3, 3, 4)
    );
}

#[test]
fn what_was_acknowledged_and_is_gone_is_lost() {
    let mut lines = without("stored t 0 1 b");
    lines.retain(|line| *line != "stored t 0 2 c" && *line != "dead g c" && *line != "effect g b");
    assert_eq!(kinds(&lines), [Kind::Lost]);
}

#[test]
fn an_effect_of_what_is_gone_is_one_of_a_phantom() {
    let lines = instead("stored t 0 1 b", "# nothing is there");
    assert!(kinds(&lines).contains(&Kind::Phantom));
}

#[test]
fn what_nobody_sent_is_a_phantom() {
    let mut lines = with("stored t 0 3 x");
    lines.push("effect g x");
    assert_eq!(kinds(&lines), [Kind::Phantom]);
    assert_eq!(kinds(&with("ok x 0 3")), [Kind::Phantom]);
}

#[test]
fn what_is_in_another_topic_is_a_phantom_there() {
    assert_eq!(kinds(&with("stored u 0 0 d")), [Kind::Phantom]);
}

#[test]
fn what_was_refused_and_is_there_is_found() {
    let mut lines = with("stored t 0 3 e");
    lines.push("effect g e");
    assert_eq!(kinds(&lines), [Kind::Refused]);
    // Refused once and unknown once: it may be there.
    lines.push("publish e t k");
    assert_eq!(kinds(&lines), []);
}

#[test]
fn what_is_unknown_may_be_there_but_only_once_in_effect() {
    let mut lines = with("stored t 0 3 d");
    assert_eq!(kinds(&lines), [Kind::MissingEffect]);
    lines.push("effect g d");
    assert_eq!(kinds(&lines), []);
    lines.push("effect g d");
    assert_eq!(kinds(&lines), [Kind::DoubledEffect]);
}

#[test]
fn an_effect_made_twice_or_never_is_found() {
    assert_eq!(kinds(&with("effect g a")), [Kind::DoubledEffect]);
    assert_eq!(kinds(&without("effect g a")), [Kind::MissingEffect]);
}

#[test]
fn an_id_in_the_log_twice_is_found_unless_that_may_be() {
    let lines = with("stored t 0 3 a");
    assert_eq!(kinds(&lines), [Kind::StoredTwice]);
    check(&lines.join("\n"), &rules().with_repeats()).expect_sound();
}

#[test]
fn holes_and_doubled_offsets_are_found() {
    assert_eq!(
        kinds(&instead("stored t 0 2 c", "stored t 0 3 c")),
        [Kind::Offsets]
    );
    assert!(kinds(&instead("stored t 0 2 c", "stored t 0 1 c")).contains(&Kind::Offsets));
}

#[test]
fn a_message_that_is_not_where_its_sender_was_told_is_found() {
    assert_eq!(kinds(&instead("ok a 0 0", "ok a 1 0")), [Kind::Offsets]);
}

#[test]
fn a_key_out_of_order_in_the_log_is_found() {
    let mut lines = instead("stored t 0 0 a", "stored t 0 1 a");
    for line in &mut lines {
        match *line {
            "stored t 0 1 b" => *line = "stored t 0 0 b",
            "ok a 0 0" => *line = "ok a",
            "ok b 0 1" => *line = "ok b",
            _ => {}
        }
    }
    assert_eq!(kinds(&lines), [Kind::Order]);
}

#[test]
fn a_key_in_two_partitions_is_found() {
    let mut lines = instead("stored t 0 2 c", "stored t 1 0 c");
    lines.iter_mut().for_each(|line| {
        if *line == "ok c 0 2" {
            *line = "ok c";
        }
    });
    assert_eq!(kinds(&lines), [Kind::Order]);
}

#[test]
fn messages_sent_at_the_same_time_have_no_order() {
    let lines = [
        "publish a t k",
        "publish b t k",
        "ok a 0 1",
        "ok b 0 0",
        "stored t 0 0 b",
        "stored t 0 1 a",
        "effect g b",
        "effect g a",
    ];
    assert_eq!(kinds(&lines), []);
}

#[test]
fn effects_of_a_key_out_of_order_are_found() {
    let lines = [
        "publish a t k",
        "ok a 0 0",
        "publish b t k",
        "ok b 0 1",
        "stored t 0 0 a",
        "stored t 0 1 b",
        "effect g b",
        "effect g a",
    ];
    assert_eq!(kinds(&lines), [Kind::Order]);
    // What was put back lets others pass.
    let mut lines = lines.to_vec();
    lines.push("again g t a 5");
    lines.push("deliver g t 0 0 1 1 0 6 a");
    assert_eq!(kinds(&lines), []);
}

#[test]
fn a_partition_delivered_out_of_order_is_found_until_a_process_begins_anew() {
    let mut lines = with("deliver g t 0 5 1 0 0 200 x");
    lines.push("deliver g t 0 4 1 0 0 200 y");
    assert_eq!(kinds(&lines), [Kind::Order]);
    let last = lines.len() - 1;
    lines.insert(last, "start");
    assert_eq!(kinds(&lines), []);
}

#[test]
fn what_was_put_back_comes_again_and_not_too_early() {
    assert_eq!(
        kinds(&without("deliver g t 0 1 1 1 0 150 b")),
        [Kind::NotAgain]
    );
    assert_eq!(
        kinds(&instead(
            "deliver g t 0 1 1 1 0 150 b",
            "deliver g t 0 1 1 1 0 149 b"
        )),
        [Kind::TooEarly]
    );
}

#[test]
fn dead_letters_are_exactly_those_that_must_be() {
    assert_eq!(kinds(&without("dead g c")), [Kind::DeadLetters]);
    assert_eq!(kinds(&with("dead g c")), [Kind::DeadLetters]);
    assert_eq!(kinds(&with("dead g a")), [Kind::DeadLetters]);
    assert_eq!(kinds(&with("dead g x")), [Kind::DeadLetters]);
    assert_eq!(kinds(&with("effect g c")), [Kind::DeadLetters]);
}

#[test]
fn a_gap_is_wrong_unless_it_was_made_and_told() {
    let gap = "skip g t 0 1 2 damaged";
    assert_eq!(kinds(&with(gap)), [Kind::Skipped]);
    let mut lines = instead("stored t 0 1 b", gap);
    let told = rules().with_told_gaps();
    check(&lines.join("\n"), &told).expect_sound();
    // One gap of one message does not speak for two.
    let mut two = lines.clone();
    two.extend(["publish z t -", "ok z"]);
    let found = check(&two.join("\n"), &told);
    assert_eq!(found.kinds().into_iter().collect::<Vec<_>>(), [Kind::Lost]);
    lines.retain(|line| *line != gap);
    let untold = check(&lines.join("\n"), &told);
    assert!(untold.kinds().contains(&Kind::Lost), "{untold}");
}

#[test]
fn lines_of_people_are_passed_over_and_others_are_not() {
    assert_eq!(kinds(&with("# killed at 17")), []);
    assert_eq!(kinds(&with("published a")), [Kind::Malformed]);
    assert_eq!(kinds(&with("wrong a payload of another")), [Kind::Wrong]);
}
