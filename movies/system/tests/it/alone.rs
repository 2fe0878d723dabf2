//! Each service its own process, started by hand: whoever comes first hosts the registry.

use crate::site::{SERVICES, Site, nobody_panicked};
use backlot_testkit::http::{ask, get};
use backlot_testkit::{Process, wait_until};
use http::Method;
use std::collections::BTreeMap;
use std::time::Duration;

struct Alone<'s> {
    site: &'s Site,
    running: BTreeMap<&'static str, Process>,
}

impl<'s> Alone<'s> {
    async fn start(site: &'s Site) -> Alone<'s> {
        let mut alone = Alone {
            site,
            running: BTreeMap::new(),
        };
        for service in SERVICES {
            alone.run(service);
        }
        alone.answers().await;
        alone
    }

    fn run(&mut self, service: &'static str) {
        self.running
            .insert(service, self.site.movies(&[service]).start());
    }

    /// Waits until all are ready and a page is whole.
    async fn answers(&mut self) {
        wait_until("all services are ready", async || {
            self.site.all_ready().await
        })
        .await;
    }

    fn said(&self) -> String {
        self.running.values().map(Process::said).collect()
    }
}

#[tokio::test]
async fn services_find_each_other_wherever_they_are() {
    let site = Site::new();
    let mut alone = Alone::start(&site).await;
    site.film("m").await;
    wait_until("a rating is taken", async || {
        match site.rate("ann", "m", 4.5).await {
            Ok(answer) if answer.status.as_u16() == 200 => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    let details = wait_until("the film comes with its rating", async || {
        site.rated("m").await
    })
    .await;
    assert_eq!(details["movie"]["rating"]["mean"], 4.5);
    let page = get(&site.address("web"), "/").await.unwrap();
    assert!(
        page.status.as_u16() == 200 && page.text().contains("The film m"),
        "{}",
        page.text()
    );
    for (service, process) in &mut alone.running {
        process.terminate();
        assert_eq!(
            process.exit_code().await,
            0,
            "{service}: {}",
            process.said()
        );
        nobody_panicked(&process.said());
    }
}

#[tokio::test]
async fn the_registry_outlives_whoever_hosts_it() {
    let site = Site::new();
    let mut alone = Alone::start(&site).await;
    site.film("m").await;
    wait_until("the film comes with its rating", async || {
        site.rated("m").await
    })
    .await;
    // All are killed in turn, the host among them, and come back: films stay whole throughout the
    // others' absence, but for the part that is away.
    for victim in ["auth", "metadata", "rating", "movie"] {
        alone.running.get_mut(victim).unwrap().kill().await;
        alone.run(victim);
        alone.answers().await;
        let what = format!("the film is whole after {victim} was killed");
        let whole =
            backlot_testkit::wait::wait_within(&what, Duration::from_secs(20), async || {
                site.rated("m").await
            });
        tokio::select! {
            biased;
            _whole = whole => {}
            () = tokio::time::sleep(Duration::from_secs(30)) => panic!("{}", alone.said()),
        }
    }
    // One at an address nobody knew before is found too.
    let mut rating = alone.running.remove("rating").unwrap();
    rating.kill().await;
    let moved = Site::new();
    let listen = format!("rating.server.listen={}", moved.address("rating"));
    let mut rating = site.movies(&["rating"]).args(["--set", &listen]).start();
    rating
        .wait_until("the film is whole again", async || site.rated("m").await)
        .await;
    nobody_panicked(&alone.said());
}

#[tokio::test]
async fn a_rating_is_refused_for_want_of_keys_only_while_they_were_never_to_be_had() {
    let site = Site::new();
    let mut auth = site.movies(&["auth"]).start();
    let ready = async || match get(&site.admin("auth"), "/ready").await {
        Ok(answer) if answer.status.as_u16() == 200 => Ok(()),
        other => Err(format!("{other:?}")),
    };
    auth.wait_until("auth is ready", ready).await;
    let bearer = site.bearer("ann", &[]);
    auth.kill().await;

    // Without an issuer nobody can be known: that is the system's fault, not the caller's.
    let mut rating = site.movies(&["rating"]).start();
    let headers = [
        ("authorization", &*bearer),
        ("content-type", "application/json"),
    ];
    let path = "/v1/ratings/movie/m/users/ann";
    let put = async || match ask(
        &site.address("rating"),
        Method::PUT,
        path,
        &headers,
        r#"{"value": 4}"#,
    )
    .await
    {
        Ok(answer) => Ok(answer),
        Err(error) => Err(error.to_string()),
    };
    let answer = rating.wait_until("rating answers", put).await;
    assert_eq!(answer.status.as_u16(), 503, "{}", answer.text());
    let public = get(&site.address("rating"), "/v1/ratings/movie/m")
        .await
        .unwrap();
    assert_eq!(
        public.status.as_u16(),
        200,
        "what needs nobody's name works"
    );

    let mut auth = site.movies(&["auth"]).start();
    let taken = async || match put().await {
        Ok(answer) if answer.status.as_u16() == 200 => Ok(()),
        other => Err(format!("{other:?}")),
    };
    rating.wait_until("the rating is taken", taken).await;
    // From now on it does without: the keys are known.
    auth.kill().await;
    for _ in 0..3 {
        assert_eq!(put().await.unwrap().status.as_u16(), 200);
    }
}
