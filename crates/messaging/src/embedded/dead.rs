//! The index of dead letters, as people use it.

mod redrive;

use super::Inner;
use super::codec::Reader;
use super::repository::dead::list::{self, Counted};
use super::repository::dead::{self, Indexed};
use super::repository::log;
use crate::dead::{After, DeadLetters, Entry, Filter, Id, Letter, Listed, Moved, OfGroup};
use crate::dead::{Page, Slice, Status};
use crate::engine::Position;
use crate::telemetry::PURGED;
use crate::{Error, Record};
use async_trait::async_trait;
use backlot_core::Context;
use backlot_storage::{StoreError, Tx};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How often a payload may be edited: each edit is kept.
const MOST_EDITS: u32 = 16;
const IS_REDRIVEN: &str = "was sent again already: if it dies again, edit the new letter";
const IS_EDITED: &str = "was edited 16 times: send it again, or purge it";
const IS_CHANGING: &str = "is changed by others at this moment: look at it and try again";

/// The index of the letters in a log.
#[derive(Debug)]
pub(super) struct Index(pub(super) Arc<Inner>);

/// A slice as it is found.
#[derive(Clone, Debug, Default)]
struct Found {
    letters: Vec<Indexed>,
    /// Named, but not there.
    missing: u64,
    next: Option<After>,
}

impl Index {
    fn check_open(&self) -> Result<(), Error> {
        match *self.0.closed.borrow() {
            true => Err(Error::Closed),
            false => Ok(()),
        }
    }

    async fn find_slice(&self, slice: &Slice) -> Result<Found, Error> {
        slice.check()?;
        let slice = slice.clone();
        let reading = self.0.read(move |tx| {
            let slice = slice.clone();
            Box::pin(async move { found(tx, &slice).await })
        });
        reading.await.map_err(Error::of_read)
    }

    /// One letter that must be there.
    async fn one(&self, id: &Id) -> Result<Indexed, Error> {
        let slice = Slice::Ids(vec![id.clone()]);
        let found = self.find_slice(&slice).await?.letters.pop();
        found.ok_or_else(|| Error::NoLetter { id: id.to_string() })
    }
}

async fn found(tx: &mut Tx, slice: &Slice) -> Result<Found, StoreError> {
    match slice {
        Slice::Ids(ids) => {
            let mut rows = Vec::with_capacity(ids.len());
            for id in ids {
                rows.extend(dead::row_of(tx, id).await?);
            }
            let letters = dead::entries(tx, &rows).await?;
            Ok(Found {
                missing: (ids.len() - letters.len()) as u64,
                letters,
                next: None,
            })
        }
        Slice::Matching {
            filter,
            after,
            most,
        } => {
            let most = (*most).clamp(1, Slice::MOST);
            let (letters, next) = page(tx, filter, *after, most).await?;
            Ok(Found {
                letters,
                missing: 0,
                next,
            })
        }
    }
}

/// A page, and where the next begins.
async fn page(
    tx: &mut Tx,
    filter: &Filter,
    after: Option<After>,
    most: u32,
) -> Result<(Vec<Indexed>, Option<After>), StoreError> {
    // One more says whether there is another page.
    let mut places = list::places(tx, filter, after, most + 1).await?;
    let is_last = places.len() <= most as usize;
    places.truncate(most as usize);
    let rows: Vec<i64> = places.iter().map(|place| place.row).collect();
    let next = places.last().copied().filter(|_| !is_last);
    Ok((dead::entries(tx, &rows).await?, next))
}

/// Batches that letters are read from: the last of each partition, so that letters in order are
/// read in one go.
#[derive(Debug, Default)]
struct Batches(BTreeMap<(i64, u32), Open>);

#[derive(Debug)]
struct Open {
    batch: log::Batch,
    reader: Reader,
    /// The offset of what the reader reads next.
    next: u64,
}

impl Open {
    fn new(batch: log::Batch) -> Option<Self> {
        let reader = Reader::new(batch.data.clone())?;
        Some(Open {
            next: batch.base,
            batch,
            reader,
        })
    }

    fn read(&mut self, offset: u64) -> Option<Record> {
        if offset < self.next {
            *self = Open::new(self.batch.clone())?;
        }
        self.reader.skip(offset - self.next)?;
        self.next = offset + 1;
        self.reader.read()
    }
}

impl Batches {
    /// The record of a letter; nothing when its batch is gone or damaged.
    async fn record(
        &mut self,
        tx: &mut Tx,
        letter: &Indexed,
    ) -> Result<Option<Record>, StoreError> {
        let Position { partition, offset } = letter.entry.id.position;
        let place = (letter.queue, partition);
        let is_held = |open: &Open| open.batch.base <= offset && offset < open.batch.end();
        if !self.0.get(&place).is_some_and(is_held) {
            let (found, _) = log::read_some(tx, letter.queue, partition, &[offset], 1).await?;
            let mut sound = found.into_iter();
            let sound = sound.find(|batch| batch.is_sound(letter.queue, partition));
            match sound.and_then(Open::new) {
                Some(open) => self.0.insert(place, open),
                None => return Ok(None),
            };
        }
        let read = self.0.get_mut(&place).and_then(|open| open.read(offset));
        if read.is_none() {
            // Where its reader stands is not known any more.
            self.0.remove(&place);
        }
        Ok(read)
    }
}

#[async_trait]
impl DeadLetters for Index {
    async fn groups(&self, _cx: &Context) -> Result<Vec<OfGroup>, Error> {
        let reading = self
            .0
            .read(|tx| Box::pin(async move { list::groups(tx, &Filter::default()).await }));
        reading.await.map_err(Error::of_read)
    }

    async fn list(&self, _cx: &Context, filter: &Filter, asked: &Page) -> Result<Listed, Error> {
        asked.check()?;
        let (filter, asked) = (filter.clone(), asked.clone());
        let reading = self.0.read(move |tx| {
            let (filter, asked) = (filter.clone(), asked.clone());
            Box::pin(async move { page(tx, &filter, asked.after, asked.size).await })
        });
        let (letters, next) = reading.await.map_err(Error::of_read)?;
        Ok(Listed {
            entries: letters.into_iter().map(|letter| letter.entry).collect(),
            next,
        })
    }

    async fn count(&self, _cx: &Context, filter: &Filter) -> Result<u64, Error> {
        let (mut total, mut after) = (0, None);
        loop {
            // Each look is a snapshot of its own, so that none keeps the log from being tidied.
            let filter = filter.clone();
            let reading = self.0.read(move |tx| {
                let filter = filter.clone();
                Box::pin(async move { list::count(tx, &filter, after).await })
            });
            let Counted { count, next } = reading.await.map_err(Error::of_read)?;
            total += count;
            match next {
                Some(next) => after = Some(next),
                None => return Ok(total),
            }
        }
    }

    async fn find(&self, _cx: &Context, ids: &[Id]) -> Result<Vec<Option<Entry>>, Error> {
        let slice = Slice::Ids(ids.to_vec());
        let found = self.find_slice(&slice).await?.letters.into_iter();
        let found: BTreeMap<Id, Entry> = found
            .map(|letter| (letter.entry.id.clone(), letter.entry))
            .collect();
        Ok(ids.iter().map(|id| found.get(id).cloned()).collect())
    }

    async fn show(&self, _cx: &Context, id: &Id) -> Result<Letter, Error> {
        let letter = self.one(id).await?;
        let reading = self.0.read({
            let letter = letter.clone();
            move |tx| {
                let letter = letter.clone();
                Box::pin(async move {
                    let record = Batches::default().record(tx, &letter).await?;
                    Ok::<_, StoreError>((record, dead::edits(tx, letter.row).await?))
                })
            }
        });
        let (record, edits) = reading.await.map_err(Error::of_read)?;
        let record = record.ok_or_else(|| Error::Damaged {
            what: format!("the dead letter {id}"),
        })?;
        Ok(Letter::new(letter.entry, record, edits))
    }

    async fn edit(&self, cx: &Context, id: &Id, payload: Bytes) -> Result<(), Error> {
        self.check_open()?;
        let mut shown = self.show(cx, id).await?;
        shown.record.payload = payload.clone();
        shown.record.check()?;
        let letter = self.one(id).await?;
        let refused = |problem| Error::Letter {
            id: id.to_string(),
            problem,
        };
        if letter.entry.status == Status::Redriven {
            return Err(refused(IS_REDRIVEN));
        }
        if letter.entry.edits >= MOST_EDITS {
            return Err(refused(IS_EDITED));
        }
        let by = dead::storable(cx.principal().subject().unwrap_or_default());
        let now = self.0.clock.wall();
        let writing = self.0.write(move |tx| {
            let (letter, by, payload) = (letter.clone(), by.clone(), payload.clone());
            Box::pin(async move { dead::edit(tx, &letter, (now, &by, &payload)).await })
        });
        match writing.await.map_err(Error::of_write)? {
            true => Ok(()),
            false => Err(refused(IS_CHANGING)),
        }
    }

    async fn redrive(&self, _cx: &Context, slice: &Slice) -> Result<Moved, Error> {
        self.check_open()?;
        slice.check()?;
        let (index, slice) = (Index(Arc::clone(&self.0)), slice.clone());
        let moving = async move { redrive::redrive(&index, slice).await };
        self.0.finish("broker-redrive", moving).await
    }

    async fn purge(&self, _cx: &Context, slice: &Slice) -> Result<Moved, Error> {
        self.check_open()?;
        let found = self.find_slice(slice).await?;
        let rows: Vec<i64> = found.letters.iter().map(|letter| letter.row).collect();
        let count = rows.len() as u64;
        let removing = self.0.write(move |tx| {
            let rows = rows.clone();
            Box::pin(async move { dead::remove(tx, &rows).await })
        });
        let moved = removing.await.map_err(Error::of_write)?;
        for Entry { topic, group, .. } in found.letters.iter().map(|letter| &letter.entry) {
            self.0.metrics.counter(&PURGED, [topic, group]).inc();
        }
        Ok(Moved {
            moved,
            passed: found.missing + count.saturating_sub(moved),
            next: found.next,
        })
    }
}
