//! What of a history cannot be.

use super::Rules;
use super::book::{Book, Place};
use super::verdict::{Kind, Verdict};
use std::collections::{BTreeMap, BTreeSet};

impl Book<'_> {
    pub(super) fn close(mut self, rules: &Rules) -> Verdict {
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
