//! A store in a file: its threads, its queue, its groups, its end.

use crate::stage::{COUNT, MIGRATIONS, PUT, begin, block, count, one_reader, open, put, write};
use backlot_core::{BoxFuture, Clock, Code, Context, Error};
use backlot_storage::{Sql, Store, StoreError, params, sql, sqlite};
use std::sync::{Mutex, mpsc};
use std::time::Duration;

fn cx() -> Context {
    Context::background()
}

async fn awaits_something_else(store: Store) {
    let (line, failed) = (
        line!() + 1,
        store.write(&cx(), |tx| {
            Box::pin(async move {
                tx.execute(PUT, params![1, "text"]).await?;
                std::future::pending::<()>().await;
                Ok::<(), StoreError>(())
            })
        }),
    );
    let failed = failed.await.unwrap_err();
    let site = format!("{}:{line}:", file!());
    assert!(
        failed.to_string().contains(&site),
        "{failed} does not name {site}"
    );
    let public = Error::from(failed);
    assert_eq!(public.code(), Code::Internal);
    assert!(!public.message().contains(file!()), "{}", public.message());
    assert_eq!(count(&store).await, 0, "it was rolled back");
    write(&store, 1).await.unwrap();
}

#[tokio::test]
async fn a_write_that_awaits_something_else_is_undone_and_named() {
    let folder = tempfile::tempdir().unwrap();
    awaits_something_else(open(folder.path(), one_reader())).await;
    awaits_something_else(sqlite::memory(MIGRATIONS, Clock::real()).unwrap()).await;
}

#[tokio::test]
async fn a_write_inside_a_write_is_undone_and_named_not_a_deadlock() {
    let folder = tempfile::tempdir().unwrap();
    for store in [
        open(folder.path(), one_reader()),
        sqlite::memory(MIGRATIONS, Clock::real()).unwrap(),
    ] {
        let inner = store.clone();
        let failed = store.write(&cx(), move |tx| {
            let inner = inner.clone();
            Box::pin(async move {
                put(tx, 1).await?;
                write(&inner, 2).await
            })
        });
        let failed = failed.await.unwrap_err();
        assert!(
            failed.chain().contains("awaited something other"),
            "{}",
            failed.chain()
        );
        assert_eq!(count(&store).await, 0);
    }
}

#[tokio::test]
async fn a_full_queue_is_busy_and_says_how_full() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(
        folder.path(),
        sqlite::Options {
            queue: 2,
            ..one_reader()
        },
    );
    let (blocked, go) = block(&store);
    let waiting = [begin(write(&store, 1)), begin(write(&store, 2))];
    let refused = write(&store, 3).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert!(refused.message().contains("2 calls wait"), "{refused}");
    go.send(()).unwrap();
    blocked.await.unwrap();
    for call in waiting {
        call.await.unwrap();
    }
    assert_eq!(count(&store).await, 3);
}

#[tokio::test]
async fn writes_in_one_group_stand_or_fall_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), one_reader());
    let (blocked, go) = block(&store);
    let good = [begin(write(&store, 1)), begin(write(&store, 2))];
    let failing: BoxFuture<'static, Result<u64, Error>> = Box::pin(store.write(&cx(), |tx| {
        Box::pin(async move {
            put(tx, 3).await?;
            Err(Error::not_found("on purpose"))
        })
    }));
    let failing = begin(failing);
    let panicking: BoxFuture<'static, Result<u64, Error>> = Box::pin(store.write(&cx(), |tx| {
        Box::pin(async move {
            put(tx, 4).await?;
            panic!("on purpose: a panic in a closure")
        })
    }));
    let panicking = begin(panicking);
    let pending: BoxFuture<'static, Result<u64, Error>> = Box::pin(store.write(&cx(), |tx| {
        Box::pin(async move {
            put(tx, 5).await?;
            std::future::pending().await
        })
    }));
    let pending = begin(pending);
    let twice = begin(write(&store, 2));
    let last = begin(write(&store, 6));
    go.send(()).unwrap();
    blocked.await.unwrap();
    for call in good {
        call.await.unwrap();
    }
    assert_eq!(failing.await.unwrap_err().code(), Code::NotFound);
    assert_eq!(panicking.await.unwrap_err().code(), Code::Internal);
    assert_eq!(pending.await.unwrap_err().code(), Code::Internal);
    assert_eq!(twice.await.unwrap_err().code(), Code::AlreadyExists);
    last.await.unwrap();
    assert_eq!(count(&store).await, 4);
}

#[tokio::test]
async fn a_constraint_that_speaks_at_the_commit_fails_its_own_write_alone() {
    const ORPHAN: Sql = sql!("INSERT INTO reply (id, note) VALUES (1, 77)");
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), one_reader());
    let (blocked, go) = block(&store);
    let before = begin(write(&store, 1));
    let orphan = begin(Box::pin(store.write(&cx(), |tx| {
        Box::pin(async move { Ok::<_, Error>(tx.execute(ORPHAN, params![]).await?) })
    })));
    let after = begin(write(&store, 2));
    go.send(()).unwrap();
    // The group is repeated one by one: the first write waits a second time.
    drop(go);
    blocked
        .await
        .unwrap_or_else(|error| panic!("{}", error.chain()));
    before.await.unwrap();
    after.await.unwrap();
    assert_eq!(orphan.await.unwrap_err().code(), Code::FailedPrecondition);
    assert_eq!(count(&store).await, 3);
}

#[tokio::test]
async fn a_full_disk_fails_the_write_and_the_store_lives_on() {
    const ROOM: Sql = sql!("PRAGMA max_page_count = 40");
    const MORE_ROOM: Sql = sql!("PRAGMA max_page_count = 100000");
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), one_reader());
    let pragma = async |sql: Sql| {
        let set = store.write(&cx(), move |tx| {
            Box::pin(async move { Ok::<_, Error>(tx.query(sql, params![]).await?) })
        });
        set.await.unwrap();
    };
    pragma(ROOM).await;
    let (blocked, go) = block(&store);
    let before = begin(write(&store, 1));
    let big = begin(Box::pin(store.write(&cx(), |tx| {
        Box::pin(async move {
            let text = "x".repeat(4096 * 60);
            Ok::<_, Error>(tx.execute(PUT, params![2, &text]).await?)
        })
    })));
    let after = begin(write(&store, 3));
    go.send(()).unwrap();
    assert_eq!(big.await.unwrap_err().code(), Code::Unavailable);
    // Whether SQLite undid the statement or the whole transaction: an answer of success is kept.
    let mut kept = 0;
    for call in [blocked, before, after] {
        match call.await {
            Ok(_) => kept += 1,
            Err(error) => assert_eq!(error.code(), Code::Unavailable),
        }
    }
    assert_eq!(count(&store).await, kept);
    pragma(MORE_ROOM).await;
    write(&store, 7).await.unwrap();
}

#[tokio::test]
async fn a_write_goes_on_when_its_caller_goes_away() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), one_reader());
    let (blocked, go) = block(&store);
    drop(blocked);
    go.send(()).unwrap();
    // Writes are done in order: this one is after it.
    write(&store, 1).await.unwrap();
    assert_eq!(count(&store).await, 2);
}

#[tokio::test]
async fn a_write_nobody_waits_for_any_more_is_not_begun() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), one_reader());
    let (blocked, go) = block(&store);
    drop(begin(write(&store, 1)));
    let hurried: BoxFuture<'static, Result<u64, Error>> = Box::pin(
        store.write(&cx().with_timeout(Duration::from_millis(5)), |tx| {
            put(tx, 2)
        }),
    );
    let late = hurried.await.unwrap_err();
    assert_eq!(late.code(), Code::DeadlineExceeded);
    go.send(()).unwrap();
    blocked.await.unwrap();
    assert_eq!(count(&store).await, 1);
}

#[tokio::test]
async fn a_read_does_not_wait_for_a_running_write() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), one_reader());
    let (blocked, go) = block(&store);
    assert_eq!(count(&store).await, 0);
    go.send(()).unwrap();
    blocked.await.unwrap();
    assert_eq!(count(&store).await, 1);
}

#[tokio::test]
async fn a_read_keeps_its_snapshot_while_a_write_commits() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), one_reader());
    let (looked, has_looked) = mpsc::channel();
    let (go, may_go) = mpsc::channel::<()>();
    let may_go = Mutex::new(may_go);
    let both: BoxFuture<'static, Result<(i64, i64), Error>> =
        Box::pin(store.read(&cx(), move |tx| {
            // The first look is taken here, on the reader's thread, before the write is let go.
            let first = now(tx.query_one(COUNT, params![])).unwrap().get(0).unwrap();
            looked.send(()).unwrap();
            may_go.lock().unwrap().recv().ok();
            Box::pin(async move { Ok((first, tx.query_one(COUNT, params![]).await?.get(0)?)) })
        }));
    let both = begin(both);
    has_looked.recv().unwrap();
    write(&store, 1).await.unwrap();
    go.send(()).unwrap();
    assert_eq!(both.await.unwrap(), (0, 0));
    assert_eq!(count(&store).await, 1);
}

#[tokio::test]
async fn a_read_never_shares_a_snapshot_older_than_itself() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), one_reader());
    let (looked, has_looked) = mpsc::channel();
    let (go, may_go) = mpsc::channel::<()>();
    let may_go = Mutex::new(may_go);
    // A read that keeps its snapshot, and the only reader, until it is let go.
    let old: BoxFuture<'static, Result<i64, Error>> = Box::pin(store.read(&cx(), move |tx| {
        let first = now(tx.query_one(COUNT, params![])).unwrap().get(0).unwrap();
        looked.send(()).unwrap();
        may_go.lock().unwrap().recv().ok();
        Box::pin(async move { Ok(first) })
    }));
    let old = begin(old);
    has_looked.recv().unwrap();
    let counting = |store: &Store| -> BoxFuture<'static, i64> {
        let store = store.clone();
        begin(Box::pin(async move { count(&store).await }))
    };
    // Reads that wait for the reader, begun before and after writes that are answered meanwhile.
    let mut waiting = Vec::new();
    for written in 0..4 {
        waiting.push((written, counting(&store)));
        waiting.push((written, counting(&store)));
        write(&store, written).await.unwrap();
    }
    go.send(()).unwrap();
    assert_eq!(old.await.unwrap(), 0);
    for (least, count) in waiting {
        let count = count.await;
        assert!(count >= least, "{count} of {least}");
    }
}

#[tokio::test]
async fn a_read_that_fails_spoils_none_of_those_that_wait_with_it() {
    const WRONG: Sql = sql!("SELECT nothing FROM nowhere");
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), one_reader());
    let (reading, is_reading) = mpsc::channel();
    let (go, may_go) = mpsc::channel::<()>();
    let may_go = Mutex::new(may_go);
    let first: BoxFuture<'static, Result<(), Error>> = Box::pin(store.read(&cx(), move |_tx| {
        reading.send(()).ok();
        may_go.lock().unwrap().recv().ok();
        panic!("on purpose: a panic in a closure")
    }));
    let first = begin(first);
    is_reading.recv().unwrap();
    let mut good = Vec::new();
    let mut bad = Vec::new();
    for sql in [WRONG, sql!("ROLLBACK"), sql!("COMMIT"), sql!("BEGIN")] {
        let wrong: BoxFuture<'static, Result<(), Error>> = Box::pin(store.read(&cx(), move |tx| {
            Box::pin(async move { Ok(tx.query(sql, params![]).await.map(drop)?) })
        }));
        bad.push(begin(wrong));
        let store = store.clone();
        good.push(begin(
            Box::pin(async move { count(&store).await }) as BoxFuture<'static, i64>
        ));
    }
    go.send(()).unwrap();
    assert_eq!(first.await.unwrap_err().code(), Code::Internal);
    for call in bad {
        // Whatever it is told.
        drop(call.await);
    }
    for count in good {
        assert_eq!(count.await, 0);
    }
    write(&store, 1).await.unwrap();
    assert_eq!(count(&store).await, 1);
}

fn now<T>(work: impl Future<Output = T>) -> T {
    match std::pin::pin!(work).poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(done) => done,
        std::task::Poll::Pending => panic!("a local transaction made its caller wait"),
    }
}

#[tokio::test]
async fn an_endless_read_gives_its_reader_back_at_its_deadline() {
    const ENDLESS: Sql = sql!(
        "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT COUNT(*) FROM n"
    );
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), one_reader());
    let endless = store.read(&cx().with_timeout(Duration::from_millis(20)), |tx| {
        Box::pin(async move { Ok::<_, Error>(tx.query(ENDLESS, params![]).await?) })
    });
    assert_eq!(endless.await.unwrap_err().code(), Code::DeadlineExceeded);
    assert_eq!(count(&store).await, 0);
}

#[tokio::test]
async fn closing_finishes_what_was_accepted_and_refuses_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), one_reader());
    let (blocked, go) = block(&store);
    let waiting = begin(write(&store, 1));
    let closing = begin({
        let store = store.clone();
        Box::pin(async move { store.close().await })
    });
    assert_eq!(
        write(&store, 2).await.unwrap_err().code(),
        Code::Unavailable
    );
    go.send(()).unwrap();
    closing.await.unwrap();
    blocked.await.unwrap();
    waiting.await.unwrap();
    store.close().await.unwrap();
    assert!(
        !folder.path().join("notes.db-wal").exists(),
        "the log was moved into the file"
    );
    // `store` still lives, and the file is free again.
    let again = open(folder.path(), one_reader());
    assert_eq!(count(&again).await, 2);
}

#[tokio::test]
async fn the_file_is_free_when_the_last_store_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    for id in 0..5 {
        let store = open(folder.path(), sqlite::Options::default());
        let other = store.clone();
        drop(store);
        write(&other, id).await.unwrap();
        assert_eq!(count(&other).await, id + 1);
    }
}

#[tokio::test]
async fn a_closure_may_hold_the_last_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), one_reader());
    let (dropped, is_dropped) = mpsc::channel::<()>();
    let (blocked, go) = block(&store);
    let inner = (store.clone(), dropped);
    let call = begin(Box::pin(store.write(&cx(), move |tx| {
        let _held = &inner;
        put(tx, 1)
    })));
    drop((call, blocked, store));
    go.send(()).unwrap();
    // The closure and its store are dropped on the writer's own thread, which must not wait for itself.
    assert!(is_dropped.recv().is_err());
}

#[tokio::test]
async fn the_log_is_moved_into_the_file_as_it_grows() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(
        folder.path(),
        sqlite::Options {
            log_pages: 16,
            ..one_reader()
        },
    );
    for id in 0..100 {
        let put = store.write(&cx(), move |tx| {
            Box::pin(async move {
                Ok::<_, Error>(tx.execute(PUT, params![id, &"x".repeat(8192)]).await?)
            })
        });
        put.await.unwrap();
    }
    let size = |name: &str| std::fs::metadata(folder.path().join(name)).unwrap().len();
    assert!(
        size("notes.db") > 700_000,
        "{} bytes in the file",
        size("notes.db")
    );
    assert!(
        size("notes.db-wal") < 300_000,
        "{} bytes in the log",
        size("notes.db-wal")
    );
}

#[test]
fn a_store_works_from_several_runtimes() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), one_reader());
    let threads: Vec<_> = (0..3)
        .map(|id| {
            let store = store.clone();
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_time()
                    .build()
                    .unwrap();
                runtime.block_on(write(&store, id)).unwrap();
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    assert_eq!(runtime.block_on(count(&store)), 3);
}
