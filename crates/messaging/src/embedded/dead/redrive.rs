//! Letters sent again: copied to the retry topics of their groups and marked, in one commit.

use super::{Batches, Found, Index};
use crate::dead::{Moved, QUEUE, RETRY, Slice, Status, redriven};
use crate::embedded::Inner;
use crate::embedded::append::{Added, Item, Plan};
use crate::embedded::repository::cursors;
use crate::embedded::repository::dead::{self, Indexed};
use crate::embedded::topic::Topic;
use crate::engine::{Begin, Outgoing, TopicSpec};
use crate::telemetry::REDRIVEN;
use crate::{Error, Record};
use backlot_core::Timestamp;
use backlot_storage::{StoreError, Tx};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// About how many bytes one commit copies, at least one letter.
const BYTES: usize = 4 << 20;

/// A letter and what is sent of it.
#[derive(Clone, Debug)]
struct Copy {
    letter: Indexed,
    record: Record,
}

/// Why a commit did not happen.
enum Refused {
    /// A letter is not as it was found: somebody else was there in between.
    Raced,
    Orphan(Box<Indexed>),
    Store(StoreError),
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Refused::Store(error)
    }
}

/// Sends a slice again.
pub(super) async fn redrive(index: &Index, mut slice: Slice) -> Result<Moved, Error> {
    if let Slice::Matching { filter, .. } = &mut slice {
        if filter.status == Some(Status::Redriven) {
            return Ok(Moved::default());
        }
        filter.status = Some(Status::Waiting);
    }
    loop {
        let mut found = index.find_slice(&slice).await?;
        let all = found.letters.len();
        found
            .letters
            .retain(|letter| letter.entry.status == Status::Waiting);
        let mut moved = Moved {
            moved: 0,
            passed: found.missing + (all - found.letters.len()) as u64,
            next: None,
        };
        let is_cut = matches!(slice, Slice::Matching { .. });
        let (copies, damaged) = read(index, &mut found, is_cut).await?;
        moved.passed += damaged;
        moved.next = found.next;
        if copies.is_empty() {
            return Ok(moved);
        }
        moved.moved = copies.len() as u64;
        // Whoever was there in between has done part of it: each attempt finds less to do.
        if send(&index.0, copies).await? {
            return Ok(moved);
        }
    }
}

/// What is to be sent, in order, and how many letters cannot be read. Of a slice by filter, what is
/// too much for one commit is left to the next.
async fn read(index: &Index, found: &mut Found, is_cut: bool) -> Result<(Vec<Copy>, u64), Error> {
    let letters = Arc::new(std::mem::take(&mut found.letters));
    let reading = index.0.read({
        let letters = Arc::clone(&letters);
        move |tx| {
            let letters = Arc::clone(&letters);
            Box::pin(async move { copies(tx, &letters, is_cut).await })
        }
    });
    let (copies, damaged, looked_at) = reading.await.map_err(Error::of_read)?;
    if looked_at < letters.len()
        && let Some(last) = looked_at.checked_sub(1).and_then(|last| letters.get(last))
    {
        found.next = Some(crate::dead::After {
            at: last.entry.at.0,
            row: last.row,
        });
    }
    Ok((copies, damaged))
}

async fn copies(
    tx: &mut Tx,
    letters: &[Indexed],
    is_cut: bool,
) -> Result<(Vec<Copy>, u64, usize), StoreError> {
    let mut batches = Batches::default();
    let (mut copies, mut damaged, mut bytes) = (Vec::new(), 0, 0);
    for (place, letter) in letters.iter().enumerate() {
        if is_cut && bytes >= BYTES {
            return Ok((copies, damaged, place));
        }
        let Some(record) = batches.record(tx, letter).await? else {
            tracing::error!(
                letter = %letter.entry.id,
                "a dead letter is damaged and cannot be sent again"
            );
            damaged += 1;
            continue;
        };
        let edited = match letter.entry.edits {
            0 => None,
            _ => dead::edits(tx, letter.row).await?.pop(),
        };
        // A payload shares the memory of its batch as long as this slice lasts.
        let payload = edited.map_or_else(|| record.payload.clone(), |edit| edit.payload);
        let redrives = letter.entry.redrives.saturating_add(1);
        let record = redriven(&record, payload, redrives);
        bytes += record.size();
        copies.push(Copy {
            letter: letter.clone(),
            record,
        });
    }
    Ok((copies, damaged, letters.len()))
}

/// Copies and marks, all or none; answers whether every letter was still as it was found.
async fn send(inner: &Arc<Inner>, copies: Vec<Copy>) -> Result<bool, Error> {
    let now = inner.clock.wall();
    let mut items = Vec::with_capacity(copies.len());
    let mut readers: BTreeMap<i64, (Arc<Topic>, String)> = BTreeMap::new();
    for Copy { letter, record } in &copies {
        let topic = target(inner, letter).await?;
        let group = letter.entry.group.clone();
        readers.insert(topic.id, (Arc::clone(&topic), group));
        items.push(Item::new(
            Arc::clone(&topic),
            Outgoing::new(topic.name.as_str(), record.clone()),
        )?);
    }
    let letters: Arc<Vec<Indexed>> = Arc::new(copies.into_iter().map(|copy| copy.letter).collect());
    let readers: Arc<Vec<(Arc<Topic>, String)>> = Arc::new(readers.into_values().collect());
    let plan = Arc::new(Plan::new(items, now));
    let writing = inner.write({
        let (letters, plan) = (Arc::clone(&letters), Arc::clone(&plan));
        move |tx| {
            let (letters, plan) = (Arc::clone(&letters), Arc::clone(&plan));
            let readers = Arc::clone(&readers);
            Box::pin(async move { write(tx, &letters, &readers, &plan, now).await })
        }
    });
    match writing.await {
        Ok(added) => {
            plan.announce(&added);
            for letter in letters.iter() {
                let labels = [&*letter.entry.topic, &*letter.entry.group];
                inner.metrics.counter(&REDRIVEN, labels).inc();
            }
            Ok(true)
        }
        Err(Refused::Raced) => Ok(false),
        Err(Refused::Orphan(letter)) => Err(orphan(&letter)),
        Err(Refused::Store(error)) => {
            let error = Error::of_write(error);
            if error.may_have_happened() {
                inner.doubt();
            }
            Err(error)
        }
    }
}

async fn write(
    tx: &mut Tx,
    letters: &[Indexed],
    readers: &[(Arc<Topic>, String)],
    plan: &Plan,
    now: Timestamp,
) -> Result<Added, Refused> {
    let mut sound = BTreeSet::new();
    for letter in letters {
        let (topic, group) = (&*letter.entry.topic, &*letter.entry.group);
        if !sound.contains(&(topic, group)) {
            if !dead::is_group(tx, topic, group).await? {
                return Err(Refused::Orphan(Box::new(letter.clone())));
            }
            sound.insert((topic, group));
        }
        if !dead::mark(tx, letter, now).await? {
            return Err(Refused::Raced);
        }
    }
    // Whoever reads the retry topic for the first time later, and only what is new, gets these too.
    for (topic, group) in readers {
        let place = (topic.id, topic.settings().incarnation);
        cursors::ensure(tx, place, group, Begin::Oldest, now, None).await?;
    }
    Ok(plan.run(tx).await?)
}

/// The retry topic of the group whose letters lie where this one does, made if it is not there.
async fn target(inner: &Arc<Inner>, letter: &Indexed) -> Result<Arc<Topic>, Error> {
    let source = inner
        .topic(&letter.entry.topic)
        .map_err(|_| orphan(letter))?;
    #[cfg(feature = "testing")]
    if inner
        .redrives_to_source
        .load(std::sync::atomic::Ordering::SeqCst)
    {
        return Ok(source);
    }
    let queue = &letter.entry.id.queue;
    let name = format!("{}{RETRY}", queue.strip_suffix(QUEUE).unwrap_or(queue));
    if let Ok(topic) = inner.topic(&name) {
        return Ok(topic);
    }
    // As many partitions as the source has, so that keys are as far apart as they were; kept for
    // as long as the letters themselves would have been.
    let mut spec = TopicSpec::new(name, source.partitions);
    spec.retention = Some(inner.options.letters);
    match inner.ensure(&spec).await {
        // Somebody made it in between, as they wanted it.
        Ok(()) | Err(Error::Partitions { .. }) => inner.topic(&spec.name),
        Err(error) => Err(error),
    }
}

fn orphan(letter: &Indexed) -> Error {
    Error::Orphan {
        id: letter.entry.id.to_string(),
        topic: letter.entry.topic.clone(),
        group: letter.entry.group.clone(),
    }
}
