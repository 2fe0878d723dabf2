//! Finding films, and giving them posters.

use super::pictures::{GREEN as IMAGE, GREEN_HASH as HASH};
use super::upload::shown;
use crate::Clients;
use backlot::Code;
use movies_api::metadata::v1::Metadata;
use movies_api::{
    AppendUploadRequest, BatchGetMetadataRequest, BatchPutMetadataRequest, FinishUploadRequest,
    GetFileRequest, GetMetadataRequest, ListFacetsRequest, ListMetadataChangesRequest,
    ListMetadataRequest, SearchMetadataRequest, StartUploadRequest,
};

fn film(id: &str, title: &str, year: i32, person: &str, genre: &str) -> Metadata {
    Metadata {
        id: id.to_owned(),
        title: title.to_owned(),
        year,
        director: person.to_owned(),
        genres: vec![genre.to_owned()],
        ..Metadata::default()
    }
}

async fn put(world: &Clients, films: &[Metadata]) -> u32 {
    let request = BatchPutMetadataRequest {
        metadata: films.to_vec(),
    };
    let put = world
        .metadata
        .batch_put_metadata(&world.editor(), request)
        .await;
    world.answered("a batch", put).created
}

async fn searched(world: &Clients, query: &str, page_size: i32) -> Vec<String> {
    let mut found = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = SearchMetadataRequest {
            query: query.to_owned(),
            page_size,
            page_token,
        };
        let page = world
            .metadata
            .search_metadata(&world.nobody(), request)
            .await;
        let page = world.answered(query, page);
        found.extend(page.metadata.into_iter().map(|film| film.id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return found;
        }
    }
}

pub(super) async fn films_are_found_as_people_type(world: &Clients) {
    let films = [
        film(
            "found-1",
            "The Xanadu Affair",
            1961,
            "Ann O’Quill",
            "Quizfilm",
        ),
        film("found-2", "Xanadù", 1962, "Bo Quill", "Quizfilm"),
        film("found-3", "Return to Xanadu", 1963, "Cy Xanadu", "Quizfilm"),
        film("found-4", "Nothing", 1964, "Cy Xanadu", "Quizfilm"),
    ];
    assert_eq!(put(world, &films).await, 4);
    for (query, expected) in [
        ("xanadu", &["found-2", "found-1", "found-3", "found-4"][..]),
        ("XANA", &["found-2", "found-1", "found-3", "found-4"]),
        ("the xanadu", &["found-1"]),
        ("affair xan", &["found-1"]),
        ("o'quill", &["found-1"]),
        ("quill xanadu", &["found-2", "found-1"]),
        ("quizfilm 1963", &["found-3"]),
        ("xanadu nowhere", &[]),
    ] {
        assert_eq!(searched(world, query, 2).await, expected, "{query}");
    }
    for query in ["", " \t"] {
        let request = SearchMetadataRequest {
            query: query.to_owned(),
            ..Default::default()
        };
        let outcome = world
            .metadata
            .search_metadata(&world.nobody(), request)
            .await;
        let error = world.refused("nothing asked", outcome, Code::InvalidArgument);
        assert_eq!(error.violations()[0].field, "query");
    }
}

pub(super) async fn lists_are_narrowed_by_genre_decade_and_person(world: &Clients) {
    let films = [
        film("narrow-1", "Narrow One", 1971, "Dee Narrow", "Narrowfilm"),
        film("narrow-2", "Narrow Two", 1979, "Ed Narrow", "narrowfilm"),
        film("narrow-3", "Narrow Three", 1980, "Dee Narrow", "Narrowfilm"),
    ];
    put(world, &films).await;
    let list = async |genre: &str, decade: i32, person: &str| {
        let request = ListMetadataRequest {
            genre: genre.to_owned(),
            decade,
            person: person.to_owned(),
            ..Default::default()
        };
        let page = world.metadata.list_metadata(&world.nobody(), request).await;
        let page = world.answered("narrowed", page);
        let ids = page.metadata.into_iter().map(|film| film.id);
        ids.collect::<Vec<_>>()
    };
    assert_eq!(
        list("NARROWFILM", 0, "").await,
        ["narrow-1", "narrow-3", "narrow-2"]
    );
    assert_eq!(list("narrowfilm", 1970, "").await, ["narrow-1", "narrow-2"]);
    assert_eq!(list("narrowfilm", 1970, "dee narrow").await, ["narrow-1"]);
    assert_eq!(list("", 0, "Ed NARROW").await, ["narrow-2"]);
    let facets = world
        .metadata
        .list_facets(&world.nobody(), ListFacetsRequest {})
        .await;
    let facets = world.worked("facets", facets);
    let genre = facets
        .genres
        .iter()
        .find(|genre| genre.name == "Narrowfilm");
    assert_eq!(genre.map(|genre| genre.films), Some(3));
    // A token is for its own list.
    let request = ListMetadataRequest {
        genre: "narrowfilm".to_owned(),
        page_size: 1,
        ..Default::default()
    };
    let page = world
        .metadata
        .list_metadata(&world.nobody(), request.clone())
        .await;
    let page_token = world.answered("a page", page).next_page_token;
    let other = ListMetadataRequest {
        genre: String::new(),
        page_token,
        ..request
    };
    let outcome = world.metadata.list_metadata(&world.nobody(), other).await;
    world.refused("another list", outcome, Code::InvalidArgument);
}

pub(super) async fn films_are_written_and_read_in_batches(world: &Clients) {
    let films = [
        film("batch-1", "Batch One", 0, "", "Batchfilm"),
        film("batch-2", "Batch Two", 0, "", "Batchfilm"),
    ];
    assert_eq!(put(world, &films).await, 2);
    assert_eq!(put(world, &films).await, 0);
    let request = BatchGetMetadataRequest {
        movie_ids: ["batch-2", "batch-3", "batch-1"].map(String::from).into(),
    };
    let got = world
        .metadata
        .batch_get_metadata(&world.nobody(), request)
        .await;
    let got = world.answered("a batch", got);
    assert_eq!(got.metadata, [films[1].clone(), films[0].clone()]);
    assert_eq!(got.missing, ["batch-3"]);
    let request = BatchPutMetadataRequest {
        metadata: films.to_vec(),
    };
    let by_a_user = world
        .metadata
        .batch_put_metadata(&world.user("ann"), request)
        .await;
    world.refused("a user", by_a_user, Code::PermissionDenied);
}

pub(super) async fn a_poster_comes_in_pieces_and_back_whole(world: &Clients) {
    world.film("poster").await;
    let start = StartUploadRequest {
        movie_id: "poster".to_owned(),
        size: IMAGE.len() as u32,
        sha256: HASH.to_owned(),
    };
    let by_a_user = world
        .metadata
        .start_upload(&world.user("ann"), start.clone())
        .await;
    world.refused("a user", by_a_user, Code::PermissionDenied);
    let started = world
        .metadata
        .start_upload(&world.editor(), start.clone())
        .await;
    let upload = world.answered("started", started).upload;
    let upload_id = world.some("the upload", upload).upload_id;
    let append = async |from: usize, to: usize| {
        let request = AppendUploadRequest {
            upload_id: upload_id.clone(),
            offset: from as u32,
            chunk: IMAGE[from..to].to_vec(),
        };
        world.metadata.append_upload(&world.editor(), request).await
    };
    let finish = || FinishUploadRequest {
        upload_id: upload_id.clone(),
    };
    world.answered("a piece", append(0, 10).await);
    world.refused("a gap", append(11, 12).await, Code::FailedPrecondition);
    let early = world
        .metadata
        .finish_upload(&world.editor(), finish())
        .await;
    world.refused("early", early, Code::FailedPrecondition);
    let resumed = world.metadata.start_upload(&world.editor(), start).await;
    let upload = world.answered("resumed", resumed).upload;
    assert_eq!(world.some("the upload", upload).received, 10);
    world.answered("the rest", append(10, IMAGE.len()).await);
    let finished = world
        .metadata
        .finish_upload(&world.editor(), finish())
        .await;
    let file = world.some("the file", world.answered("finished", finished).file);
    assert_eq!(
        (file.sha256.as_str(), file.media_type.as_str()),
        (HASH, "image/png")
    );

    shown(world, "poster", HASH).await;
    let request = GetMetadataRequest {
        movie_id: "poster".to_owned(),
    };
    let got = world.metadata.get_metadata(&world.nobody(), request).await;
    let film = world.some("the film", world.answered("the film", got).metadata);
    assert_eq!(film.poster, HASH);
    let request = GetFileRequest {
        sha256: HASH.to_owned(),
    };
    let file = world.metadata.get_file(&world.nobody(), request).await;
    let mut file = world.worked("the file", file);
    let mut bytes = Vec::new();
    while let Some(piece) = file.next().await {
        bytes.extend(world.answered("a piece", piece).chunk);
    }
    assert_eq!(bytes, IMAGE);
}

pub(super) async fn changes_are_told_in_order(world: &Clients) {
    for id in ["change-1", "change-2", "change-1"] {
        let mut changed = film(id, id, 1950, "", "Changefilm");
        changed.year += i32::from(id == "change-2");
        put(world, &[changed]).await;
    }
    let changed = film("change-1", "Changed", 1960, "", "Changefilm");
    put(world, &[changed]).await;
    let (mut seen, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListMetadataChangesRequest {
            since: 0,
            page_size: 3,
            page_token,
        };
        let page = world
            .metadata
            .list_metadata_changes(&world.nobody(), request)
            .await;
        let page = world.worked("changes", page);
        // Other scenarios have films of their own.
        let ours = page.changes.into_iter();
        seen.extend(ours.filter(|change| change.movie_id.starts_with("change-")));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let order: Vec<_> = seen
        .iter()
        .map(|change| (change.movie_id.as_str(), change.year))
        .collect();
    assert_eq!(order, [("change-2", 1951), ("change-1", 1960)]);
    assert!(seen[0].changed_at < seen[1].changed_at, "{seen:?}");
    world.transcript.add("changes", &order.len());
}
