//! Giving a film its poster through the service that clients call: one stream, which may break off.

use crate::Clients;
use backlot::{Code, Context, Error, Streaming};
use movies_api::{GetMetadataRequest, GetUploadRequest, UploadFileRequest, UploadFileResponse};

/// What a PNG begins with.
const IMAGE: &[u8] = b"\x89PNG\r\n\x1a\nand so forth";
/// What `IMAGE` hashes to.
const HASH: &str = "ab5f11437e76e39be2c9010d8a5924e544d000018e7a3d5df8f7a04c3c1a08b0";
/// Bytes and hash of the file that breaks off: content that is known already counts as received.
const HALVES: &[u8] = b"\x89PNG\r\n\x1a\nin two halves!";
const HASH_OF_HALVES: &str = "9b5060b1ac76447f3ea7bfad64d140e08a699841e81103ecf9b8a0de72b1fd54";
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
