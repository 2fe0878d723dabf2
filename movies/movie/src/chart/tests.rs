use super::drawn::Drawn;
use super::follow::Published;
use super::projection::Projection;
use super::*;
use crate::doubles::{Films, Ratings};
use backlot::{Clock, Code, Dice, Timestamp};
use movies_api::{AggregateChange, MetadataChange};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

const GENRES: [&str; 3] = ["Drama", "drama", "Film-Noir"];

fn film(id: &str, year: i32, genres: &[&str], changed_at: i64) -> MetadataChange {
    MetadataChange {
        movie_id: id.into(),
        year,
        genres: genres.iter().map(|genre| (*genre).to_owned()).collect(),
        changed_at,
    }
}

fn rated(id: &str, count: u32, sum: i64, version: u32) -> AggregateChange {
    AggregateChange {
        record_id: id.into(),
        count,
        sum,
        version,
        changed_at: i64::from(version),
    }
}

fn selection(genre: &str, decade: i32) -> Selection {
    Selection {
        genre: Some(genre.to_owned()).filter(|genre| !genre.is_empty()),
        decade: Some(decade).filter(|decade| *decade > 0),
    }
}

fn ids(drawn: &Drawn, genre: &str, decade: i32) -> Vec<String> {
    let chart = drawn.chart(&selection(genre, decade)).iter();
    chart.map(|entry| entry.id.to_string()).collect()
}

#[test]
fn few_ratings_weigh_less_than_many() {
    let mut projection = Projection::default();
    for (id, count, sum) in [("few", 1, 10), ("many", 100, 900), ("bad", 99, 198)] {
        projection.sort(&film(id, 1999, &["Drama"], 1));
        projection.rate(&rated(id, count, sum, 1));
    }
    let drawn = Drawn::of(&projection, 25.0);
    assert_eq!(ids(&drawn, "", 0), ["many", "few", "bad"]);
    let mean = (10.0 + 900.0 + 198.0) / 200.0 / 2.0;
    assert!((drawn.mean - mean).abs() < 1e-12);
    let best = &drawn.chart(&Selection::default())[0];
    assert!((best.score - (100.0 * 4.5 + 25.0 * mean) / 125.0).abs() < 1e-12);
    // Without a weight, the mean alone counts.
    assert_eq!(
        ids(&Drawn::of(&projection, 0.0), "", 0),
        ["few", "many", "bad"]
    );
}

#[test]
fn a_chart_holds_films_alone_that_are_known_and_rated() {
    let mut projection = Projection::default();
    projection.sort(&film("unrated", 1999, &[], 1));
    projection.rate(&rated("unknown", 3, 30, 1));
    projection.sort(&film("taken-back", 1999, &[], 1));
    projection.rate(&rated("taken-back", 3, 30, 1));
    projection.rate(&rated("taken-back", 0, 0, 4));
    let drawn = Drawn::of(&projection, 25.0);
    assert_eq!(ids(&drawn, "", 0), [""; 0]);
    assert!(drawn.mean.abs() < f64::EPSILON);
}

#[test]
fn a_film_moves_to_the_charts_it_now_belongs_to() {
    let mut projection = Projection::default();
    projection.rate(&rated("a", 3, 24, 1));
    assert!(projection.sort(&film("a", 1989, &["Drama", "War"], 1)));
    assert!(projection.sort(&film("a", 1990, &["Comedy"], 2)));
    assert!(
        !projection.sort(&film("a", 1989, &["Drama", "War"], 1)),
        "older"
    );
    assert!(
        !projection.sort(&film("a", 1991, &[" comedy"], 3)),
        "sorted the same"
    );
    let drawn = Drawn::of(&projection, 25.0);
    assert_eq!(ids(&drawn, "COMEDY", 1990), ["a"]);
    for (genre, decade) in [
        ("Drama", 0),
        ("", 1980),
        ("Comedy", 1980),
        ("Opera", 0),
        ("", 2200),
    ] {
        assert_eq!(ids(&drawn, genre, decade), [""; 0], "{genre} {decade}");
    }
}

#[test]
fn a_chart_ends_where_no_request_reaches() {
    let mut projection = Projection::default();
    for number in 0..LENGTH + 50 {
        let id = format!("{number:04}");
        projection.sort(&film(&id, 1999, &["Drama"], 1));
        projection.rate(&rated(&id, 1, 10, 1));
    }
    let drawn = Drawn::of(&projection, 25.0);
    let chart = ids(&drawn, "drama", 1990);
    assert_eq!(chart.len(), LENGTH);
    assert!(chart.is_sorted(), "equals stand in order of id");
}

#[derive(Clone, Debug)]
enum Change {
    Sort(u8, i32, Vec<usize>),
    Rate(u8, u32, u32),
}

fn change() -> impl Strategy<Value = Change> {
    let year = prop_oneof![Just(0), 1985..2005_i32];
    prop_oneof![
        (0..12_u8, year, vec(0..GENRES.len(), 0..3))
            .prop_map(|(id, year, genres)| Change::Sort(id, year, genres)),
        (0..12_u8, 0..40_u32, 1..=10_u32)
            .prop_map(|(id, count, mean)| Change::Rate(id, count, mean)),
    ]
}

proptest! {
    #[test]
    fn charts_are_those_of_a_naive_count_in_whatever_order_changes_come(
        changes in vec(change(), 0..60),
        again in vec(any::<prop::sample::Index>(), 0..60),
        weight in 0..50_u32,
    ) {
        let mut projection = Projection::default();
        let take = |projection: &mut Projection, at: usize| match &changes[at] {
            Change::Sort(id, year, genres) => {
                let genres: Vec<_> = genres.iter().map(|genre| GENRES[*genre]).collect();
                projection.sort(&film(&id.to_string(), *year, &genres, at as i64 + 1));
            }
            Change::Rate(id, count, mean) => {
                let sum = i64::from(count * mean);
                projection.rate(&rated(&id.to_string(), *count, sum, at as u32 + 1));
            }
        };
        // Some come early, all come, some come again.
        for at in &again[..again.len() / 2] {
            if !changes.is_empty() {
                take(&mut projection, at.index(changes.len()));
            }
        }
        (0..changes.len()).for_each(|at| take(&mut projection, at));
        for at in &again[again.len() / 2..] {
            if !changes.is_empty() {
                take(&mut projection, at.index(changes.len()));
            }
        }
        let drawn = Drawn::of(&projection, f64::from(weight));
        for genre in ["", "DRAMA", "film-noir", "western"] {
            for decade in [0, 1980, 1990, 2000, 2010] {
                let expected = naive(&changes, f64::from(weight), genre, decade);
                let chart = drawn.chart(&selection(genre, decade));
                let seen: Vec<String> = chart.iter().map(|entry| entry.id.to_string()).collect();
                prop_assert_eq!(seen, expected.iter().map(|(_, _, id)| id.clone()).collect::<Vec<_>>());
                for (entry, (score, _, _)) in chart.iter().zip(&expected) {
                    prop_assert!((entry.score - score).abs() < 1e-9);
                }
            }
        }
    }
}

fn naive(changes: &[Change], weight: f64, genre: &str, decade: i32) -> Vec<(f64, u32, String)> {
    let (mut sorted, mut rated) = (BTreeMap::new(), BTreeMap::new());
    for change in changes {
        match change {
            Change::Sort(id, year, genres) => drop(sorted.insert(id, (year, genres))),
            Change::Rate(id, count, mean) => drop(rated.insert(id, (*count, *mean))),
        }
    }
    rated.retain(|id, (count, _)| *count > 0 && sorted.contains_key(id));
    let count: u32 = rated.values().map(|(count, _)| count).sum();
    let sum: u32 = rated.values().map(|(count, mean)| count * mean).sum();
    let all = if count == 0 {
        0.0
    } else {
        f64::from(sum) / f64::from(count) / 2.0
    };
    let mut chart: Vec<_> = rated
        .iter()
        .filter(|(id, _)| {
            let (year, genres) = sorted[*id];
            let is = |index: &usize| GENRES[*index].eq_ignore_ascii_case(genre);
            (genre.is_empty() || genres.iter().any(is))
                && (decade == 0 || (decade..decade + 10).contains(year))
        })
        .map(|(id, (count, mean))| {
            // As the chart counts, so that what is equal here is equal there.
            let v = f64::from(*count);
            let r = f64::from(count * mean) / v / 2.0;
            (
                (v * r + weight * all) / (v + weight),
                *count,
                id.to_string(),
            )
        })
        .collect();
    chart.sort_by(|one, other| {
        other
            .0
            .total_cmp(&one.0)
            .then(other.1.cmp(&one.1))
            .then(one.2.cmp(&other.2))
    });
    chart
}

struct Followed {
    films: Arc<Films>,
    ratings: Arc<Ratings>,
    charts: Charts,
    _keeping: tokio::task::JoinSet<()>,
}

fn followed() -> Followed {
    let (films, ratings) = (Arc::new(Films::default()), Arc::new(Ratings::default()));
    let began = tokio::time::Instant::now();
    let sources = Sources {
        metadata: Arc::<Films>::clone(&films),
        rating: Arc::<Ratings>::clone(&ratings),
        clock: Clock::from_fn(move || {
            Timestamp(1_000_000).plus(tokio::time::Instant::now() - began)
        }),
        dice: Dice::seeded(1),
    };
    let (charts, keeping) = follow(sources, 25.0);
    let mut owned = tokio::task::JoinSet::new();
    owned.spawn(keeping);
    Followed {
        films,
        ratings,
        charts,
        _keeping: owned,
    }
}

impl Followed {
    fn rate(&self, id: &str, count: u32, sum: i64, version: u32, changed_at: i64) {
        let change = AggregateChange {
            changed_at,
            ..rated(id, count, sum, version)
        };
        let mut changes = self.ratings.changes.lock().unwrap();
        changes.retain(|known| known.record_id != id);
        changes.push(change);
    }

    fn now(&self) -> Published {
        self.charts.now().unwrap()
    }

    fn best(&self) -> Vec<String> {
        ids(&self.now().drawn, "", 0)
    }
}

async fn seconds(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn before_the_first_pass_charts_are_being_drawn_up() {
    let followed = followed();
    followed.ratings.away.store(true, Ordering::Relaxed);
    seconds(20).await;
    let error = followed.charts.now().unwrap_err();
    assert_eq!(error.code(), Code::Unavailable);
    assert!(error.pushback().is_some());
    followed.ratings.away.store(false, Ordering::Relaxed);
    seconds(6).await;
    assert_eq!(followed.best(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn charts_follow_what_changes_and_what_comes_late() {
    let followed = followed();
    for (id, at) in [
        ("a", 100_000),
        ("b", 200_000),
        ("c", 300_000),
        ("d", 300_000),
    ] {
        followed
            .films
            .changes
            .lock()
            .unwrap()
            .push(film(id, 1999, &[], at));
        followed.rate(id, 10, 50, 1, at);
    }
    seconds(2).await;
    assert_eq!(followed.best(), ["a", "b", "c", "d"]);
    followed.rate("c", 11, 60, 2, 301_000);
    seconds(2).await;
    assert_eq!(followed.best(), ["c", "a", "b", "d"]);
    // Committed late: dated before what was seen already.
    followed.rate("b", 12, 90, 2, 293_000);
    seconds(2).await;
    assert_eq!(followed.best(), ["b", "c", "a", "d"]);
    // After a quiet time, what settled is not asked for again, and what is new still comes.
    seconds(60).await;
    followed.rate("d", 13, 130, 2, 301_001);
    seconds(2).await;
    assert_eq!(followed.best(), ["d", "b", "c", "a"]);
    followed.rate("d", 0, 0, 3, 400_000);
    seconds(2).await;
    assert_eq!(followed.best(), ["b", "c", "a"]);
}

#[tokio::test(start_paused = true)]
async fn the_last_chart_stays_while_a_source_is_away_and_tells_its_age() {
    let followed = followed();
    followed
        .films
        .changes
        .lock()
        .unwrap()
        .push(film("a", 1999, &[], 1));
    followed.rate("a", 1, 5, 1, 1);
    seconds(3).await;
    let before = followed.now();
    assert!(before.as_of >= Timestamp(1_002_000), "{:?}", before.as_of);
    followed.ratings.away.store(true, Ordering::Relaxed);
    seconds(100).await;
    let away = followed.now();
    assert!(away.as_of <= Timestamp(1_004_000), "{:?}", away.as_of);
    assert_eq!(followed.best(), ["a"]);
    followed.ratings.away.store(false, Ordering::Relaxed);
    seconds(7).await;
    assert!(followed.now().as_of >= Timestamp(1_100_000));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_drawn_anew_while_nothing_changes() {
    let followed = followed();
    followed
        .films
        .changes
        .lock()
        .unwrap()
        .push(film("a", 1999, &[], 1));
    seconds(2).await;
    let before = followed.now();
    seconds(30).await;
    let after = followed.now();
    assert!(Arc::ptr_eq(&before.drawn, &after.drawn));
    assert!(after.as_of > before.as_of);
}

#[tokio::test(start_paused = true)]
async fn rounds_that_are_long_come_less_often() {
    let followed = followed();
    let asked = async |for_seconds| {
        let before = followed.films.asked.load(Ordering::Relaxed);
        seconds(for_seconds).await;
        followed.films.asked.load(Ordering::Relaxed) - before
    };
    assert_eq!(asked(60).await, 60);
    followed.films.slow.store(500, Ordering::Relaxed);
    seconds(10).await;
    assert_eq!(asked(60).await, 12, "half a second in five");
    followed.films.slow.store(5_000, Ordering::Relaxed);
    seconds(20).await;
    assert_eq!(asked(60).await, 4, "ten seconds at most between two");
}
