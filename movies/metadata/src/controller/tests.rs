use super::*;
use crate::repository::MIGRATIONS;
use backlot::storage::sqlite;
use backlot::{Code, Principal, Timestamp, core::principal::Token, core::principal::User};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, Ordering};

mod older;
mod oracle;
mod uploads;

/// A catalogue, and its clock in milliseconds.
fn catalogue() -> (Controller, Arc<AtomicI64>) {
    let now = Arc::new(AtomicI64::new(1_000));
    let clock = Clock::from_fn({
        let now = Arc::clone(&now);
        move || Timestamp(now.load(Ordering::Relaxed))
    });
    let store = sqlite::memory(MIGRATIONS, clock.clone()).unwrap();
    let store = store.originating("metadata", backlot::Dice::seeded(1));
    (Controller::new(store, clock), now)
}

fn by(name: &str, roles: &[&str]) -> Context {
    let user = User {
        subject: name.into(),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        audience: BTreeSet::from(["metadata".to_owned()]),
        expires: Timestamp(i64::MAX),
        token: Token::new("unused"),
    };
    Context::background().with_principal(Principal::User(Arc::new(user)))
}

fn editor() -> Context {
    by("eve", &["editor"])
}

fn film(id: &str, title: &str) -> Film {
    Film {
        id: id.into(),
        title: title.into(),
        ..Film::default()
    }
}

fn genre(genre: &str) -> Filter {
    Filter {
        genre: genre.into(),
        ..Filter::default()
    }
}

fn ids(films: &[Film]) -> Vec<&str> {
    films.iter().map(|film| film.id.as_str()).collect()
}

/// All pages of a list, the ids in order.
async fn listed(films: &Controller, filter: &Filter, size: usize) -> Vec<String> {
    let (mut all, mut token) = (Vec::new(), String::new());
    loop {
        let cx = Context::background();
        let (page, next) = films.list(&cx, filter.clone(), size, &token).await.unwrap();
        assert!(page.len() <= size);
        all.extend(page.into_iter().map(|film| film.id));
        if next.is_empty() {
            return all;
        }
        token = next;
    }
}

/// All pages of a search, the ids in order.
async fn found(films: &Controller, query: &str, size: usize) -> Vec<String> {
    let (mut all, mut token) = (Vec::new(), String::new());
    loop {
        let cx = Context::background();
        let (page, next) = films.search(&cx, query, size, &token).await.unwrap();
        assert!(page.len() <= size);
        all.extend(page.into_iter().map(|film| film.id));
        if next.is_empty() {
            return all;
        }
        token = next;
    }
}

#[tokio::test]
async fn films_are_written_together_each_as_it_comes_last() {
    let (films, _) = catalogue();
    let many = vec![film("a", "A"), film("b", "B"), film("a", "Again")];
    assert_eq!(films.put_many(&editor(), many.clone()).await.unwrap(), 2);
    assert_eq!(films.put_many(&editor(), many).await.unwrap(), 0);
    let asked = ["b", "x", "a", "b"].map(String::from).to_vec();
    let (got, missing) = films.get_many(&Context::background(), asked).await.unwrap();
    assert_eq!(ids(&got), ["b", "a", "b"]);
    assert_eq!(got[1].title, "Again");
    assert_eq!(missing, ["x"]);
    for (cx, code) in [
        (by("ann", &[]), Code::PermissionDenied),
        (Context::background(), Code::Unauthenticated),
    ] {
        let refused = films.put_many(&cx, vec![film("c", "C")]).await.unwrap_err();
        assert_eq!(refused.code(), code);
    }
}

#[tokio::test]
async fn more_films_than_one_statement_takes_are_all_written() {
    let (films, _) = catalogue();
    let many: Vec<Film> = (0..500)
        .map(|number| Film {
            year: 1900 + number % 100,
            cast: vec![format!("Person {number}"), "Everybody".into()],
            ..film(&format!("f{number:03}"), &format!("Film {number:03}"))
        })
        .collect();
    assert_eq!(films.put_many(&editor(), many.clone()).await.unwrap(), 500);
    let expected: Vec<String> = many.iter().map(|film| film.id.clone()).collect();
    assert_eq!(listed(&films, &Filter::default(), 200).await, expected);
    let everybody = Filter {
        person: "everybody".into(),
        ..Filter::default()
    };
    assert_eq!(listed(&films, &everybody, 7).await, expected);
    assert_eq!(found(&films, "film", 33).await, expected);
    assert_eq!(found(&films, "person 77", 33).await, ["f077"]);
}

#[tokio::test]
async fn filters_narrow_a_list_alone_and_together() {
    let (films, _) = catalogue();
    let many = vec![
        Film {
            year: 1994,
            director: "Frank Darabont".into(),
            genres: vec!["Drama".into()],
            ..film("shawshank", "The Shawshank Redemption")
        },
        Film {
            year: 1999,
            director: "Frank Darabont".into(),
            genres: vec!["Drama".into(), "Fantasy".into()],
            ..film("mile", "The Green Mile")
        },
        Film {
            year: 2001,
            director: "Jean-Pierre Jeunet".into(),
            cast: vec!["Audrey Tautou".into()],
            genres: vec!["Romance".into(), "drama".into()],
            ..film("amelie", "Amélie")
        },
        film("unknown", "Unknown"),
    ];
    films.put_many(&editor(), many).await.unwrap();
    let narrowed = async |genre: &str, decade: i32, person: &str| {
        let filter = Filter {
            genre: genre.into(),
            decade,
            person: person.into(),
        };
        listed(&films, &filter, 2).await
    };
    assert_eq!(
        narrowed("", 0, "").await,
        ["amelie", "mile", "shawshank", "unknown"]
    );
    assert_eq!(
        narrowed("DRAMA", 0, "").await,
        ["amelie", "mile", "shawshank"]
    );
    assert_eq!(narrowed("drama", 1990, "").await, ["mile", "shawshank"]);
    assert_eq!(narrowed("fantasy", 1990, "frank  DARABONT").await, ["mile"]);
    assert_eq!(narrowed("", 1995, "").await, ["amelie", "mile"]);
    assert_eq!(narrowed("", 0, "audrey tautou").await, ["amelie"]);
    assert_eq!(narrowed("", 0, "audrey").await, [""; 0]);
    assert_eq!(narrowed("western", 0, "").await, [""; 0]);
    assert_eq!(narrowed("", 2200, "").await, [""; 0]);
}

#[tokio::test]
async fn a_token_is_for_its_own_list_alone() {
    let (films, _) = catalogue();
    let many = ["a", "b", "c"].map(|id| Film {
        genres: vec!["Drama".into(), "War".into()],
        ..film(id, "Love")
    });
    films.put_many(&editor(), many.to_vec()).await.unwrap();
    let cx = Context::background();
    let (_, of_drama) = films.list(&cx, genre("drama"), 1, "").await.unwrap();
    let (_, of_search) = films.search(&cx, "love", 1, "").await.unwrap();
    let (_, of_changes) = films.changes(&cx, 0, 1, "").await.unwrap();
    for token in [&of_drama, &of_search, &of_changes] {
        assert!(!token.is_empty());
        for refused in [
            films.list(&cx, genre("war"), 1, token).await.map(drop),
            films.list(&cx, Filter::default(), 1, token).await.map(drop),
            films.search(&cx, "lov", 1, token).await.map(drop),
            films.changes(&cx, 1, 1, token).await.map(drop),
        ] {
            let refused = refused.unwrap_err();
            assert_eq!(refused.code(), Code::InvalidArgument);
            assert_eq!(refused.violations()[0].field, "pageToken");
        }
    }
    // The same question, spelled otherwise.
    let (page, _) = films.list(&cx, genre("DRAMA"), 1, &of_drama).await.unwrap();
    assert_eq!(ids(&page), ["b"]);
    let (page, _) = films.search(&cx, " LOVE ", 1, &of_search).await.unwrap();
    assert_eq!(ids(&page), ["b"]);
}

#[tokio::test]
async fn changes_come_in_order_and_what_stays_the_same_is_none() {
    let (films, now) = catalogue();
    let changes = async |since: i64| {
        let cx = Context::background();
        let (mut all, mut token) = (Vec::new(), String::new());
        loop {
            let (page, next) = films.changes(&cx, since, 2, &token).await.unwrap();
            all.extend(page.into_iter().map(|change| (change.at, change.id)));
            if next.is_empty() {
                return all;
            }
            token = next;
        }
    };
    let many = ["c", "a", "b"].map(|id| film(id, id)).to_vec();
    films.put_many(&editor(), many.clone()).await.unwrap();
    let first = [(1000, "a".into()), (1000, "b".into()), (1000, "c".into())];
    assert_eq!(changes(0).await, first);
    // The clock stands still, and then goes back; changes go on.
    films.put_many(&editor(), many).await.unwrap();
    assert_eq!(changes(0).await, first);
    now.store(10, Ordering::Relaxed);
    let changed = Film {
        year: 1999,
        ..film("a", "a")
    };
    films.put(&editor(), changed).await.unwrap();
    let later = changes(1001).await;
    assert_eq!(later.len(), 1);
    assert_eq!(later[0].1, "a");
    now.store(5_000, Ordering::Relaxed);
    films.put(&editor(), film("d", "d")).await.unwrap();
    assert_eq!(changes(5_000).await, [(5_000, "d".into())]);
    assert_eq!(changes(0).await.len(), 4);
}

#[tokio::test]
async fn pages_neither_repeat_nor_miss_what_stays_while_others_change() {
    let (films, _) = catalogue();
    let make = |number: usize, title: &str| Film {
        genres: vec!["Drama".into()],
        ..film(&format!("{number:03}"), title)
    };
    let steady: Vec<Film> = (0..100)
        .map(|number| make(number, &format!("Love {}", number * 7 % 100)))
        .collect();
    films.put_many(&editor(), steady.clone()).await.unwrap();
    let before = (
        listed(&films, &genre("drama"), 200).await,
        found(&films, "love", 200).await,
    );
    let cx = Context::background();
    let mut seen = [Vec::new(), Vec::new()];
    for (which, seen) in seen.iter_mut().enumerate() {
        let mut token = String::new();
        for round in 0.. {
            let (page, next) = match which {
                0 => films.list(&cx, genre("drama"), 7, &token).await.unwrap(),
                _ => films.search(&cx, "love", 7, &token).await.unwrap(),
            };
            seen.extend(page.into_iter().map(|film| film.id));
            if next.is_empty() {
                break;
            }
            token = next;
            // New films before and behind, and one that moves from one end to the other.
            let moving = if round % 2 == 0 { "Aa love" } else { "Zz love" };
            let new = make(600 + 100 * which + round, &format!("Love {}", round * 3));
            films
                .put_many(&editor(), vec![make(500, moving), new])
                .await
                .unwrap();
            assert!(round < 60, "a list without end");
        }
    }
    let [list, search] = seen;
    for (seen, before) in [(list, before.0), (search, before.1)] {
        let ours: Vec<String> = seen.into_iter().filter(|id| id.as_str() < "500").collect();
        assert_eq!(ours, before);
    }
}
