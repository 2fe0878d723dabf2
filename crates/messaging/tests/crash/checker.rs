//! The checker is checked: children that do it wrong are found out.

use crate::child::{Work, start};
use crate::journal::history;
use crate::kills::judge;
use crate::system::Break;
use backlot_testkit::folder;
use backlot_testkit::history::{Kind, Verdict};

/// What is found when a child that does this wrong is killed at this step.
async fn found(broken: Option<Break>, kill: &str) -> Verdict {
    let place = folder();
    let work = Work {
        count: 1_000,
        kill: Some(kill.to_owned()),
        broken,
        ..Work::default()
    };
    let mut child = start(place.path(), &work);
    child.ended().await;
    judge(place.path(), history(&child.out())).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acknowledgement_before_the_commit_is_found_out() {
    // Before anything is published a second time, which is there already.
    let kill = "publish:3";
    let verdict = found(Some(Break::AcknowledgeEarly), kill).await;
    assert!(verdict.kinds().contains(&Kind::Lost), "{verdict}");
    found(None, kill).await.expect_sound();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_inbox_that_nobody_looks_into_is_found_out() {
    let kill = "commit:9";
    let verdict = found(Some(Break::SkipInbox), kill).await;
    // The child that comes after looks into the inbox, where the first one left the id.
    verdict.expect_sound();
    let place = folder();
    let mut text = String::new();
    for run in 0..2 {
        let work = Work {
            run,
            count: 1_000,
            kill: Some(kill.to_owned()),
            broken: Some(Break::SkipInbox),
            ..Work::default()
        };
        let mut child = start(place.path(), &work);
        child.ended().await;
        text.push_str(&history(&child.out()));
    }
    let verdict = judge(place.path(), text).await;
    assert!(verdict.kinds().contains(&Kind::DoubledEffect), "{verdict}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settling_past_what_is_not_done_is_found_out() {
    let kill = "inbox:5";
    let verdict = found(Some(Break::SettlePastHole), kill).await;
    assert!(verdict.kinds().contains(&Kind::MissingEffect), "{verdict}");
    found(None, kill).await.expect_sound();
}
