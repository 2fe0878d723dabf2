//! From a file to exact aggregates through the log of events: publishes a MovieLens folder's ratings
//! as `movies import --via-broker` does, while the rating service takes them in and a second group
//! reads them too; every step on the disk. Then everything is started anew, and what the service
//! answers is compared with a recount of the file.
//!
//! ```text
//! movies generate movielens FOLDER --films 87585 --users 200948 --ratings 32000204
//! cargo run --release -p movies-bench --bin events -- FOLDER --data DATA
//! ```
//!
//! With `--kill` it ends like a killed process when all is published and nothing is taken in; run
//! again without it, over the same data, it says how long opening the log took, and takes all in.

use anyhow::{Context as _, Result, ensure};
use backlot::core::env::Shutdown;
use backlot::messaging::engine::{Input, Settle, Subscription, TopicSpec};
use backlot::messaging::{Bus, Engine, Event};
use backlot::service::tasks::Tasks;
use backlot::{Context, Dice, Env, Error, Principal};
use clap::Parser;
use movies_api::events::RatingSubmitted;
use movies_api::{
    GetAggregatedRatingRequest, ListUserRatingsRequest, MetadataClient, RatingClient,
};
use movies_bench::machine;
use movies_bench::running::Running;
use movies_bench::users::Users;
use movies_import::{Destination, Identity, Progress, Settings, movielens};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Who takes ratings in.
const GROUP: &str = "rating-aggregator";
/// How often is looked how far it is.
const LOOK: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(60);

/// Sends a file through the log into the tables, and checks what comes of it
#[derive(Debug, Parser)]
struct Arguments {
    /// The MovieLens folder
    folder: PathBuf,
    /// Where the databases go; if they are there, nothing is published
    #[arg(long)]
    data: PathBuf,
    /// Take nothing in, and end without closing anything
    #[arg(long)]
    kill: bool,
    /// How many aggregates and histories are compared
    #[arg(long, default_value_t = 1000)]
    compared: usize,
    /// Threads that run services
    #[arg(long, default_value_t = 2)]
    workers: usize,
}

/// Whoever may read the data folder.
struct Owner(Users);

impl Identity for Owner {
    fn importer(&self) -> Result<Principal, Error> {
        let importer = self.0.importer();
        importer.map_err(|error| Error::internal(format!("{error:#}")))
    }

    fn user(&self, _id: &str) -> Result<Principal, Error> {
        Err(Error::internal("nobody takes a rating back here"))
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(arguments.workers)
        .enable_all()
        .build()?;
    runtime.block_on(measure(&arguments))
}

async fn measure(arguments: &Arguments) -> Result<()> {
    let data = &arguments.data;
    let is_there = data.exists();
    fs::create_dir_all(data)?;
    let began = Instant::now();
    let running = Running::start(data).await?;
    if is_there {
        println!("opened in {:.2?}", Instant::now() - began);
    }
    let count = through(arguments, &running, is_there).await?;
    running.stop().await;
    for file in ["broker.db", "rating.db"] {
        let size = fs::metadata(data.join(file))?.len();
        println!("{file}: {:.0} MiB", size as f64 / 1024.0 / 1024.0);
    }
    let began = Instant::now();
    let running = Running::start(data).await?;
    println!("started again in {:.2?}", Instant::now() - began);
    compare(arguments, &running, count).await?;
    running.stop().await;
    Ok(())
}

/// Publishes all, and waits until both groups have read it; how many ratings there were.
async fn through(arguments: &Arguments, running: &Running, is_there: bool) -> Result<u64> {
    let Arguments { folder, data, .. } = arguments;
    let env = Env::real();
    let tasks = Tasks::new(&env);
    let log: Arc<dyn Engine> = Arc::new(running.log().clone());
    let cx = || Context::system("bench").with_timeout(LONG);
    let spec = TopicSpec::new(RatingSubmitted::TOPIC, RatingSubmitted::PARTITIONS);
    log.ensure(&cx(), &spec).await?;
    if arguments.kill {
        paused(&*log, &cx()).await?;
    }
    let monitored = Arc::new(AtomicU64::new(0));
    let reading = monitor(Arc::clone(&log), Arc::clone(&monitored));
    if !arguments.kill {
        tasks.spawn_endless("monitor", async move {
            if let Err(error) = reading.await {
                eprintln!("the monitor ended: {error:#}");
            }
        });
    }

    let bus = Bus::new(Arc::clone(&log), "importer", &env);
    let (metadata, rating): (MetadataClient, RatingClient) = (running.client(), running.client());
    let destination = Destination::new(
        Arc::new(metadata),
        Arc::new(rating),
        Arc::new(Owner(Users::of(data)?)),
        env.dice.branch("import"),
    );
    let settings = Settings {
        folder: data.join("imports"),
        ..Settings::default()
    };
    let import = movielens::open(folder)?;
    let (began, cpu) = (Instant::now(), machine::cpu(std::process::id())?);
    let count = if is_there {
        log.pause(&cx(), RatingSubmitted::TOPIC, GROUP, false)
            .await?;
        let report = log.inspect(&cx(), RatingSubmitted::TOPIC, None).await?;
        report.partitions.iter().map(|part| part.head).sum()
    } else {
        let summary = import
            .run(
                &destination.publishing(bus),
                &settings,
                &Shutdown::new(),
                Progress::shown(),
            )
            .await;
        if let Some(error) = summary.ended {
            anyhow::bail!("the import ended: {}", error.chain());
        }
        let count = summary.tally.submitted;
        println!(
            "{count} ratings published in {:.1?}, {:.1} us of CPU each",
            Instant::now() - began,
            (machine::cpu(std::process::id())? - cpu).as_secs_f64() * 1e6 / count as f64,
        );
        count
    };
    if arguments.kill {
        std::process::abort();
    }
    let mut said = Instant::now();
    loop {
        let report = log
            .inspect(&cx(), RatingSubmitted::TOPIC, Some(GROUP))
            .await?;
        let groups = report.groups.iter();
        let lag: u64 = groups
            .flat_map(|group| &group.partitions)
            .map(|cursor| cursor.lag)
            .sum();
        if lag == 0 && monitored.load(Ordering::Relaxed) >= count {
            break;
        }
        if Instant::now() - said > Duration::from_secs(5) {
            said = Instant::now();
            eprintln!("{lag} not taken in yet");
        }
        tokio::time::sleep(LOOK).await;
    }
    let took = Instant::now() - began;
    let cpu = machine::cpu(std::process::id())? - cpu;
    println!(
        "file to aggregates, histories and monitor: {:.1} s, {:.0} a second, {:.1} us of CPU each",
        took.as_secs_f64(),
        count as f64 / took.as_secs_f64(),
        cpu.as_secs_f64() * 1e6 / count as f64,
    );
    let status = fs::read_to_string("/proc/self/status")?;
    for line in status.lines().filter(|line| line.starts_with("VmHWM")) {
        println!("{line}");
    }
    tasks.shutdown(Duration::from_millis(100)).await;
    Ok(count)
}

/// Holds back who takes ratings in, once that group is there.
async fn paused(log: &dyn Engine, cx: &Context) -> Result<()> {
    loop {
        match log.pause(cx, RatingSubmitted::TOPIC, GROUP, true).await {
            Err(backlot::messaging::Error::UnknownGroup { .. }) => {
                tokio::time::sleep(LOOK).await;
            }
            done => return Ok(done?),
        }
    }
}

/// Reads what is published, and settles it.
async fn monitor(log: Arc<dyn Engine>, read: Arc<AtomicU64>) -> Result<()> {
    let cx = Context::system("bench").with_timeout(LONG);
    let subscription = Subscription {
        in_flight: 16_384,
        ..Subscription::new(RatingSubmitted::TOPIC, "monitor")
    };
    let mut source = log.attach(&cx, &subscription).await?;
    loop {
        if let Input::Deliveries(deliveries) = source.next(16_384).await? {
            let done = deliveries.iter().map(|one| (one.token, Settle::Done));
            source.settle(done.collect()).await?;
            read.fetch_add(deliveries.len() as u64, Ordering::Relaxed);
        }
    }
}

/// What the file says.
#[derive(Default)]
struct Recount {
    /// Count and sum of half stars, by film's number.
    films: BTreeMap<u32, (u64, u64)>,
    /// Films and half stars of some users, by their numbers.
    users: BTreeMap<u32, Vec<(u32, u8)>>,
    ids: BTreeMap<u32, String>,
}

fn recount(folder: &Path, compared: usize) -> Result<Recount> {
    let mut recount = Recount::default();
    for line in lines(&folder.join("links.csv"))?.skip(1) {
        let line = line?;
        let mut fields = line.split(',');
        let (film, imdb) = (fields.next().unwrap_or(""), fields.next().unwrap_or(""));
        if !imdb.is_empty() {
            let number: u32 = imdb.parse()?;
            recount.ids.insert(film.parse()?, format!("tt{number:07}"));
        }
    }
    let dice = Dice::seeded(32);
    let mut last = 0;
    for line in lines(&folder.join("ratings.csv"))?.skip(1) {
        let line = line?;
        let mut fields = line.split(',');
        let mut next = || fields.next().context("a short line");
        let (user, film): (u32, u32) = (next()?.parse()?, next()?.parse()?);
        let stars: f64 = next()?.parse()?;
        let half_stars = (stars * 2.0) as u8;
        let sums = recount.films.entry(film).or_default();
        sums.0 += 1;
        sums.1 += u64::from(half_stars);
        if user != last {
            last = user;
            if recount.users.len() < compared && dice.below(100) == 0 {
                recount.users.insert(user, Vec::new());
            }
        }
        if let Some(history) = recount.users.get_mut(&user) {
            history.push((film, half_stars));
        }
    }
    Ok(recount)
}

fn lines(path: &Path) -> Result<impl Iterator<Item = std::io::Result<String>>> {
    let file = File::open(path).with_context(|| format!("{}", path.display()))?;
    Ok(BufReader::with_capacity(1 << 20, file).lines())
}

async fn compare(arguments: &Arguments, running: &Running, count: u64) -> Result<()> {
    let recount = recount(&arguments.folder, arguments.compared)?;
    let all: u64 = recount.films.values().map(|(count, _)| count).sum();
    ensure!(
        all == count,
        "the file holds {all} ratings, {count} were published"
    );
    let id = |film: &u32| {
        let known = recount.ids.get(film).cloned();
        known.unwrap_or_else(|| format!("ml-{film}"))
    };
    let rating: RatingClient = running.client();
    let cx = || Context::system("importer").with_timeout(LONG);
    let dice = Dice::seeded(33);
    let films: Vec<_> = recount.films.iter().collect();
    for _ in 0..arguments.compared {
        let (film, (count, sum)) = films[dice.below(films.len() as u64) as usize];
        let request = GetAggregatedRatingRequest {
            record_type: "movie".to_owned(),
            record_id: id(film),
        };
        let answer = rating.get_aggregated_rating(&cx(), request).await?;
        let found = answer.aggregate.context("no aggregate")?;
        let mean = *sum as f64 / *count as f64 / 2.0;
        let is_right = u64::from(found.count) == *count && found.mean == Some(mean);
        ensure!(
            is_right,
            "film {film}: {found:?}, the file has {count} of {sum}"
        );
    }
    let mut ratings = 0;
    let users = Users::of(&arguments.data)?;
    for (user, history) in &recount.users {
        let name = format!("ml-{user}");
        let mut expected: Vec<(String, i32)> = history
            .iter()
            .map(|(film, half_stars)| (id(film), i32::from(*half_stars)))
            .collect();
        let (mut found, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = ListUserRatingsRequest {
                user_id: name.clone(),
                page_size: 100,
                page_token: std::mem::take(&mut page_token),
            };
            let cx = cx().with_principal(users.named(&name)?);
            let page = rating.list_user_ratings(&cx, request).await?;
            let ratings = page.ratings.into_iter();
            found.extend(ratings.map(|one| (one.record_id, one.half_stars)));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        expected.sort_unstable();
        found.sort_unstable();
        ensure!(found == expected, "user {user} has another history");
        ratings += found.len();
    }
    println!(
        "{} aggregates and {} histories with {ratings} ratings are as in the file",
        arguments.compared,
        recount.users.len()
    );
    Ok(())
}
