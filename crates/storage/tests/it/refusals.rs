//! What a store refuses to open, and whether its words name the file and the cure.

use crate::stage::{MIGRATIONS, count, one_reader, open, write};
use backlot_core::Clock;
use backlot_storage::{Migration, Migrations, Refusal, Store, StoreError, sqlite};
use std::path::Path;

const TWO: Migrations = &[
    Migration::new(1, "one", "CREATE TABLE one (x INTEGER) STRICT;"),
    Migration::new(2, "two", "CREATE TABLE two (x INTEGER) STRICT;"),
];

fn attempt(path: &Path, migrations: Migrations) -> Result<Store, StoreError> {
    sqlite::open(path, one_reader(), migrations, Clock::real())
}

/// The refusal and its text, which must name its code, the file and these words.
fn refused(path: &Path, migrations: Migrations, words: &[&str]) -> Refusal {
    let error = attempt(path, migrations).unwrap_err();
    let text = error.to_string();
    let StoreError::Refused { refusal, .. } = error else {
        panic!("{error:?} is no refusal")
    };
    assert!(text.starts_with(refusal.code()), "{text}");
    let name = path.file_name().unwrap().to_str().unwrap();
    for word in words.iter().chain([&name]) {
        assert!(text.contains(word), "{text:?} does not say {word:?}");
    }
    refusal
}

#[test]
fn an_old_sqlite_is_refused_with_both_versions() {
    assert_eq!(sqlite::check_version(3_051_003), Ok(()));
    assert_eq!(sqlite::check_version(4_000_000), Ok(()));
    let error = sqlite::check_version(3_051_002).unwrap_err().to_string();
    assert!(
        error.starts_with("BL0001") && error.contains("3.51.2") && error.contains("3.51.3"),
        "{error}"
    );
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("holiday.jpg");
    let content = "this is a letter and not a database, although it is long enough. ".repeat(100);
    std::fs::write(&path, &content).unwrap();
    assert_eq!(refused(&path, TWO, &["restore"]), Refusal::NotADatabase);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
}

#[test]
fn a_damaged_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    drop(attempt(&path, TWO).unwrap());
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[100..200].fill(0xa5);
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(refused(&path, TWO, &["restore"]), Refusal::NotADatabase);
}

#[test]
fn a_folder_that_cannot_be_written_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    // A file where a folder should be: nobody may write in there, not even the administrator.
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = attempt(&file.join("a.db"), TWO).unwrap_err();
    let text = error.to_string();
    assert!(
        matches!(
            error,
            StoreError::Refused {
                refusal: Refusal::NotWritable,
                ..
            }
        ),
        "{text}"
    );
    assert!(
        text.contains(file.to_str().unwrap()) && text.contains("choose another"),
        "{text}"
    );
    // A folder where the file should be.
    let path = folder.path().join("folder.db");
    std::fs::create_dir(&path).unwrap();
    assert_eq!(
        refused(&path, TWO, &["choose another"]),
        Refusal::NotWritable
    );
}

#[test]
fn a_missing_folder_is_made() {
    let folder = tempfile::tempdir().unwrap();
    drop(attempt(&folder.path().join("a/b/c.db"), TWO).unwrap());
}

#[test]
fn a_newer_schema_is_refused_with_both_versions() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    drop(attempt(&path, TWO).unwrap());
    assert_eq!(
        refused(&path, &TWO[..1], &["version 2 (two)", "up to 1"]),
        Refusal::Newer
    );
    drop(attempt(&path, TWO).unwrap());
}

#[test]
fn a_changed_migration_is_refused_but_line_ends_do_not_count() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    const UNIX: Migrations = &[Migration::new(
        1,
        "one",
        "CREATE TABLE one (\nx INTEGER) STRICT;",
    )];
    const DOS: Migrations = &[Migration::new(
        1,
        "one",
        "CREATE TABLE one (\r\nx INTEGER) STRICT;",
    )];
    const CHANGED: Migrations = &[Migration::new(
        1,
        "one",
        "CREATE TABLE one (\ny INTEGER) STRICT;",
    )];
    drop(attempt(&path, UNIX).unwrap());
    drop(attempt(&path, DOS).unwrap());
    assert_eq!(
        refused(&path, CHANGED, &["migration 1 (one)", "new migration"]),
        Refusal::HistoryDiffers
    );
}

#[test]
fn a_migration_that_was_skipped_or_is_gone_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    const FIRST: Migration = Migration::new(1, "first", "CREATE TABLE one (x INTEGER) STRICT;");
    const SECOND: Migration = Migration::new(2, "second", "CREATE TABLE two (x INTEGER) STRICT;");
    const THIRD: Migration = Migration::new(3, "third", "CREATE TABLE three (x INTEGER) STRICT;");
    drop(attempt(&path, &[FIRST, THIRD]).unwrap());
    assert_eq!(
        refused(&path, &[FIRST, SECOND, THIRD], &["below version 3"]),
        Refusal::HistoryDiffers
    );
    assert_eq!(
        refused(&path, &[THIRD], &["migration 1 (first)"]),
        Refusal::HistoryDiffers
    );
}

#[test]
fn a_migration_that_fails_is_undone_and_those_before_it_stay() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    const BROKEN: Migrations = &[
        Migration::new(1, "one", "CREATE TABLE one (x INTEGER) STRICT;"),
        Migration::new(
            2,
            "broken",
            "CREATE TABLE two (x INTEGER) STRICT; CREATE TABLE two (y INTEGER) STRICT;",
        ),
    ];
    assert_eq!(
        refused(&path, BROKEN, &["migration 2 (broken)", "already exists"]),
        Refusal::MigrationFailed
    );
    // Nothing of it is left: the corrected one applies.
    drop(attempt(&path, TWO).unwrap());
}

#[test]
fn a_list_of_migrations_is_checked_before_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    const TWICE: Migrations = &[
        Migration::new(1, "a", "SELECT 1"),
        Migration::new(1, "b", "SELECT 1"),
    ];
    assert_eq!(
        refused(&path, TWICE, &["migration 1 (b)", "after 1"]),
        Refusal::MigrationFailed
    );
    const CLOCK: Migrations = &[Migration::new(
        1,
        "a",
        "CREATE TABLE t (at TEXT DEFAULT CURRENT_TIMESTAMP)",
    )];
    assert_eq!(
        refused(&path, CLOCK, &["current_timestamp", "clock"]),
        Refusal::MigrationFailed
    );
}

#[tokio::test]
async fn a_store_that_is_open_is_refused_to_others() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), one_reader());
    let path = folder.path().join("notes.db");
    assert_eq!(
        refused(&path, MIGRATIONS, &["stop that one", "PostgreSQL or MySQL"]),
        Refusal::InUse
    );
    write(&store, 1).await.unwrap();
    store.close().await.unwrap();
    let again = attempt(&path, MIGRATIONS).unwrap();
    assert_eq!(count(&again).await, 1);
}

#[tokio::test]
async fn a_database_in_memory_is_one_stores_at_a_time_and_outlives_it() {
    let memory = sqlite::Memory::default();
    let open = || memory.open(MIGRATIONS, Clock::real());
    let first = open().unwrap();
    write(&first, 1).await.unwrap();
    let error = open().unwrap_err().to_string();
    assert!(error.starts_with(Refusal::InUse.code()), "{error}");
    first.close().await.unwrap();
    let second = open().unwrap();
    assert_eq!(count(&second).await, 1);
    assert!(write(&first, 2).await.is_err(), "it is closed");
    drop(second);
    // Refused, and nothing is lost by it.
    let error = memory.open(TWO, Clock::real()).unwrap_err();
    assert!(matches!(error, StoreError::Refused { .. }), "{error:?}");
    assert_eq!(count(&open().unwrap()).await, 1);
}
