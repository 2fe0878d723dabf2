//! Many records as one blob, and back.
//!
//! ```text
//! form: 1 byte · count · dictionary: count, then (length, bytes) each · first time (zigzag)
//! each record: length of the rest · flags: 1 byte · id · kind (place in the dictionary) · version ·
//!     source (place) · time after the first (zigzag) · key, if flagged · headers: count, then
//!     (place of the name, value) each, if flagged · payload: what is left
//! ```
//!
//! One that is worth it is packed when it is stored: form: 1 byte · length of what is packed · that, as
//! an LZ4 block.
//!
//! Numbers are of variable length, texts and bytes have their length in front. The length before
//! each record lets a reader step over it. The checksum is beside the blob, and covers where it
//! belongs as well.

use crate::varint::{self, unzigzag, zigzag};
use crate::{Headers, Record};
use backlot_core::Timestamp;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A blob as it is.
const FORM: u8 = 1;
/// A packed one.
const PACKED: u8 = 2;
/// What is shorter is not worth packing.
const PACK_FROM: usize = 1024;
/// The most bytes of what is packed: whatever says more is damaged.
const MOST: u64 = 16 << 20;
/// A blob grows to about this many bytes; one record more may make it larger.
pub(super) const TARGET: usize = 256 * 1024;
const HAS_KEY: u8 = 1;
const HAS_HEADERS: u8 = 2;

/// A batch of records of one partition.
#[derive(Clone, Debug)]
pub(super) struct Blob {
    pub(super) count: u64,
    /// As it is read.
    pub(super) data: Bytes,
    /// As it is stored: packed, if that makes it smaller.
    pub(super) stored: Bytes,
}

/// As many blobs as these records fill.
pub(super) fn encode<'r>(records: impl IntoIterator<Item = &'r Record>) -> Vec<Blob> {
    let mut blobs = Vec::new();
    let mut open: Option<Open<'r>> = None;
    for record in records {
        let blob = open.get_or_insert_with(|| Open::new(record.time));
        blob.add(record);
        if blob.body.len() >= TARGET {
            blobs.extend(open.take().map(Open::close));
        }
    }
    blobs.extend(open.map(Open::close));
    blobs
}

struct Open<'r> {
    first_time: i64,
    count: u64,
    names: Vec<&'r str>,
    places: BTreeMap<&'r str, u64>,
    body: Vec<u8>,
    scratch: Vec<u8>,
}

impl<'r> Open<'r> {
    fn new(first_time: Timestamp) -> Self {
        Open {
            first_time: first_time.0,
            count: 0,
            names: Vec::new(),
            places: BTreeMap::new(),
            body: Vec::new(),
            scratch: Vec::new(),
        }
    }

    fn place(&mut self, name: &'r str) -> u64 {
        let names = &mut self.names;
        *self.places.entry(name).or_insert_with(|| {
            names.push(name);
            names.len() as u64 - 1
        })
    }

    fn add(&mut self, record: &'r Record) {
        self.count += 1;
        let (kind, source) = (self.place(&record.kind), self.place(&record.source));
        let mut bytes = std::mem::take(&mut self.scratch);
        bytes.clear();
        let has_key = if record.key.is_some() { HAS_KEY } else { 0 };
        let has_headers = if record.headers.is_empty() {
            0
        } else {
            HAS_HEADERS
        };
        bytes.push(has_key | has_headers);
        text(&mut bytes, &record.id);
        varint::write(&mut bytes, kind);
        varint::write(&mut bytes, u64::from(record.version));
        varint::write(&mut bytes, source);
        varint::write(
            &mut bytes,
            zigzag(record.time.0.wrapping_sub(self.first_time)),
        );
        if let Some(key) = &record.key {
            text(&mut bytes, key);
        }
        if !record.headers.is_empty() {
            varint::write(&mut bytes, record.headers.len() as u64);
            for (name, value) in record.headers.iter() {
                let place = self.place(name);
                varint::write(&mut bytes, place);
                text(&mut bytes, value);
            }
        }
        varint::write(&mut self.body, (bytes.len() + record.payload.len()) as u64);
        self.body.extend_from_slice(&bytes);
        self.body.extend_from_slice(&record.payload);
        self.scratch = bytes;
    }

    fn close(self) -> Blob {
        let mut data = Vec::with_capacity(self.body.len() + 64);
        data.push(FORM);
        varint::write(&mut data, self.count);
        varint::write(&mut data, self.names.len() as u64);
        for name in self.names {
            text(&mut data, name);
        }
        varint::write(&mut data, zigzag(self.first_time));
        data.extend_from_slice(&self.body);
        let data = Bytes::from(data);
        Blob {
            count: self.count,
            stored: pack(&data),
            data,
        }
    }
}

/// The same in fewer bytes, if it is worth it.
fn pack(data: &Bytes) -> Bytes {
    if data.len() < PACK_FROM {
        return data.clone();
    }
    let mut packed = vec![PACKED];
    varint::write(&mut packed, data.len() as u64);
    let head = packed.len();
    packed.resize(
        head + lz4_flex::block::get_maximum_output_size(data.len()),
        0,
    );
    match lz4_flex::block::compress_into(data, &mut packed[head..]) {
        Ok(size) if size < data.len() / 8 * 7 => {
            packed.truncate(head + size);
            packed.shrink_to_fit();
            packed.into()
        }
        _ => data.clone(),
    }
}

/// What was packed; nothing when it is damaged.
fn unpack(mut packed: &[u8]) -> Option<Bytes> {
    let size = varint::read(&mut packed).filter(|size| *size <= MOST)?;
    let size = usize::try_from(size).ok()?;
    let data = lz4_flex::block::decompress(packed, size).ok()?;
    (data.len() == size).then(|| data.into())
}

/// How many bytes a stored blob has when it is read.
pub(super) fn size(stored: &[u8]) -> usize {
    let packed = stored.split_first().filter(|(form, _)| **form == PACKED);
    let size = packed.and_then(|(_, mut rest)| varint::read(&mut rest));
    // What says more is damaged, and is not unpacked.
    let size = size.filter(|size| *size <= MOST);
    let size = size.and_then(|size| usize::try_from(size).ok());
    size.unwrap_or(stored.len())
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    varint::write(bytes, text.len() as u64);
    bytes.extend_from_slice(text.as_bytes());
}

/// The checksum of a blob and of where it belongs: a row in another's place is as wrong as a
/// flipped bit.
pub(super) fn checksum(data: &[u8], place: [i64; 4]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(data);
    for number in place {
        hasher.update(&number.to_le_bytes());
    }
    hasher.finalize()
}

/// Reads records off a blob, one after the other. Texts that repeat and payloads are shared with
/// the blob, not copied.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    blob: Bytes,
    at: usize,
    names: Vec<Arc<str>>,
    first_time: i64,
    left: u64,
}

impl Reader {
    /// Reads the head; nothing when it is damaged.
    pub(super) fn new(stored: Bytes) -> Option<Self> {
        let blob = match stored.split_first()? {
            (&PACKED, rest) => unpack(rest)?,
            _ => stored,
        };
        let (form, mut rest) = blob.split_first()?;
        if *form != FORM {
            return None;
        }
        let left = varint::read(&mut rest)?;
        let mut names = Vec::new();
        for _ in 0..varint::read(&mut rest)? {
            names.push(Arc::from(take_text(&mut rest)?));
        }
        let first_time = unzigzag(varint::read(&mut rest)?);
        let at = blob.len() - rest.len();
        Some(Reader {
            blob,
            at,
            names,
            first_time,
            left,
        })
    }

    /// How many records are left.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// Steps over `count` records; nothing when they are not there.
    pub(super) fn skip(&mut self, count: u64) -> Option<()> {
        self.left = self.left.checked_sub(count)?;
        for _ in 0..count {
            let (start, end) = self.frame()?;
            debug_assert!(start <= end);
            self.at = end;
        }
        Some(())
    }

    /// The next record; nothing when there is none, or it is damaged.
    pub(super) fn read(&mut self) -> Option<Record> {
        self.left = self.left.checked_sub(1)?;
        let (start, end) = self.frame()?;
        let mut rest = self.blob.get(start..end)?;
        let (flags, after) = rest.split_first()?;
        rest = after;
        let id = take_text(&mut rest)?.to_owned();
        let kind = self.name(&mut rest)?;
        let version = u32::try_from(varint::read(&mut rest)?).ok()?;
        let source = self.name(&mut rest)?;
        let time = self
            .first_time
            .wrapping_add(unzigzag(varint::read(&mut rest)?));
        let key = match flags & HAS_KEY {
            0 => None,
            _ => Some(take_text(&mut rest)?.to_owned()),
        };
        let mut headers = Headers::default();
        if flags & HAS_HEADERS != 0 {
            for _ in 0..varint::read(&mut rest)? {
                let name = self.name(&mut rest)?;
                headers.set(name, take_text(&mut rest)?);
            }
        }
        let payload = self.blob.slice(end - rest.len()..end);
        self.at = end;
        Some(Record {
            id,
            kind,
            version,
            source,
            time: Timestamp(time),
            key,
            headers,
            payload,
        })
    }

    /// Where the next record begins and ends.
    fn frame(&self) -> Option<(usize, usize)> {
        let mut rest = self.blob.get(self.at..)?;
        let length = usize::try_from(varint::read(&mut rest)?).ok()?;
        let start = self.blob.len() - rest.len();
        (length <= rest.len()).then_some((start, start + length))
    }

    fn name(&self, rest: &mut &[u8]) -> Option<Arc<str>> {
        let place = usize::try_from(varint::read(rest)?).ok()?;
        self.names.get(place).map(Arc::clone)
    }
}

fn take_text<'b>(rest: &mut &'b [u8]) -> Option<&'b str> {
    let length = usize::try_from(varint::read(rest)?).ok()?;
    let (text, after) = rest.split_at_checked(length)?;
    *rest = after;
    std::str::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn records() -> impl Strategy<Value = Vec<Record>> {
        let record = (
            ".{0,20}",
            "[a-c]{1,2}",
            any::<u32>(),
            any::<i64>(),
            proptest::option::of(".{0,9}"),
            proptest::collection::vec(("[a-z]{1,3}", ".{0,5}"), 0..3),
            proptest::collection::vec(any::<u8>(), 0..300),
        );
        let record = record.prop_map(|(id, kind, version, time, key, headers, payload)| {
            let mut record = Record::new(id, kind, "source", payload)
                .with_version(version)
                .with_time(Timestamp(time));
            record.key = key;
            for (name, value) in headers {
                record.headers.set(name, value);
            }
            record
        });
        proptest::collection::vec(record, 1..20)
    }

    fn decode(blobs: &[Blob]) -> Vec<Record> {
        let mut records = Vec::new();
        for blob in blobs {
            assert_eq!(size(&blob.stored), blob.data.len());
            let mut reader = Reader::new(blob.stored.clone()).unwrap();
            assert_eq!(reader.blob, blob.data);
            assert_eq!(reader.left(), blob.count);
            while reader.left() > 0 {
                records.push(reader.read().unwrap());
            }
        }
        records
    }

    proptest! {
        #[test]
        fn records_come_back(records in records()) {
            prop_assert_eq!(decode(&encode(&records)), records);
        }

        #[test]
        fn a_reader_steps_over_records(records in records(), skip in 0usize..20) {
            let skip = skip.min(records.len() - 1);
            let blobs = encode(&records);
            let mut reader = Reader::new(blobs[0].data.clone()).unwrap();
            reader.skip(skip as u64).unwrap();
            let read = reader.read();
            prop_assert_eq!(read.as_ref(), Some(&records[skip]));
        }

        #[test]
        fn damaged_bytes_are_read_or_refused(
            records in records(), at in any::<prop::sample::Index>(), bit in 0u8..8
        ) {
            let blob = encode(&records).remove(0);
            let place = [1, 2, 3, 4];
            let mut data = blob.stored.to_vec();
            let before = checksum(&data, place);
            let at = at.index(data.len());
            data[at] ^= 1 << bit;
            prop_assert_ne!(checksum(&data, place), before);
            if let Some(mut reader) = Reader::new(data.into()) {
                while reader.left() > 0 && reader.read().is_some() {}
            }
        }
    }

    #[test]
    fn what_repeats_itself_takes_less_room() {
        let records: Vec<Record> = (0..500)
            .map(|id| {
                let body =
                    format!("{{\"userId\":\"{id}\",\"recordType\":\"movie\",\"value\":4.5}}");
                Record::new(id.to_string(), "Rated", "source", body)
            })
            .collect();
        let blobs = encode(&records);
        assert_eq!(decode(&blobs), records);
        assert!(blobs[0].stored.len() * 3 < blobs[0].data.len());
        // What cannot be packed is stored as it is.
        let mut noise = vec![0; 4096];
        backlot_core::Dice::seeded(1).fill(&mut noise);
        let noise = encode(&[Record::new("1", "Noise", "source", noise)]);
        assert!(noise[0].stored == noise[0].data);
    }

    #[test]
    fn a_packed_blob_that_lies_about_its_length_is_refused() {
        let data = Bytes::from(vec![FORM; 5000]);
        let packed = pack(&data);
        assert!(packed.len() < 100);
        for said in [0, 4999, 5001, MOST, MOST + 1, u64::MAX] {
            let mut lies = vec![PACKED];
            varint::write(&mut lies, said);
            let mut rest = &packed[1..];
            assert_eq!(varint::read(&mut rest), Some(5000));
            lies.extend_from_slice(rest);
            assert!(Reader::new(lies.into()).is_none(), "{said}");
        }
    }

    #[test]
    fn a_large_amount_becomes_several_blobs() {
        let records: Vec<Record> = (0..20)
            .map(|id| Record::new(id.to_string(), "Kind", "source", vec![7; TARGET / 4]))
            .collect();
        let blobs = encode(&records);
        assert_eq!(blobs.len(), 5);
        assert_eq!(decode(&blobs), records);
    }

    #[test]
    fn a_batch_in_anothers_place_has_another_checksum() {
        assert_ne!(checksum(b"x", [1, 0, 0, 5]), checksum(b"x", [1, 0, 1, 5]));
    }
}
