//! A database of the first version, with films.

use super::*;
use backlot::storage::sqlite::Options;
use backlot::storage::{Sql, params, sql};

const INSERT: Sql = sql!(
    "INSERT INTO movies (id, sort_key, title, description, director, year, cast_names, genres)
     VALUES (?, ?, ?, '', 'Jean-Pierre Jeunet', 2001, '[\"Audrey Tautou\"]', '[\"Romance\"]')"
);

const NUMBERED: Sql = sql!(
    "INSERT INTO movies (id, sort_key, title, description, director, year, cast_names, genres,
        number)
     VALUES (?, ?, ?, '', '', 2001, '[]', '[\"Romance\"]', ?)"
);
const POSTING: Sql = sql!("INSERT INTO postings (name, block, bits) VALUES ('gromance', 0, ?)");
const COUNTED: Sql = sql!("UPDATE catalogue SET films = ?, last_number = ? WHERE id = 1");

async fn written_by_the_first_version(path: &std::path::Path, films: usize) {
    let store = sqlite::open(path, Options::default(), &MIGRATIONS[..1], Clock::real()).unwrap();
    let written = store.write(&Context::background(), move |tx| {
        Box::pin(async move {
            tx.execute(INSERT, params!["amelie", "amélie", "Amélie"])
                .await?;
            for number in 1..films {
                let (id, title) = (format!("f{number:04}"), format!("Film {number:04}"));
                tx.execute(INSERT, params![&id, &title.to_lowercase(), &title])
                    .await?;
            }
            Ok::<_, StoreError>(())
        })
    });
    written.await.unwrap();
    store.close().await.unwrap();
}

#[tokio::test]
async fn films_of_the_first_version_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metadata.db");
    written_by_the_first_version(&path, 3).await;
    let store = sqlite::open(&path, Options::default(), MIGRATIONS, Clock::real()).unwrap();
    let store = store.originating("metadata", backlot::Dice::seeded(1));
    let films = Controller::new(store.clone(), Clock::real());
    assert!(films.enter_first().await.unwrap());
    assert_eq!(found(&films, "amel", 9).await, ["amelie"]);
    assert_eq!(found(&films, "tautou 2001", 9).await.len(), 3);
    assert_eq!(
        listed(&films, &genre("romance"), 9).await,
        ["amelie", "f0001", "f0002"]
    );
    let facets = films.facets(&Context::background()).await.unwrap();
    assert_eq!(
        (
            facets.films,
            facets.genres[0].films,
            facets.decades[0].films
        ),
        (3, 3, 3)
    );
    // Written again as it is, it stays one film.
    let again = films
        .get(&Context::background(), "amelie".into())
        .await
        .unwrap();
    assert!(!films.put(&editor(), again).await.unwrap());
    assert_eq!(films.facets(&Context::background()).await.unwrap(), facets);
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_large_older_catalogue_is_entered_bit_by_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metadata.db");
    let all = ENTERED_FIRST + 10;
    written_by_the_first_version(&path, all).await;
    let store = sqlite::open(&path, Options::default(), MIGRATIONS, Clock::real()).unwrap();
    let store = store.originating("metadata", backlot::Dice::seeded(1));
    let films = Controller::new(store.clone(), Clock::real());
    assert!(!films.enter_first().await.unwrap());
    let facets = films.facets(&Context::background()).await.unwrap();
    assert_eq!(facets.films as usize, ENTERED_FIRST);
    // One of those that are left is written meanwhile.
    let early = Film {
        year: 1950,
        ..film("f1009", "Film 1009")
    };
    assert!(!films.put(&editor(), early).await.unwrap());
    films.enter_rest().await;
    assert!(films.enter_first().await.unwrap());
    let facets = films.facets(&Context::background()).await.unwrap();
    assert_eq!(facets.films as usize, all);
    assert_eq!(
        listed(&films, &genre("romance"), 200).await.len(),
        facets.genres[0].films as usize
    );
    assert_eq!(found(&films, "film", 200).await.len(), all - 1);
    store.close().await.unwrap();
}

#[tokio::test]
async fn films_that_were_numbered_before_there_were_shelves_stand_on_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metadata.db");
    let store = sqlite::open(&path, Options::default(), &MIGRATIONS[..3], Clock::real()).unwrap();
    let written = store.write(&Context::background(), |tx| {
        Box::pin(async move {
            // The last one by title came first.
            for number in 1..=600 {
                let title = format!("film {:03}", 600 - number);
                tx.execute(NUMBERED, params![&title, &title, &title, number])
                    .await?;
            }
            let bits: Vec<u8> = (1..=250_u16).flat_map(u16::to_le_bytes).collect();
            tx.execute(POSTING, params![&bits]).await?;
            tx.execute(COUNTED, params![600, 600]).await?;
            Ok::<_, StoreError>(())
        })
    });
    written.await.unwrap();
    store.close().await.unwrap();
    let store = sqlite::open(&path, Options::default(), MIGRATIONS, Clock::real()).unwrap();
    let store = store.originating("metadata", backlot::Dice::seeded(1));
    let films = Controller::new(store.clone(), Clock::real());
    let mut expected: Vec<String> = (350..600).map(|film| format!("film {film:03}")).collect();
    assert_eq!(listed(&films, &genre("romance"), 9).await, expected);
    // A film that comes finds the shelf that it belongs to, and divides it.
    let late = Film {
        genres: vec!["Romance".into()],
        ..film("late", "Film 399 and a half")
    };
    assert!(films.put(&editor(), late).await.unwrap());
    expected.insert(50, "late".into());
    assert_eq!(listed(&films, &genre("romance"), 9).await, expected);
    store.close().await.unwrap();
}
