//! Tokens of every shape: one shape holds.

use crate::problem::problem;
use crate::rest::bearer;
use crate::worlds::{Running, SEED, Ways};
use ::http::Method;
use backlot::Clock;
use backlot_testkit::http::ask;
use backlot_testkit::token::{Forge, part};
use movies_system_tests::tokens::ISSUER;
use serde_json::{Value, json};

const PATH: &str = "/v1/ratings/movie/m/users/ann";

/// `value` with one member set, or taken away.
fn with(value: &Value, name: &str, member: Option<Value>) -> Value {
    let mut value = value.clone();
    match member {
        Some(member) => value[name] = member,
        None => {
            value.as_object_mut().unwrap().remove(name);
        }
    }
    value
}

/// The text of an object with one more member, whose name may be there already.
fn doubled(value: &Value, name: &str, member: &Value) -> String {
    let text = value.to_string();
    format!(
        "{},{}:{member}}}",
        text.strip_suffix('}').unwrap(),
        json!(name)
    )
}

/// A token and the status it earns.
struct Case(String, String, u16);

fn cases(now: i64) -> Vec<Case> {
    let forge = Forge::new(&SEED);
    let header = forge.header();
    let claims = Forge::claims(ISSUER, "ann", &["rating", "movie"], now);
    let good = forge.token(&header, &claims);
    let mut cases = Vec::new();
    let mut case =
        |what: &str, token: String, status: u16| cases.push(Case(what.to_owned(), token, status));

    case("as it should be", good.clone(), 200);
    for (name, value) in [
        ("aud", json!("rating")),
        ("exp", json!(now + 900)),
        ("iat", json!(now + 20)),
        ("nbf", json!(now + 20)),
        ("roles", json!(["editor"])),
        ("scope", json!("more than is known")),
    ] {
        case(
            &format!("claim {name}: {value}"),
            forge.token(&header, &with(&claims, name, Some(value))),
            200,
        );
    }
    let old = with(
        &with(&claims, "iat", Some(json!(now - 600))),
        "nbf",
        Some(json!(now - 600)),
    );
    case(
        "just over",
        forge.token(&header, &with(&old, "exp", Some(json!(now - 20)))),
        200,
    );
    case(
        "over",
        forge.token(&header, &with(&old, "exp", Some(json!(now - 31)))),
        401,
    );
    case(
        "without roles",
        forge.token(&header, &with(&claims, "roles", None)),
        200,
    );

    for name in ["iss", "sub", "aud", "exp", "iat", "nbf", "jti"] {
        case(
            &format!("without {name}"),
            forge.token(&header, &with(&claims, name, None)),
            401,
        );
        for value in [
            json!(null),
            json!(""),
            json!({}),
            json!([]),
            json!(true),
            json!([7]),
        ] {
            let token = forge.token(&header, &with(&claims, name, Some(value.clone())));
            case(&format!("claim {name}: {value}"), token, 401);
        }
        let twice = doubled(&claims, name, &claims[name]);
        case(
            &format!("claim {name} twice"),
            forge.sign(&header.to_string(), &twice),
            401,
        );
    }
    for (name, value) in [
        ("iss", json!("movies ")),
        ("iss", json!("Movies")),
        ("iss", json!(["movies"])),
        ("aud", json!(["movie"])),
        ("aud", json!(["ratings"])),
        ("aud", json!("rating movie")),
        ("aud", json!("*")),
        ("exp", json!(now - 31)),
        ("exp", json!(now - 3600)),
        ("exp", json!(now + 901)),
        ("exp", json!(i64::MAX)),
        ("exp", json!(-1)),
        ("exp", json!(u64::MAX)),
        ("exp", json!((now + 600).to_string())),
        ("exp", json!(now as f64 + 600.5)),
        ("iat", json!(now - 900)),
        ("iat", json!(i64::MIN)),
        ("nbf", json!(now + 40)),
        ("nbf", json!(i64::MAX)),
        ("sub", json!("bob")),
    ] {
        let status = if name == "sub" { 403 } else { 401 };
        case(
            &format!("claim {name}: {value}"),
            forge.token(&header, &with(&claims, name, Some(value))),
            status,
        );
    }
    let later = with(
        &with(&claims, "iat", Some(json!(now + 40))),
        "exp",
        Some(json!(now + 700)),
    );
    case("made in the future", forge.token(&header, &later), 401);
    let back = with(
        &with(&claims, "iat", Some(json!(now + 29))),
        "exp",
        Some(json!(now + 10)),
    );
    case("ends before it begins", forge.token(&header, &back), 401);

    for (name, value) in [
        ("alg", json!("none")),
        ("alg", json!("None")),
        ("alg", json!("HS256")),
        ("alg", json!("RS256")),
        ("alg", json!("ES256")),
        ("alg", json!("eddsa")),
        ("alg", json!(null)),
        ("typ", json!("JWT")),
        ("typ", json!("AT+JWT")),
        ("typ", json!("id+jwt")),
        ("kid", json!("")),
        ("kid", json!(null)),
        ("kid", json!(7)),
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("jku", json!("http://127.0.0.1/keys")),
        (
            "jwk",
            json!({ "kty": "OKP", "crv": "Ed25519", "x": forge.kid() }),
        ),
        ("x5u", json!("http://127.0.0.1/chain")),
        ("x5c", json!([])),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("cty", json!("JWT")),
    ] {
        case(
            &format!("header {name}: {value}"),
            forge.token(&with(&header, name, Some(value)), &claims),
            401,
        );
    }
    for name in ["alg", "typ", "kid"] {
        case(
            &format!("header without {name}"),
            forge.token(&with(&header, name, None), &claims),
            401,
        );
        let twice = doubled(&header, name, &header[name]);
        case(
            &format!("header {name} twice"),
            forge.sign(&twice, &claims.to_string()),
            401,
        );
    }

    let parts: Vec<&str> = good.split('.').collect();
    let bobs = with(&claims, "sub", Some(json!("bob"))).to_string();
    case(
        "other claims, same signature",
        format!("{}.{}.{}", parts[0], part(&bobs), parts[2]),
        401,
    );
    case("no signature", format!("{}.{}.", parts[0], parts[1]), 401);
    case("two parts", format!("{}.{}", parts[0], parts[1]), 401);
    case("four parts", format!("{good}.x"), 401);
    case(
        "five parts, as an encrypted one has",
        format!("{good}.x.x"),
        401,
    );
    case("only dots", "..".to_owned(), 401);
    case("no JSON", forge.sign("x", "y"), 401);
    case(
        "claims in a list",
        forge.sign(&header.to_string(), "[]"),
        401,
    );
    case(
        "claims nested deep",
        forge.sign(&header.to_string(), &"[".repeat(3000)),
        401,
    );
    case("padding", format!("{good}="), 401);
    case(
        "the other alphabet",
        format!("{}+", &good[..good.len() - 1]),
        401,
    );
    case("cut short", good[..good.len() - 2].to_owned(), 401);
    let flipped = if good.ends_with('A') { 'Q' } else { 'A' };
    case(
        "the last letter changed",
        format!("{}{flipped}", &good[..good.len() - 1]),
        401,
    );
    let signature: String = parts[2].chars().rev().collect();
    case(
        "the signature reversed",
        format!("{}.{}.{signature}", parts[0], parts[1]),
        401,
    );
    let mut thief = Forge::new(&[8; 32]);
    let stolen = thief.token(&header, &claims);
    case("another key under this name", stolen, 401);
    thief = Forge::new(&[9; 32]);
    case(
        "another key under its own name",
        thief.token(&thief.header(), &claims),
        401,
    );
    let fat = |size: usize| {
        forge.token(
            &header,
            &with(&claims, "fat", Some(json!("x".repeat(size)))),
        )
    };
    let room = (8 * 1024 - fat(0).len()) * 3 / 4 - 8;
    assert!(fat(room).len() <= 8 * 1024);
    case("8 KiB", fat(room), 200);
    case("more than 8 KiB", fat(room + 16), 401);
    cases
}

#[tokio::test]
async fn a_token_holds_only_if_every_rule_is_kept() {
    let running = Running::start(Ways::Direct).await;
    let address = running.address("rating").await;
    let cases = cases(Clock::real().wall().seconds());
    assert!(cases.len() > 100, "{}", cases.len());
    // Both as they come, and again: what was once refused is not remembered as good.
    let all = cases
        .iter()
        .chain(&cases)
        .map(async |Case(what, token, status)| {
            let headers = [
                ("authorization", &*format!("Bearer {token}")),
                ("content-type", "application/json"),
            ];
            let answer = ask(&address, Method::PUT, PATH, &headers, r#"{"value": 4}"#)
                .await
                .unwrap();
            if *status == 200 {
                assert_eq!(answer.status.as_u16(), 200, "{what}: {}", answer.text());
            } else {
                let told = problem(what, &answer, *status);
                assert!(
                    !told.to_string().contains(token.as_str()) || token.len() < 4,
                    "{what}: tells the token: {told}"
                );
            }
        });
    for case in all {
        case.await;
    }
    running.stop().await;
}

#[tokio::test]
async fn a_token_for_one_service_does_not_open_another() {
    let running = Running::start(Ways::Remote).await;
    let principal = running
        .clients
        .tokens
        .principal("ann", &["editor"], &["rating"]);
    let token = bearer(&principal);
    let headers = [
        ("authorization", token.as_str()),
        ("content-type", "application/json"),
    ];
    let film = r#"{"title": "M"}"#;
    let answer = ask(
        &running.address("metadata").await,
        Method::PUT,
        "/v1/metadata/m",
        &headers,
        film,
    )
    .await
    .unwrap();
    problem("metadata", &answer, 401);
    let answer = ask(
        &running.address("rating").await,
        Method::PUT,
        PATH,
        &headers,
        r#"{"value": 4}"#,
    )
    .await
    .unwrap();
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
    running.stop().await;
}
