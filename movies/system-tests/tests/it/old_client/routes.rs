//! Every route of the release, as an older client asks and reads.

use super::{Old, Played, SERVICES};
use crate::problem::{fields, problem};
use crate::rest::bearer;
use backlot::rpc::contract::Verb;
use backlot_testkit::http::{Answer, Open, ask};
use http::Method;
use serde_json::{Value, json};

/// Whether everything the older client expects is there; more may be.
fn holds(answer: &Value, expected: &Value) -> bool {
    match (answer, expected) {
        (Value::Object(answer), Value::Object(expected)) => expected
            .iter()
            .all(|(name, value)| answer.get(name).is_some_and(|answer| holds(answer, value))),
        (Value::Array(answer), Value::Array(expected)) => {
            answer.len() == expected.len()
                && answer
                    .iter()
                    .zip(expected)
                    .all(|(answer, expected)| holds(answer, expected))
        }
        (answer, expected) => answer == expected,
    }
}

struct Rest<'a> {
    old: &'a Old,
    editor: String,
    ann: String,
    played: Played,
}

impl Rest<'_> {
    /// Asks by the route of this template.
    async fn ask(&mut self, service: &str, template: &str, path: &str, body: Value) -> Answer {
        self.played.add(template);
        let verb = template.split(' ').next().unwrap();
        let verb = Method::from_bytes(verb.as_bytes()).unwrap();
        let token = if service == "metadata" {
            &self.editor
        } else {
            &self.ann
        };
        let mut headers = vec![("authorization", token.as_str())];
        let body = if body.is_null() {
            String::new()
        } else {
            headers.push(("content-type", "application/json"));
            body.to_string()
        };
        let address = self.old.address(service);
        ask(address, verb, path, &headers, body).await.unwrap()
    }

    /// The same, answered with at least this.
    async fn works(
        &mut self,
        service: &str,
        template: &str,
        path: &str,
        body: Value,
        expected: Value,
    ) {
        let answer = self.ask(service, template, path, body).await;
        let text = answer.text();
        assert_eq!(answer.status.as_u16(), 200, "{template}: {text}");
        assert!(
            holds(&answer.json(), &expected),
            "{template}: {text}\nlacks some of\n{expected}"
        );
    }

    /// The same, refused with this status, code and these fields.
    async fn fails(
        &mut self,
        (service, template, path): (&str, &str, &str),
        body: Value,
        status: u16,
        code: &str,
        wrong: &[&str],
    ) {
        let answer = self.ask(service, template, path, body).await;
        let problem = problem(template, &answer, status);
        assert_eq!(problem["code"], code, "{template}: {problem}");
        assert_eq!(fields(&problem), wrong, "{template}: {problem}");
    }
}

const PUT_FILM: &str = "PUT /v1/metadata/{metadata.id}";
const GET_FILM: &str = "GET /v1/metadata/{movie_id}";
const LIST_FILMS: &str = "GET /v1/metadata";
const RATING: &str = "/v1/ratings/{record_type}/{record_id}/users/{user_id}";
const AGGREGATE: &str = "GET /v1/ratings/{record_type}/{record_id}";
const BATCH: &str = "POST /v1/ratings/{record_type}:batchGet";
const LIVE: &str = "GET /v1/ratings/{record_type}/{record_id}/live";
const DETAILS: &str = "GET /v1/movies/{movie_id}";
const LIST_MOVIES: &str = "GET /v1/movies";
const NAMES: &str = "POST /v1/auth/names";

#[tokio::test]
async fn an_older_client_asks_by_every_route() {
    let old = Old::start().await;
    let tokens = &old.running.clients.tokens;
    let mut rest = Rest {
        old: &old,
        editor: bearer(&tokens.editor("eve")),
        ann: bearer(&tokens.user("ann")),
        played: Played::default(),
    };
    let film = json!({
        "id": "m", "title": "M", "description": "A city looks for a murderer.",
        "director": "Fritz Lang", "year": 1931, "cast": ["Peter Lorre"], "genres": ["Crime"],
    });
    let aggregate = json!({
        "count": 1, "mean": 4.5, "histogram": [0, 0, 0, 0, 0, 0, 0, 0, 1, 0], "version": 1,
    });
    let movie = json!({ "metadata": film, "rating": aggregate });
    let none = || Value::Null;

    rest.works(
        "metadata",
        PUT_FILM,
        "/v1/metadata/m",
        film.clone(),
        json!({ "created": true }),
    )
    .await;
    rest.works(
        "metadata",
        GET_FILM,
        "/v1/metadata/m",
        none(),
        json!({ "metadata": film }),
    )
    .await;
    let path = "/v1/metadata?pageSize=10&page_token=";
    rest.works(
        "metadata",
        LIST_FILMS,
        path,
        none(),
        json!({ "metadata": [film] }),
    )
    .await;

    let path = "/v1/ratings/movie/m/users/ann";
    let put = format!("PUT {RATING}");
    rest.works(
        "rating",
        &put,
        path,
        json!({ "value": 4.5 }),
        json!({ "aggregate": aggregate }),
    )
    .await;
    rest.works(
        "rating",
        &format!("GET {RATING}"),
        path,
        none(),
        json!({ "value": 4.5 }),
    )
    .await;
    rest.works(
        "rating",
        AGGREGATE,
        "/v1/ratings/movie/m",
        none(),
        json!({ "aggregate": aggregate }),
    )
    .await;
    let batch = json!({ "recordIds": ["m"] });
    let path = "/v1/ratings/movie:batchGet";
    rest.works(
        "rating",
        BATCH,
        path,
        batch,
        json!({ "aggregates": [aggregate] }),
    )
    .await;

    rest.played.add(LIVE);
    let mut live = Open::get(old.address("rating"), "/v1/ratings/movie/m/live")
        .await
        .unwrap();
    assert_eq!(live.status.as_u16(), 200);
    // What has no data (how long to wait before connecting again, signs of life) is no message.
    let event = loop {
        let event = live.until("\n\n").await.unwrap().unwrap();
        let data = event.lines().find_map(|line| line.strip_prefix("data:"));
        if let Some(data) = data {
            break data.to_owned();
        }
    };
    let change = json!({ "recordType": "movie", "recordId": "m", "aggregate": aggregate });
    assert!(
        holds(&serde_json::from_str(&event).unwrap(), &change),
        "{event}"
    );
    drop(live);

    rest.works(
        "movie",
        DETAILS,
        "/v1/movies/m",
        none(),
        json!({ "movie": movie }),
    )
    .await;
    rest.works(
        "movie",
        LIST_MOVIES,
        "/v1/movies",
        none(),
        json!({ "movies": [movie] }),
    )
    .await;
    let picked = rest
        .ask("auth", NAMES, "/v1/auth/names", json!({ "name": "bob" }))
        .await;
    let picked = picked.json();
    assert!(
        picked["token"].is_string() && picked["expiresAt"].is_string(),
        "{picked}"
    );

    let path = "/v1/ratings/movie/m/users/ann";
    let deleted = json!({ "deleted": true, "aggregate": { "version": 2 } });
    rest.works("rating", &format!("DELETE {RATING}"), path, none(), deleted)
        .await;

    let verb = |verb: Verb| format!("{verb:?}").to_uppercase();
    let routes = SERVICES.iter().flat_map(|service| service.methods);
    let routes = routes.flat_map(|method| method.routes);
    rest.played
        .assert_all(routes.map(|route| format!("{} {}", verb(route.verb), route.template)));
    old.stop().await;
}

#[tokio::test]
async fn mistakes_over_rest_are_told_as_they_were() {
    let old = Old::start().await;
    let tokens = &old.running.clients.tokens;
    let mut rest = Rest {
        old: &old,
        // Somebody who may not edit.
        editor: bearer(&tokens.user("ann")),
        ann: bearer(&tokens.user("ann")),
        played: Played::default(),
    };
    let none = || Value::Null;
    let (invalid, missing, denied) = ("INVALID_ARGUMENT", "NOT_FOUND", "PERMISSION_DENIED");
    let route = ("metadata", PUT_FILM, "/v1/metadata/m");
    rest.fails(route, json!({ "title": "M" }), 403, denied, &[])
        .await;
    let wrong = ["metadata.title", "metadata.year"];
    rest.fails(
        route,
        json!({ "title": "", "year": 2201 }),
        400,
        invalid,
        &wrong,
    )
    .await;
    let route = ("metadata", GET_FILM, "/v1/metadata/unknown");
    rest.fails(route, none(), 404, missing, &[]).await;
    let route = ("metadata", LIST_FILMS, "/v1/metadata?pageSize=201");
    rest.fails(route, none(), 400, invalid, &["pageSize"]).await;
    let route = ("metadata", LIST_FILMS, "/v1/metadata?pageSize=many");
    rest.fails(route, none(), 400, invalid, &["pageSize"]).await;

    let put = format!("PUT {RATING}");
    let route = ("rating", put.as_str(), "/v1/ratings/movie/m/users/ann");
    rest.fails(route, json!({ "value": 5.5 }), 400, invalid, &["value"])
        .await;
    rest.fails(route, json!({ "value": 4.3 }), 400, invalid, &["value"])
        .await;
    rest.fails(
        route,
        json!({ "value": 4, "userId": "bob" }),
        400,
        invalid,
        &["userId"],
    )
    .await;
    let route = ("rating", put.as_str(), "/v1/ratings/movie/m/users/bob");
    rest.fails(route, json!({ "value": 4 }), 403, denied, &[])
        .await;
    let get = format!("GET {RATING}");
    let route = ("rating", get.as_str(), "/v1/ratings/movie/m/users/ann");
    rest.fails(route, none(), 404, missing, &[]).await;
    let route = ("rating", BATCH, "/v1/ratings/movie:batchGet");
    rest.fails(
        route,
        json!({ "recordIds": [""] }),
        400,
        invalid,
        &["recordIds[0]"],
    )
    .await;

    let route = ("movie", DETAILS, "/v1/movies/unknown");
    rest.fails(route, none(), 404, missing, &[]).await;
    let route = ("movie", LIST_MOVIES, "/v1/movies?pageToken=!");
    rest.fails(route, none(), 400, invalid, &["pageToken"])
        .await;
    let route = ("auth", NAMES, "/v1/auth/names");
    rest.fails(route, json!({ "name": "a b" }), 400, invalid, &["name"])
        .await;
    old.stop().await;
}
