//! The page as a browser uses it, over the wire and with everything behind it.

use crate::site::{Site, nobody_panicked};
use backlot::Dice;
use backlot_testkit::http::{Answer, Open, ask, get};
use backlot_testkit::knob;
use http::Method;
use serde_json::Value;

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const OURS: (&str, &str) = ("sec-fetch-site", "same-origin");

async fn post(
    site: &Site,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Vec<u8>>,
) -> Answer {
    let mut all = vec![FORM, OURS];
    all.extend_from_slice(headers);
    ask(&site.address("web"), Method::POST, path, &all, body.into())
        .await
        .unwrap()
}

/// The next event that tells numbers; how many ratings there are.
async fn told(live: &mut Open) -> u64 {
    loop {
        let event = live.until("\n\n").await.unwrap().unwrap();
        let data = event.lines().find_map(|line| line.strip_prefix("data: "));
        let number = data
            .and_then(|data| serde_json::from_str::<Value>(data).ok())
            .and_then(|tally| tally["count"].as_u64());
        if let Some(count) = number {
            return count;
        }
    }
}

#[tokio::test]
async fn a_visitor_picks_a_name_rates_and_a_second_tab_sees_it() {
    let site = Site::new();
    let mut movies = site.embedded().await;
    site.film("m").await;
    let picked = post(&site, "/name", &[], "name=Zo%C3%AB&back=%2Fmovies%2Fm").await;
    assert_eq!(
        (picked.status.as_u16(), picked.header("location")),
        (303, "/movies/m")
    );
    let cookie = picked
        .header("set-cookie")
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let visitor = [("cookie", &*cookie)];

    let mut tab = Open::get(&site.address("web"), "/movies/m/live")
        .await
        .unwrap();
    assert_eq!(told(&mut tab).await, 0);
    let rated = post(&site, "/movies/m/rating", &visitor, "value=4.5&key=k-1").await;
    assert_eq!(
        (rated.status.as_u16(), rated.header("location")),
        (303, "/movies/m")
    );
    assert_eq!(told(&mut tab).await, 1);
    // The same click once more, and a page that shows what it did.
    let again = post(&site, "/movies/m/rating", &visitor, "value=4.5&key=k-1").await;
    assert_eq!(again.status.as_u16(), 303);
    assert_eq!(
        site.rated("m").await.unwrap()["movie"]["rating"]["count"],
        1
    );
    let page = ask(&site.address("web"), Method::GET, "/movies/m", &visitor, "")
        .await
        .unwrap();
    assert!(page.text().contains("Zoë"), "{}", page.text());

    let back = post(&site, "/movies/m/rating/delete", &visitor, "key=k-2").await;
    assert_eq!(back.status.as_u16(), 303);
    assert_eq!(told(&mut tab).await, 0);
    movies.terminate();
    assert_eq!(movies.exit_code().await, 0, "{}", movies.said());
    nobody_panicked(&movies.said());
}

#[tokio::test]
async fn no_visitor_makes_a_page_fail_inside() {
    let site = Site::new();
    let mut movies = site.embedded().await;
    site.film("m").await;
    let dice = Dice::seeded(knob::number("SEED").unwrap_or(1895));
    for round in 0..knob::number("CASES").unwrap_or(300) {
        let path = any_path(&dice);
        let cookie = format!("movies_name={}", any_text(&dice));
        let mut headers = vec![("cookie", &*cookie)];
        if dice.below(2) == 0 {
            headers.push(("accept", "application/json"));
        }
        let headers: Vec<(&str, &str)> = headers
            .into_iter()
            .filter(|(_, value)| http::HeaderValue::from_str(value).is_ok())
            .collect();
        let answer = if dice.below(2) == 0 {
            post(&site, &path, &headers, any_form(&dice)).await
        } else if path.ends_with("/live") {
            continue;
        } else {
            ask(&site.address("web"), Method::GET, &path, &headers, "")
                .await
                .unwrap()
        };
        assert!(
            answer.status.as_u16() < 500,
            "round {round}: {path}: {}: {}",
            answer.status,
            answer.text()
        );
    }
    assert_eq!(
        get(&site.address("web"), "/")
            .await
            .unwrap()
            .status
            .as_u16(),
        200
    );
    movies.terminate();
    assert_eq!(movies.exit_code().await, 0, "{}", movies.said());
    nobody_panicked(&movies.said());
    assert!(!movies.err().contains("ERROR"), "{}", movies.said());
}

fn any_text(dice: &Dice) -> String {
    const TEXTS: [&str; 14] = [
        "", "ann", "4.5", "99", "-1", "%", "%zz", "%FF", "a b", "é", "<script>", "\u{202e}",
        "..%2F..", "%00",
    ];
    match dice.below(4) {
        0 => (0..dice.below(200))
            .map(|_| char::from(32 + u8::try_from(dice.below(95)).unwrap()))
            .collect(),
        1 => TEXTS[usize::try_from(dice.below(2)).unwrap() + 1]
            .repeat(usize::try_from(dice.below(60)).unwrap()),
        _ => TEXTS[usize::try_from(dice.below(TEXTS.len() as u64)).unwrap()].to_owned(),
    }
}

fn any_path(dice: &Dice) -> String {
    let escaped: String = any_text(dice)
        .bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() || b"-_.%".contains(&byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect();
    let id = if dice.below(2) == 0 { "m" } else { &escaped };
    match dice.below(16) {
        0 => format!("/?page={escaped}"),
        1 => format!("/?after={escaped}&token={escaped}"),
        2 => format!("/movies/{id}"),
        3 => format!("/movies/{id}/rating"),
        4 => format!("/movies/{id}/rating/delete"),
        5 => format!("/movies/{id}/live"),
        6 => format!("/name?back={escaped}"),
        7 => format!("/assets/{escaped}"),
        8 => format!("/browse?genre={escaped}&decade={escaped}"),
        9 => format!("/browse?person={escaped}&page={escaped}&before={escaped}&n={escaped}"),
        10 => format!("/search?q={escaped}&page={escaped}"),
        11 => format!("/search/suggest?q={escaped}"),
        12 => format!("/charts?genre={escaped}&decade=1990&sort={escaped}&dir={escaped}"),
        13 => format!("/ratings?page={escaped}"),
        14 => format!("/posters/{escaped}"),
        _ => format!("/{escaped}"),
    }
}

fn any_form(dice: &Dice) -> Vec<u8> {
    const NAMES: [&str; 6] = ["value", "key", "name", "back", "", "other"];
    match dice.below(5) {
        0 => (0..dice.below(300))
            .map(|_| u8::try_from(dice.below(256)).unwrap())
            .collect(),
        1 => vec![b'x'; 200_000],
        _ => (0..dice.below(5))
            .map(|_| {
                let name = NAMES[usize::try_from(dice.below(NAMES.len() as u64)).unwrap()];
                format!("{name}={}&", any_text(dice))
            })
            .collect::<String>()
            .into_bytes(),
    }
}
