use super::*;
use crate::repository::MIGRATIONS;
use async_trait::async_trait;
use backlot::core::principal::{Token, User};
use backlot::storage::{Sql, params, sql, sqlite};
use backlot::{Code, Principal, Streaming, Timestamp};
use movies_api::metadata::v1::Metadata;
use movies_api::{ChartEntry, GetChartResponse, MovieDetails};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

/// How much mail is due.
const DUE: Sql = sql!("SELECT COUNT(*) FROM backlot_outbox WHERE id > 0");

struct Charts(AtomicBool);

fn not_asked<T>() -> Result<T, Error> {
    Err(Error::unimplemented("mail does not ask for this"))
}

#[async_trait]
impl api::Movie for Charts {
    async fn get_chart(
        &self,
        _: &Context,
        request: GetChartRequest,
    ) -> Result<GetChartResponse, Error> {
        if self.0.load(Ordering::Relaxed) {
            return Err(Error::unavailable("away, as told"));
        }
        let film = |rank| ChartEntry {
            rank,
            movie: Some(MovieDetails {
                metadata: Some(Metadata {
                    id: "a/b".into(),
                    title: "A & B".into(),
                    ..Metadata::default()
                }),
                rating: None,
            }),
            score: 4.256,
        };
        let entries = (1..=request.size.unsigned_abs()).map(film).collect();
        Ok(GetChartResponse {
            entries,
            ..GetChartResponse::default()
        })
    }

    async fn get_movie_details(
        &self,
        _: &Context,
        _: api::GetMovieDetailsRequest,
    ) -> Result<api::GetMovieDetailsResponse, Error> {
        not_asked()
    }

    async fn list_movies(
        &self,
        _: &Context,
        _: api::ListMoviesRequest,
    ) -> Result<api::ListMoviesResponse, Error> {
        not_asked()
    }

    async fn search_movies(
        &self,
        _: &Context,
        _: api::SearchMoviesRequest,
    ) -> Result<api::SearchMoviesResponse, Error> {
        not_asked()
    }

    async fn batch_get_movies(
        &self,
        _: &Context,
        _: api::BatchGetMoviesRequest,
    ) -> Result<api::BatchGetMoviesResponse, Error> {
        not_asked()
    }

    async fn upload_file(
        &self,
        _: &Context,
        _: Streaming<api::UploadFileRequest>,
    ) -> Result<api::UploadFileResponse, Error> {
        not_asked()
    }

    async fn get_upload(
        &self,
        _: &Context,
        _: api::GetUploadRequest,
    ) -> Result<api::GetUploadResponse, Error> {
        not_asked()
    }

    async fn get_poster(
        &self,
        _: &Context,
        _: api::GetPosterRequest,
    ) -> Result<api::GetPosterResponse, Error> {
        not_asked()
    }

    async fn list_facets(
        &self,
        _: &Context,
        _: api::ListFacetsRequest,
    ) -> Result<api::ListFacetsResponse, Error> {
        not_asked()
    }
}

struct Stage {
    mail: Arc<Controller>,
    charts: Arc<Charts>,
    now: Arc<AtomicI64>,
}

impl Stage {
    fn new() -> Stage {
        let now = Arc::new(AtomicI64::new(1_795_417_200_000));
        let clock = Clock::from_fn({
            let now = Arc::clone(&now);
            move || Timestamp(now.load(Ordering::Relaxed))
        });
        let store = sqlite::memory(MIGRATIONS, clock.clone()).unwrap();
        let charts = Arc::new(Charts(AtomicBool::new(false)));
        let mail = Controller {
            store: store.originating("mail", backlot::Dice::seeded(1)),
            movies: Arc::<Charts>::clone(&charts),
            clock,
            key: hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]),
            site: "http://site".into(),
            every: Duration::from_secs(7 * 24 * 3600),
        };
        Stage {
            mail: Arc::new(mail),
            charts,
            now,
        }
    }

    async fn wish(&self, user: &str, address: Option<&str>) -> Result<(), Failure> {
        let event = MailWished {
            user_id: user.into(),
            address: address.map(str::to_owned),
        };
        let mail = Arc::clone(&self.mail);
        let writing = self.mail.store.write(&Context::background(), move |tx| {
            let (mail, event) = (Arc::clone(&mail), event.clone());
            Box::pin(async move { Ok::<_, Error>(mail.wished(tx, &event).await) })
        });
        writing.await.unwrap()
    }

    async fn answer(&self, token: &str, wanted: bool) {
        let event = MailAnswered {
            token: token.into(),
            wanted,
        };
        let mail = Arc::clone(&self.mail);
        let writing = self.mail.store.write(&Context::background(), move |tx| {
            let (mail, event) = (Arc::clone(&mail), event.clone());
            Box::pin(async move { Ok::<_, Error>(mail.answered(tx, &event).await) })
        });
        writing.await.unwrap().unwrap();
    }

    /// Where a user's mail goes, where it shall go, and what is said of that.
    async fn of(&self, user: &str) -> (String, String, String) {
        let (known, addresses) = self.mail.subscription(&by(user), user).await.unwrap();
        assert!(addresses.len() <= 2, "{addresses:?}");
        let of = |confirmed| {
            let found = addresses.iter().find(|it| it.confirmed == confirmed);
            found.map(|it| it.address.clone()).unwrap_or_default()
        };
        (
            of(true),
            of(false),
            known.map(|it| it.note).unwrap_or_default(),
        )
    }

    /// What links in messages to this address have in them.
    fn token(&self, user: &str, address: &str) -> String {
        model::token(&self.mail.key, user, address)
    }

    async fn due(&self) -> i64 {
        let counting = self.mail.store.read(&Context::background(), |tx| {
            Box::pin(
                async move { Ok::<_, Error>(tx.query_one(DUE, params![]).await?.get::<i64>(0)?) },
            )
        });
        counting.await.unwrap()
    }
}

fn by(name: &str) -> Context {
    let user = User {
        subject: name.into(),
        roles: Default::default(),
        audience: ["mail".to_owned()].into(),
        expires: Timestamp(i64::MAX),
        token: Token::new("unused"),
    };
    Context::background().with_principal(Principal::User(Arc::new(user)))
}

#[tokio::test]
async fn an_address_is_asked_and_its_link_is_good_whenever_it_is_wanted() {
    let stage = Stage::new();
    stage.wish("ann", Some("ann@Example.com")).await.unwrap();
    let nothing = String::new;
    assert_eq!(
        stage.of("ann").await,
        (nothing(), "ann@example.com".into(), nothing())
    );
    assert_eq!(stage.due().await, 1);
    stage.wish("ann", Some("ann@example.com")).await.unwrap();
    assert_eq!(stage.due().await, 1, "it was asked already");
    // Taken back, and wanted again: the link of the first message still leads there.
    stage.wish("ann", None).await.unwrap();
    assert_eq!(stage.of("ann").await.1, "");
    stage
        .answer(&stage.token("ann", "ann@example.com"), true)
        .await;
    assert_eq!(stage.of("ann").await.0, "", "nobody wants it now");
    stage.wish("ann", Some("ann@example.com")).await.unwrap();
    stage
        .answer(&stage.token("ann", "ann@example.com"), true)
        .await;
    assert_eq!(stage.of("ann").await.0, "ann@example.com");
    let wrong = stage.wish("ann", Some("no address")).await.unwrap_err();
    assert!(wrong.message().contains("address"), "{wrong}");
}

#[tokio::test]
async fn what_somebody_said_yes_to_is_changed_by_a_link_alone() {
    let stage = Stage::new();
    stage.wish("ann", Some("ann@example.com")).await.unwrap();
    stage
        .answer(&stage.token("ann", "ann@example.com"), true)
        .await;
    // Somebody else goes by her name.
    stage.wish("ann", None).await.unwrap();
    stage.wish("ann", Some("eve@example.com")).await.unwrap();
    let (gets, asked, _) = stage.of("ann").await;
    assert_eq!((&*gets, &*asked), ("ann@example.com", "eve@example.com"));
    stage.wish("ann", Some("eva@example.com")).await.unwrap();
    assert_eq!(
        stage.of("ann").await.1,
        "eva@example.com",
        "one is asked at a time"
    );
    stage
        .answer(&stage.token("ann", "eva@example.com"), true)
        .await;
    let (gets, asked, _) = stage.of("ann").await;
    assert_eq!((&*gets, &*asked), ("eva@example.com", ""), "there instead");
    stage
        .answer(&stage.token("ann", "eva@example.com"), false)
        .await;
    assert_eq!(stage.of("ann").await.0, "");
}

#[tokio::test]
async fn an_address_is_asked_a_few_times_a_month_by_whatever_names_and_not_after_it_declined() {
    let stage = Stage::new();
    for name in ["a", "b", "c", "d", "e"] {
        stage.wish(name, Some("victim@example.com")).await.unwrap();
    }
    assert_eq!(stage.due().await, WELCOMES);
    assert!(stage.of("e").await.2.contains("not asked again for now"));
    stage.now.fetch_add(MONTH, Ordering::Relaxed);
    stage.wish("f", Some("victim@example.com")).await.unwrap();
    assert_eq!(stage.due().await, WELCOMES + 1);
    stage
        .answer(&stage.token("f", "victim@example.com"), false)
        .await;
    for months in 1..DECLINED {
        stage.now.fetch_add(MONTH, Ordering::Relaxed);
        stage
            .wish(&format!("g{months}"), Some("victim@example.com"))
            .await
            .unwrap();
    }
    assert_eq!(stage.due().await, WELCOMES + 1);
    stage.now.fetch_add(2 * MONTH, Ordering::Relaxed);
    stage.wish("h", Some("victim@example.com")).await.unwrap();
    assert_eq!(stage.due().await, WELCOMES + 2);
}

#[tokio::test]
async fn a_user_tries_so_many_addresses_a_day() {
    let stage = Stage::new();
    for number in 0..8 {
        let address = format!("a{number}@example.com");
        stage.wish("eve", Some(&address)).await.unwrap();
    }
    assert_eq!(stage.due().await, TRIED);
    assert!(stage.of("eve").await.2.contains("tomorrow"));
    // To take it back and come again does not help; a day does.
    stage.wish("eve", None).await.unwrap();
    stage.wish("eve", Some("b@example.com")).await.unwrap();
    assert_eq!(stage.due().await, TRIED);
    stage.now.fetch_add(DAY, Ordering::Relaxed);
    stage.wish("eve", Some("b@example.com")).await.unwrap();
    assert_eq!(stage.of("eve").await.1, "b@example.com");
}

#[tokio::test]
async fn charts_go_to_those_who_said_yes_once_a_week_from_the_next_one_on() {
    let mut stage = Stage::new();
    for user in ["ann", "bob", "cy"] {
        let address = format!("{user}@example.com");
        stage.wish(user, Some(&address)).await.unwrap();
    }
    for user in ["ann", "bob"] {
        let address = format!("{user}@example.com");
        stage.answer(&stage.token(user, &address), true).await;
    }
    stage.answer("somebody else's", true).await;
    let welcomes = stage.due().await;
    assert_eq!(
        stage.mail.round().await.unwrap(),
        0,
        "not in the middle of a week"
    );
    stage.now.fetch_add(7 * DAY - 1, Ordering::Relaxed);
    assert_eq!(stage.mail.round().await.unwrap(), 0);
    stage.now.fetch_add(1, Ordering::Relaxed);
    // While the chart cannot be had nobody gets one, and all get it after.
    stage.charts.0.store(true, Ordering::Relaxed);
    assert_eq!(
        stage.mail.round().await.unwrap_err().code(),
        Code::Unavailable
    );
    stage.charts.0.store(false, Ordering::Relaxed);
    assert_eq!(stage.mail.round().await.unwrap(), 2);
    assert_eq!(stage.mail.round().await.unwrap(), 0);
    assert_eq!(stage.due().await, welcomes + 2);
    stage
        .answer(&stage.token("ann", "ann@example.com"), false)
        .await;
    stage.now.fetch_add(7 * DAY, Ordering::Relaxed);
    assert_eq!(stage.mail.round().await.unwrap(), 1);
    // Another length of periods ends nothing: they begin at times, and are not counted.
    let mail = Arc::get_mut(&mut stage.mail).unwrap();
    mail.every = Duration::from_secs(3600);
    stage.now.fetch_add(DAY, Ordering::Relaxed);
    assert_eq!(stage.mail.round().await.unwrap(), 1);
    let mail = Arc::get_mut(&mut stage.mail).unwrap();
    mail.every = Duration::from_secs(7 * 24 * 3600);
    stage.now.fetch_add(7 * DAY, Ordering::Relaxed);
    assert_eq!(stage.mail.round().await.unwrap(), 1);
}

#[tokio::test]
async fn only_the_user_sees_where_mail_goes() {
    let stage = Stage::new();
    stage.wish("ann", Some("ann@example.com")).await.unwrap();
    for cx in [Context::background(), by("bob")] {
        stage.mail.subscription(&cx, "ann").await.unwrap_err();
    }
    assert_eq!(stage.of("bob").await, Default::default());
}

#[test]
fn what_people_call_films_and_themselves_stays_text() {
    let address = Address {
        token: "0f".repeat(16),
        user: "<b>\r\nBcc: x".into(),
        address: "a@example.com".into(),
        confirmed: true,
        last_chart: Timestamp(0),
    };
    let welcome = letter::welcome("http://site", &address, 7).unwrap();
    assert_eq!(welcome.subject, "Welcome to Movies, <b>Bcc: x");
    assert!(
        welcome.html.contains("Hello &#60;b&#62;"),
        "{}",
        welcome.html
    );
    assert!(
        welcome
            .text
            .contains(&format!("http://site/mail/confirm/{}", address.token))
    );
    let entry = ChartEntry {
        rank: 1,
        movie: Some(MovieDetails {
            metadata: Some(Metadata {
                id: "a/<b>".into(),
                title: "<script>\r\nX: y".into(),
                year: 1927,
                ..Metadata::default()
            }),
            rating: None,
        }),
        score: 4.256,
    };
    let films = vec![Film::of(entry, "http://site").unwrap()];
    let chart = letter::chart("http://site", &address, Timestamp(7), films).unwrap();
    assert_eq!(chart.subject, "The best films: <script>X: y leads");
    assert!(!chart.html.contains("<script>") && chart.html.contains("4.26 stars of 0 ratings"));
    assert!(
        chart.text.contains("1. <script>X: y (1927): 4.26 stars"),
        "{}",
        chart.text
    );
    assert!(chart.text.contains("http://site/movies/a%2F%3Cb%3E"));
    assert_ne!(chart.id, welcome.id);
}
