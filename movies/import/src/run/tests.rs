use super::*;
use crate::generate::{self, Made, Plan};
use crate::{events, imdb, movielens};
use fakes::{Fault, Services};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

mod fakes;

const PLAN: Plan = Plan {
    films: 700,
    ratings: 60_000,
    users: 300,
    seed: 3,
    awkward: true,
};

fn made(folder: &Path) -> Made {
    generate::movielens(folder, &PLAN).unwrap()
}

fn settings(folder: &Path) -> Settings {
    Settings {
        folder: folder.join("imports"),
        ..Settings::default()
    }
}

async fn import(import: Import, services: &Services, settings: &Settings) -> Summary {
    let shutdown = Shutdown::new();
    import
        .run(
            &services.destination(),
            settings,
            &shutdown,
            Progress::silent(),
        )
        .await
}

async fn movielens_into(folder: &Path, services: &Services) -> Summary {
    import(
        movielens::open(folder).unwrap(),
        services,
        &settings(folder),
    )
    .await
}

fn ended_well(summary: &Summary) {
    if let Some(error) = &summary.ended {
        panic!("{}", error.chain());
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_generated_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let (made, services) = (made(folder.path()), Services::default());
    let summary = movielens_into(folder.path(), &services).await;
    ended_well(&summary);
    let state = services.state();
    assert_eq!(state.films.len() as u64, made.films);
    assert_eq!(state.ratings.len() as u64, made.ratings);
    let sum: i64 = state.ratings.values().map(|value| i64::from(*value)).sum();
    assert_eq!(sum as u64, made.half_stars);
    assert_eq!(
        (summary.tally.films.new, summary.tally.bad),
        (made.films, made.bad)
    );
    assert_eq!(summary.problems.len(), 5);
    assert!(state.largest_films <= 500 && state.largest_ratings <= 5_000);
    assert!(state.most_at_once <= AT_ONCE, "{}", state.most_at_once);
}

#[tokio::test(start_paused = true)]
async fn twice_is_once() {
    let folder = tempfile::tempdir().unwrap();
    let (made, services) = (made(folder.path()), Services::default());
    ended_well(&movielens_into(folder.path(), &services).await);
    let before = services.contents();
    let writes = services.state().film_writes;
    let again = movielens_into(folder.path(), &services).await;
    ended_well(&again);
    assert_eq!(services.contents(), before);
    assert_eq!(
        services.state().film_writes,
        writes,
        "films that are there just so are not written"
    );
    assert_eq!(
        (again.tally.films.unchanged, again.tally.films.new),
        (made.films, 0)
    );
    assert_eq!(again.tally.ratings.new, 0);
}

#[tokio::test(start_paused = true)]
async fn an_import_that_dies_again_and_again_comes_to_the_same_end() {
    let clean = {
        let folder = tempfile::tempdir().unwrap();
        made(folder.path());
        let services = Services::default();
        ended_well(&movielens_into(folder.path(), &services).await);
        services.contents()
    };
    for seed in 0..3 {
        let folder = tempfile::tempdir().unwrap();
        let made = made(folder.path());
        let services = Services::seeded(seed);
        let mut runs = 0;
        loop {
            runs += 1;
            // Dies in the middle of a call: with it done or not.
            services.die_after(3 + (seed * 7 + runs * 3) % 10);
            let ended = tokio::select! {
                biased;
                () = services.died() => None,
                summary = movielens_into(folder.path(), &services) => Some(summary),
            };
            if let Some(summary) = ended {
                ended_well(&summary);
                assert_eq!(
                    summary.tally.bad, made.bad,
                    "seed {seed}: each bad line is counted once"
                );
                break;
            }
            assert!(runs < 200, "seed {seed}: it never ends");
        }
        assert!(runs > 2, "seed {seed}: it died only {runs} times");
        assert_eq!(services.contents(), clean, "seed {seed}");
        let left = fs::read_dir(folder.path().join("imports")).unwrap().count();
        assert_eq!(left, 0, "a finished import leaves no position");
    }
}

#[tokio::test(start_paused = true)]
async fn the_later_line_counts_whatever_call_is_answered_first() {
    let folder = tempfile::tempdir().unwrap();
    made(folder.path());
    // The same thousand pairs again and again, further apart than a batch is long.
    let mut text = "userId,movieId,rating,timestamp\n".to_owned();
    let mut last = BTreeMap::new();
    for line in 0..40_000u32 {
        let (user, film, value) = (line % 7_000, line % 600 + 1, line / 4_001 % 9 + 1);
        text.push_str(&format!(
            "{user},{film},{}.{},1\n",
            value / 2,
            value % 2 * 5
        ));
        last.insert((format!("ml-{user}"), film), value as i32);
    }
    fs::write(folder.path().join("ratings.csv"), text).unwrap();
    for seed in 0..4 {
        let services = Services::seeded(seed);
        let summary = movielens_into(folder.path(), &services).await;
        ended_well(&summary);
        let state = services.state();
        assert_eq!(state.ratings.len(), last.len());
        let mut values: Vec<_> = state
            .ratings
            .iter()
            .map(|((_, _, user), value)| (user.clone(), *value))
            .collect();
        let mut expected: Vec<_> = last
            .iter()
            .map(|((user, _), value)| (user.clone(), *value))
            .collect();
        values.sort();
        expected.sort();
        assert_eq!(values, expected, "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_away_for_a_while_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let (made, services) = (made(folder.path()), Services::default());
    // Some answers are lost after the work was done.
    services.fail(20, Fault::Unavailable);
    services.fail(3, Fault::AnswerLost);
    let summary = movielens_into(folder.path(), &services).await;
    ended_well(&summary);
    assert_eq!(services.state().ratings.len() as u64, made.ratings);
    assert_eq!(
        services.state().reused,
        3,
        "an attempt after a lost answer has the same key"
    );
}

#[tokio::test(start_paused = true)]
async fn a_refusal_ends_the_import_and_names_the_lines() {
    let folder = tempfile::tempdir().unwrap();
    made(folder.path());
    let services = Services::default();
    services.fail(1, Fault::Denied);
    let summary = movielens_into(folder.path(), &services).await;
    let error = summary.ended.expect("it was refused").chain();
    assert!(
        error.starts_with("movies.csv, lines 2 to ") && error.contains("PERMISSION_DENIED"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn stopping_is_going_on_later() {
    let folder = tempfile::tempdir().unwrap();
    let (made, services) = (made(folder.path()), Services::default());
    let shutdown = Shutdown::new();
    services.when_called(8, {
        let shutdown = shutdown.clone();
        move || shutdown.advance(Phase::Draining)
    });
    let first = movielens::open(folder.path())
        .unwrap()
        .run(
            &services.destination(),
            &settings(folder.path()),
            &shutdown,
            Progress::silent(),
        )
        .await;
    assert!(
        matches!(first.ended, Some(ImportError::Stopped)),
        "{:?}",
        first.ended
    );
    let second = movielens_into(folder.path(), &services).await;
    ended_well(&second);
    assert_eq!(services.state().ratings.len() as u64, made.ratings);
    assert_eq!(
        (second.tally.films.new, second.tally.bad),
        (made.films, made.bad),
        "both runs are counted"
    );
}

#[tokio::test(start_paused = true)]
async fn strict_writes_what_is_before_the_bad_line_and_stops() {
    let folder = tempfile::tempdir().unwrap();
    generate::movielens(
        folder.path(),
        &Plan {
            awkward: false,
            ..PLAN
        },
    )
    .unwrap();
    let path = folder.path().join("ratings.csv");
    let good = fs::read_to_string(&path).unwrap();
    let lines: Vec<_> = good.lines().collect();
    let (before, after) = lines.split_at(20_001);
    fs::write(
        &path,
        format!("{}\n1,1,6,1\n{}\n", before.join("\n"), after.join("\n")),
    )
    .unwrap();
    let services = Services::default();
    let strict = Settings {
        strict: true,
        ..settings(folder.path())
    };
    let mut ends = Vec::new();
    for _ in 0..2 {
        let summary = import(movielens::open(folder.path()).unwrap(), &services, &strict).await;
        ends.push(summary.ended.expect("a line is bad").to_string());
        assert_eq!(services.state().ratings.len(), 20_000);
    }
    assert!(
        ends[0].starts_with("ratings.csv:20002: rating \"6\""),
        "{}",
        ends[0]
    );
    assert_eq!(ends[0], ends[1]);
    // Without it, the same command leaves the line out.
    let summary = movielens_into(folder.path(), &services).await;
    ended_well(&summary);
    assert_eq!(
        (summary.tally.bad, services.state().ratings.len()),
        (1, 60_000)
    );
}

#[tokio::test(start_paused = true)]
async fn every_bad_line_is_in_the_report() {
    let folder = tempfile::tempdir().unwrap();
    let (made, services) = (made(folder.path()), Services::default());
    let path = folder.path().join("bad.jsonl");
    let settings = Settings {
        report: Some(path.clone()),
        ..settings(folder.path())
    };
    ended_well(
        &import(
            movielens::open(folder.path()).unwrap(),
            &services,
            &settings,
        )
        .await,
    );
    let text = fs::read_to_string(path).unwrap();
    let problems: Vec<Problem> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        problems.iter().filter(|problem| problem.skipped).count() as u64,
        made.bad
    );
}

#[tokio::test(start_paused = true)]
async fn imdb_tables_make_films_and_averages() {
    let folder = tempfile::tempdir().unwrap();
    let made = generate::imdb(folder.path(), &PLAN).unwrap();
    let services = Services::default();
    let paths: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    for again in [false, true] {
        let summary = import(
            imdb::open(&paths, imdb::Choice::default()).unwrap(),
            &services,
            &settings(folder.path()),
        )
        .await;
        ended_well(&summary);
        let state = services.state();
        assert_eq!(state.films.len() as u64, made.films);
        assert_eq!(state.outside.len() as u64, made.averages);
        assert!(
            state
                .films
                .values()
                .filter(|film| !film.director.is_empty())
                .count()
                > 600
        );
        assert_eq!(
            (summary.tally.bad, summary.tally.outside),
            (made.bad, made.averages)
        );
        let unchanged = if again { made.films } else { 0 };
        assert_eq!(summary.tally.films.unchanged, unchanged);
    }
    assert!(
        services.state().ratings.is_empty(),
        "averages are nobody's ratings"
    );
}

#[tokio::test(start_paused = true)]
async fn a_film_of_both_is_one_film_that_keeps_what_each_knows() {
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan {
        awkward: false,
        ..PLAN
    };
    generate::imdb(folder.path(), &plan).unwrap();
    generate::movielens(folder.path(), &plan).unwrap();
    let tables: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "gz"))
        .collect();
    let services = Services::default();
    let settings = settings(folder.path());
    ended_well(
        &import(
            imdb::open(&tables, imdb::Choice::default()).unwrap(),
            &services,
            &settings,
        )
        .await,
    );
    let directed = || {
        let state = services.state();
        let with = state
            .films
            .values()
            .filter(|film| !film.director.is_empty());
        (state.films.len(), with.count())
    };
    let before = directed();
    ended_well(&movielens_into(folder.path(), &services).await);
    assert_eq!(directed(), before);
    // Averages alone go to films the catalogue has.
    let ratings: Vec<_> = tables
        .into_iter()
        .filter(|path| path.to_string_lossy().contains("title.ratings"))
        .collect();
    let summary = import(
        imdb::open(&ratings, imdb::Choice::default()).unwrap(),
        &services,
        &settings,
    )
    .await;
    ended_well(&summary);
    assert_eq!((summary.tally.outside, summary.tally.left_out), (700, 700));
}

#[tokio::test(start_paused = true)]
async fn events_put_and_take_back_in_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ratingsdata.json");
    let mut expected = BTreeMap::new();
    let mut events = Vec::new();
    for number in 0..12_000u32 {
        let (user, record, kind) = (
            number % 5_003,
            number % 7,
            if number % 5 == 4 { "delete" } else { "put" },
        );
        let value = number % 4 + 1;
        events.push(format!("{{\"userId\":\"{user}\",\"recordId\":\"{record}\",\"recordType\":\"movie\",\"value\":{value},\"providerId\":\"p\",\"eventType\":\"{kind}\"}}"));
        let key = ("movie".to_owned(), record.to_string(), user.to_string());
        if kind == "put" {
            expected.insert(key, value as i32 * 2);
        } else {
            expected.remove(&key);
        }
    }
    events.insert(3, "{\"userId\":\"1\"}".to_owned());
    fs::write(&path, format!("[{}]", events.join(",\n"))).unwrap();
    let services = Services::seeded(5);
    let summary = import(
        events::open(&path).unwrap(),
        &services,
        &settings(folder.path()),
    )
    .await;
    ended_well(&summary);
    assert_eq!(services.state().ratings, expected);
    assert_eq!(
        summary.problems[0].to_string(),
        "ratingsdata.json:4: eventType \"\": must be \"put\" or \"delete\""
    );
    assert!(summary.tally.deleted + summary.tally.missing > 0);
}
