use anyhow::anyhow;

use super::*;

const STEPS: &[Step] = &[
    Step {
        name: "first",
        does: "",
        run: |_| Ok(Outcome::Passed),
    },
    Step {
        name: "second",
        does: "",
        run: |_| Ok(Outcome::Passed),
    },
    Step {
        name: "third",
        does: "",
        run: |_| Ok(Outcome::Passed),
    },
];

fn options(only: &[&str], skip: &[&str]) -> Options {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Options {
        engines: false,
        only: owned(only),
        skip: owned(skip),
    }
}

fn last_line(options: &Options, run: impl Fn(&Step) -> Result<Outcome>, strict: bool) -> String {
    let chosen = chosen(STEPS, options).expect("the named steps exist");
    let report = execute(&chosen, run, strict).to_string();
    report
        .lines()
        .last()
        .expect("a report has lines")
        .to_owned()
}

#[test]
fn the_last_line_counts_the_steps() {
    assert_eq!(
        last_line(&options(&[], &[]), |_| Ok(Outcome::Passed), true),
        "3 passed, 0 failed, 0 skipped"
    );
}

#[test]
fn the_first_failure_ends_the_run() {
    let run = |step: &Step| match step.name {
        "second" => Err(anyhow!("broken")),
        "third" => panic!("a step after a failure must not run"),
        _ => Ok(Outcome::Passed),
    };
    assert_eq!(
        last_line(&options(&[], &[]), run, false),
        "1 passed, 1 failed, 1 skipped"
    );
}

#[test]
fn only_the_named_step_runs() {
    assert_eq!(
        last_line(&options(&["second"], &[]), |_| Ok(Outcome::Passed), false),
        "1 passed, 0 failed, 0 skipped"
    );
}

#[test]
fn a_step_left_out_on_purpose_is_no_failure_even_where_nothing_may_be_skipped() {
    assert_eq!(
        last_line(&options(&[], &["first"]), |_| Ok(Outcome::Passed), true),
        "2 passed, 0 failed, 1 skipped"
    );
}

#[test]
fn an_unknown_step_is_refused_with_the_known_ones() {
    let error = chosen(STEPS, &options(&["fourth"], &[]))
        .err()
        .expect("there is no fourth step");
    assert!(error.to_string().contains("no step `fourth`"));
    assert!(error.to_string().contains("second"));
}

#[test]
fn a_missing_program_is_a_skip_on_a_laptop_and_a_failure_in_ci() {
    let missing = || Ok(Outcome::Skipped("no browser".to_owned()));
    assert_eq!(judge(missing(), false).0, Verdict::Skipped);
    assert_eq!(judge(missing(), true).0, Verdict::Failed);
    let lesser = || Ok(Outcome::Lesser("with another runner".to_owned()));
    assert_eq!(judge(lesser(), false).0, Verdict::Passed);
    assert_eq!(judge(lesser(), true).0, Verdict::Failed);
}

#[test]
fn step_names_are_unique() {
    let names: std::collections::BTreeSet<_> = steps::ALL.iter().map(|step| step.name).collect();
    assert_eq!(names.len(), steps::ALL.len());
}
