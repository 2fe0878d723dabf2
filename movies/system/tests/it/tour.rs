//! The command of each page of the tour that shows its part, typed as a reader would beside a fleet.

use crate::docs::script;
use crate::site::Site;
use backlot_testkit::{Program, wait_until};
use std::path::Path;

const FILM: &str = "metropolis-1927";

/// What each page says under "See it", by the name of its file.
fn commands() -> Vec<(String, String)> {
    let pages = std::path::absolute("../../docs/tour").unwrap();
    let mut commands = Vec::new();
    for entry in std::fs::read_dir(pages).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("| See it | `"));
        if let Some(command) = line.and_then(|line| line.strip_suffix("` |")) {
            commands.push((name, command.to_owned()));
        }
    }
    commands.sort();
    commands
}

/// What becomes of a command.
#[derive(Debug, PartialEq)]
enum Kind {
    /// It does its work and ends.
    Ends,
    /// It says something, and goes on.
    Streams,
    /// It serves until it is told to stop, on ports of its own.
    Serves,
    /// It builds, tests or measures the sources: others run it.
    Builds,
    /// It starts a program that is not built.
    Lacks,
}

fn kind(command: &str) -> Kind {
    let movies = Path::new(env!("CARGO_BIN_EXE_movies"));
    match command {
        "movies console" => Kind::Serves,
        command if command.starts_with("movies fleet") => Kind::Serves,
        command if command.contains("/WatchRatings") => Kind::Streams,
        command if command.starts_with("cargo ") => Kind::Builds,
        command if command.starts_with("movies sim") => {
            match movies.with_file_name("movies-sim").is_file() {
                true => Kind::Ends,
                false => Kind::Lacks,
            }
        }
        _ => Kind::Ends,
    }
}

#[tokio::test]
async fn every_page_of_the_tour_has_a_command_that_shows_its_part() {
    let site = Site::new();
    let mut fleet = site.movies(&["fleet", "--no-sample"]).start();
    fleet
        .wait_until("all services are ready", async || site.all_ready().await)
        .await;
    site.film(FILM).await;
    let poster = site.file("poster.jpg");
    image::RgbImage::new(200, 300).save(&poster).unwrap();
    wait_until("it is rated", async || {
        match site.rate("bob", FILM, 4.0).await {
            Ok(answer) if answer.status.as_u16() == 200 => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    let commands = commands();
    assert!(commands.len() > 20, "{commands:?}");
    for (page, command) in &commands {
        println!("{page}: {command}: {:?}", kind(command));
        match kind(command) {
            Kind::Ends => {
                // Cargo says where it is to those who develop: this is for those who read.
                let text = format!("unset CARGO\n{}", script(&site, command));
                let ended = Program::new("bash").arg("-c").arg(&text).run().await;
                let said = format!("{}{}", ended.out, ended.err);
                assert!(ended.status.success(), "{page}: {text}\n{said}");
                assert!(!said.trim().is_empty(), "{page}: {command} shows nothing");
            }
            Kind::Streams => {
                let text = script(&site, command);
                let mut stream = Program::new("bash").arg("-c").arg(&text).start();
                let line = stream.wait_for_line("the present", |line| line.contains("count"));
                line.await;
                stream.kill().await;
            }
            Kind::Serves => {
                let own = Site::new();
                let arguments: Vec<&str> = command.split(' ').skip(1).collect();
                let mut serving = own.movies(&arguments).start();
                serving
                    .wait_until("it is ready", async || {
                        let at = own.admin("console");
                        match backlot_testkit::http::get(&at, "/ready").await {
                            Ok(answer) if answer.status.as_u16() == 200 => Ok(()),
                            other => Err(format!("{other:?}")),
                        }
                    })
                    .await;
                serving.terminate();
                assert_eq!(serving.exit_code().await, 0, "{}", serving.said());
            }
            Kind::Builds => {}
            Kind::Lacks => println!("{page}: skipped, for movies-sim is not built"),
        }
    }
    fleet.terminate();
    assert_eq!(fleet.exit_code().await, 0, "{}", fleet.said());
}
