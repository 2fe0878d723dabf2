//! Mail: asked for on the page, read in the mailbox; or sent through a mail server that is away,
//! refuses, or keeps its answer to itself while the sender is killed.

use crate::site::{Site, nobody_panicked};
use backlot_testkit::http::{Answer, ask, get};
use backlot_testkit::smtp::{Letter, MailServer};
use backlot_testkit::{Process, wait_until};
use http::Method;
use serde_json::Value;
use std::collections::BTreeMap;

/// Posts a form of the page as a visitor of this name.
async fn post(site: &Site, name: &str, path: &str, form: &str) -> Answer {
    let cookie = format!("movies_name={name}");
    let headers = [
        ("cookie", &*cookie),
        ("content-type", "application/x-www-form-urlencoded"),
        ("sec-fetch-site", "same-origin"),
    ];
    let web = site.address("web");
    ask(&web, Method::POST, path, &headers, form.to_owned())
        .await
        .unwrap()
}

async fn want(site: &Site, name: &str) {
    let form = format!("address={name}%40example.com");
    let answer = post(site, name, "/mail", &form).await;
    assert_eq!(
        answer.header("location"),
        "/mail?asked=mail",
        "{}",
        answer.text()
    );
}

/// Each service on its own, the mail service through this server.
struct Fleet {
    site: Site,
    others: Vec<Process>,
    server: String,
}

impl Fleet {
    async fn start(server: &MailServer) -> Fleet {
        let site = Site::new();
        let names = ["broker", "auth", "metadata", "rating", "movie", "web"];
        let others: Vec<Process> = names.map(|service| site.movies(&[service]).start()).into();
        for service in names {
            let ready = async || match get(&site.admin(service), "/ready").await {
                Ok(answer) if answer.status.as_u16() == 200 => Ok(()),
                other => Err(format!("{service}: {other:?}")),
            };
            wait_until("it is ready", ready).await;
        }
        site.film("m").await;
        Fleet {
            site,
            others,
            server: server.address(),
        }
    }

    fn mail(&self, more: &[&str]) -> Process {
        let server = format!("mail.smtp.server={}", self.server);
        let set = ["--set", &server, "--set", "mail.smtp.security=plain"];
        self.site
            .movies(&[&["mail"][..], &set, more].concat())
            .start()
    }

    /// Films are rated and shown.
    async fn goes_on(&self, user: &str) {
        let rated = self.site.rate(user, "m", 4.0).await.unwrap();
        assert_eq!(rated.status.as_u16(), 200, "{}", rated.text());
        let page = get(&self.site.address("web"), "/movies/m").await.unwrap();
        assert_eq!(page.status.as_u16(), 200);
        let page = get(&self.site.address("web"), "/mail").await.unwrap();
        assert_eq!(page.status.as_u16(), 200);
    }

    async fn stop(mut self, mail: Process) {
        self.others.push(mail);
        for process in &mut self.others {
            process.terminate();
            assert_eq!(process.exit_code().await, 0, "{}", process.said());
            nobody_panicked(&process.said());
        }
    }
}

/// How often each message came, by recipient and id.
fn counted(letters: &[Letter]) -> BTreeMap<(String, String), usize> {
    let mut counted = BTreeMap::new();
    for letter in letters {
        let of = (letter.to[0].clone(), letter.header("Message-ID"));
        *counted.entry(of).or_default() += 1;
    }
    counted
}

async fn came(server: &MailServer, people: usize) -> BTreeMap<(String, String), usize> {
    wait_until("everybody has a message", async || {
        let counted = counted(&server.letters());
        match counted.len() {
            all if all >= people => Ok(counted),
            all => Err(format!("{all} of {people}")),
        }
    })
    .await
}

/// Where the latest message of the mailbox is.
fn latest(list: &str) -> String {
    // The first link leads to the style.
    let id = list.split("href=\"/mailbox/").nth(2).unwrap();
    format!("/mailbox/{}", id.split('"').next().unwrap())
}

#[tokio::test]
async fn without_a_mail_server_mail_is_read_in_the_mailbox() {
    let site = Site::new();
    let mut movies = site.embedded().await;
    site.film("m").await;
    want(&site, "ann").await;
    let mail = site.address("mail");
    let list = wait_until("the welcome is in the mailbox", async || {
        match get(&mail, "/mailbox").await.unwrap().text() {
            list if list.contains("Welcome to Movies, ann") => Ok(list),
            list => Err(list),
        }
    })
    .await;
    assert_eq!(list.matches("ann@example.com").count(), 1);
    let path = latest(&list);
    let message = get(&mail, &path).await.unwrap().text();
    let link = message.split("http://127.0.0.1:8080").nth(1).unwrap();
    let link = link.split_whitespace().next().unwrap();
    assert!(link.starts_with("/mail/confirm/"), "{link}");
    let html = get(&mail, &format!("{path}/html")).await.unwrap();
    assert!(html.header("content-security-policy").contains("sandbox"));
    let confirmed = post(&site, "ann", link, "").await;
    assert!(
        confirmed.text().contains("every Monday"),
        "{}",
        confirmed.text()
    );
    let cookie = [("cookie", "movies_name=ann")];
    wait_until("the page knows", async || {
        let page = ask(&site.address("web"), Method::GET, "/mail", &cookie, "").await;
        match page.unwrap().text() {
            page if page.contains("come to <b>a…@e….com</b>") => Ok(()),
            page => Err(page),
        }
    })
    .await;
    let token = site
        .movies(&["token", "olga", "--operator"])
        .run()
        .await
        .out;
    let call = ["call", "MailService/ListMessages", "--token", token.trim()];
    let listed: Value = serde_json::from_str(&site.movies(&call).run().await.out).unwrap();
    assert_eq!(listed["messages"][0]["to"], "ann@example.com");
    movies.terminate();
    assert_eq!(movies.exit_code().await, 0, "{}", movies.said());
    nobody_panicked(&movies.said());
}

#[tokio::test]
async fn with_mail_down_or_its_server_refusing_all_else_works_and_mail_goes_out_after() {
    let mut server = MailServer::start().await;
    let fleet = Fleet::start(&server).await;
    // No mail service.
    want(&fleet.site, "ann").await;
    fleet.goes_on("ann").await;
    let mut mail = fleet.mail(&[]);
    came(&server, 1).await;
    // A service, and no server.
    server.close().await;
    want(&fleet.site, "bob").await;
    fleet.goes_on("bob").await;
    mail.wait_until("it was tried", async || {
        let out = fleet
            .site
            .movies(&["lag", "mail", "--json"])
            .run()
            .await
            .out;
        match out.contains("\"lag\":1") || out.contains("\"lag\": 1") {
            true => Ok(()),
            false => Err(out),
        }
    })
    .await;
    server.open().await;
    let all = came(&server, 2).await;
    assert!(all.values().all(|times| *times == 1), "{all:?}");
    // A server that refuses a recipient: that message alone is given up, with the reason.
    server.refuse(Some("550 no such user here"));
    want(&fleet.site, "cy").await;
    let dead = wait_until("it is a dead letter", async || {
        let out = fleet
            .site
            .movies(&["dead", "list", "mail-senders", "--json"])
            .run()
            .await
            .out;
        match serde_json::from_str::<Value>(&out) {
            Ok(dead) if !dead["letters"].as_array().unwrap().is_empty() => Ok(dead),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    assert!(dead.to_string().contains("no such user here"), "{dead}");
    server.refuse(None);
    fleet.goes_on("cy").await;
    let sent = fleet
        .site
        .movies(&["dead", "redrive", "mail-senders", "--yes"])
        .run()
        .await;
    assert!(sent.status.success(), "{}", sent.err);
    came(&server, 3).await;
    fleet.stop(mail).await;
}

#[tokio::test]
async fn a_sender_that_is_killed_before_it_could_say_so_sends_once_more_under_the_same_id() {
    const KILLS: usize = 3;
    let server = MailServer::start().await;
    let fleet = Fleet::start(&server).await;
    let mut mail = fleet.mail(&["--set", "mail.senders=1"]);
    for round in 0..KILLS {
        server.hold(true);
        let before = server.letters().len();
        want(&fleet.site, &format!("user-{round}")).await;
        // It is with the server; the sender has no answer yet, and dies.
        mail.wait_until("the server has it", async || match server.letters().len() {
            now if now > before => Ok(()),
            now => Err(format!("{now} letters")),
        })
        .await;
        mail.kill().await;
        nobody_panicked(&mail.said());
        server.hold(false);
        mail = fleet.mail(&["--set", "mail.senders=1"]);
    }
    want(&fleet.site, "last").await;
    let all = came(&server, KILLS + 1).await;
    let settled = async || {
        let out = fleet
            .site
            .movies(&["lag", "mail", "--json"])
            .run()
            .await
            .out;
        let lag: Value = serde_json::from_str(&out).map_err(|error| error.to_string())?;
        let groups = lag["groups"].as_array().unwrap();
        match groups.iter().all(|group| group["lag"] == 0) {
            true => Ok(()),
            false => Err(out),
        }
    };
    mail.wait_until("all is settled", settled).await;
    assert_eq!(all.len(), KILLS + 1);
    let all = counted(&server.letters());
    assert_eq!(all.len(), KILLS + 1, "the same id each time: {all:?}");
    // One for each kill at the most, whichever message it was.
    let repeats: usize = all.values().map(|times| times - 1).sum();
    assert!((1..=KILLS).contains(&repeats), "{all:?}");
    fleet.stop(mail).await;
}

#[tokio::test]
async fn a_chart_goes_to_those_who_said_yes_period_by_period() {
    let site = Site::new();
    let often = ["--no-sample", "--set", "mail.every=2s"];
    let mut movies = site.movies(&often).start();
    movies
        .wait_for_line("it is up", |line| line == "Ctrl-C stops.")
        .await;
    site.film("m").await;
    site.rate("ann", "m", 4.5).await.unwrap();
    want(&site, "ann").await;
    let mail = site.address("mail");
    let mailbox = async |found: &str, times: usize| {
        wait_until("it is in the mailbox", async || {
            match get(&mail, "/mailbox").await.unwrap().text() {
                list if list.matches(found).count() >= times => Ok(list),
                list => Err(list),
            }
        })
        .await
    };
    let list = mailbox("Welcome to Movies, ann", 1).await;
    let message = get(&mail, &latest(&list)).await.unwrap().text();
    let token = message
        .split("/mail/confirm/")
        .nth(1)
        .unwrap()
        .get(..32)
        .unwrap()
        .to_owned();
    post(&site, "ann", &format!("/mail/confirm/{token}"), "").await;
    let list = mailbox("The best films: The film m leads", 2).await;
    assert_eq!(list.matches("Welcome").count(), 1);
    let left = post(&site, "ann", &format!("/mail/leave/{token}"), "").await;
    assert!(left.text().contains("Nothing more comes"));
    movies.terminate();
    assert_eq!(movies.exit_code().await, 0, "{}", movies.said());
    nobody_panicked(&movies.said());
}
