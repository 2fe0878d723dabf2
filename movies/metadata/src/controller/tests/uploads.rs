//! Posters, in pieces.

use super::*;
use crate::model::Progress;
use crate::upload::{Hash, LARGEST, SEGMENT, Upload};
use backlot::messaging::consume::Failure;
use backlot::storage::{Sql, params, sql};
use movies_api::events::PosterChecked;

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

/// A JPEG, as far as anybody looks.
fn picture(of: &str, width: u32) -> movies_api::events::Picture {
    movies_api::events::Picture {
        width,
        height: width * 3 / 2,
        bytes: [b"\xff\xd8\xff", of.as_bytes(), &width.to_be_bytes()].concat(),
    }
}

/// Says what came of a file.
async fn check(films: &Controller, event: PosterChecked) -> Result<(), Failure> {
    let now = films.now();
    let outcome: Result<Result<(), Failure>, Error> = films
        .store
        .write(&Context::background(), move |tx| {
            let event = event.clone();
            Box::pin(async move { Ok(Controller::checked(tx, event, now).await) })
        })
        .await;
    outcome.unwrap()
}

fn pictures(film: &str, sha256: &str) -> PosterChecked {
    PosterChecked {
        movie_id: film.into(),
        sha256: sha256.into(),
        pictures: [160, 320].map(|width| picture(sha256, width)).into(),
        refused: None,
    }
}

async fn show(films: &Controller, film: &str, sha256: &str) {
    check(films, pictures(film, sha256)).await.unwrap();
}

fn refusal(film: &str, sha256: &str, reason: &str) -> PosterChecked {
    PosterChecked {
        movie_id: film.into(),
        sha256: sha256.into(),
        pictures: Vec::new(),
        refused: Some(reason.into()),
    }
}

async fn progress(films: &Controller, film: &str) -> Progress {
    let cx = Context::background();
    films.poster(&cx, film, Duration::ZERO).await.unwrap()
}

/// Uploads a file of this film whole.
async fn give(films: &Controller, film: &str, bytes: &[u8]) -> String {
    let upload = send(films, start(films, film, bytes).await, bytes, 524_288).await;
    let kept = films.finish_upload(&editor(), upload.id).await.unwrap();
    kept.sha256
}

async fn is_kept(films: &Controller, sha256: &str) -> bool {
    match films.file(&Context::background(), sha256).await {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error.code(), Code::NotFound);
            false
        }
    }
}

#[tokio::test]
async fn a_file_is_shown_when_pictures_were_made_of_it_and_until_then_what_was_shown_stays() {
    let (films, now) = with_films().await;
    let first = give(&films, "a", &image(100)).await;
    let waiting = progress(&films, "a").await;
    assert_eq!((&*waiting.shown, &waiting.uploaded), ("", &first));
    assert!(!waiting.is_settled());
    now.fetch_add(5, Ordering::Relaxed);
    show(&films, "a", &first).await;
    let shown = progress(&films, "a").await;
    assert_eq!((&shown.shown, shown.pictures.len()), (&first, 2));
    let cx = Context::background();
    let (changes, _) = films.changes(&cx, 1_005, 9, "").await.unwrap();
    assert_eq!(changes[0].id, "a");
    assert_eq!(
        films.get(&cx, "a".into()).await.unwrap().pictures,
        shown.pictures
    );
    let second = give(&films, "a", &image(200)).await;
    let between = progress(&films, "a").await;
    assert_eq!(
        (&between.shown, &between.uploaded, &between.pictures),
        (&first, &second, &shown.pictures)
    );
    // Late words about a file that nobody waits for change nothing.
    show(&films, "a", &first).await;
    check(&films, refusal("a", &first, "x")).await.unwrap();
    assert_eq!(progress(&films, "a").await, between);
    show(&films, "nobody", &first).await;
    show(&films, "a", &second).await;
    assert_eq!(progress(&films, "a").await.shown, second);
}

#[tokio::test]
async fn what_was_replaced_is_deleted_unless_another_film_needs_it() {
    let (films, _) = with_films().await;
    let shared = image(70_000);
    let first = give(&films, "a", &shared).await;
    show(&films, "a", &first).await;
    give(&films, "b", &shared).await;
    show(&films, "b", &first).await;
    let made = progress(&films, "a").await.pictures;
    let second = give(&films, "a", &image(200)).await;
    show(&films, "a", &second).await;
    assert!(is_kept(&films, &first).await && is_kept(&films, &made[1].sha256).await);
    // One that somebody is about to give a film, and is there already, counts as well.
    films.put(&editor(), film("c", "C")).await.unwrap();
    let begun = start(&films, "c", &shared).await;
    let third = give(&films, "b", &image(300)).await;
    show(&films, "b", &third).await;
    assert!(!is_kept(&films, &made[1].sha256).await);
    assert!(is_kept(&films, &first).await);
    films.finish_upload(&editor(), begun.id).await.unwrap();
    show(&films, "c", &first).await;
    assert_eq!(file(&films, &first).await, shared);
    let fourth = give(&films, "c", &image(400)).await;
    show(&films, "c", &fourth).await;
    assert!(!is_kept(&films, &first).await);
    // Three films, each with what was uploaded and two pictures, one segment each.
    assert_eq!(counted(&films, SEGMENTS).await, 9);
}

#[tokio::test]
async fn a_refused_file_is_kept_until_there_is_another_and_may_be_shown_after_all() {
    let (films, _) = with_films().await;
    let first = give(&films, "a", &image(100)).await;
    let long = "é".repeat(400);
    check(&films, refusal("a", &first, &long)).await.unwrap();
    let refused = progress(&films, "a").await;
    assert_eq!((&*refused.shown, refused.refused.len()), ("", 500));
    assert!(refused.is_settled() && is_kept(&films, &first).await);
    show(&films, "a", &first).await;
    assert_eq!(progress(&films, "a").await.refused, "");
    let second = give(&films, "a", &image(200)).await;
    check(&films, refusal("a", &second, "too dark"))
        .await
        .unwrap();
    assert_eq!(progress(&films, "a").await.shown, first);
    // The same file again is looked at again.
    assert_eq!(give(&films, "a", &image(200)).await, second);
    assert_eq!(progress(&films, "a").await.refused, "");
    let third = give(&films, "a", &image(300)).await;
    assert!(!is_kept(&films, &second).await, "nobody waits for it");
    show(&films, "a", &third).await;
    assert!(!is_kept(&films, &first).await);
}

#[tokio::test]
async fn what_is_no_picture_or_none_at_all_is_not_shown_to_anybody() {
    let (films, _) = with_films().await;
    let sha256 = give(&films, "a", &image(100)).await;
    let mut page = pictures("a", &sha256);
    page.pictures[1].bytes = b"<!doctype html>".to_vec();
    let mut flat = pictures("a", &sha256);
    flat.pictures[0].height = 0;
    let none = PosterChecked {
        pictures: Vec::new(),
        ..page.clone()
    };
    for wrong in [page, flat, none] {
        let failure = check(&films, wrong).await.unwrap_err();
        assert!(failure.message().starts_with("pictures: "), "{failure}");
    }
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
        show(&films, "a", &kept.sha256).await;
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
    show(&films, "a", &hash(&bytes)).await;
    show(&films, "b", &hash(&bytes)).await;
    films.put(&editor(), film("c", "C")).await.unwrap();
    let of_c = start(&films, "c", &bytes).await;
    assert_eq!(of_c.received, 100);
    films.finish_upload(&editor(), of_c.id).await.unwrap();
    show(&films, "c", &hash(&bytes)).await;
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
