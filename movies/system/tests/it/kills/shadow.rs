//! What has to be stored, by what was acknowledged.

use crate::site::Site;
use backlot_testkit::http::{ask, get};
use backlot_testkit::wait_until;
use http::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Ratings by film and user, in half stars, and what each film went through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shadow {
    pub(crate) ratings: BTreeMap<(String, String), i32>,
    /// Writes that changed something, by film.
    pub(crate) changes: BTreeMap<String, u32>,
}

/// All ratings of one film in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) count: u64,
    pub(crate) sum: u64,
    pub(crate) histogram: [u64; 10],
    pub(crate) version: u64,
}

impl Shadow {
    /// A rating was acknowledged.
    pub(crate) fn put(&mut self, film: &str, user: &str, half_stars: i32) {
        let before = self
            .ratings
            .insert((film.to_owned(), user.to_owned()), half_stars);
        if before != Some(half_stars) {
            *self.changes.entry(film.to_owned()).or_default() += 1;
        }
    }

    /// Taking one back was acknowledged; whether there was one.
    pub(crate) fn delete(&mut self, film: &str, user: &str) -> bool {
        let before = self.ratings.remove(&(film.to_owned(), user.to_owned()));
        if before.is_some() {
            *self.changes.entry(film.to_owned()).or_default() += 1;
        }
        before.is_some()
    }

    /// Adds what another worker was told. No two have a user in common.
    pub(crate) fn merge(&mut self, other: Shadow) {
        self.ratings.extend(other.ratings);
        for (film, changes) in other.changes {
            *self.changes.entry(film).or_default() += changes;
        }
    }

    /// What the aggregate of each film has to say.
    pub(crate) fn totals(&self) -> BTreeMap<String, Totals> {
        let mut totals: BTreeMap<String, Totals> = BTreeMap::new();
        for (film, changes) in &self.changes {
            totals.entry(film.clone()).or_default().version = u64::from(*changes);
        }
        for ((film, _), half_stars) in &self.ratings {
            let total = totals.entry(film.clone()).or_default();
            total.count += 1;
            total.sum += u64::try_from(*half_stars).unwrap();
            total.histogram[usize::try_from(*half_stars).unwrap() - 1] += 1;
        }
        totals
    }

    /// Asks the running system for every aggregate and every rating.
    pub(crate) async fn equals_what_is_answered(&self, site: &Site) {
        let address = site.address("rating");
        for (film, totals) in self.totals() {
            let answer = get(&address, &format!("/v1/ratings/movie/{film}"))
                .await
                .unwrap()
                .json();
            let aggregate = &answer["aggregate"];
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let mean = (totals.count > 0).then(|| totals.sum as f64 / totals.count as f64 / 2.0);
            // As written in digits: reading them back may be off by the last bit.
            let digits = |mean: Option<f64>| mean.map(|mean| format!("{mean:.12}"));
            let said = (
                aggregate["count"].as_u64(),
                digits(aggregate["mean"].as_f64()),
                aggregate["histogram"].clone(),
                aggregate["version"].as_u64(),
            );
            let expected = (
                Some(totals.count),
                digits(mean),
                json!(totals.histogram),
                Some(totals.version),
            );
            assert_eq!(said, expected, "the aggregate of {film}");
        }
        for ((film, user), half_stars) in &self.ratings {
            let own = [("authorization", &*site.bearer(user, &[]))];
            let path = format!("/v1/ratings/movie/{film}/users/{user}");
            // The keys that say who asks may be on their way.
            let answer: Value = wait_until("the rating is told", async || {
                match ask(&address, Method::GET, &path, &own, "").await {
                    Ok(answer) if answer.status.as_u16() == 503 => Err(answer.text()),
                    Ok(answer) => Ok(answer.json()),
                    Err(error) => Err(error.to_string()),
                }
            })
            .await;
            assert_eq!(
                answer,
                json!({ "value": f64::from(*half_stars) / 2.0 }),
                "{film} by {user}"
            );
        }
    }
}
