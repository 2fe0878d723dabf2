//! What the release does not know passes it by.

use super::released::metadata::v1::Metadata;
use super::released::{GetMetadataRequest, GetMovieDetailsRequest, ListMoviesRequest};
use super::{Old, film};
use backlot::rpc::generated::prost::Message;

/// A film as today's clients put it, with all they know.
fn today(id: &str) -> movies_api::metadata::v1::Metadata {
    let known = film(id);
    movies_api::metadata::v1::Metadata {
        id: known.id,
        title: known.title,
        description: known.description,
        director: known.director,
        year: known.year,
        cast: known.cast,
        genres: known.genres,
        imdb_id: "tt0045877".to_owned(),
        ..Default::default()
    }
}

#[tokio::test]
async fn fields_that_came_later_are_ignored() {
    let old = Old::start().await;
    let clients = &old.running.clients;
    let request = movies_api::PutMetadataRequest {
        metadata: Some(today("newer")),
    };
    let put = clients.metadata.put_metadata(&old.editor(), request).await;
    put.unwrap();
    let movie_id = || "newer".to_owned();
    let request = GetMetadataRequest {
        movie_id: movie_id(),
    };
    let got = old.metadata.get_metadata(&old.nobody(), request).await;
    assert_eq!(got.unwrap().metadata, Some(film("newer")));
    let request = GetMovieDetailsRequest {
        movie_id: movie_id(),
    };
    let got = old.movie.get_movie_details(&old.nobody(), request).await;
    assert_eq!(got.unwrap().movie.unwrap().metadata, Some(film("newer")));
    let request = ListMoviesRequest::default();
    let page = old.movie.list_movies(&old.nobody(), request).await.unwrap();
    assert_eq!(page.movies[0].metadata, Some(film("newer")));
    old.stop().await;
}

#[test]
fn whatever_field_comes_later_is_ignored() {
    let mut later = today("later").encode_to_vec();
    // Fields of numbers that nobody uses yet: a number, eight bytes, a text, four bytes.
    later.extend([0xf8, 0x3f, 7]);
    later.extend([0xf9, 0x3f, 1, 2, 3, 4, 5, 6, 7, 8]);
    later.extend([0xfa, 0x3f, 3, b'n', b'e', b'w']);
    later.extend([0xfd, 0x3f, 1, 2, 3, 4]);
    assert_eq!(Metadata::decode(later.as_slice()).unwrap(), film("later"));
}

#[test]
fn what_an_older_client_sends_is_read_with_the_rest_empty() {
    let sent = film("older").encode_to_vec();
    let read = movies_api::metadata::v1::Metadata::decode(sent.as_slice()).unwrap();
    let expected = movies_api::metadata::v1::Metadata {
        imdb_id: String::new(),
        ..today("older")
    };
    assert_eq!(read, expected);
}
