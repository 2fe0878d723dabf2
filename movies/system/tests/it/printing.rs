//! Commands whose reader leaves early, as `head` does, end as if all had been read.

use crate::site::{Site, nobody_panicked};

#[tokio::test]
async fn a_command_whose_reader_has_left_ends_quietly() {
    let site = Site::new();
    let folder = site.file("made");
    let folder = folder.to_str().unwrap();
    for command in [
        &["--print-config"][..],
        &["--check-config"],
        &["token", "ann"],
        &["generate", "movielens", folder, "--ratings", "10"],
    ] {
        let ended = site.movies(command).unread().run().await;
        nobody_panicked(&ended.err);
        assert!(ended.status.success(), "{command:?}: {}", ended.err);
    }
}

#[tokio::test]
async fn services_run_though_nobody_reads_what_they_print_and_a_call_ends_as_if_read() {
    let site = Site::new();
    let mut movies = site.movies(&["--no-sample"]).unread().start();
    movies
        .wait_until("the services are ready", async || site.all_ready().await)
        .await;
    site.film("m").await;
    let call = ["call", "MovieService/GetMovieDetails", r#"{"movieId":"m"}"#];
    let ended = site.movies(&call).unread().run().await;
    assert!(ended.status.success(), "{}", ended.err);
    nobody_panicked(&ended.err);
    movies.terminate();
    assert_eq!(movies.exit_code().await, 0);
    nobody_panicked(&movies.err());
}
