//! A record as the payload of a row, and back.
//!
//! ```text
//! form: 1 byte · flags: 1 byte · kind · version · source · time (zigzag) · key, if flagged ·
//!     due (zigzag), if flagged · headers: count, then (name, value) each · payload: what is left ·
//!     CRC-32: 4 bytes, also over topic and id
//! ```
//!
//! Numbers are of variable length, texts have their length in front. The id is the row's own.

use crate::varint::{self, unzigzag, zigzag};
use crate::{Headers, Record};
use backlot_core::Timestamp;
use bytes::Bytes;

/// The form this program writes.
const FORM: u8 = 1;
const HAS_KEY: u8 = 1;
const HAS_DUE: u8 = 2;

/// The record as bytes.
pub(super) fn write(topic: &str, record: &Record, due: Option<Timestamp>) -> Vec<u8> {
    let mut bytes =
        Vec::with_capacity(record.size() + record.kind.len() + record.source.len() + 32);
    bytes.push(FORM);
    let flag = |flag, is_set| if is_set { flag } else { 0 };
    bytes.push(flag(HAS_KEY, record.key.is_some()) | flag(HAS_DUE, due.is_some()));
    text(&mut bytes, &record.kind);
    varint::write(&mut bytes, record.version.into());
    text(&mut bytes, &record.source);
    varint::write(&mut bytes, zigzag(record.time.0));
    if let Some(key) = &record.key {
        text(&mut bytes, key);
    }
    if let Some(due) = due {
        varint::write(&mut bytes, zigzag(due.0));
    }
    varint::write(&mut bytes, record.headers.len() as u64);
    for (name, value) in record.headers.iter() {
        text(&mut bytes, name);
        text(&mut bytes, value);
    }
    bytes.extend_from_slice(&record.payload);
    let sum = checksum(topic, &record.id, &bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    bytes
}

/// What [`write`] wrote; otherwise what is wrong with it.
pub(super) fn read(
    topic: &str,
    id: &str,
    bytes: &[u8],
) -> Result<(Record, Option<Timestamp>), &'static str> {
    let (body, sum) = bytes
        .split_last_chunk::<4>()
        .ok_or("it is too short to be one")?;
    let (form, mut rest) = body.split_first().ok_or("it is too short to be one")?;
    if *form != FORM {
        return Err("it has a form this program does not know");
    }
    if checksum(topic, id, body) != u32::from_le_bytes(*sum) {
        return Err("it is damaged: its checksum differs");
    }
    read_body(id, &mut rest).ok_or("it is damaged, though its checksum is right")
}

fn read_body(id: &str, rest: &mut &[u8]) -> Option<(Record, Option<Timestamp>)> {
    let flags = take(rest, 1)?[0];
    let kind = read_text(rest)?;
    let version = u32::try_from(varint::read(rest)?).ok()?;
    let source = read_text(rest)?;
    let mut record = Record::new(id, kind, source, Bytes::new()).with_version(version);
    record.time = Timestamp(unzigzag(varint::read(rest)?));
    if flags & HAS_KEY != 0 {
        record.key = Some(read_text(rest)?.to_owned());
    }
    let due = match flags & HAS_DUE {
        0 => None,
        _ => Some(Timestamp(unzigzag(varint::read(rest)?))),
    };
    let mut headers = Headers::default();
    for _ in 0..varint::read(rest)? {
        let (name, value) = (read_text(rest)?, read_text(rest)?);
        headers.set(name, value);
    }
    record.headers = headers;
    record.payload = Bytes::copy_from_slice(rest);
    Some((record, due))
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    varint::write(bytes, text.len() as u64);
    bytes.extend_from_slice(text.as_bytes());
}

fn read_text<'b>(rest: &mut &'b [u8]) -> Option<&'b str> {
    let length = usize::try_from(varint::read(rest)?).ok()?;
    std::str::from_utf8(take(rest, length)?).ok()
}

fn take<'b>(rest: &mut &'b [u8], length: usize) -> Option<&'b [u8]> {
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

/// Also of where it belongs: a payload in another row is damage too.
fn checksum(topic: &str, id: &str, body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for text in [topic, id] {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    hasher.update(body);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_record_comes_back_and_any_damage_is_seen(
            texts in proptest::collection::vec(any::<String>(), 5),
            key in proptest::option::of(any::<String>()),
            due in proptest::option::of(any::<i64>()),
            payload in proptest::collection::vec(any::<u8>(), 0..60),
            at in any::<prop::sample::Index>(),
        ) {
            let mut record = Record::new(&*texts[0], &*texts[1], &*texts[2], payload)
                .with_version(3)
                .with_time(Timestamp(1_700_000_000_123));
            record.headers.set(&*texts[3], &*texts[4]);
            record.key = key;
            let due = due.map(Timestamp);
            let mut bytes = write("t", &record, due);
            prop_assert_eq!(read("t", &record.id, &bytes), Ok((record.clone(), due)));
            prop_assert!(read("u", &record.id, &bytes).is_err());
            let at = at.index(bytes.len());
            bytes[at] ^= 1;
            prop_assert!(read("t", &record.id, &bytes).is_err());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            drop(read("t", "1", &bytes));
            drop(read_body("1", &mut &*bytes));
        }
    }
}
