//! Posters: uploaded, made by workers that are killed, shown; or refused with the reason.

use crate::site::{Site, nobody_panicked};
use backlot_testkit::http::{ask, get};
use backlot_testkit::{Process, wait_until};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use image::{ImageFormat, Rgb, RgbImage};
use serde_json::{Value, json};
use std::io::Cursor;
use std::path::Path;
use std::time::Duration;

const WORKERS: usize = 10;
const FILMS: u32 = 40;

/// A picture like no other, large enough that a worker is at it for a moment.
fn picture(seed: u32, format: ImageFormat) -> Vec<u8> {
    let picture = RgbImage::from_fn(1000, 1500, |x, y| {
        Rgb([(x ^ y) as u8, ((x * seed) >> 4) as u8, (y + seed * 5) as u8])
    });
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn sha256(bytes: &[u8]) -> String {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    let digits = hash.as_ref().iter().map(|byte| format!("{byte:02x}"));
    digits.collect()
}

/// Gives a film this file; its hash.
async fn give(site: &Site, film: &str, bytes: &[u8]) -> String {
    let sha256 = sha256(bytes);
    let mut lines = vec![json!({ "size": bytes.len(), "sha256": sha256 }).to_string()];
    for piece in bytes.chunks(300_000) {
        lines.push(json!({ "chunk": STANDARD.encode(piece) }).to_string());
    }
    let editor = site.bearer("eve", &["editor"]);
    let headers = [
        ("authorization", &*editor),
        ("content-type", "application/x-ndjson"),
    ];
    let path = format!("/v1/movies/{film}/files");
    let movie = site.address("movie");
    let given = ask(&movie, Method::POST, &path, &headers, lines.join("\n")).await;
    let given = given.unwrap();
    assert_eq!(given.status.as_u16(), 200, "{}", given.text());
    sha256
}

/// How far a film's poster is, as far as it got within half a minute.
async fn poster(site: &Site, film: &str) -> Value {
    let path = format!("/v1/movies/{film}/poster?waitMs=30000");
    let headers = [("x-request-timeout-ms", "40000")];
    let answer = ask(&site.address("movie"), Method::GET, &path, &headers, "").await;
    answer.unwrap().json()
}

fn count(file: &Path, of: &str) -> i64 {
    let database = rusqlite::Connection::open(file).unwrap();
    let sql = format!("SELECT COUNT(*) FROM {of}");
    database.query_row(&sql, [], |row| row.get(0)).unwrap()
}

fn worker(site: &Site) -> Process {
    let anywhere = ["listen", "admin"].map(|port| format!("poster.server.{port}=127.0.0.1:0"));
    let program = site.movies(&["poster"]);
    let anywhere = anywhere.iter().flat_map(|set| ["--set", set]);
    program.args(anywhere).start()
}

#[tokio::test]
async fn ten_workers_share_the_posters_and_those_that_are_killed_lose_and_double_nothing() {
    let site = Site::new();
    let mut running: Vec<Process> = ["broker", "auth", "metadata", "movie", "web"]
        .map(|service| site.movies(&[service]).start())
        .into();
    for service in ["broker", "auth", "metadata", "movie"] {
        let ready = async || match get(&site.admin(service), "/ready").await {
            Ok(answer) if answer.status.as_u16() == 200 => Ok(()),
            other => Err(format!("{service}: {other:?}")),
        };
        wait_until("it is ready", ready).await;
    }
    let mut workers: Vec<Process> = (0..WORKERS).map(|_| worker(&site)).collect();
    let mut killed = Vec::new();
    let mut hashes = Vec::new();
    for number in 0..FILMS {
        let film = format!("film-{number}");
        site.film(&film).await;
        hashes.push(give(&site, &film, &picture(number, ImageFormat::Png)).await);
        // One in the middle of its work, as likely as not; another takes its place.
        if number % 5 == 4 {
            let mut victim = workers.remove(0);
            victim.kill().await;
            killed.push(victim);
            workers.push(worker(&site));
        }
    }
    for (number, sha256) in hashes.iter().enumerate() {
        let poster = poster(&site, &format!("film-{number}")).await;
        assert_eq!(poster["poster"], **sha256, "{number}: {poster}");
        let pictures = poster["pictures"].as_array().unwrap();
        let sizes: Vec<_> = pictures
            .iter()
            .map(|it| (&it["width"], &it["height"]))
            .collect();
        assert_eq!(
            sizes,
            [
                (&160.into(), &240.into()),
                (&320.into(), &480.into()),
                (&640.into(), &960.into())
            ]
        );
    }
    let page = get(&site.address("web"), "/movies/film-7").await.unwrap();
    let text = page.text();
    let img = text.split("<img class=\"poster\" src=\"").nth(1).unwrap();
    let shown = get(&site.address("web"), img.split('"').next().unwrap()).await;
    let shown = shown.unwrap();
    assert_eq!(shown.header("content-type"), "image/jpeg");
    assert!(shown.body.starts_with(&[0xff, 0xd8, 0xff]));

    let had: Vec<usize> = workers
        .iter()
        .chain(&killed)
        .map(|worker| {
            worker
                .said()
                .matches("looked into an uploaded file")
                .count()
        })
        .collect();
    assert!(had.iter().filter(|had| **had > 0).count() > 3, "{had:?}");

    // Nothing is left over, and nothing is there twice.
    let lag = site.movies(&["lag", "--json"]).run().await;
    let lag: Value = serde_json::from_str(&lag.out).unwrap();
    let groups = lag["groups"].as_array().unwrap();
    let of = |name: &str| groups.iter().find(|group| group["group"] == name).unwrap();
    wait_until("all is settled", async || {
        let lag = site.movies(&["lag", "--json"]).run().await.out;
        let lag: Value = serde_json::from_str(&lag).map_err(|error| error.to_string())?;
        let groups = lag["groups"].as_array().unwrap();
        match groups.iter().all(|group| group["lag"] == 0) {
            true => Ok(()),
            false => Err(lag.to_string()),
        }
    })
    .await;
    assert!(of("poster-makers").is_object() && of("posters").is_object());
    let dead = site.movies(&["dead", "list", "--json"]).run().await;
    let dead: Value = serde_json::from_str(&dead.out).unwrap();
    assert_eq!(dead["letters"], json!([]), "{dead}");

    for process in running.iter_mut().chain(&mut workers) {
        process.terminate();
        assert_eq!(process.exit_code().await, 0, "{}", process.said());
        nobody_panicked(&process.said());
    }
    let films = i64::from(FILMS);
    assert_eq!(count(&site.file("metadata.db"), "files"), films * 4);
    assert_eq!(count(&site.file("metadata.db"), "uploads"), 0);
}

#[tokio::test]
async fn what_is_no_poster_is_a_dead_letter_with_the_reason_and_may_be_sent_through_again() {
    let site = Site::new();
    let few = ["--set", "poster.pixels=1000000"];
    let arguments = [&["--no-sample"][..], &few].concat();
    let start = async |arguments: &[&str]| {
        let mut movies = site.movies(arguments).start();
        movies
            .wait_for_line("it is up", |line| line == "Ctrl-C stops.")
            .await;
        movies
    };
    let mut movies = start(&arguments).await;
    let whole = picture(1, ImageFormat::Jpeg);
    let mut small = Cursor::new(Vec::new());
    RgbImage::new(100, 150)
        .write_to(&mut small, ImageFormat::Jpeg)
        .unwrap();
    let cut = &small.get_ref()[..small.get_ref().len() - 40];
    let page = b"\x89PNG\r\n\x1a\n<!doctype html><script>alert(1)</script>";
    for (film, bytes, reason) in [
        ("corrupt", cut, "it is no JPEG that can be read"),
        (
            "oversized",
            &whole,
            "it has 1000 by 1500 pixels, more than 1000000 in all",
        ),
        ("disguised", page, "it is no PNG that can be read"),
    ] {
        site.film(film).await;
        give(&site, film, bytes).await;
        let poster = poster(&site, film).await;
        let said = poster["refused"].as_str().unwrap();
        assert!(said.starts_with(reason), "{film}: {said}");
    }
    let letters = async || {
        let dead = site
            .movies(&["dead", "list", "poster-makers", "--json"])
            .run()
            .await;
        let dead: Value = serde_json::from_str(&dead.out).map_err(|_| dead.err)?;
        let mut letters = dead["letters"].as_array().unwrap().clone();
        letters.retain(|letter| letter["status"] == "waiting");
        Ok::<_, String>(letters)
    };
    let dead = wait_until("all three are dead letters", async || {
        match letters().await {
            Ok(dead) if dead.len() == 3 => Ok(dead),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    let reasons = json!(dead).to_string();
    for reason in [
        "JPEG that can be read",
        "more than 1000000 in all",
        "no PNG",
    ] {
        assert!(reasons.contains(reason), "{reasons}");
    }

    // Nothing was wrong with one of them but the limit.
    movies.terminate();
    assert_eq!(movies.exit_code().await, 0, "{}", movies.said());
    let mut movies = start(&["--no-sample"]).await;
    let sent = site
        .movies(&["dead", "redrive", "poster-makers", "--yes"])
        .run()
        .await;
    assert!(sent.status.success(), "{}", sent.err);
    wait_until("the film is shown", async || {
        match poster(&site, "oversized").await {
            poster if poster["poster"] == sha256(&whole) => Ok(()),
            poster => Err(poster.to_string()),
        }
    })
    .await;
    wait_until("the others are dead again", async || {
        match letters().await {
            Ok(dead) if dead.len() == 2 => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;

    // As people do it.
    let file = site.file("poster.png");
    std::fs::write(&file, picture(2, ImageFormat::Png)).unwrap();
    let given = site.movies(&["upload", "corrupt"]).arg(&file).run().await;
    assert!(
        given
            .out
            .contains("corrupt is shown by it: 160 x 240, 320 x 480, 640 x 960 pixels"),
        "{}{}",
        given.out,
        given.err
    );
    std::fs::write(&file, page).unwrap();
    let refused = site.movies(&["upload", "corrupt"]).arg(&file).run().await;
    assert!(!refused.status.success());
    assert!(
        refused.err.contains("the file was refused: it is no PNG"),
        "{}",
        refused.err
    );
    movies.terminate();
    assert_eq!(movies.exit_code().await, 0, "{}", movies.said());
}

#[tokio::test]
async fn without_a_maker_of_posters_all_else_goes_on_and_it_catches_up() {
    let site = Site::new();
    let mut running: Vec<Process> = ["broker", "auth", "metadata", "rating", "movie", "web"]
        .map(|service| site.movies(&[service]).start())
        .into();
    let ready = async || match get(&site.admin("movie"), "/ready").await {
        Ok(answer) if answer.status.as_u16() == 200 && site.file("auth.key").exists() => Ok(()),
        other => Err(format!("{other:?}")),
    };
    wait_until("movie is ready", ready).await;
    let film = async || match get(&site.admin("metadata"), "/ready").await {
        Ok(answer) if answer.status.as_u16() == 200 => Ok(()),
        other => Err(format!("{other:?}")),
    };
    wait_until("the catalogue is ready", film).await;
    site.film("m").await;
    let sha256 = give(&site, "m", &picture(3, ImageFormat::WebP)).await;
    wait_until("a rating is taken", async || {
        match site.rate("ann", "m", 4.0).await {
            Ok(answer) if answer.status.as_u16() == 200 => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    let page = get(&site.address("web"), "/movies/m").await.unwrap();
    assert!(page.status.as_u16() == 200 && page.text().contains("<svg class=\"poster\""));
    let file = site.file("poster.png");
    let mut small = Cursor::new(Vec::new());
    RgbImage::new(4, 6)
        .write_to(&mut small, ImageFormat::Png)
        .unwrap();
    std::fs::write(&file, small.get_ref()).unwrap();
    let mut late = worker(&site);
    late.wait_until("the film is shown", async || {
        match poster(&site, "m").await {
            poster if poster["poster"] == *sha256 => Ok(()),
            poster => Err(poster.to_string()),
        }
    })
    .await;
    // Within seconds, once there is one.
    let began = tokio::time::Instant::now();
    let given = site.movies(&["upload", "m"]).arg(&file).run().await;
    assert!(
        given.out.contains("m is shown by it: 4 x 6"),
        "{}{}",
        given.out,
        given.err
    );
    assert!(tokio::time::Instant::now() - began < Duration::from_secs(20));
    for process in running.iter_mut().chain([&mut late]) {
        process.terminate();
        assert_eq!(process.exit_code().await, 0, "{}", process.said());
    }
}
