//! Posters, in pieces.

use super::*;
use crate::upload::{Hash, LARGEST, SEGMENT, Upload};
use backlot::storage::{Sql, params, sql};

const SEGMENTS: Sql = sql!("SELECT COUNT(*) FROM segments");
const UPLOADS: Sql = sql!("SELECT COUNT(*) FROM uploads");
const DAY: i64 = 24 * 3600 * 1000;

/// A PNG, as far as anybody looks.
fn image(size: usize) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    bytes.extend((bytes.len()..size).map(|at| (at * 31 % 251) as u8));
    bytes
}

fn hash(bytes: &[u8]) -> String {
    let mut hash = Hash::new();
    hash.add(bytes);
    hash.finish()
}

async fn with_films() -> (Controller, Arc<AtomicI64>) {
    let (films, now) = catalogue();
    let many = vec![film("a", "A"), film("b", "B")];
    films.put_many(&editor(), many).await.unwrap();
    (films, now)
}

async fn start(films: &Controller, id: &str, bytes: &[u8]) -> Upload {
    let size = bytes.len() as u32;
    films
        .start_upload(&editor(), id.into(), size, &hash(bytes))
        .await
        .unwrap()
}

/// Sends what is missing, in pieces of this size.
async fn send(films: &Controller, mut upload: Upload, bytes: &[u8], piece: usize) -> Upload {
    while upload.received < upload.size {
        let from = upload.received as usize;
        let to = (from + piece).min(bytes.len());
        let sent = films
            .append_upload(
                &editor(),
                upload.id.clone(),
                from as u32,
                bytes[from..to].to_vec(),
            )
            .await;
        upload = sent.unwrap();
        assert_eq!(upload.received as usize, to);
    }
    upload
}

async fn file(films: &Controller, sha256: &str) -> Vec<u8> {
    let cx = Context::background();
    let file = films.file(&cx, sha256).await.unwrap();
    let mut bytes = Vec::new();
    for segment in segments(file.size) {
        bytes.extend(films.segment(&cx, &file.content, segment).await.unwrap());
    }
    bytes
}

async fn counted(films: &Controller, what: Sql) -> i64 {
    let counted = films.store.read(&Context::background(), move |tx| {
        Box::pin(async move { tx.query_one(what, params![]).await?.get::<i64>(0) })
    });
    let counted: Result<i64, StoreError> = counted.await;
    counted.unwrap()
}

#[tokio::test]
async fn a_poster_comes_in_pieces_and_back_whole() {
    let (films, now) = with_films().await;
    for (size, piece) in [
        (9, 1),
        (65_536, 40_000),
        (65_537, 65_536),
        (300_001, 524_288),
        (200_000, 1000),
    ] {
        let bytes = image(size);
        let upload = send(&films, start(&films, "a", &bytes).await, &bytes, piece).await;
        now.fetch_add(1, Ordering::Relaxed);
        let kept = films.finish_upload(&editor(), upload.id).await.unwrap();
        assert_eq!(
            (kept.sha256.clone(), kept.size as usize),
            (hash(&bytes), size)
        );
        assert_eq!(kept.media_type, "image/png");
        assert_eq!(file(&films, &kept.sha256.to_uppercase()).await, bytes);
        let cx = Context::background();
        assert_eq!(
            films.get(&cx, "a".into()).await.unwrap().poster,
            kept.sha256
        );
        let (changes, _) = films
            .changes(&cx, now.load(Ordering::Relaxed), 9, "")
            .await
            .unwrap();
        assert_eq!(changes[0].id, "a");
        // Who writes the film leaves its poster, whatever is said of it.
        let written = Film {
            poster: "f00".into(),
            year: size as i32 % 2000,
            ..film("a", "A")
        };
        films.put(&editor(), written).await.unwrap();
        assert_eq!(
            films.get(&cx, "a".into()).await.unwrap().poster,
            kept.sha256
        );
    }
    assert_eq!(counted(&films, UPLOADS).await, 0);
}

#[tokio::test]
async fn nobody_makes_up_a_poster_by_writing_a_film() {
    let (films, _) = catalogue();
    let made_up = Film {
        poster: "ab".repeat(32),
        ..film("c", "C")
    };
    films.put(&editor(), made_up).await.unwrap();
    assert_eq!(
        films
            .get(&Context::background(), "c".into())
            .await
            .unwrap()
            .poster,
        ""
    );
}

#[tokio::test]
async fn an_upload_goes_on_where_it_stopped() {
    let (films, _) = with_films().await;
    let bytes = image(100_000);
    let upload = start(&films, "a", &bytes).await;
    let first = films
        .append_upload(&editor(), upload.id.clone(), 0, bytes[..70_000].to_vec())
        .await;
    assert_eq!(first.unwrap().received, 70_000);
    let resumed = start(&films, "a", &bytes).await;
    assert_eq!(
        (resumed.id.as_str(), resumed.received),
        (upload.id.as_str(), 70_000)
    );
    // Sent again, and more than that; other bytes in their place change nothing.
    let again = films
        .append_upload(&editor(), upload.id.clone(), 0, bytes[..70_000].to_vec())
        .await;
    assert_eq!(again.unwrap().received, 70_000);
    let other = films
        .append_upload(&editor(), upload.id.clone(), 60_000, vec![0; 10_000])
        .await;
    assert_eq!(other.unwrap().received, 70_000);
    let overlap = films
        .append_upload(
            &editor(),
            upload.id.clone(),
            60_000,
            bytes[60_000..80_000].to_vec(),
        )
        .await;
    assert_eq!(overlap.unwrap().received, 80_000);

    let gap = films
        .append_upload(&editor(), upload.id.clone(), 80_001, vec![1])
        .await
        .unwrap_err();
    assert_eq!(gap.code(), Code::FailedPrecondition);
    assert!(gap.message().contains("80000 bytes were received"), "{gap}");
    let early = films
        .finish_upload(&editor(), upload.id.clone())
        .await
        .unwrap_err();
    assert_eq!(early.code(), Code::FailedPrecondition);
    assert!(early.message().contains("80000 of 100000"), "{early}");
    let long = films
        .append_upload(&editor(), upload.id.clone(), 80_000, vec![1; 20_001])
        .await
        .unwrap_err();
    assert_eq!(long.code(), Code::InvalidArgument);
    assert_eq!(long.violations()[0].field, "chunk");

    let upload = send(&films, overlap_done(&films, &bytes).await, &bytes, 524_288).await;
    films
        .finish_upload(&editor(), upload.id.clone())
        .await
        .unwrap();
    assert_eq!(file(&films, &hash(&bytes)).await, bytes);
    for gone in [
        films
            .append_upload(&editor(), upload.id.clone(), 0, vec![1])
            .await
            .map(drop),
        films.finish_upload(&editor(), upload.id).await.map(drop),
    ] {
        assert_eq!(gone.unwrap_err().code(), Code::NotFound);
    }
}

async fn overlap_done(films: &Controller, bytes: &[u8]) -> Upload {
    let upload = start(films, "a", bytes).await;
    assert_eq!(upload.received, 80_000);
    upload
}

#[tokio::test]
async fn what_is_there_already_is_not_sent_again() {
    let (films, _) = with_films().await;
    let bytes = image(100);
    // Both are under way before the first one ends.
    let of_a = send(&films, start(&films, "a", &bytes).await, &bytes, 100).await;
    let of_b = send(&films, start(&films, "b", &bytes).await, &bytes, 100).await;
    films.finish_upload(&editor(), of_a.id).await.unwrap();
    films.finish_upload(&editor(), of_b.id).await.unwrap();
    assert_eq!(counted(&films, SEGMENTS).await, 1);
    films.put(&editor(), film("c", "C")).await.unwrap();
    let of_c = start(&films, "c", &bytes).await;
    assert_eq!(of_c.received, 100);
    films.finish_upload(&editor(), of_c.id).await.unwrap();
    let again = start(&films, "a", &bytes).await;
    films.finish_upload(&editor(), again.id).await.unwrap();
    let cx = Context::background();
    for id in ["a", "b", "c"] {
        assert_eq!(
            films.get(&cx, id.into()).await.unwrap().poster,
            hash(&bytes)
        );
    }
    assert_eq!(file(&films, &hash(&bytes)).await, bytes);
    let other_size = films
        .start_upload(&editor(), "a".into(), 99, &hash(&bytes))
        .await
        .unwrap_err();
    assert_eq!(other_size.violations()[0].field, "size");
}

#[tokio::test]
async fn bytes_that_are_not_what_was_announced_or_no_image_are_thrown_away() {
    let (films, _) = with_films().await;
    let (bytes, other) = (image(100), vec![b'x'; 100]);
    let upload = send(&films, start(&films, "a", &bytes).await, &other, 100).await;
    let refused = films.finish_upload(&editor(), upload.id).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().contains(&hash(&other)), "{refused}");
    let page = b"<!doctype html><script>alert(1)</script>";
    let upload = send(&films, start(&films, "a", page).await, page, 100).await;
    let refused = films.finish_upload(&editor(), upload.id).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().contains("a web page"), "{refused}");
    assert_eq!(
        (
            counted(&films, UPLOADS).await,
            counted(&films, SEGMENTS).await
        ),
        (0, 0)
    );
    let cx = Context::background();
    assert_eq!(films.get(&cx, "a".into()).await.unwrap().poster, "");
    assert_eq!(
        films.file(&cx, &hash(page)).await.unwrap_err().code(),
        Code::NotFound
    );
    // The right bytes are welcome still.
    let upload = send(&films, start(&films, "a", &bytes).await, &bytes, 100).await;
    films.finish_upload(&editor(), upload.id).await.unwrap();
}

#[tokio::test]
async fn limits_hold_to_the_byte() {
    let (films, _) = with_films().await;
    let digits = "ab".repeat(32);
    let begin = async |id: &str, size, sha256: &str| {
        films
            .start_upload(&editor(), id.into(), size, sha256)
            .await
            .map(drop)
    };
    begin("a", LARGEST, &digits).await.unwrap();
    for (size, field) in [(0, "size"), (LARGEST + 1, "size")] {
        let refused = begin("a", size, &digits).await.unwrap_err();
        assert_eq!(
            (refused.code(), refused.violations()[0].field.as_str()),
            (Code::InvalidArgument, field)
        );
    }
    for sha256 in ["", "../../etc/passwd", &"g".repeat(64)] {
        let refused = begin("a", 1, sha256).await.unwrap_err();
        assert_eq!(refused.violations()[0].field, "sha256");
        let refused = films
            .file(&Context::background(), sha256)
            .await
            .unwrap_err();
        assert_eq!(refused.violations()[0].field, "sha256");
    }
    assert_eq!(
        begin("x", 1, &digits).await.unwrap_err().code(),
        Code::NotFound
    );
    for cx in [by("ann", &[]), Context::background()] {
        let may_not =
            |error: Error| matches!(error.code(), Code::PermissionDenied | Code::Unauthenticated);
        assert!(may_not(
            films
                .start_upload(&cx, "a".into(), 1, &digits)
                .await
                .unwrap_err()
        ));
        assert!(may_not(
            films
                .append_upload(&cx, "x".into(), 0, vec![1])
                .await
                .unwrap_err()
        ));
        assert!(may_not(
            films.finish_upload(&cx, "x".into()).await.unwrap_err()
        ));
    }
    // All that is allowed goes through; one byte at a time would do as well.
    let bytes = image(SEGMENT as usize * 3 + 1);
    let upload = send(
        &films,
        start(&films, "b", &bytes).await,
        &bytes,
        SEGMENT as usize - 1,
    )
    .await;
    films.finish_upload(&editor(), upload.id).await.unwrap();
    assert_eq!(file(&films, &hash(&bytes)).await, bytes);
}

#[tokio::test]
async fn uploads_nobody_goes_on_with_are_removed_after_a_day() {
    let (films, now) = with_films().await;
    let (old, kept, other) = (image(100), image(200), image(300));
    let given_up = start(&films, "a", &old).await;
    films
        .append_upload(&editor(), given_up.id.clone(), 0, old[..50].to_vec())
        .await
        .unwrap();
    now.fetch_add(DAY / 2, Ordering::Relaxed);
    let wanted = start(&films, "a", &kept).await;
    films
        .append_upload(&editor(), wanted.id.clone(), 0, kept[..50].to_vec())
        .await
        .unwrap();
    now.fetch_add(DAY / 2, Ordering::Relaxed);
    start(&films, "b", &other).await;
    assert_eq!(
        counted(&films, UPLOADS).await,
        3,
        "a day to the millisecond is not over"
    );
    now.fetch_add(1, Ordering::Relaxed);
    start(&films, "b", &other).await;
    assert_eq!(
        (
            counted(&films, UPLOADS).await,
            counted(&films, SEGMENTS).await
        ),
        (2, 1)
    );
    assert_eq!(start(&films, "a", &kept).await.received, 50);
    assert_eq!(start(&films, "a", &old).await.received, 0);
}

#[tokio::test]
async fn a_repeated_key_gives_the_first_file_again() {
    let (films, _) = with_films().await;
    let bytes = image(10);
    let upload = send(&films, start(&films, "a", &bytes).await, &bytes, 10).await;
    let key = backlot::Idempotency {
        key: "k".into(),
        method: "/finish",
        fingerprint: 1,
    };
    let cx = editor().with_idempotency(Some(Arc::new(key)));
    let first = films.finish_upload(&cx, upload.id.clone()).await.unwrap();
    assert_eq!(films.finish_upload(&cx, upload.id).await.unwrap(), first);
}
