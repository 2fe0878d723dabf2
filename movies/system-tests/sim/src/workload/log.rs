//! What the log holds in the end: every event once, of those that cannot be done each a dead
//! letter, and each version of each film.

use super::watcher::sums;
use super::{FILMS, Person};
use crate::model::Sums;
use backlot::messaging::Error as Refusal;
use backlot::messaging::dead::{queue_of, retry_of};
use backlot::messaging::engine::{Delivery, Engine, Input, Report, Settle, Subscription};
use backlot::messaging::event::{Event, decode};
use backlot::{Context, Error};
use movies_api::events::{RatingSubmitted, RatingsChanged};
use movies_api::{GetAggregatedRatingRequest, RatingClient};
use std::collections::BTreeMap;
use std::time::Duration;

/// The group that takes ratings in.
const GROUP: &str = "rating-aggregator";
/// How often is looked whether something has come to its end, and how many times.
const LOOK: Duration = Duration::from_millis(250);
const LOOKS: u32 = 400;

/// A film's version and numbers.
type Versions = BTreeMap<String, (u32, Sums)>;
/// Of each film what each version was published as.
type Published = BTreeMap<String, BTreeMap<u32, Sums>>;

impl Person {
    /// Waits until everything published is taken in, and looks what became of it.
    pub(super) async fn compare_events(&self, log: &dyn Engine) {
        let topic = RatingSubmitted::TOPIC;
        let expected = self.party.model.events();
        for look in 1.. {
            let report = self.report(log, topic, Some(GROUP)).await;
            let groups = report.iter().flat_map(|report| &report.groups);
            let lag: u64 = groups
                .flat_map(|group| &group.partitions)
                .map(|part| part.lag)
                .sum();
            let stored = report.as_ref().map_or(0, stored);
            if lag == 0 && stored >= expected {
                if stored != expected {
                    let text = format!("{stored} events are in the log, {expected} were published");
                    self.violation(text);
                }
                break;
            }
            if look == LOOKS {
                let text =
                    format!("of {expected} events {stored} are stored and {lag} not taken in");
                return self.violation(text);
            }
            tokio::time::sleep(LOOK).await;
        }
        self.host.trace().note("world", "all events are taken in");

        let letters = self.everything(log, &queue_of(topic, GROUP)).await;
        let mut found: Vec<String> = letters.into_iter().map(|it| it.record.id).collect();
        found.sort_unstable();
        let senseless: Vec<String> = self.party.model.senseless().into_iter().collect();
        if found != senseless {
            let text = format!("the dead letters are {found:?}, and should be {senseless:?}");
            self.violation(text);
        }
        let again = self.report(log, &retry_of(topic, GROUP), None).await;
        let again = again.as_ref().map_or(0, stored);
        if again != 0 {
            self.violation(format!("{again} events were sent again by nobody"));
        }
    }

    /// Waits until every change is published, and looks whether each was, and told.
    pub(super) async fn compare_changes(&self, log: &dyn Engine) {
        let now = match self.versions().await {
            Ok(now) => now,
            Err(error) => {
                return self.violation(format!("films cannot be read: {}", error.chain()));
            }
        };
        for look in 1.. {
            let told = FILMS
                .iter()
                .all(|film| Some(&self.party.board.of(film)) == now.get(*film));
            if told {
                break;
            }
            if look == LOOKS {
                let board = &self.party.board;
                return self.violation(format!("the watcher has {board:?}, the films are {now:?}"));
            }
            tokio::time::sleep(LOOK).await;
        }
        // Who watches may have been told by the service's tables: what is published comes later.
        let mut published = self.published(log).await;
        for _look in 1..LOOKS {
            let is_whole = |(film, (version, _)): (&String, &(u32, Sums))| {
                let last = published
                    .get(film)
                    .and_then(|versions| versions.last_key_value());
                last.map_or(0, |(last, _)| *last) >= *version
            };
            if now.iter().all(is_whole) {
                break;
            }
            tokio::time::sleep(LOOK).await;
            published = self.published(log).await;
        }
        for (film, (version, sums)) in now {
            let versions = published.remove(&film).unwrap_or_default();
            if !versions.keys().copied().eq(1..=version) {
                let found: Vec<&u32> = versions.keys().collect();
                let text = format!("{film} is at version {version}, and published were {found:?}");
                self.violation(text);
            }
            if version > 0 && versions.get(&version) != Some(&sums) {
                let found = versions.get(&version);
                self.violation(format!(
                    "{film} is {sums:?}, and was published as {found:?}"
                ));
            }
        }
    }

    /// What every version of every film was published as; a violation where two say different
    /// things, or a later one came first.
    async fn published(&self, log: &dyn Engine) -> Published {
        let mut published: Published = Published::new();
        // Of changes with a key, which come in order: the version of each film told last.
        let mut last: BTreeMap<String, u32> = BTreeMap::new();
        for delivery in self.everything(log, RatingsChanged::TOPIC).await {
            let event: RatingsChanged = match decode(&delivery.record) {
                Ok(event) => event,
                Err(error) => {
                    self.violation(format!("a change cannot be read: {error}"));
                    continue;
                }
            };
            for change in event.changes {
                let sums = Sums {
                    count: change.count,
                    sum: change.sum,
                    histogram: change.histogram,
                };
                let (film, version) = (change.record_id, change.version);
                if delivery.record.key.is_some()
                    && let Some(before) = last.insert(film.clone(), version)
                    && before >= version
                {
                    let text = format!("{film} at version {version} was published after {before}");
                    self.violation(text);
                }
                let versions = published.entry(film.clone()).or_default();
                if versions
                    .insert(version, sums)
                    .is_some_and(|other| other != sums)
                {
                    let text = format!("{film} at version {version} was published as two things");
                    self.violation(text);
                }
            }
        }
        published
    }

    /// Version and numbers of all films, as the service tells.
    async fn versions(&self) -> Result<Versions, Error> {
        let ratings: RatingClient = self.caller.client();
        let mut versions = Versions::new();
        for film in FILMS {
            let request = GetAggregatedRatingRequest {
                record_type: "movie".into(),
                record_id: film.to_owned(),
            };
            let what = format!("the ratings of {film} are read");
            let found = self.until_done(&what, async |cx| {
                ratings.get_aggregated_rating(cx, request.clone()).await
            });
            let aggregate = found.await?.aggregate.unwrap_or_default();
            versions.insert(film.to_owned(), (aggregate.version, sums(&aggregate)));
        }
        Ok(versions)
    }

    /// The state of a topic; nothing when it cannot be told now.
    async fn report(&self, log: &dyn Engine, topic: &str, group: Option<&str>) -> Option<Report> {
        let what = format!("{topic} is looked at");
        let call = self.call(&what, LOOK * 8, Context::background(), async |cx| {
            Ok(log.inspect(cx, topic, group).await?)
        });
        call.await.ok()
    }

    /// All that is in a topic, by partition and offset: read by a group that ends with it.
    pub(super) async fn everything(&self, log: &dyn Engine, topic: &str) -> Vec<Delivery> {
        for _attempt in 0..LOOKS {
            match self.read_all(log, topic).await {
                Ok(all) => return all.into_values().collect(),
                Err(error) => {
                    let text = format!("{topic} cannot be read now: {error}");
                    self.host.trace().note(self.host.name(), text);
                    tokio::time::sleep(LOOK).await;
                }
            }
        }
        self.violation(format!("{topic} cannot be read"));
        Vec::new()
    }

    async fn read_all(
        &self,
        log: &dyn Engine,
        topic: &str,
    ) -> Result<BTreeMap<(u32, u64), Delivery>, Refusal> {
        let cx = || Context::background().with_timeout(LOOK * 8);
        let wanted = stored(&log.inspect(&cx(), topic, None).await?);
        let mut all = BTreeMap::new();
        if wanted == 0 {
            return Ok(all);
        }
        let group = format!("auditor-{}", self.host.elapsed().as_millis());
        let subscription = Subscription::new(topic, group).ephemeral();
        let mut source = log.attach(&cx(), &subscription).await?;
        while (all.len() as u64) < wanted {
            let read = tokio::time::timeout(Duration::from_secs(20), source.next(1000)).await;
            let Ok(input) = read else {
                return Err(Refusal::Late);
            };
            if let Input::Deliveries(deliveries) = input? {
                let tokens = deliveries.iter().map(|delivery| delivery.token);
                let done = tokens.map(|token| (token, Settle::Done)).collect();
                source.settle(done).await?;
                let places = deliveries
                    .iter()
                    .map(|it| (it.token.partition, it.token.offset));
                let places: Vec<(u32, u64)> = places.collect();
                all.extend(places.into_iter().zip(deliveries));
            }
        }
        source.close().await?;
        Ok(all)
    }
}

/// How many messages a topic has taken.
fn stored(report: &Report) -> u64 {
    report.partitions.iter().map(|part| part.head).sum()
}
