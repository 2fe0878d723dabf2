//! The same seed gives the same trace, in whatever process; and the comparison would notice if not.

use std::process::Command;

/// Runs a seed in a process of its own; its verdict, which ends with the hash of the trace.
fn verdict(seed: u64, flags: &[&str]) -> String {
    let mut program = Command::new(env!("CARGO_BIN_EXE_movies-sim"));
    program
        .args(["run", "--brief", "--no-shrink", "--seed", &seed.to_string()])
        .args(flags);
    let output = program
        .output()
        .expect("movies-sim was built for this test");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        said.contains("; trace "),
        "seed {seed} gave no verdict: {said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    said
}

#[test]
fn the_same_seed_gives_the_same_trace_twice() {
    assert_eq!(verdict(7, &[]), verdict(7, &[]));
}

#[test]
fn another_seed_gives_another_trace() {
    assert_ne!(
        verdict(7, &["--faults", "none"]),
        verdict(8, &["--faults", "none"])
    );
}

#[test]
fn true_randomness_is_noticed() {
    assert_ne!(verdict(7, &["--leak"]), verdict(7, &["--leak"]));
}

#[test]
fn watching_more_closely_changes_nothing() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_movies-sim"));
    let output = program
        .args(["run", "--verbose", "--seed", "7"])
        .output()
        .expect("movies-sim was built for this test");
    let told = String::from_utf8_lossy(&output.stdout);
    let last = told
        .lines()
        .rfind(|line| line.contains("; trace "))
        .expect("a verdict ends the timeline");
    assert_eq!(format!("{last}\n"), verdict(7, &[]));
}
