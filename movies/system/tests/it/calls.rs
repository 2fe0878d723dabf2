//! What operators see of calls between services, and that they change how those are made.

use crate::site::Site;
use backlot_testkit::http::ask;
use backlot_testkit::{Process, wait_until};
use http::Method;
use serde_json::Value;

#[tokio::test]
async fn an_operator_sees_who_calls_whom_and_sets_how() {
    let site = Site::new();
    let services = ["auth", "metadata", "rating", "movie"];
    let mut running: Vec<Process> = services
        .map(|service| site.movies(&[service]).start())
        .into();
    let listed = async |arguments: &[&str]| site.movies(arguments).run().await;
    wait_until("movie reaches both", async || {
        let calls = listed(&["calls"]).await.out;
        let ready = |callee: &str| {
            let mut lines = calls.lines();
            lines.any(|line| {
                let words: Vec<_> = line.split_whitespace().collect();
                words.starts_with(&["movie"]) && words.contains(&callee) && words.contains(&"ready")
            })
        };
        match ready("rating") && ready("metadata") {
            true => Ok(()),
            false => Err(calls),
        }
    })
    .await;

    let policy = listed(&["calls", "policy", "movie"]).await.out;
    let line = policy
        .lines()
        .find(|line| line.starts_with("retry.attempts"));
    let words = line.unwrap().split_whitespace().collect::<Vec<_>>();
    assert_eq!(words[1], "3");
    assert!(words.len() > 4, "its reason: {policy}");

    let set = listed(&["calls", "set", "movie", "retry.attempts", "1"]).await;
    assert!(
        set.out.contains("retry.attempts is 1, was 3"),
        "{}{}",
        set.out,
        set.err
    );
    let json = listed(&["calls", "policy", "movie", "--json"]).await.out;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["policy"]["retry.attempts"], 1);
    assert_eq!(json["changed"]["retry.attempts"], 3);
    let reset = listed(&["calls", "reset", "movie", "retry.attempts"]).await;
    assert!(
        reset.out.contains("retry.attempts is 3, was 1"),
        "{}",
        reset.out
    );

    for (arguments, why) in [
        (
            &["calls", "set", "movie", "retry.attempts", "9"][..],
            "must be 1 to 5",
        ),
        (
            &["calls", "set", "movie", "retry.attempt", "2"],
            "there are: retry.attempts",
        ),
        (
            &["calls", "set", "films", "retry.attempts", "2"],
            "there are: ",
        ),
    ] {
        let refused = listed(arguments).await;
        assert!(!refused.status.success());
        assert!(refused.err.contains(why), "{}", refused.err);
    }

    let admin = site.admin("movie");
    let path = "/calls/eject.on?value=off";
    let nobody = ask(&admin, Method::PUT, path, &[], "").await;
    assert_eq!(nobody.unwrap().status.as_u16(), 401);
    for (arguments, status) in [
        (&["token", "ann"][..], 403),
        (&["token", "otto", "--operator"], 200),
    ] {
        let token = listed(arguments).await;
        let bearer = format!("Bearer {}", token.out.trim());
        let headers = [("authorization", bearer.as_str())];
        let asked = ask(&admin, Method::PUT, path, &headers, "").await.unwrap();
        assert_eq!(asked.status.as_u16(), status, "{}", asked.text());
    }
    let said = running[3].said();
    assert!(said.contains("set calls by otto"), "{said}");
    for process in &mut running {
        process.terminate();
        assert_eq!(process.exit_code().await, 0, "{}", process.said());
    }
}
