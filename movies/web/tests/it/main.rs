//! The page as a browser without script sees it, over doubles of the services behind it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod charts;
mod fakes;
mod files;
mod lists;
mod live;
mod mail;
mod mine;
mod pages;
mod posters;
mod start;
mod weight;
mod writes;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use backlot::Env;
use fakes::House;
use http_body_util::BodyExt;
use movies_api::metadata::v1::Metadata;
use std::sync::Arc;
use tower::ServiceExt;

const ALIEN: &str = "alien-1979";

fn film(id: &str, title: &str, year: i32, genres: &[&str]) -> Metadata {
    Metadata {
        id: id.into(),
        title: title.into(),
        description: format!("What happens in {title}."),
        director: "Ridley Scott".into(),
        year,
        cast: vec!["Sigourney Weaver".into(), "John Hurt".into()],
        genres: genres.iter().map(|genre| (*genre).to_owned()).collect(),
        ..Default::default()
    }
}

struct Site {
    house: Arc<House>,
    router: Router,
    env: Env,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Site {
    fn new() -> Self {
        let films = [
            (film(ALIEN, "Alien", 1979, &["Horror", "Sci-Fi"]), 40, 4.1),
            (
                film("metropolis-1927", "Metropolis", 1927, &["Sci-Fi"]),
                12,
                3.9,
            ),
            (
                film("unrated-2024", "Nobody Saw It", 2024, &["Drama"]),
                0,
                3.0,
            ),
            (
                film(
                    "odd/<id>?",
                    "<script>alert(1)</script> & \"co\"",
                    2001,
                    &["<b>", "Drama"],
                ),
                3,
                2.5,
            ),
        ];
        Site::of(House::new(films))
    }

    fn of(house: Arc<House>) -> Self {
        let env = Env::real();
        Site {
            router: house.page(&env).router(),
            house,
            env,
        }
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            text,
        }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap())
            .await
    }

    async fn get_as(&self, name: &str, path: &str) -> Answer {
        let cookie = format!("movies_name={name}");
        self.send(
            Request::get(path)
                .header("cookie", cookie)
                .body(Body::empty())
                .unwrap(),
        )
        .await
    }

    /// Posts a form as a browser does from one of our pages.
    async fn post(&self, headers: &[(&str, &str)], path: &str, form: &str) -> Answer {
        let mut request = Request::post(path)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::from(form.to_owned())).unwrap())
            .await
    }
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The value of an input of the page.
    fn input(&self, name: &str) -> &str {
        let from = self
            .text
            .find(&format!("name=\"{name}\" value=\""))
            .unwrap();
        self.text[from..].split('"').nth(3).unwrap()
    }
}
