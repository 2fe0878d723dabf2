//! What a child did to its disk, in order.

/// The length of an entry without its name and data.
const HEAD: usize = 19;

/// One thing a child did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A file was made; the folder has its name once it is synced.
    Made {
        /// Its name within the folder.
        name: String,
    },
    /// Bytes were written.
    Written {
        /// Into this file.
        name: String,
        /// From here on.
        offset: u64,
        /// What.
        data: Vec<u8>,
    },
    /// A file was cut, or grew by zeros.
    Resized {
        /// Which.
        name: String,
        /// Its bytes.
        size: u64,
    },
    /// A file, or the folder (`.`), was synced.
    Synced {
        /// Which.
        name: String,
    },
    /// A sync failed: what it was to keep may be gone although later syncs succeed.
    SyncFailed {
        /// Of which file.
        name: String,
    },
    /// A file was removed.
    Removed {
        /// Which.
        name: String,
    },
    /// A file got another name.
    Renamed {
        /// It was called so.
        from: String,
        /// And is called so.
        to: String,
    },
    /// The child wrote to its standard output: all before it had happened.
    Said(String),
}

/// Reads a log. An entry that was not finished, because its process was killed, is left out.
///
/// # Panics
/// When the log was written by something else.
#[must_use]
pub fn read(mut bytes: &[u8]) -> Vec<Event> {
    let mut events = Vec::new();
    while let Some((event, rest)) = entry(bytes) {
        events.push(event);
        bytes = rest;
    }
    events
}

fn entry(bytes: &[u8]) -> Option<(Event, &[u8])> {
    let (head, rest) = bytes.split_at_checked(HEAD)?;
    let number = |from: usize, to: usize| {
        let bytes = head[from..to].iter().rev();
        bytes.fold(0u64, |number, byte| number << 8 | u64::from(*byte))
    };
    let (name_length, offset, length) = (number(1, 3), number(3, 11), number(11, 19));
    let (name, rest) = rest.split_at_checked(usize::try_from(name_length).ok()?)?;
    let (data, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    let name = String::from_utf8_lossy(name).into_owned();
    let text = || String::from_utf8_lossy(data).into_owned();
    let event = match head[0] {
        b'c' => Event::Made { name },
        b'w' => Event::Written {
            name,
            offset,
            data: data.to_vec(),
        },
        b't' => Event::Resized { name, size: offset },
        b's' => Event::Synced { name },
        b'e' => Event::SyncFailed { name },
        b'u' => Event::Removed { name },
        b'r' => Event::Renamed {
            from: name,
            to: text(),
        },
        b'm' => Event::Said(text()),
        other => panic!("{other} is no operation of an imagined disk"),
    };
    Some((event, rest))
}
