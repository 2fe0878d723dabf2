//! Giving a film its poster through the service that clients call: one stream, which may break off.

use super::pictures::{
    BLUE as HALVES, BLUE_HASH as HASH_OF_HALVES, DISGUISED, DISGUISED_HASH, FLEETING,
    FLEETING_HASH, GREEN, GREEN_HASH, RED as IMAGE, RED_HASH as HASH,
};
use crate::Clients;
use backlot::{Code, Context, Error, Streaming};
use movies_api::{
    GetFileRequest, GetMetadataRequest, GetPosterRequest, GetPosterResponse, GetUploadRequest,
    UploadFileRequest, UploadFileResponse,
};
use std::time::Duration;

/// Of other bytes.
const OTHER: &str = "bd5363518ed014d47ae1c46ab28e0f1dc4872fe413444cb54d0c2a1058b8a038";

/// What a refusal may name: nothing that only the services among themselves know.
const FIELDS: [&str; 6] = ["movieId", "filename", "size", "sha256", "offset", "chunk"];

fn first(film: &str, offset: usize) -> UploadFileRequest {
    UploadFileRequest {
        movie_id: film.to_owned(),
        filename: "../../etc/poster.png".to_owned(),
        size: IMAGE.len() as u32,
        sha256: HASH.to_owned(),
        offset: offset as u32,
        chunk: Vec::new(),
    }
}

fn piece(from: usize, to: usize) -> UploadFileRequest {
    UploadFileRequest {
        chunk: IMAGE[from..to].to_vec(),
        ..UploadFileRequest::default()
    }
}

async fn upload(
    world: &Clients,
    cx: &Context,
    requests: Vec<UploadFileRequest>,
) -> Result<UploadFileResponse, Error> {
    world.movie.upload_file(cx, Streaming::of(requests)).await
}

/// How far a film's poster is, when nothing happens to it any more.
async fn settled(world: &Clients, film: &str) -> GetPosterResponse {
    let request = GetPosterRequest {
        movie_id: film.to_owned(),
        wait_ms: 20_000,
    };
    let cx = world.nobody().with_timeout(Duration::from_secs(30));
    world.worked("the poster", world.movie.get_poster(&cx, request).await)
}

/// Waits until the film is shown by this file.
pub(super) async fn shown(world: &Clients, film: &str, sha256: &str) {
    let poster = settled(world, film).await;
    assert_eq!(poster.refused, "");
    assert_eq!(poster.poster, sha256, "{poster:?}");
    world.transcript.add("pictures", &poster.pictures);
}

async fn poster(world: &Clients, film: &str) -> String {
    let request = GetMetadataRequest {
        movie_id: film.to_owned(),
    };
    let found = world.metadata.get_metadata(&world.nobody(), request).await;
    world
        .some("the film", world.answered("the film", found).metadata)
        .poster
}

pub(super) async fn a_file_sent_in_pieces_becomes_the_poster(world: &Clients) {
    world.film("sent").await;
    let mut begun = first("sent", 0);
    begun.chunk = IMAGE[..3].to_vec();
    let pieces = vec![begun, piece(3, 4), piece(4, IMAGE.len())];
    let sent = world.answered("sent", upload(world, &world.editor(), pieces.clone()).await);
    let file = world.some("the file", sent.file);
    assert_eq!(
        (file.sha256.as_str(), file.media_type.as_str()),
        (HASH, "image/png")
    );
    shown(world, "sent", HASH).await;
    assert_eq!(poster(world, "sent").await, HASH);
    // The same again changes nothing.
    world.answered("again", upload(world, &world.editor(), pieces).await);
    let by_a_user = upload(world, &world.user("ann"), vec![first("sent", 0)]).await;
    world.refused("a user", by_a_user, Code::PermissionDenied);
}

pub(super) async fn an_upload_that_broke_off_goes_on_where_it_stopped(world: &Clients) {
    world.film("broken-off").await;
    let cx = world.editor();
    let from = |offset: usize| UploadFileRequest {
        size: HALVES.len() as u32,
        sha256: HASH_OF_HALVES.to_owned(),
        ..first("broken-off", offset)
    };
    let piece = |from: usize, to: usize| UploadFileRequest {
        chunk: HALVES[from..to].to_vec(),
        ..UploadFileRequest::default()
    };
    let outcome = upload(world, &cx, vec![from(0), piece(0, 9)]).await;
    world.refused("too little", outcome, Code::FailedPrecondition);
    let request = GetUploadRequest {
        movie_id: "broken-off".to_owned(),
        size: HALVES.len() as u32,
        sha256: HASH_OF_HALVES.to_owned(),
    };
    let found = world.movie.get_upload(&cx, request).await;
    assert_eq!(world.answered("how much arrived", found).received, 9);
    let outcome = upload(world, &cx, vec![from(10), piece(10, HALVES.len())]).await;
    world.refused("a gap", outcome, Code::FailedPrecondition);
    let rest = vec![from(9), piece(9, HALVES.len())];
    world.answered("the rest", upload(world, &cx, rest).await);
    shown(world, "broken-off", HASH_OF_HALVES).await;
    assert_eq!(poster(world, "broken-off").await, HASH_OF_HALVES);
}

pub(super) async fn what_is_wrong_with_an_upload_is_told_and_no_poster_comes_of_it(
    world: &Clients,
) {
    world.film("refused").await;
    let cx = world.editor();
    let whole = piece(0, IMAGE.len());
    let with = |change: fn(&mut UploadFileRequest)| {
        let mut first = first("refused", 0);
        change(&mut first);
        vec![first, piece(0, IMAGE.len())]
    };
    for (what, requests, code) in [
        ("nothing", Vec::new(), Code::InvalidArgument),
        ("bytes alone", vec![whole.clone()], Code::InvalidArgument),
        (
            "an unknown film",
            with(|first| first.movie_id = "refused-unknown".into()),
            Code::NotFound,
        ),
        (
            "other bytes",
            with(|first| first.sha256 = OTHER.into()),
            Code::InvalidArgument,
        ),
        (
            "no hash",
            with(|first| first.sha256.clear()),
            Code::InvalidArgument,
        ),
        (
            "a larger file than any",
            with(|first| first.size = 10 * 1024 * 1024 + 1),
            Code::InvalidArgument,
        ),
        (
            "more bytes than announced",
            with(|first| first.size -= 1),
            Code::InvalidArgument,
        ),
        (
            "two beginnings",
            vec![first("refused", 0), first("refused", 0)],
            Code::InvalidArgument,
        ),
    ] {
        let outcome = upload(world, &cx, requests).await;
        for wrong in outcome.as_ref().err().map_or(&[][..], Error::violations) {
            assert!(FIELDS.contains(&&*wrong.field), "{what}: {wrong:?}");
        }
        world.refused(what, outcome, code);
    }
    assert_eq!(poster(world, "refused").await, "");
}

/// Sends a file whole.
pub(super) async fn give(world: &Clients, film: &str, bytes: &[u8], sha256: &str) {
    let request = UploadFileRequest {
        movie_id: film.to_owned(),
        filename: "poster.png".to_owned(),
        size: bytes.len() as u32,
        sha256: sha256.to_owned(),
        offset: 0,
        chunk: bytes.to_vec(),
    };
    world.answered("given", upload(world, &world.editor(), vec![request]).await);
}

/// Whether there is such a file.
async fn is_kept(world: &Clients, sha256: &str) -> bool {
    let request = GetFileRequest {
        sha256: sha256.to_owned(),
    };
    // A stream tells with its first part at the latest.
    let first = match world.metadata.get_file(&world.nobody(), request).await {
        Ok(mut file) => file.next().await.transpose(),
        Err(error) => Err(error),
    };
    match first {
        Ok(_) => true,
        Err(error) if error.code() == Code::NotFound => false,
        Err(error) => panic!("{}", error.chain()),
    }
}

pub(super) async fn a_file_that_is_no_picture_is_refused_with_the_reason_and_what_was_shown_stays(
    world: &Clients,
) {
    world.film("disguised").await;
    give(world, "disguised", GREEN, GREEN_HASH).await;
    shown(world, "disguised", GREEN_HASH).await;
    give(world, "disguised", DISGUISED, DISGUISED_HASH).await;
    let poster = settled(world, "disguised").await;
    assert_eq!(
        (&*poster.poster, &*poster.uploaded),
        (GREEN_HASH, DISGUISED_HASH)
    );
    assert!(
        poster.refused.starts_with("it is no PNG that can be read"),
        "{poster:?}"
    );
    assert_eq!(
        poster.pictures.len(),
        1,
        "three sizes of one so small are one"
    );
    assert!(is_kept(world, &poster.pictures[0].sha256).await);
}

pub(super) async fn a_poster_that_was_replaced_is_gone(world: &Clients) {
    world.film("replaced").await;
    world.film("keeping").await;
    give(world, "replaced", FLEETING, FLEETING_HASH).await;
    assert_ne!(settled(world, "replaced").await.refused, "");
    // Who has a cure can look at it, and send it through again.
    assert!(is_kept(world, FLEETING_HASH).await);
    give(world, "replaced", IMAGE, HASH).await;
    shown(world, "replaced", HASH).await;
    assert!(!is_kept(world, FLEETING_HASH).await);
    give(world, "keeping", IMAGE, HASH).await;
    shown(world, "keeping", HASH).await;
    let red = settled(world, "replaced").await.pictures;
    give(world, "replaced", HALVES, HASH_OF_HALVES).await;
    shown(world, "replaced", HASH_OF_HALVES).await;
    for kept in [HASH, &*red[0].sha256] {
        assert!(is_kept(world, kept).await, "another film needs it");
    }
}
