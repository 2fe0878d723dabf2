//! Search, lists and writes over 100,000 generated films, called through the typed client in this
//! process. Prints how long calls took, in microseconds, one line for each kind of question; and
//! how much of the processor they took, which a busy machine changes less.
//!
//! ```text
//! cargo bench -p movies-metadata --bench search
//! ```

use backlot::app::cli::{Configuration, Options, Product};
use backlot::app::embedded::Embedded;
use backlot::app::process;
use backlot::cluster::Memory;
use backlot::identity::{Claims, MAX_LIFETIME, SigningKey};
use backlot::rpc::Local;
use backlot::{Binding, Client, Context, Dice, Env, World};
use movies_api::metadata::v1::Metadata;
use movies_api::{
    BatchPutMetadataRequest, ListMetadataRequest, MetadataClient, PutMetadataRequest,
    SearchMetadataRequest,
};
use std::collections::BTreeSet;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const FILMS: usize = 100_000;
const BATCH: usize = 500;
/// Questions of each kind.
const ASKED: usize = 400;
const SEED: u64 = 1895;
const PRODUCT: Product = Product {
    name: "search",
    variables: "SEARCH",
    data: "data",
    services: || vec![movies_metadata::service()],
};
/// The words that half of all titles share.
const COMMON: &[&str] = &[
    "the", "of", "a", "love", "in", "man", "and", "to", "night", "my", "life", "day", "girl",
    "last", "dead", "house", "world", "city", "war", "black", "big", "story", "star", "summer",
    "lost",
];
const FIRST: &[&str] = &[
    "John",
    "Maria",
    "Michael",
    "Anna",
    "David",
    "Robert",
    "Marie",
    "James",
    "Christina",
    "Peter",
    "Christopher",
    "José",
    "Marina",
    "Mary",
    "Jean",
    "Christian",
    "Zoë",
    "Martin",
    "Paul",
    "Mario",
];
const GENRES: &[&str] = &[
    "Drama",
    "Comedy",
    "Thriller",
    "Romance",
    "Action",
    "Documentary",
    "Horror",
    "Crime",
    "Adventure",
    "Sci-Fi",
    "Animation",
    "Mystery",
    "Fantasy",
    "War",
    "Musical",
    "Western",
    "Film-Noir",
    "Short",
];
const SYLLABLES: &[&str] = &[
    "ba", "cor", "del", "en", "fi", "gra", "ho", "in", "jo", "ka", "lu", "mar", "no", "ol", "pre",
    "qui", "ros", "sta", "tri", "un", "ver", "wil", "ya", "zen", "chris", "dan", "el", "mon",
    "thor",
];

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(run())
}

async fn run() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let env = Env::real();
    let options = Options {
        data: Some(folder.path().to_owned()),
        set: ["listen", "admin"]
            .map(|address| format!("metadata.server.{address}=127.0.0.1:0"))
            .into(),
        ..Options::default()
    };
    let configuration =
        Configuration::load(&PRODUCT, &options, &env).map_err(|problems| problems.to_string())?;
    let world = process::world(&configuration.platform, &env, Arc::new(Memory::new()));
    let world = World {
        local: Some(Local::new()),
        ..world
    };
    let embedded = Embedded::start(&configuration.services, world).await?;
    let dice = env.dice.branch("bench");
    let films = MetadataClient::bind(Binding::Direct(
        embedded.local().binding(MetadataClient::SERVICE, dice),
    ));
    let editor = SigningKey::from_seed(&[7; 32])?;
    let claims = Claims::new(
        "movies",
        "editor",
        BTreeSet::from(["metadata".to_owned()]),
        MAX_LIFETIME,
        &env.clock,
        &env.dice,
    );
    let roles = BTreeSet::from(["editor".to_owned()]);
    let editor = editor.principal(Claims { roles, ..claims })?;
    let editor = || {
        Context::background()
            .with_timeout(Duration::from_secs(60))
            .with_principal(editor.clone())
    };

    let made = Made::new();
    let began = Instant::now();
    for first in (0..FILMS).step_by(BATCH) {
        let metadata = (first..first + BATCH)
            .map(|number| made.film(number))
            .collect();
        films
            .batch_put_metadata(&editor(), BatchPutMetadataRequest { metadata })
            .await?;
    }
    let took = Instant::now() - began;
    println!(
        "filled {FILMS} films in {took:.1?}: {:.0} a second",
        FILMS as f64 / took.as_secs_f64()
    );

    let mut all = Vec::new();
    for (kind, ask) in QUESTIONS {
        let mut took = Vec::with_capacity(ASKED);
        let mut found = 0;
        for number in 0..ASKED {
            let query = ask(
                &made,
                &Dice::seeded(SEED).branch(kind).branch(&number.to_string()),
            );
            let request = SearchMetadataRequest {
                query,
                ..Default::default()
            };
            let began = Began::now();
            let answer = films
                .search_metadata(&Context::background(), request)
                .await?;
            took.push(began.took());
            found += answer.metadata.len();
        }
        all.extend_from_slice(&took);
        report(kind, &took, found);
    }
    report("search, all together", &all, 0);

    for (kind, genre, decade, person) in [
        ("list of a common genre", "Drama", 0, ""),
        ("list of a rare genre", "Short", 0, ""),
        ("list of a decade", "", 1990, ""),
        ("list of a genre and a decade", "Western", 1930, ""),
        ("list of a person", "", 0, "Person"),
        ("list of all", "", 0, ""),
    ] {
        let (mut took, mut found) = (Vec::new(), 0);
        for number in 0..ASKED {
            let person = match person {
                "" => String::new(),
                _ => made.person(&Dice::seeded(number as u64)),
            };
            let request = ListMetadataRequest {
                genre: genre.to_owned(),
                decade,
                person,
                ..Default::default()
            };
            let began = Began::now();
            let answer = films.list_metadata(&Context::background(), request).await?;
            took.push(began.took());
            found += answer.metadata.len();
        }
        report(kind, &took, found);
    }

    let mut took = Vec::new();
    for number in 0..ASKED {
        let metadata = Some(made.film(FILMS + number));
        let began = Began::now();
        films
            .put_metadata(&editor(), PutMetadataRequest { metadata })
            .await?;
        took.push(began.took());
    }
    report("a film put alone", &took, ASKED);
    embedded.stop().await;
    Ok(())
}

/// What a call took: time, and processor time of all threads.
#[derive(Clone, Copy)]
struct Took {
    time: Duration,
    cpu: Duration,
}

struct Began {
    time: Instant,
    cpu: Duration,
}

impl Began {
    fn now() -> Self {
        let cpu = cpu();
        Began {
            time: Instant::now(),
            cpu,
        }
    }

    fn took(&self) -> Took {
        Took {
            time: Instant::now() - self.time,
            cpu: cpu().saturating_sub(self.cpu),
        }
    }
}

/// Processor time of this process so far, where Linux tells it; nothing elsewhere.
fn cpu() -> Duration {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten();
    let nanos = threads.flatten().filter_map(|thread| {
        let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanos.sum())
}

fn report(kind: &str, took: &[Took], found: usize) {
    let quantiles = |of: fn(&Took) -> Duration| {
        let mut sorted: Vec<Duration> = took.iter().map(of).collect();
        sorted.sort_unstable();
        [0.5, 0.99, 1.0]
            .map(|quantile| sorted[((sorted.len() - 1) as f64 * quantile) as usize].as_micros())
    };
    let [time_p50, time_p99, time_max] = quantiles(|took| took.time);
    let [cpu_p50, cpu_p99, cpu_max] = quantiles(|took| took.cpu);
    println!(
        "{kind:28} time p50 {time_p50:6} p99 {time_p99:6} max {time_max:6}, \
         processor p50 {cpu_p50:6} p99 {cpu_p99:6} max {cpu_max:6}, found {:.1}",
        found as f64 / took.len() as f64
    );
}

type Ask = fn(&Made, &Dice) -> String;

const QUESTIONS: &[(&str, Ask)] = &[
    ("one letter", |_, dice| {
        char::from(b'a' + dice.below(26) as u8).to_string()
    }),
    ("two letters", |made, dice| {
        made.word(dice).chars().take(2).collect()
    }),
    ("a very common word", |_, dice| {
        pick(COMMON, dice).to_owned()
    }),
    ("two very common words", |_, dice| {
        format!("{} {}", pick(COMMON, dice), pick(COMMON, dice))
    }),
    ("a common word and a letter", |_, dice| {
        format!(
            "{} {}",
            pick(COMMON, dice),
            char::from(b'a' + dice.below(26) as u8)
        )
    }),
    ("a title as typed so far", |made, dice| {
        let title = made.film(dice.below(FILMS as u64) as usize).title;
        let typed = 3 + dice.below(12) as usize;
        title.chars().take(typed).collect()
    }),
    ("a whole title", |made, dice| {
        made.film(dice.below(FILMS as u64) as usize).title
    }),
    ("a person as typed so far", |made, dice| {
        let person = made.person(dice);
        let typed = 3 + dice.below(10) as usize;
        person.chars().take(typed).collect()
    }),
    ("first names alone", |_, dice| pick(FIRST, dice).to_owned()),
    ("a word and a person", |made, dice| {
        format!("{} {}", made.word(dice), made.person(dice))
    }),
    ("two genres", |_, dice| {
        format!("{} {}", pick(GENRES, dice), pick(GENRES, dice))
    }),
    ("a genre and a year", |_, dice| {
        format!("{} {}", pick(GENRES, dice), 1920 + dice.below(104))
    }),
    ("what is nowhere", |made, dice| {
        format!("{} xyzzy", made.word(dice))
    }),
];

fn pick(of: &[&'static str], dice: &Dice) -> &'static str {
    of[dice.below(of.len() as u64) as usize]
}

/// A number below `of`, the low ones far more often.
fn skewed(of: usize, dice: &Dice) -> usize {
    ((of as f64 + 1.0).powf(dice.unit()) - 1.0) as usize % of
}

/// Words and names, the first of each used most.
struct Made {
    words: Vec<String>,
    last_names: Vec<String>,
}

impl Made {
    fn new() -> Self {
        let make = |label: &str, count: usize| {
            let dice = Dice::seeded(SEED).branch(label);
            (0..count)
                .map(|_| {
                    let syllables = 2 + dice.below(3);
                    (0..syllables)
                        .map(|_| pick(SYLLABLES, &dice))
                        .collect::<String>()
                })
                .collect::<Vec<_>>()
        };
        let common = COMMON.iter().map(|word| (*word).to_owned());
        Made {
            words: common.chain(make("words", 40_000)).collect(),
            last_names: make("last names", 20_000),
        }
    }

    fn word(&self, dice: &Dice) -> &str {
        &self.words[skewed(self.words.len(), dice)]
    }

    fn person(&self, dice: &Dice) -> String {
        let last = &self.last_names[skewed(self.last_names.len(), dice)];
        format!("{} {last}", FIRST[skewed(FIRST.len(), dice)])
    }

    fn film(&self, number: usize) -> Metadata {
        let dice = Dice::seeded(SEED).branch(&number.to_string());
        let words = 1 + dice.below(5);
        let mut title: Vec<&str> = (0..words).map(|_| self.word(&dice)).collect();
        if dice.below(4) == 0 {
            title.insert(0, "The");
        }
        let genres: BTreeSet<&str> = (0..=dice.below(3))
            .map(|_| GENRES[skewed(GENRES.len(), &dice)])
            .collect();
        Metadata {
            id: format!("f{number}"),
            title: title.join(" "),
            description: "A clerk finds a ledger that names everyone who will see this film, and \
                          sets out to change a single entry before the night is over."
                .to_owned(),
            director: self.person(&dice),
            year: 2023 - skewed(104, &dice) as i32,
            cast: (0..4).map(|_| self.person(&dice)).collect(),
            genres: genres.into_iter().map(String::from).collect(),
            ..Default::default()
        }
    }
}
