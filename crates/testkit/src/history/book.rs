//! Everything a history says, line by line.

use super::line::{Delivered, Line};
use super::verdict::{Kind, Verdict};
use std::collections::{BTreeMap, BTreeSet};

/// What became of a message that was sent.
#[derive(Debug, Default)]
pub(super) struct Sent<'a> {
    pub(super) topic: &'a str,
    pub(super) key: Option<&'a str>,
    pub(super) must_die: bool,
    pub(super) acknowledged: bool,
    /// How often it was begun, and how often it was said that nothing happened.
    pub(super) begun: usize,
    pub(super) refused: usize,
    pub(super) told: Option<(u32, u64)>,
    /// Messages of the same key that were acknowledged before this one began: the last of them, by
    /// number of acknowledgements of that key.
    pub(super) after: usize,
}

/// A place: topic, partition, offset.
pub(super) type Place<'a> = (&'a str, u32, u64);

/// What is delivered in order: of a group, of a topic, a partition, under an epoch.
type Run<'a> = (&'a str, &'a str, u32, u64);

/// Everything a history says.
#[derive(Debug, Default)]
pub(super) struct Book<'a> {
    pub(super) sent: BTreeMap<&'a str, Sent<'a>>,
    /// By topic and key, in order of their acknowledgements.
    pub(super) acknowledged: BTreeMap<(&'a str, &'a str), Vec<&'a str>>,
    pub(super) stored: BTreeMap<Place<'a>, &'a str>,
    pub(super) places: BTreeMap<&'a str, Vec<Place<'a>>>,
    pub(super) effects: BTreeMap<&'a str, Vec<&'a str>>,
    pub(super) dead: BTreeMap<(&'a str, &'a str), usize>,
    pub(super) gaps: Vec<(&'a str, &'a str, u32, u64, u64)>,
    /// What each group was told would come again: not before.
    pub(super) waiting: BTreeMap<(&'a str, &'a str), i64>,
    pub(super) put_back: BTreeSet<(&'a str, &'a str)>,
    /// The farthest first delivery of a partition in an epoch, and what was delivered of it.
    farthest: BTreeMap<Run<'a>, (u64, BTreeSet<u64>)>,
    pub(super) verdict: Verdict,
}

impl<'a> Book<'a> {
    pub(super) fn enter(&mut self, line: Line<'a>) {
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

    fn deliver(&mut self, delivered: &Delivered<'a>) {
        let Delivered {
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
}
