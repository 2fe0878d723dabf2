//! Doubles of the services behind the page, in one small house that tests can switch off.

#[path = "fakes/files.rs"]
mod files;
#[path = "fakes/mail.rs"]
mod mail;
#[path = "fakes/movie.rs"]
mod movie;
#[path = "fakes/rating.rs"]
mod rating;

use backlot::{Clock, Context, Dice, Env, Error};
use movies_api as api;
use movies_api::*;
use movies_web::{Config, Page, Ports};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

/// Films, ratings and names.
pub(crate) struct House {
    films: BTreeMap<String, (api::metadata::v1::Metadata, watch::Sender<Sums>)>,
    own: Mutex<BTreeMap<(String, String), Own>>,
    /// What others publish: film, source, mean, votes.
    pub(crate) outside: Mutex<Vec<(String, String, f64, u32)>>,
    /// Uploaded posters by their names.
    pub(crate) files: Mutex<BTreeMap<String, (String, Vec<u8>)>>,
    /// Who gets mail.
    pub(crate) subscribers: Mutex<BTreeMap<String, GetSubscriptionResponse>>,
    /// What people want of mail, in words.
    pub(crate) wishes: Mutex<Vec<String>>,
    /// Nothing is kept of that.
    pub(crate) log_away: AtomicBool,
    /// No ratings to be had.
    pub(crate) ratings_away: AtomicBool,
    /// Films are as they were known so many milliseconds ago; 0 when they are as they are.
    pub(crate) films_known: AtomicI64,
    /// No films to be had.
    pub(crate) movies_away: AtomicBool,
    /// Each write: what, who, under which key.
    pub(crate) writes: Mutex<Vec<String>>,
}

/// Somebody's rating: half stars, and the how-manieth write it was.
type Own = (i32, i64);

#[derive(Clone, Default)]
struct Sums {
    histogram: [u32; 10],
    version: u32,
}

impl Sums {
    fn aggregate(&self) -> Aggregate {
        let count: u32 = self.histogram.iter().sum();
        let sum: f64 = self
            .histogram
            .iter()
            .zip(1..)
            .map(|(cell, half)| f64::from(*cell) * f64::from(half))
            .sum();
        let mean = (count > 0).then(|| sum / f64::from(count) / 2.0);
        Aggregate {
            count,
            mean,
            histogram: self.histogram.to_vec(),
            version: self.version,
        }
    }
}

impl House {
    /// A house with these films; each with how many ratings and a mean to draw them round.
    pub(crate) fn new(
        films: impl IntoIterator<Item = (api::metadata::v1::Metadata, u32, f64)>,
    ) -> Arc<Self> {
        let film = |(film, count, mean): (api::metadata::v1::Metadata, u32, f64)| {
            let dice = Dice::seeded(u64::from(count)).branch(&film.id);
            let mut sums = Sums {
                version: 1,
                ..Sums::default()
            };
            for _ in 0..count {
                // The sum of four dice is bell-shaped enough for a histogram.
                let swing = (0..4).map(|_| dice.unit()).sum::<f64>() - 2.0;
                let half_stars = (mean * 2.0 + swing * 3.2).round().clamp(1.0, 10.0);
                sums.histogram[half_stars as usize - 1] += 1;
            }
            (film.id.clone(), (film, watch::Sender::new(sums)))
        };
        Arc::new(House {
            films: films.into_iter().map(film).collect(),
            own: Mutex::default(),
            outside: Mutex::default(),
            files: Mutex::default(),
            subscribers: Mutex::default(),
            wishes: Mutex::default(),
            log_away: AtomicBool::new(false),
            ratings_away: AtomicBool::new(false),
            films_known: AtomicI64::new(0),
            movies_away: AtomicBool::new(false),
            writes: Mutex::default(),
        })
    }

    /// A page over this house.
    pub(crate) fn page(self: &Arc<Self>, env: &Env) -> Page {
        let ports = Ports {
            metadata: Arc::<House>::clone(self),
            movies: Arc::<House>::clone(self),
            ratings: Arc::<House>::clone(self),
            auth: Arc::<House>::clone(self),
            mail: Arc::<House>::clone(self),
            wishes: Arc::<House>::clone(self),
        };
        Page::new(
            Config {
                films_per_page: 24,
                ..Config::default()
            },
            ports,
            env,
        )
    }

    /// Somebody else's rating.
    pub(crate) fn rate(&self, id: &str, user: &str, half_stars: i32) {
        self.change(id, user, Some(half_stars));
    }

    fn change(&self, id: &str, user: &str, half_stars: Option<i32>) -> Option<Aggregate> {
        let (_, sums) = self.films.get(id)?;
        let key = (id.to_owned(), user.to_owned());
        let mut own = self.own.lock().unwrap();
        let before = match half_stars {
            Some(half_stars) => {
                let writes = own.values().map(|(_, write)| *write).max().unwrap_or(0);
                own.insert(key, (half_stars, writes + 1))
            }
            None => own.remove(&key),
        };
        sums.send_modify(|sums| {
            let cell = |half_stars: i32| half_stars as usize - 1;
            if let Some((before, _)) = before {
                sums.histogram[cell(before)] -= 1;
            }
            if let Some(after) = half_stars {
                sums.histogram[cell(after)] += 1;
            }
            sums.version += 1;
        });
        Some(sums.borrow().aggregate())
    }

    fn details(&self, id: &str) -> Option<MovieDetails> {
        let (film, sums) = self.films.get(id)?;
        let rating = sums.borrow().aggregate();
        let rating =
            (rating.count > 0 && !self.ratings_away.load(Ordering::SeqCst)).then_some(rating);
        Some(MovieDetails {
            metadata: Some(film.clone()),
            rating,
        })
    }

    fn degraded(&self) -> Vec<String> {
        if self.ratings_away.load(Ordering::SeqCst) {
            vec!["rating".to_owned()]
        } else {
            Vec::new()
        }
    }

    fn films_here(&self) -> Result<(), Error> {
        if self.movies_away.load(Ordering::SeqCst) {
            Err(Error::unavailable("metadata is away"))
        } else {
            Ok(())
        }
    }

    fn ratings_here(&self) -> Result<(), Error> {
        if self.ratings_away.load(Ordering::SeqCst) {
            Err(Error::unavailable("rating is away"))
        } else {
            Ok(())
        }
    }

    fn note(&self, cx: &Context, what: String) {
        let who = cx.principal().subject().unwrap_or("nobody").to_owned();
        let key = cx
            .idempotency()
            .map_or("none", |idempotency| &idempotency.key);
        self.writes
            .lock()
            .unwrap()
            .push(format!("{what} by {who} under {key}"));
    }
}

#[async_trait::async_trait]
impl api::Auth for House {
    async fn pick_name(
        &self,
        _: &Context,
        request: PickNameRequest,
    ) -> Result<PickNameResponse, Error> {
        if request.name == "taken" {
            return Err(Error::invalid_argument("somebody else has this name")
                .with_violation("name", "is taken"));
        }
        let expires_at = Clock::real().wall().seconds() + 900;
        Ok(PickNameResponse {
            token: format!("token of {}", request.name),
            expires_at,
        })
    }
}
