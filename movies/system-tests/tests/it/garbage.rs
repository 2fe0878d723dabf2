//! Random bytes, JSON, paths and headers at every method: never an internal error, never a panic,
//! always an answer.

use crate::grpc::methods;
use crate::rest::bearer;
use crate::worlds::{Running, Ways};
use backlot::rpc::contract::{Body, Method, Shape, Verb};
use backlot_testkit::grpc::Connection;
use backlot_testkit::{http, knob};
use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence, TestRunner};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tokio::runtime::Runtime;

/// Rounds of each property; `CASES=10000` for more.
fn config() -> Config {
    let cases = knob::number("CASES")
        .and_then(|cases| u32::try_from(cases).ok())
        .unwrap_or(200);
    Config {
        cases,
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..Config::default()
    }
}

/// A world, and who asks it.
struct Site {
    runtime: Runtime,
    running: Option<Running>,
    addresses: BTreeMap<&'static str, String>,
    tokens: Vec<Option<String>>,
}

impl Site {
    fn start() -> Site {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let running = runtime.block_on(Running::start(Ways::Direct));
        // A service that is not ready yet may say so; afterwards none may.
        let clients = &running.clients;
        runtime.block_on(clients.eventually("the charts are drawn", async || {
            let request = movies_api::GetChartRequest::default();
            clients.movie.get_chart(&clients.nobody(), request).await
        }));
        let addresses = ["auth", "metadata", "movie", "rating"]
            .map(|name| (name, runtime.block_on(running.address(name))))
            .into();
        let tokens = &running.clients.tokens;
        let tokens = vec![
            None,
            Some(bearer(&tokens.user("ann"))),
            Some(bearer(&tokens.editor("ann"))),
        ];
        Site {
            runtime,
            running: Some(running),
            addresses,
            tokens,
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(running) = self.running.take()
            && !std::thread::panicking()
        {
            self.runtime.block_on(running.stop());
        }
    }
}

fn any_method() -> impl Strategy<Value = (&'static str, &'static Method)> {
    let all: Vec<_> = methods()
        .map(|(service, method)| (service.target, method))
        .collect();
    proptest::sample::select(all)
}

/// Bytes that are often nearly a message.
fn any_message() -> impl Strategy<Value = Vec<u8>> {
    let field = (
        0u8..10,
        prop_oneof![Just(0u8), Just(1), Just(2), Just(5), 0u8..8],
        any::<Vec<u8>>(),
    )
        .prop_map(|(number, wire, value)| {
            let mut field = vec![number << 3 | wire];
            if wire == 2 {
                field.push(value.len().min(127) as u8);
            }
            field.extend(value.into_iter().take(127));
            field
        });
    prop_oneof![
        any::<Vec<u8>>(),
        proptest::collection::vec(field, 0..8).prop_map(|fields| fields.concat())
    ]
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just("movie".to_owned()),
        Just("ann".to_owned()),
        "[a-z]{1,70}",
        any::<String>(),
        "\\PC{0,80}",
        Just("x".repeat(20_000)),
    ]
}

const NAMES: [&str; 24] = [
    "value",
    "halfStars",
    "half_stars",
    "recordType",
    "record_id",
    "recordIds",
    "userId",
    "metadata",
    "id",
    "title",
    "description",
    "director",
    "year",
    "cast",
    "genres",
    "pageSize",
    "pageToken",
    "movieId",
    "name",
    "count",
    "mean",
    "histogram",
    "degraded",
    "",
];

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-20i32..30).prop_map(|number| json!(f64::from(number) / 4.0)),
        any::<f64>().prop_map(|number| json!(number)),
        any_text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 12, |inner| {
        let name = prop_oneof![
            proptest::sample::select(NAMES.to_vec()).prop_map(str::to_owned),
            any_text()
        ];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..12).prop_map(Value::from),
            proptest::collection::btree_map(name, inner, 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Percent-encodes what a path or query cannot hold.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    text.bytes()
        .map(|byte| {
            if plain(byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

/// A template with its variables filled in.
fn filled(template: &str, texts: &[String]) -> String {
    let mut texts = texts.iter().map(|text| encoded(text)).cycle();
    let parts = template.split('{').map(|part| match part.split_once('}') {
        Some((_name, rest)) => format!("{}{rest}", texts.next().unwrap_or_default()),
        None => part.to_owned(),
    });
    parts.collect()
}

fn verb(verb: Verb) -> ::http::Method {
    match verb {
        Verb::Get => ::http::Method::GET,
        Verb::Put => ::http::Method::PUT,
        Verb::Post => ::http::Method::POST,
        Verb::Delete => ::http::Method::DELETE,
        Verb::Patch => ::http::Method::PATCH,
    }
}

#[test]
fn no_message_makes_a_method_fail_inside() {
    let site = Site::start();
    let connections: BTreeMap<_, _> = site
        .addresses
        .iter()
        .map(|(name, address)| {
            (
                *name,
                std::cell::RefCell::new(site.runtime.block_on(Connection::open(address)).unwrap()),
            )
        })
        .collect();
    let case = (any_method(), any_message(), 0..site.tokens.len());
    let ran = TestRunner::new(config()).run(&case, |((target, method), message, who)| {
        let mut headers: Vec<(&str, &str)> = site.tokens[who]
            .iter()
            .map(|token| ("authorization", &**token))
            .collect();
        // A stream that is right goes on: it is given no time.
        if method.shape != Shape::Unary {
            headers.push(("grpc-timeout", "30m"));
        }
        let mut connection = connections[target].borrow_mut();
        let answer = site
            .runtime
            .block_on(connection.call(method.path, &headers, &message))
            .unwrap();
        prop_assert_eq!(answer.http, 200, "{}: {:?}", method.path, answer);
        let told = matches!(answer.code, Some(0 | 3 | 5 | 7 | 9 | 16))
            || (method.shape != Shape::Unary && answer.code == Some(4));
        prop_assert!(told, "{}: {:?}", method.path, answer);
        Ok(())
    });
    ran.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn no_request_makes_a_route_fail_inside() {
    let site = Site::start();
    let texts = proptest::collection::vec(any_text(), 1..4);
    let body = prop_oneof![
        any_json().prop_map(|json| json.to_string().into_bytes()),
        any::<Vec<u8>>(),
        Just(Vec::new()),
    ];
    let query =
        proptest::collection::vec((proptest::sample::select(NAMES.to_vec()), any_text()), 0..3);
    let case = (any_method(), texts, body, query, 0..site.tokens.len());
    let ran =
        TestRunner::new(config()).run(&case, |((target, method), texts, body, query, who)| {
            for route in method.routes {
                let mut path = filled(route.template, &texts);
                for (index, (name, value)) in query.iter().enumerate() {
                    path.push(if index == 0 { '?' } else { '&' });
                    path.push_str(&format!("{name}={}", encoded(value)));
                }
                // The length of a line is bounded too, but that is another test's matter.
                if path.len() > 12_000 {
                    continue;
                }
                let mut headers: Vec<(&str, &str)> = site.tokens[who]
                    .iter()
                    .map(|token| ("authorization", &**token))
                    .collect();
                headers.push(match method.shape {
                    Shape::ClientStream => ("content-type", "application/x-ndjson"),
                    Shape::Unary | Shape::ServerStream => ("content-type", "application/json"),
                });
                if method.shape == Shape::ServerStream {
                    headers.push(("x-request-timeout-ms", "30"));
                }
                let body = if route.body == Body::None {
                    Vec::new()
                } else {
                    body.clone()
                };
                let asked = http::ask(
                    &site.addresses[target],
                    verb(route.verb),
                    &path,
                    &headers,
                    body,
                );
                let answer = site.runtime.block_on(asked).unwrap();
                let status = answer.status.as_u16();
                prop_assert!(
                    matches!(status, 200 | 400 | 401 | 403 | 404),
                    "{} {}: {}",
                    path,
                    status,
                    answer.text()
                );
                if status != 200 {
                    let kind = answer.header("content-type");
                    prop_assert_eq!(
                        kind,
                        "application/problem+json",
                        "{}: {}",
                        path,
                        answer.text()
                    );
                    prop_assert_eq!(answer.json()["status"].as_u64(), Some(status.into()));
                }
            }
            Ok(())
        });
    ran.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn no_header_makes_a_call_fail_inside() {
    let site = Site::start();
    let connection = std::cell::RefCell::new(
        site.runtime
            .block_on(Connection::open(&site.addresses["movie"]))
            .unwrap(),
    );
    let names = [
        "authorization",
        "grpc-timeout",
        "x-request-timeout-ms",
        "idempotency-key",
        "traceparent",
        "tracestate",
        "x-criticality",
        "grpc-encoding",
        "grpc-accept-encoding",
        "grpc-previous-rpc-attempts",
        "x-bin",
        "accept",
    ];
    let value = prop_oneof![
        proptest::collection::vec(prop_oneof![0x20u8..0x7f, 0x80u8..=0xff, Just(b'\t')], 0..60),
        "[0-9]{0,10}[HMSmun]?".prop_map(String::into_bytes),
        "Bearer [A-Za-z0-9_-]{0,40}(\\.[A-Za-z0-9_-]{0,40}){0,4}".prop_map(String::into_bytes),
    ];
    let headers =
        proptest::collection::vec((proptest::sample::select(names.to_vec()), value), 0..4);
    let ran = TestRunner::new(config()).run(&headers, |headers| {
        // Bytes above ASCII are allowed in a header; they are sent as they are.
        let headers: Vec<(&str, String)> = headers
            .into_iter()
            .filter_map(|(name, value)| Some((name, String::from_utf8(value).ok()?)))
            .filter(|(_, value)| ::http::HeaderValue::from_str(value).is_ok())
            .collect();
        let headers: Vec<(&str, &str)> = headers
            .iter()
            .map(|(name, value)| (*name, &**value))
            .collect();
        let path = "/movies.movie.v1.MovieService/ListMovies";
        let answer = site
            .runtime
            .block_on(connection.borrow_mut().call(path, &headers, b""))
            .unwrap();
        prop_assert!(
            matches!(answer.code, Some(0 | 3 | 4 | 12 | 16)),
            "{:?}: {:?}",
            headers,
            answer
        );
        let asked = http::ask(
            &site.addresses["movie"],
            ::http::Method::GET,
            "/v1/movies",
            &headers,
            "",
        );
        let answer = site.runtime.block_on(asked).unwrap();
        prop_assert!(
            matches!(answer.status.as_u16(), 200 | 400 | 401 | 504),
            "{:?}: {}",
            headers,
            answer.text()
        );
        Ok(())
    });
    ran.unwrap_or_else(|error| panic!("{error}"));
}
