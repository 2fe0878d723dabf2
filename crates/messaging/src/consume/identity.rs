//! What a message is known by, however often it comes and wherever from.

use crate::Record;
use xxhash_rust::xxh3::xxh3_128;

/// The most bytes of an id in an inbox.
const MOST: usize = 255;

/// Source and id in one text, the same for ever: as they are with the length of the source in front,
/// or a hash of that when it is too long for an inbox.
pub(crate) fn of(record: &Record) -> String {
    let text = format!("{}:{}{}", record.source.len(), record.source, record.id);
    if text.len() <= MOST && !text.contains('\0') {
        return text;
    }
    format!("#{:032x}", xxh3_128(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_one_message_and_no_other() {
        let of = |source: &str, id: &str| of(&Record::new(id, "Counted", source, "{}"));
        assert_eq!(of("rating", "17"), "6:rating17");
        assert_ne!(of("a1", "1"), of("a", "11"));
        let long = "x".repeat(300);
        assert_eq!(of(&long, "1").len(), 33);
        assert_ne!(of(&long, "1"), of(&long, "2"));
        assert_eq!(of("a\0", "1").len(), 33);
    }
}
