//! The operators' page as a process of its own, beside a broker of another.

use crate::site::{Site, nobody_panicked};
use backlot_testkit::http::{Answer, ask, get};
use backlot_testkit::{Process, wait_until};
use http::Method;

async fn post(site: &Site, path: &str) -> Answer {
    let headers = [
        ("sec-fetch-site", "same-origin"),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    ask(&site.address("console"), Method::POST, path, &headers, "")
        .await
        .unwrap()
}

async fn overview(site: &Site) -> String {
    match get(&site.address("console"), "/").await {
        Ok(answer) => answer.text(),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn it_sees_and_acts_on_a_broker_of_another_process_and_says_who_did_what() {
    let site = Site::new();
    let mut running: Vec<Process> = ["broker", "auth", "rating", "console"]
        .map(|service| site.movies(&[service]).start())
        .into();
    wait_until("everybody is seen, and is well", async || {
        let page = overview(&site).await;
        let ready = page
            .matches("<span class=\"mark good\">ready</span>")
            .count();
        match ready >= 4 && page.contains("rating-aggregator") {
            true => Ok(()),
            false => Err(page),
        }
    })
    .await;
    let paused = post(&site, "/groups/ratings/rating-aggregator/pause").await;
    assert_eq!(paused.status.as_u16(), 303, "{}", paused.text());
    let lag = site.movies(&["lag", "ratings", "--json"]).run().await;
    assert!(
        lag.out.contains("\"paused\":true") || lag.out.contains("\"paused\": true"),
        "{}",
        lag.out
    );
    post(&site, "/groups/ratings/rating-aggregator/resume").await;
    let said = running[3].said();
    assert!(
        said.contains("pause by somebody on this machine")
            && said.contains("ratings rating-aggregator"),
        "{said}"
    );
    // One that dies is seen to be gone; the broker's absence is said, and the rest is shown.
    running[2].kill().await;
    wait_until("it is gone or silent", async || {
        match overview(&site).await {
            page if page.contains(">rating</th>") && !page.contains(">silent<") => Err(page),
            _ => Ok(()),
        }
    })
    .await;
    running[0].kill().await;
    wait_until("the page says so", async || match overview(&site).await {
        page if page.contains("They cannot be seen now") && page.contains(">auth<") => Ok(()),
        page => Err(page),
    })
    .await;
    for process in [1, 3] {
        running[process].terminate();
        assert_eq!(
            running[process].exit_code().await,
            0,
            "{}",
            running[process].said()
        );
        nobody_panicked(&running[process].said());
    }
}

#[tokio::test]
async fn caches_and_the_mailbox_are_seen_and_forget_by_page_command_and_request() {
    let site = Site::new();
    let services = ["broker", "auth", "metadata", "movie", "mail", "console"];
    let mut running: Vec<Process> = services
        .map(|service| site.movies(&[service]).start())
        .into();
    wait_until("the console sees both", async || {
        let page = overview(&site).await;
        match page.contains("/caches/movie/films") && page.contains("Mailbox") {
            true => Ok(()),
            false => Err(page),
        }
    })
    .await;
    let page = overview(&site).await;
    let mailbox = format!("http://{}/mailbox", site.address("mail"));
    assert!(page.contains(&format!("href=\"{mailbox}\"")), "{page}");
    assert!(page.contains("No message was sent yet."), "{page}");

    // An unknown film is a question all the same.
    let asked = get(&site.address("movie"), "/v1/movies/nothing").await;
    assert_eq!(asked.unwrap().status.as_u16(), 404);
    let listed = site.movies(&["caches", "--json"]).run().await;
    let listed: serde_json::Value = serde_json::from_str(&listed.out).unwrap();
    assert_eq!(listed["caches"][0]["report"]["name"], "films");
    assert_eq!(listed["caches"][0]["report"]["failed"], 1);

    let path = "/caches/movie/films/purge";
    let headers = [
        ("sec-fetch-site", "same-origin"),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    let console = site.address("console");
    let purged = ask(
        &console,
        Method::POST,
        path,
        &headers,
        "key=metropolis-1927",
    );
    let purged = purged.await.unwrap().text();
    let said = "There was nothing of metropolis-1927, at 1 of 1 instances.";
    assert!(purged.contains(said), "{purged}");
    let purged = site.movies(&["caches", "purge", "films"]).run().await;
    assert!(purged.status.success(), "{}", purged.err);
    assert!(
        purged.out.contains("films forgot 0 values"),
        "{}",
        purged.out
    );
    let unknown = site.movies(&["caches", "purge", "fims"]).run().await;
    assert!(!unknown.status.success());
    assert!(unknown.err.contains("there are: films"), "{}", unknown.err);

    let admin = site.admin("movie");
    let nobody = ask(&admin, Method::DELETE, "/caches/films", &[], "").await;
    assert_eq!(nobody.unwrap().status.as_u16(), 401);
    for (arguments, status) in [
        (&["token", "ann"][..], 403),
        (&["token", "otto", "--operator"], 200),
    ] {
        let token = site.movies(arguments).run().await;
        let bearer = format!("Bearer {}", token.out.trim());
        let headers = [("authorization", bearer.as_str())];
        let asked = ask(&admin, Method::DELETE, "/caches/films", &headers, "").await;
        let asked = asked.unwrap();
        assert_eq!(asked.status.as_u16(), status, "{}", asked.text());
    }
    let said = running[3].said();
    assert!(said.contains("purge cache by otto"), "{said}");
    let said = running[5].said();
    assert!(
        said.contains("purge cache by somebody on this machine"),
        "{said}"
    );
    for process in &mut running {
        process.terminate();
        assert_eq!(process.exit_code().await, 0, "{}", process.said());
        nobody_panicked(&process.said());
    }
}

#[tokio::test]
async fn beyond_loopback_it_wants_a_password() {
    let site = Site::new();
    let everywhere = ["console", "--set", "console.server.listen=0.0.0.0:0"];
    // The last word counts.
    let program = site.movies(&["console"]).args(&everywhere[1..]);
    let ended = program.run().await;
    assert!(!ended.status.success());
    assert!(ended.err.contains("set console.password"), "{}", ended.err);
}
