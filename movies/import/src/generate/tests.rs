use super::*;
use std::fs;

const SMALL: Plan = Plan {
    films: 200,
    ratings: 3_000,
    users: 50,
    seed: 7,
    awkward: true,
};

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read(&path).unwrap())
        })
        .collect();
    files.sort();
    files
}

#[test]
fn the_same_seed_gives_the_same_files() {
    let make = |seed| {
        let folder = tempfile::tempdir().unwrap();
        let plan = Plan { seed, ..SMALL };
        let made = (
            movielens(folder.path(), &plan).unwrap(),
            imdb(folder.path(), &plan).unwrap(),
        );
        (made, files(folder.path()))
    };
    assert_eq!(make(1), make(1));
    assert_ne!(make(1).1, make(2).1);
}

#[test]
fn a_user_rates_a_film_once() {
    let folder = tempfile::tempdir().unwrap();
    // Half the users rate nearly all films.
    let plan = Plan {
        films: 60,
        users: 10,
        ratings: 500,
        awkward: false,
        ..SMALL
    };
    let made = movielens(folder.path(), &plan).unwrap();
    let text = fs::read_to_string(folder.path().join("ratings.csv")).unwrap();
    let mut pairs: Vec<_> = text
        .lines()
        .skip(1)
        .map(|line| line.split(',').take(2).collect::<Vec<_>>().join(","))
        .collect();
    assert_eq!(pairs.len() as u64, made.ratings);
    pairs.sort();
    pairs.dedup();
    assert_eq!(pairs.len(), 500);
}

#[test]
fn more_ratings_than_there_can_be_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan {
        films: 2,
        users: 3,
        ratings: 7,
        ..SMALL
    };
    let error = movielens(folder.path(), &plan).unwrap_err().to_string();
    assert!(error.contains("at most 6"), "{error}");
}
