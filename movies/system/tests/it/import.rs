//! `movies import` as people run it: into the running system, alone, killed on the way.

use crate::site::{Site, movies};
use backlot_testkit::http::get;
use movies_import::generate::{self, Made, Plan};
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::time::Duration;

const PLAN: Plan = Plan {
    films: 300,
    ratings: 40_000,
    users: 250,
    seed: 11,
    awkward: true,
};

fn made(site: &Site) -> (String, Made) {
    let folder = site.file("ml");
    let made = generate::movielens(&folder, &PLAN).unwrap();
    (folder.display().to_string(), made)
}

/// All ratings, and all aggregates, of a data folder that nobody has open.
pub(crate) type Contents = (Vec<(String, String, i64)>, Vec<(String, i64, i64)>);

pub(crate) fn contents(data: &Path) -> Contents {
    let open = |path: PathBuf| {
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
    };
    let rating = open(data.join("rating.db"));
    let mut statement = rating
        .prepare("SELECT record_id, user_id, half_stars FROM ratings JOIN users ON users.number = ratings.user_number JOIN aggregates ON aggregates.number = ratings.record_number ORDER BY record_id, user_id")
        .unwrap();
    let ratings = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let mut statement = rating
        .prepare("SELECT record_id, count, sum FROM aggregates WHERE count > 0 ORDER BY record_id")
        .unwrap();
    let aggregates = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    (ratings, aggregates)
}

/// The aggregates that these ratings make.
fn counted(ratings: &[(String, String, i64)]) -> Vec<(String, i64, i64)> {
    let mut counted: Vec<(String, i64, i64)> = Vec::new();
    for (record, _, value) in ratings {
        match counted.last_mut() {
            Some((last, count, sum)) if last == record => {
                *count += 1;
                *sum += value;
            }
            _ => counted.push((record.clone(), 1, *value)),
        }
    }
    counted
}

#[tokio::test]
async fn an_import_goes_into_the_running_system() {
    let site = Site::new();
    let (folder, made) = made(&site);
    let running = site.embedded().await;
    let ended = site.movies(&["import", "movielens", &folder]).run().await;
    assert!(ended.status.success(), "{}{}", ended.out, ended.err);
    assert!(
        ended.err.contains("into the running system"),
        "{}",
        ended.err
    );
    assert!(ended.out.contains("40,000 new"), "{}", ended.out);
    let page = get(&site.address("movie"), "/v1/movies/tt0100000")
        .await
        .unwrap();
    let film: serde_json::Value = serde_json::from_str(&page.text()).unwrap();
    assert!(
        film["movie"]["rating"]["count"].as_u64().unwrap() > 0,
        "{film}"
    );
    let mut running = running;
    running.terminate();
    assert_eq!(running.exit_code().await, 0, "{}", running.said());
    let (ratings, aggregates) = contents(site.data());
    assert_eq!(ratings.len() as u64, made.ratings);
    assert_eq!(counted(&ratings), aggregates);
}

#[tokio::test]
async fn an_import_that_is_killed_again_and_again_comes_to_the_same_end() {
    let clean = Site::new();
    let (folder, made) = made(&clean);
    let ended = clean.movies(&["import", "movielens", &folder]).run().await;
    assert!(ended.status.success(), "{}{}", ended.out, ended.err);
    let expected = contents(clean.data());
    assert_eq!(expected.0.len() as u64, made.ratings);
    assert_eq!(counted(&expected.0), expected.1);

    let site = Site::new();
    let (mut wait, mut kills) = (Duration::from_millis(300), 0);
    loop {
        let mut process = site.movies(&["import", "movielens", &folder]).start();
        // Dies at another point each time; what takes longer each time ends at last.
        let ended = tokio::time::timeout(wait, process.exit_code()).await;
        if let Ok(code) = ended {
            assert_eq!(code, 0, "{}", process.said());
            break;
        }
        process.kill().await;
        kills += 1;
        wait += Duration::from_millis(150 + 37 * kills);
    }
    assert!(kills > 0, "it was never killed");
    assert_eq!(contents(site.data()), expected, "after {kills} kills");
    let again = site.movies(&["import", "movielens", &folder]).run().await;
    assert!(
        again.out.contains("0 new, 0 changed, 300 unchanged"),
        "{}",
        again.out
    );
    assert_eq!(contents(site.data()), expected, "twice is once");
}

/// Published twice is rated once: what an import says of a rating is how it is to be.
#[tokio::test]
async fn an_import_through_the_broker_comes_to_the_same_end_however_often_it_is_killed() {
    let direct = Site::new();
    let (folder, made) = made(&direct);
    let ended = direct.movies(&["import", "movielens", &folder]).run().await;
    assert!(ended.status.success(), "{}{}", ended.out, ended.err);
    let expected = contents(direct.data());

    let site = Site::new();
    let arguments = ["import", "movielens", &folder, "--via-broker"];
    let (mut wait, mut kills) = (Duration::from_millis(700), 0);
    loop {
        let mut process = site.movies(&arguments).start();
        let ended = tokio::time::timeout(wait, process.exit_code()).await;
        if let Ok(code) = ended {
            assert_eq!(code, 0, "{}", process.said());
            assert!(process.said().contains("submitted"), "{}", process.said());
            break;
        }
        process.kill().await;
        kills += 1;
        // After each death some messages come alone: a few are enough.
        wait *= 2;
    }
    assert!(kills > 0, "it was never killed");
    // What the last run but one published, and was killed before it was taken in, is there too.
    let again = site.movies(&arguments).run().await;
    assert!(again.status.success(), "{}{}", again.out, again.err);
    let (ratings, aggregates) = contents(site.data());
    assert_eq!(ratings.len() as u64, made.ratings, "after {kills} kills");
    assert_eq!((ratings, aggregates), expected);
}

#[tokio::test]
async fn what_cannot_be_imported_says_why_and_what_to_do() {
    let site = Site::new();
    let ended = site
        .movies(&["import", "movielens", "/nowhere"])
        .run()
        .await;
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.err.contains("/nowhere is no folder"), "{}", ended.err);
    let (folder, _) = made(&site);
    let ended = site
        .movies(&["import", "movielens", &folder, "--token", "x"])
        .run()
        .await;
    assert!(
        ended.err.contains("--token is for a running system"),
        "{}",
        ended.err
    );
    let ended = site
        .movies(&["import", "movielens", &folder, "--strict"])
        .run()
        .await;
    assert_eq!(ended.status.code(), Some(1));
    assert!(
        ended.err.contains("--strict stops at the first bad line"),
        "{}",
        ended.err
    );
    let help = movies().args(["import", "--help"]).run().await;
    assert!(
        help.out.contains("movies import movielens ml-latest-small"),
        "{}",
        help.out
    );
}

/// The real data set, where it is.
fn latest_small() -> Option<PathBuf> {
    let named = std::env::var_os("BACKLOT_MOVIELENS").map(PathBuf::from);
    let usual = || std::path::absolute("../../../shared/data/ml-latest-small");
    let folder = named.or_else(|| usual().ok())?;
    if folder.join("ratings.csv").is_file() {
        return Some(folder);
    }
    eprintln!(
        "skipped: {} is not there; name it in BACKLOT_MOVIELENS",
        folder.display()
    );
    None
}

#[tokio::test]
async fn movielens_latest_small_is_what_is_known_of_it() {
    let Some(folder) = latest_small() else { return };
    let site = Site::new();
    let folder = folder.display().to_string();
    let ended = site.movies(&["import", "movielens", &folder]).run().await;
    assert!(ended.status.success(), "{}{}", ended.out, ended.err);
    assert!(
        ended.out.contains("9,742 new") && ended.out.contains("100,836 new"),
        "{}",
        ended.out
    );
    let (ratings, aggregates) = contents(site.data());
    assert_eq!(counted(&ratings), aggregates);
    let users: std::collections::BTreeSet<_> = ratings.iter().map(|(_, user, _)| user).collect();
    assert_eq!((ratings.len(), users.len()), (100_836, 610));
    let sum: i64 = aggregates.iter().map(|(_, _, sum)| sum).sum();
    assert_eq!(
        format!("{:.4}", sum as f64 / 2.0 / ratings.len() as f64),
        "3.5016"
    );
    for (film, count, mean) in [("tt0109830", 329, "4.164"), ("tt0111161", 317, "4.429")] {
        let (_, rated, sum) = aggregates.iter().find(|(id, ..)| id == film).unwrap();
        assert_eq!(
            (*rated, format!("{:.3}", *sum as f64 / 2.0 / count as f64)),
            (count, mean.to_owned())
        );
    }
    let catalogue =
        Connection::open_with_flags(site.file("metadata.db"), OpenFlags::SQLITE_OPEN_READ_ONLY)
            .unwrap();
    let title = |id: &str| -> (String, i32) {
        catalogue
            .query_row("SELECT title, year FROM movies WHERE id = ?", [id], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .unwrap()
    };
    assert_eq!(
        title("tt0112346"),
        ("The American President".to_owned(), 1995)
    );
    assert_eq!(title("tt0109830"), ("Forrest Gump".to_owned(), 1994));
}
