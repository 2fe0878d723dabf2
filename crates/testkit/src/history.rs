//! Histories of messaging, and the checker that says what of them cannot be.
//!
//! A client writes a line before it asks for something, and another when it knows what came of it:
//! append-only, so that a client that is killed leaves all it knew. At the end everything is
//! delivered and settled, and lines are added of what was found in the log and in the effects. The
//! [checker](check) is pure: it knows nothing of any engine.
//!
//! | line | meaning |
//! |---|---|
//! | `start` | a process began; deliveries of an older one are over |
//! | `publish ID TOPIC KEY [dead]` | a client begins to publish; `-` is no key; with `dead` every group must put it with its dead letters, and make no effect |
//! | `ok ID [PARTITION OFFSET]` | it was told that the message is kept, and where, if it was told that |
//! | `fail ID` | it was told that nothing happened |
//! | `unknown ID` | it was told that nobody knows; the same as no line at all |
//! | `deliver GROUP TOPIC PARTITION OFFSET EPOCH ATTEMPTS STARTS AT ID` | a group got a message, at this millisecond; attempts and starts as the engine counts those before |
//! | `again GROUP TOPIC ID NOT_BEFORE` | it was told that the message will come again, not before this millisecond |
//! | `skip GROUP TOPIC PARTITION FIRST END CAUSE` | a group was told that these will never come |
//! | `wrong TEXT` | a client saw what it can tell to be wrong by itself, such as a payload nobody sent |
//! | `stored TOPIC PARTITION OFFSET ID` | at the end: a message of the log; the lines of a partition in the order of a reader |
//! | `effect GROUP ID` | at the end: one made effect, in the order in which they were made |
//! | `dead GROUP ID` | at the end: one dead letter |
//!
//! Ids, topics, keys and groups hold no white space. Lines that begin with `#`, and empty ones, are
//! for people.
//!
//! What is checked: nothing acknowledged is lost, nothing refused or never sent is there, offsets
//! are unique and contiguous and where the client was told, keys keep their order in the log, each
//! partition is delivered in order, effects are made exactly once by every group, what was put back
//! comes again and not too early, dead letters are exactly those that must be, and no group is told
//! of gaps.
//!
//! ```
//! use backlot_testkit::history::{Kind, Rules, check};
//!
//! let rules = Rules::new([("billing", "orders")]);
//! let good = "publish 1 orders ann\nok 1 0 0\nstored orders 0 0 1\neffect billing 1\n";
//! check(good, &rules).expect_sound();
//!
//! let lost = "publish 1 orders ann\nok 1 0 0\n";
//! let found = check(lost, &rules);
//! assert!(found.kinds().contains(&Kind::Lost), "{found}");
//! ```

mod line;
mod verdict;

use line::Line;
use std::collections::{BTreeMap, BTreeSet};
pub use verdict::{Kind, Verdict, Violation};

/// What a history must keep.
#[derive(Clone, Debug)]
pub struct Rules {
    groups: Vec<(String, String)>,
    stored_once: bool,
    gaps_told: bool,
}

impl Rules {
    /// Every one of these groups makes the effect of each message of its topic, once. An id is in
    /// the log once, and nothing is missing from it.
    #[must_use]
    pub fn new<'a>(groups: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let owned = |(group, topic): (&str, &str)| (group.to_owned(), topic.to_owned());
        Rules {
            groups: groups.into_iter().map(owned).collect(),
            stored_once: true,
            gaps_told: false,
        }
    }

    /// The same id may be in the log more than once: for publishers that try again without asking
    /// for deduplication.
    #[must_use]
    pub fn with_repeats(mut self) -> Self {
        self.stored_once = false;
        self
    }

    /// Messages may be missing where every group was told so by a `skip` line: for disks that were
    /// damaged on purpose.
    #[must_use]
    pub fn with_told_gaps(mut self) -> Self {
        self.gaps_told = true;
        self
    }
}

/// Checks a history against rules.
#[must_use]
pub fn check(history: &str, rules: &Rules) -> Verdict {
    let mut book = Book::default();
    for (index, text) in history.lines().enumerate() {
        let text = text.trim_end();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        match Line::parse(text) {
            Some(line) => book.enter(line),
            None => book.verdict.add(
                Kind::Malformed,
                format!("line {} is none of a history: {text:?}", index + 1),
            ),
        }
    }
    book.close(rules)
}

/// What became of a message that was sent.
#[derive(Debug, Default)]
struct Sent<'a> {
    topic: &'a str,
    key: Option<&'a str>,
    must_die: bool,
    acknowledged: bool,
    /// How often it was begun, and how often it was said that nothing happened.
    begun: usize,
    refused: usize,
    told: Option<(u32, u64)>,
    /// Messages of the same key that were acknowledged before this one began: the last of them, by
    /// number of acknowledgements of that key.
    after: usize,
}

/// A place: topic, partition, offset.
type Place<'a> = (&'a str, u32, u64);

/// Everything a history says.
#[derive(Debug, Default)]
struct Book<'a> {
    sent: BTreeMap<&'a str, Sent<'a>>,
    /// By topic and key, in order of their acknowledgements.
    acknowledged: BTreeMap<(&'a str, &'a str), Vec<&'a str>>,
    stored: BTreeMap<Place<'a>, &'a str>,
    places: BTreeMap<&'a str, Vec<Place<'a>>>,
    effects: BTreeMap<&'a str, Vec<&'a str>>,
    dead: BTreeMap<(&'a str, &'a str), usize>,
    gaps: Vec<(&'a str, &'a str, u32, u64, u64)>,
    /// What each group was told would come again: not before.
    waiting: BTreeMap<(&'a str, &'a str), i64>,
    put_back: BTreeSet<(&'a str, &'a str)>,
    /// The farthest first delivery of a partition in an epoch, and what was delivered of it.
    farthest: BTreeMap<(&'a str, &'a str, u32, u64), (u64, BTreeSet<u64>)>,
    verdict: Verdict,
}

impl<'a> Book<'a> {
    fn enter(&mut self, line: Line<'a>) {
        match line {
            Line::Start => {
                self.verdict.starts += 1;
                self.farthest.clear();
            }
            Line::Publish {
                id,
                topic,
                key,
                must_die,
            } => {
                let acknowledged = key.and_then(|key| self.acknowledged.get(&(topic, key)));
                let after = acknowledged.map_or(0, Vec::len);
                let sent = self.sent.entry(id).or_insert_with(|| Sent {
                    topic,
                    key,
                    must_die,
                    after,
                    ..Sent::default()
                });
                sent.begun += 1;
            }
            Line::Ok { id, place } => {
                let Some(sent) = self.sent.get_mut(id) else {
                    let text = format!("{id} was acknowledged and never sent");
                    return self.verdict.add(Kind::Phantom, text);
                };
                sent.told = place.or(sent.told);
                if !sent.acknowledged
                    && let Some(key) = sent.key
                {
                    let order = self.acknowledged.entry((sent.topic, key));
                    order.or_default().push(id);
                }
                sent.acknowledged = true;
            }
            Line::Fail { id } => {
                if let Some(sent) = self.sent.get_mut(id) {
                    sent.refused += 1;
                }
            }
            Line::Unknown => {}
            Line::Deliver(delivered) => self.deliver(&delivered),
            Line::Again {
                group,
                id,
                not_before,
            } => {
                self.waiting.insert((group, id), not_before);
                self.put_back.insert((group, id));
            }
            Line::Skip {
                group,
                topic,
                part,
                first,
                end,
            } => self.gaps.push((group, topic, part, first, end)),
            Line::Wrong(text) => self.verdict.add(Kind::Wrong, text.to_owned()),
            Line::Stored {
                topic,
                part,
                offset,
                id,
            } => {
                let place = (topic, part, offset);
                if let Some(other) = self.stored.insert(place, id) {
                    let text =
                        format!("{id} and {other} are both at {topic} {part} offset {offset}");
                    self.verdict.add(Kind::Offsets, text);
                }
                self.places.entry(id).or_default().push(place);
            }
            Line::Effect { group, id } => self.effects.entry(group).or_default().push(id),
            Line::Dead { group, id } => *self.dead.entry((group, id)).or_default() += 1,
        }
    }

    fn deliver(&mut self, delivered: &line::Delivered<'a>) {
        let line::Delivered {
            group, topic, part, ..
        } = *delivered;
        self.verdict.deliveries += 1;
        if let Some(not_before) = self.waiting.remove(&(group, delivered.id))
            && delivered.at < not_before
        {
            let early = not_before - delivered.at;
            let text = format!("{} came to {group} {early} ms too early", delivered.id);
            self.verdict.add(Kind::TooEarly, text);
        }
        let run = (group, topic, part, delivered.epoch);
        let (farthest, seen) = self.farthest.entry(run).or_default();
        let is_first = seen.insert(delivered.offset);
        if is_first && delivered.attempts == 0 && delivered.starts == 0 {
            if delivered.offset < *farthest {
                let text = format!(
                    "{group} got offset {} of {topic} {part} for the first time after {farthest}",
                    delivered.offset
                );
                self.verdict.add(Kind::Order, text);
            }
            *farthest = delivered.offset.max(*farthest);
        }
    }

    fn close(mut self, rules: &Rules) -> Verdict {
        self.check_log(rules);
        self.check_keys();
        for (group, topic) in &rules.groups {
            self.check_group(group, topic, rules);
        }
        if rules.gaps_told {
            self.check_gaps();
        } else {
            for (group, topic, part, first, end) in &self.gaps {
                let text =
                    format!("{group} was told that {first}..{end} of {topic} {part} never come");
                self.verdict.add(Kind::Skipped, text);
            }
        }
        self.verdict.sent = self.sent.len();
        self.verdict.acknowledged = self.sent.values().filter(|sent| sent.acknowledged).count();
        self.verdict.stored = self.stored.len();
        self.verdict
    }

    /// Whether every group of the topic was told of a gap here.
    fn is_told(&self, (topic, part, offset): Place<'_>, rules: &Rules) -> bool {
        let mut groups = rules.groups.iter().filter(|(_, of)| of == topic);
        rules.gaps_told
            && groups.all(|(name, _)| {
                self.gaps.iter().any(|(group, of, number, first, end)| {
                    (*group, *of, *number) == (name.as_str(), topic, part)
                        && (*first..*end).contains(&offset)
                })
            })
    }

    /// How many messages of a topic are gone by what its groups were told, at most.
    fn told_gone(&self, topic: &str) -> u64 {
        let mut by_group: BTreeMap<&str, BTreeSet<(u32, u64)>> = BTreeMap::new();
        for (group, _, part, first, end) in self.gaps.iter().filter(|(_, of, ..)| *of == topic) {
            let gone = by_group.entry(group).or_default();
            gone.extend((*first..*end).map(|offset| (*part, offset)));
        }
        let counts = by_group.values().map(BTreeSet::len);
        counts.max().unwrap_or(0) as u64
    }

    /// More is gone of a topic than anybody was told.
    fn check_gaps(&mut self) {
        let mut gone: BTreeMap<&str, u64> = BTreeMap::new();
        for (id, sent) in &self.sent {
            if sent.acknowledged && !self.places.contains_key(id) {
                *gone.entry(sent.topic).or_default() += 1;
            }
        }
        for (topic, count) in gone {
            let told = self.told_gone(topic);
            if count > told {
                let text = format!("{count} of {topic} are gone, and a group was told of {told}");
                self.verdict.add(Kind::Lost, text);
            }
        }
    }

    fn check_log(&mut self, rules: &Rules) {
        let mut found = Vec::new();
        for (id, sent) in &self.sent {
            let places = self.places.get(id).map_or(&[][..], Vec::as_slice);
            let told = sent.told.map(|(part, offset)| (sent.topic, part, offset));
            let is_told_gone = match told {
                Some(place) => self.is_told(place, rules),
                // Where it was, nobody knows: any told gap may be its place.
                None => rules.gaps_told && !self.gaps.is_empty(),
            };
            if sent.acknowledged && places.is_empty() && !is_told_gone {
                found.push((
                    Kind::Lost,
                    format!("{id} was acknowledged and is not there"),
                ));
            }
            if let Some(told) = told
                && !places.is_empty()
                && !places.contains(&told)
                && !is_told_gone
            {
                found.push((
                    Kind::Offsets,
                    format!("{id} was said to be at {told:?} and is at {places:?}"),
                ));
            }
            if !places.is_empty() && !sent.acknowledged && sent.refused == sent.begun {
                found.push((Kind::Refused, format!("{id} was refused and is there")));
            }
            if rules.stored_once && places.len() > 1 {
                found.push((
                    Kind::StoredTwice,
                    format!("{id} is in the log at {places:?}"),
                ));
            }
        }
        for (id, places) in &self.places {
            match self.sent.get(id) {
                None => found.push((Kind::Phantom, format!("{id} is there and was never sent"))),
                Some(sent) if places.iter().any(|(topic, ..)| *topic != sent.topic) => {
                    let text = format!("{id} was sent to {} and is at {places:?}", sent.topic);
                    found.push((Kind::Phantom, text));
                }
                Some(_) => {}
            }
        }
        let mut expected: BTreeMap<(&str, u32), u64> = BTreeMap::new();
        for (topic, part, offset) in self.stored.keys() {
            let next = expected.entry((topic, *part)).or_default();
            let all_told = |from: u64, to: u64| {
                (from..to).all(|offset| self.is_told((topic, *part, offset), rules))
            };
            if *offset != *next && !all_told(*next, *offset) {
                let text = format!("{topic} {part} goes on at {offset} after {next}");
                found.push((Kind::Offsets, text));
            }
            *next = offset + 1;
        }
        self.verdict.extend(found);
    }

    /// What was acknowledged before another message of its key began comes before it in the log.
    fn check_keys(&mut self) {
        let mut found = Vec::new();
        let first = |id: &str| self.places.get(id).and_then(|places| places.iter().min());
        // The farthest place of the first so many that were acknowledged, by key.
        let farthest: BTreeMap<(&str, &str), Vec<Option<&Place<'_>>>> = self
            .acknowledged
            .iter()
            .map(|(key, ids)| {
                let mut last = None;
                let farthest = ids.iter().map(|id| {
                    last = last.max(first(id));
                    last
                });
                (*key, farthest.collect())
            })
            .collect();
        for (id, sent) in &self.sent {
            let Some(key) = sent.key else { continue };
            let known = farthest.get(&(sent.topic, key));
            let before = sent.after.checked_sub(1);
            let before = before.and_then(|last| known?.get(last).copied().flatten());
            let (Some(before), Some(place)) = (before, first(id)) else {
                continue;
            };
            if place.1 != before.1 {
                let text = format!("{id} of key {key} is at {place:?}, others at {before:?}");
                found.push((Kind::Order, text));
            } else if place < before {
                let text = format!(
                    "{id} of key {key} is at {place:?}, before {before:?}, which was acknowledged first"
                );
                found.push((Kind::Order, text));
            }
        }
        self.verdict.extend(found);
    }

    fn check_group(&mut self, group: &str, topic: &str, rules: &Rules) {
        let mut found = Vec::new();
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        let effects = self.effects.get(group).map_or(&[][..], Vec::as_slice);
        let mut farthest: BTreeMap<&str, (&Place<'_>, &str)> = BTreeMap::new();
        for id in effects {
            let count = counts.entry(id).or_default();
            *count += 1;
            let place = self.places.get(id).and_then(|places| places.first());
            let key = self.sent.get(id).and_then(|sent| sent.key);
            let is_put_back = self.put_back.contains(&(group, *id));
            if *count > 1 || is_put_back {
                continue;
            }
            let (Some(place), Some(key)) = (place, key) else {
                continue;
            };
            match farthest.get(key) {
                Some((before, other)) if *before > place => found.push((
                    Kind::Order,
                    format!(
                        "{group} made the effect of {id} after that of {other}, both of key {key}"
                    ),
                )),
                _ => {
                    farthest.insert(key, (place, id));
                }
            }
        }
        for (id, count) in &counts {
            if *count > 1 {
                let text = format!("{group} made the effect of {id} {count} times");
                found.push((Kind::DoubledEffect, text));
            }
            if !self.places.contains_key(id) {
                let told = self.sent.get(id).is_some_and(|sent| {
                    let place = sent.told.map(|(part, offset)| (sent.topic, part, offset));
                    place.is_some_and(|place| self.is_told(place, rules))
                });
                if !told {
                    let text = format!("{group} made the effect of {id}, which is not there");
                    found.push((Kind::Phantom, text));
                }
            }
        }
        let ids = self.places.iter();
        for (id, _) in ids.filter(|(_, places)| places.iter().any(|(of, ..)| *of == topic)) {
            let must_die = self.sent.get(id).is_some_and(|sent| sent.must_die);
            let (effects, dead) = (
                counts.get(id).copied().unwrap_or(0),
                self.dead.get(&(group, *id)).copied().unwrap_or(0),
            );
            if must_die && effects > 0 {
                let text = format!("{group} made an effect of {id}, which nobody can handle");
                found.push((Kind::DeadLetters, text));
            }
            if dead != usize::from(must_die) {
                let text = format!("{group} has {dead} dead letters of {id}");
                found.push((Kind::DeadLetters, text));
            }
            if !must_die && effects == 0 && dead == 0 {
                let text = format!("{group} never made the effect of {id}");
                found.push((Kind::MissingEffect, text));
            }
        }
        for ((of, id), _) in self.dead.iter().filter(|((of, _), _)| *of == group) {
            if !self.places.contains_key(id) {
                let text = format!("{of} has a dead letter of {id}, which is not there");
                found.push((Kind::DeadLetters, text));
            }
        }
        for (of, id) in self.waiting.keys().filter(|(of, _)| *of == group) {
            let text = format!("{id} was to come again to {of} and did not");
            found.push((Kind::NotAgain, text));
        }
        self.verdict.extend(found);
    }
}

#[cfg(test)]
mod tests;
