//! What the last process left in its write-ahead log, when it was killed or lost its power.
//!
//! SQLite takes from the log what its checksums hold for, and ends at the first frame that is
//! wrong: right for a commit that was cut off, but one flipped bit would silently undo every commit
//! behind it. [`check`] tells the two apart. A commit is synced before the next one is begun, so a
//! wrong frame in front of a whole commit that has a successor was damaged later. The last commit
//! of a log has none: a flipped bit in that one cannot be told from a commit that was never
//! finished.
//!
//! A header that is wrong in front of such commits was damaged as well: it lies within one sector,
//! of which disks write all or nothing.
//!
//! The format is SQLite's (<https://www.sqlite.org/fileformat2.html#the_write_ahead_log>): a header
//! of 32 bytes, then frames, each of 24 bytes and a page. Checksums go on from frame to frame.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const HEADER: usize = 32;
const FRAME: usize = 24;
/// The magic number of a log whose checksums are of little-endian words; the other one is one more.
const MAGIC: u32 = 0x377f_0682;
/// What we never set differently: for logs whose header is damaged.
const PAGE: usize = 4096;

/// Where the log of a database lies.
pub(super) fn path_of(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}

/// What was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// Nothing.
    Nothing,
    /// Commits, and perhaps one that was cut off.
    Commits,
    /// Frame of this number, from 1 (0 is the header), was damaged in front of whole commits.
    Damaged(u64),
}

/// Looks at a log that nobody has open, in one pass.
pub(super) fn check(log: &Path) -> std::io::Result<Left> {
    let file = match File::open(log) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Left::Nothing),
        file => file?,
    };
    scan(BufReader::with_capacity(1 << 16, file))
}

/// Writes a log that nobody has open over itself, and syncs it. Whatever part of that a loss of
/// power lets through, the bytes are the same.
pub(super) fn write_anew(log: &Path) -> std::io::Result<()> {
    let mut file = File::options().read(true).write(true).open(log)?;
    let mut piece = vec![0; 1 << 16];
    let mut at = 0;
    loop {
        let count = file.read(&mut piece)?;
        if count == 0 {
            return file.sync_all();
        }
        file.seek(SeekFrom::Start(at))?;
        file.write_all(&piece[..count])?;
        at += count as u64;
    }
}

fn scan(mut log: impl Read) -> std::io::Result<Left> {
    let mut header = [0; HEADER];
    if !fill(&mut log, &mut header)? {
        return Ok(Left::Nothing);
    }
    let sums = Sums {
        is_big_endian: number(&header, 0) == MAGIC + 1,
    };
    let is_sound =
        number(&header, 0) & !1 == MAGIC && sums.after((0, 0), &header[..24]) == pair(&header, 24);
    let size = usize::try_from(number(&header, 8)).unwrap_or(PAGE);
    let size = match is_sound && size.is_power_of_two() && (512..=65536).contains(&size) {
        true => size,
        false => PAGE,
    };
    let mut wrong = (!is_sound).then_some(0);
    let mut before = Before {
        salts: pair(&header, 16),
        sum: pair(&header, 24),
        is_commit: false,
    };
    let mut frame = vec![0; FRAME + size];
    for index in 1.. {
        if !fill(&mut log, &mut frame)? {
            break;
        }
        let salts = pair(&frame, 8);
        let own = pair(&frame, 16);
        let sum = sums.after(sums.after(before.sum, &frame[..8]), &frame[FRAME..]);
        // Of this log's own time, and written when the one before it was whole.
        let follows = salts == before.salts && sum == own;
        match wrong {
            None if !follows => wrong = Some(index),
            Some(wrong) if follows && before.is_commit => return Ok(Left::Damaged(wrong)),
            _ => {}
        }
        before = Before {
            // A damaged header says nothing of the frames' time.
            salts: if is_sound { before.salts } else { salts },
            sum: own,
            is_commit: number(&frame, 4) != 0,
        };
    }
    Ok(Left::Commits)
}

/// What a frame is to follow.
struct Before {
    salts: (u32, u32),
    sum: (u32, u32),
    is_commit: bool,
}

/// How checksums are counted.
#[derive(Clone, Copy)]
struct Sums {
    is_big_endian: bool,
}

impl Sums {
    fn after(self, (mut one, mut two): (u32, u32), bytes: &[u8]) -> (u32, u32) {
        let word = |bytes: &[u8]| {
            let word = [bytes[0], bytes[1], bytes[2], bytes[3]];
            match self.is_big_endian {
                true => u32::from_be_bytes(word),
                false => u32::from_le_bytes(word),
            }
        };
        for words in bytes.chunks_exact(8) {
            one = one.wrapping_add(word(words)).wrapping_add(two);
            two = two.wrapping_add(word(&words[4..])).wrapping_add(one);
        }
        (one, two)
    }
}

fn number(bytes: &[u8], at: usize) -> u32 {
    let bytes = &bytes[at..at + 4];
    u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

fn pair(bytes: &[u8], at: usize) -> (u32, u32) {
    (number(bytes, at), number(bytes, at + 4))
}

/// Reads as many bytes as there is room for; answers whether there were so many.
fn fill(from: &mut impl Read, room: &mut [u8]) -> std::io::Result<bool> {
    match from.read_exact(room) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log with these many commits of two pages each, as SQLite wrote it.
    fn log(commits: u32) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let database = rusqlite::Connection::open(&path).unwrap();
        database
            .execute_batch("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE a (b); PRAGMA wal_checkpoint(TRUNCATE);")
            .unwrap();
        for commit in 0..commits {
            let text = "x".repeat(3000 + commit as usize);
            database
                .execute("INSERT INTO a VALUES (?)", [text])
                .unwrap();
        }
        std::fs::read(path_of(&path)).unwrap()
    }

    fn left(log: &[u8]) -> Left {
        scan(log).unwrap()
    }

    fn frames(log: &[u8]) -> usize {
        (log.len() - HEADER) / (FRAME + PAGE)
    }

    /// Where the last commit begins.
    fn last_commit(log: &[u8]) -> usize {
        let at = |frame: usize| HEADER + frame * (FRAME + PAGE);
        let mut commits = (0..frames(log)).filter(|frame| number(log, at(*frame) + 4) != 0);
        at(commits.nth_back(1).unwrap() + 1)
    }

    #[test]
    fn a_log_that_is_whole_has_commits() {
        assert_eq!(left(&[]), Left::Nothing);
        assert_eq!(left(&log(0)), Left::Nothing);
        for commits in 1..5 {
            assert_eq!(left(&log(commits)), Left::Commits);
        }
    }

    #[test]
    fn a_log_written_anew_is_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db-wal");
        for length in [0, 1, 65_535, 65_536, 200_000] {
            let bytes: Vec<u8> = (0..length).map(|at: u32| (at % 251) as u8).collect();
            std::fs::write(&path, &bytes).unwrap();
            write_anew(&path).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), bytes);
        }
    }

    #[test]
    fn a_log_that_was_cut_off_anywhere_is_not_damaged() {
        let log = log(4);
        for length in (0..log.len()).step_by(97) {
            assert_ne!(left(&log[..length]), Left::Damaged(1), "{length} bytes");
            let mut torn = log.clone();
            torn[length..].fill(0);
            if length >= HEADER {
                assert_eq!(left(&torn), Left::Commits, "{length} bytes");
            }
        }
    }

    #[test]
    fn sectors_of_the_last_commit_may_be_missing() {
        let log = log(4);
        for from in (last_commit(&log)..log.len()).step_by(512) {
            let mut torn = log.clone();
            let end = (from + 512).min(log.len());
            torn[from..end].fill(0);
            assert_eq!(left(&torn), Left::Commits, "from {from}");
        }
    }

    #[test]
    fn a_flipped_bit_before_the_last_commit_is_found() {
        let log = log(6);
        // The commit before the last proves nothing when its own checksum is hit.
        let end = last_commit(&log[..last_commit(&log)]);
        for at in (0..end).step_by(61) {
            let mut flipped = log.clone();
            flipped[at] ^= 1 << (at % 8);
            // Eight bytes of the header are SQLite's notes, and covered as well.
            assert!(
                matches!(left(&flipped), Left::Damaged(_)),
                "byte {at} of {end}: {:?}",
                left(&flipped)
            );
        }
    }

    #[test]
    fn what_is_left_of_an_older_log_is_no_damage() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let database = rusqlite::Connection::open(&path).unwrap();
        database
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE a (b);",
            )
            .unwrap();
        let insert = |times: usize| {
            for _ in 0..times {
                database.execute("INSERT INTO a VALUES (1)", []).unwrap();
            }
        };
        insert(9);
        database
            .execute_batch("PRAGMA wal_checkpoint(RESTART);")
            .unwrap();
        insert(2);
        let log = std::fs::read(path_of(&path)).unwrap();
        assert!(frames(&log) > 9);
        assert_eq!(left(&log), Left::Commits);
    }
}
