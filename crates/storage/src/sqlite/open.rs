//! Opening a store: what is refused, and with which words.

use super::connection::Connection;
use super::inline::Memory;
use super::left::{self, Left};
use super::queue::Queue;
use super::threads::Threads;
use super::writer::{self, Commit, Connect, Limits, Writer};
use super::{failure, group};
use crate::{Migrations, Refusal, Store, StoreError, Tx, migrate};
use backlot_core::Clock;
use rusqlite::{ErrorCode, OpenFlags};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// The oldest SQLite whose write-ahead log does not lose commits, as `sqlite3_libversion_number`
/// counts.
const OLDEST_SQLITE: i32 = 3_051_003;
/// How long a foreign program (a shell, a backup) may hold the file before a call fails.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// How a file is served. The defaults suit every service we know.
#[derive(Clone, Debug)]
pub struct Options {
    /// Reader threads, at least 1. Default: one per core, at most 4.
    pub readers: usize,
    /// How many reads, and how many writes, may wait before further ones are refused as busy.
    /// Default: 4,096.
    pub queue: usize,
    /// The most writes that share a commit. Default: 256.
    pub group_writes: usize,
    /// The longest that a group takes in further writes. Default: 2 ms.
    pub group_time: Duration,
    /// The size of the write-ahead log, in pages of 4 KiB, from which it is moved into the file.
    /// Default: 4,096.
    pub log_pages: u32,
    /// How much of the file the writing connection keeps in memory at most, in bytes; at least what
    /// a write changes should find room. Default: 16 MiB.
    pub cache: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            readers: std::thread::available_parallelism()
                .map_or(2, usize::from)
                .min(4),
            queue: 4096,
            group_writes: 256,
            group_time: Duration::from_millis(2),
            log_pages: 4096,
            cache: 16 * 1024 * 1024,
        }
    }
}

/// Opens a file, which is made if it is not there, and brings its schema up to date. This waits
/// for the disk; it is for the start of a program. The file stays locked (through
/// `<file>.lock`) until the store is closed.
///
/// Its threads live in real time: under a paused or simulated clock, which jumps to the next
/// deadline while they work, take [`memory`] instead.
///
/// # Errors
/// [`StoreError::Refused`] with the page in `docs/errors/` that explains it: an old SQLite, a
/// damaged file, a folder that cannot be written, a newer schema, a changed migration, another
/// process that has the file open, an unsuitable file system, a migration that fails.
pub fn open(
    path: impl AsRef<Path>,
    options: Options,
    migrations: Migrations,
    clock: Clock,
) -> Result<Store, StoreError> {
    open_with(
        path.as_ref(),
        &options,
        migrations,
        clock,
        Box::new(writer::commit),
    )
}

fn open_with(
    path: &Path,
    options: &Options,
    migrations: Migrations,
    clock: Clock,
    commit: Commit,
) -> Result<Store, StoreError> {
    check_version(rusqlite::version_number())?;
    let lock = lock(path)?;
    let left = look_back(path)?;
    let is_written = left == Left::Commits && is_written_anew(path);
    let writer = Role::Writer {
        cache: options.cache,
    };
    let mut tx = Tx::local(connect(path, writer)?);
    if left == Left::Commits {
        keep(&mut tx, path, is_written)?;
    }
    migrate_here(&mut tx, migrations, &clock).map_err(|error| in_file(path, error))?;
    let readers = (0..options.readers.max(1))
        .map(|_| connect(path, Role::Reader))
        .collect::<Result<Vec<_>, StoreError>>()?;
    let writer = Writer {
        queue: Arc::new(Queue::new(options.queue)),
        limits: Limits {
            writes: options.group_writes,
            time: options.group_time,
            log_pages: options.log_pages,
        },
        connect: reconnect(path.to_owned(), writer),
        tx: Some(tx),
        move_at: options.log_pages,
        commit,
    };
    let reads = Arc::new(Queue::new(options.queue));
    let threads = Threads::start(path.to_owned(), writer, reads, readers, lock)
        .map_err(|error| StoreError::unavailable(format!("no thread for the store: {error}")))?;
    Ok(Store::over(Arc::new(threads), clock))
}

/// An empty database in memory with this schema, on the caller's own thread: for tests, and
/// wherever time is simulated.
///
/// # Errors
/// [`StoreError::Refused`] for an old SQLite or a migration that fails.
pub fn memory(migrations: Migrations, clock: Clock) -> Result<Store, StoreError> {
    Memory::default().open(migrations, clock)
}

/// Refuses a SQLite whose write-ahead log can lose commits; `number` counts as
/// `sqlite3_libversion_number` does, 3051003 for 3.51.3.
///
/// # Errors
/// [`Refusal::OldSqlite`] naming both versions.
pub fn check_version(number: i32) -> Result<(), StoreError> {
    if number >= OLDEST_SQLITE {
        return Ok(());
    }
    let text = |number: i32| {
        format!(
            "{}.{}.{}",
            number / 1_000_000,
            number / 1000 % 1000,
            number % 1000
        )
    };
    Err(Refusal::OldSqlite.because(format!(
        "this program carries SQLite {}, whose write-ahead log can lose commits: build it with SQLite {} or newer",
        text(number),
        text(OLDEST_SQLITE)
    )))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Writer { cache: usize },
    Reader,
}

/// Locks the file for this process, making its folder when it is not there.
fn lock(path: &Path) -> Result<File, StoreError> {
    let not_writable = |what: &Path, error: std::io::Error| {
        Refusal::NotWritable.because(format!(
            "{} cannot be written: {error}; let this user write it, or choose another data folder",
            what.display()
        ))
    };
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        std::fs::create_dir_all(folder).map_err(|error| not_writable(folder, error))?;
    }
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&name)
        .map_err(|error| not_writable(&name, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Refusal::InUse.because(format!(
            "{} is open in another process: stop that one, or, for several replicas of a service, \
             put its store on PostgreSQL or MySQL",
            path.display()
        ))),
        Err(TryLockError::Error(error)) => Err(Refusal::Unsuitable.because(format!(
            "{} cannot be locked: {error}; choose a folder on a local disk",
            name.display()
        ))),
    }
}

/// What the last process left in its log.
fn look_back(path: &Path) -> Result<Left, StoreError> {
    let log = left::path_of(path);
    match left::check(&log) {
        Ok(Left::Damaged(frame)) => Err(Refusal::NotADatabase.because(format!(
            "{} is damaged at frame {frame}, and acknowledged commits lie behind that: restore it \
             together with {} from a copy, or move it away to go on without those commits",
            log.display(),
            path.display()
        ))),
        Ok(left) => Ok(left),
        Err(error) => Err(StoreError::unavailable(format!(
            "{} cannot be read: {error}",
            log.display()
        ))),
    }
}

/// Whether the whole log is on the disk for certain: where a sync of the last process failed, the
/// system holds pages for written that never will be.
fn is_written_anew(path: &Path) -> bool {
    let log = left::path_of(path);
    let written = left::write_anew(&log);
    if let Err(error) = &written {
        tracing::warn!(%error, log = %log.display(), "what the last process left cannot be written anew");
    }
    written.is_ok()
}

/// Moves what was left into the file and syncs it, which has pages that were never written as well.
/// Only a log that is whole on the disk may be moved: after a loss of power in between, its first
/// part would be laid over newer pages. Where that cannot be had, as on a full disk, the log stays.
fn keep(tx: &mut Tx, path: &Path, is_written: bool) -> Result<(), StoreError> {
    let Some(connection) = tx.connection() else {
        return Ok(());
    };
    if is_written {
        let Err(error) = connection.batch("PRAGMA wal_checkpoint(TRUNCATE)") else {
            return Ok(());
        };
        tracing::warn!(
            error = backlot_core::error::chain(&error),
            "what the last process left in the write-ahead log stays there"
        );
    }
    let synced = File::open(left::path_of(path)).and_then(|log| log.sync_all());
    synced.map_err(|error| {
        in_file(
            path,
            StoreError::unavailable(format!("its log cannot be synced: {error}")),
        )
    })
}

/// Opens a connection; what it says becomes a refusal with the file's name.
fn connect(path: &Path, role: Role) -> Result<Connection, StoreError> {
    let refused = |error: rusqlite::Error| {
        let refusal = match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Refusal::NotADatabase,
            Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
                Refusal::NotWritable
            }
            _ => return in_file(path, failure::of(error, "")),
        };
        refusal.because(match refusal {
            Refusal::NotADatabase => format!(
                "{} is damaged or not a database: {error}; restore it from a copy, or move it away to start empty",
                path.display()
            ),
            _ => format!(
                "{} cannot be written: {error}; let this user write it, or choose another data folder",
                path.display()
            ),
        })
    };
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if let Role::Writer { .. } = role {
        flags |= OpenFlags::SQLITE_OPEN_CREATE;
    }
    let inner = rusqlite::Connection::open_with_flags(path, flags).map_err(refused)?;
    inner.busy_timeout(BUSY_TIMEOUT).map_err(refused)?;
    if let Role::Writer { .. } = role {
        let mode: String = inner
            .query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))
            .map_err(refused)?;
        if mode != "wal" {
            return Err(Refusal::Unsuitable.because(format!(
                "{} is on a file system without shared memory (its journal mode stays {mode:?}): \
                 choose a folder on a local disk",
                path.display()
            )));
        }
    }
    let settings = match role {
        Role::Writer { .. } => {
            "PRAGMA synchronous = FULL; PRAGMA cell_size_check = ON; PRAGMA wal_autocheckpoint = 0;"
        }
        Role::Reader => {
            "PRAGMA query_only = ON; PRAGMA cell_size_check = ON; PRAGMA wal_autocheckpoint = 0;"
        }
    };
    inner.execute_batch(settings).map_err(refused)?;
    inner
        .query_row("SELECT COUNT(*) FROM sqlite_schema", [], |_row| Ok(()))
        .map_err(refused)?;
    let connection = Connection::over(inner)?;
    if let Role::Writer { cache } = role {
        let kibibytes = cache.div_ceil(1024).max(1);
        let size = format!("PRAGMA cache_size = -{kibibytes}");
        connection.raw().execute_batch(&size).map_err(refused)?;
        writer::watch_log(&connection);
    }
    Ok(connection)
}

/// Opens the file anew while the store runs: its callers are told that it cannot serve, the log
/// why.
fn reconnect(path: PathBuf, writer: Role) -> Connect {
    Box::new(move || {
        connect(&path, writer).map_err(|error| {
            tracing::error!(
                error = backlot_core::error::chain(&error),
                "the store cannot be opened anew"
            );
            match error {
                StoreError::Refused {
                    refusal: Refusal::NotADatabase,
                    text,
                } => StoreError::Damaged {
                    cause: crate::error::Cause::new(text),
                },
                StoreError::Refused { text, .. } => StoreError::unavailable(text),
                error => error,
            }
        })
    })
}

/// A refusal says which file it is about.
fn in_file(path: &Path, error: StoreError) -> StoreError {
    match error {
        StoreError::Refused { refusal, text } => {
            refusal.because(format!("{}: {text}", path.display()))
        }
        StoreError::Damaged { cause } => Refusal::NotADatabase.because(format!(
            "{} is damaged: {cause}; restore it from a copy, or move it away to start empty",
            path.display()
        )),
        StoreError::Unavailable { cause } => {
            StoreError::unavailable(format!("{}: {cause}", path.display()))
        }
        error => error,
    }
}

/// Brings the schema up to date on this connection, each migration in its own transaction.
pub(super) fn migrate_here(
    tx: &mut Tx,
    migrations: Migrations,
    clock: &Clock,
) -> Result<(), StoreError> {
    now(migrate::prepare(tx))?;
    for (space, migrations) in migrate::spaces(migrations) {
        migrate::check(migrations)?;
        loop {
            group::control(tx, "BEGIN IMMEDIATE")?;
            match now(migrate::step(tx, space, migrations, clock.wall())) {
                Ok(more) => {
                    group::control(tx, "COMMIT").map_err(|error| {
                        Refusal::MigrationFailed.because(format!(
                            "a migration could not be committed: {}",
                            backlot_core::error::chain(&error)
                        ))
                    })?;
                    if !more {
                        break;
                    }
                }
                Err(error) => {
                    // SQLite may have rolled back by itself; the connection is not used again.
                    drop(group::control(tx, "ROLLBACK"));
                    return Err(error);
                }
            }
        }
    }
    Ok(())
}

/// Finishes work on a local connection, which never waits.
fn now<T>(work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    match std::pin::pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => Err(StoreError::sql("a local connection made its caller wait")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Migration, Sql, params, sql};
    use backlot_core::{Code, Error};

    const NOTES: Migrations = &[Migration::new(
        1,
        "notes",
        "CREATE TABLE note (id INTEGER PRIMARY KEY) STRICT;",
    )];
    const PUT: Sql = sql!("INSERT INTO note (id) VALUES (?)");
    const ALL: Sql = sql!("SELECT id FROM note ORDER BY id");

    async fn put(store: &Store, id: i64) -> Result<u64, Error> {
        let cx = backlot_core::Context::background();
        store
            .write(&cx, move |tx| {
                Box::pin(async move { Ok(tx.execute(PUT, params![id]).await?) })
            })
            .await
    }

    /// The disk fails at the second commit; the same handle must not be tried again.
    #[tokio::test]
    async fn a_failed_commit_fails_its_writes_and_the_next_one_finds_a_fresh_connection() {
        let folder = tempfile::tempdir().unwrap();
        let mut commits = 0;
        let commit: Commit = Box::new(move |tx| {
            commits += 1;
            match commits {
                2 => Err(StoreError::unavailable("disk I/O error")),
                _ => writer::commit(tx),
            }
        });
        let path = folder.path().join("notes.db");
        let store = open_with(&path, &Options::default(), NOTES, Clock::real(), commit).unwrap();
        put(&store, 1).await.unwrap();
        let failed = put(&store, 2).await.unwrap_err();
        assert_eq!(failed.code(), Code::Unavailable);
        assert!(
            failed.chain().contains("disk I/O error"),
            "{}",
            failed.chain()
        );
        put(&store, 3).await.unwrap();
        let ids = store
            .read(&backlot_core::Context::background(), |tx| {
                Box::pin(async move {
                    let rows = tx.query(ALL, params![]).await?;
                    rows.iter()
                        .map(|row| row.get(0))
                        .collect::<Result<Vec<i64>, StoreError>>()
                })
            })
            .await;
        assert_eq!(ids, Ok(vec![1, 3]));
    }
}
