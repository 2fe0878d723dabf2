//! Posters, as pages show them.

use super::{Site, film};
use crate::fakes::House;

async fn poster(id: &str, title: &str, year: i32, genres: &[&str]) -> String {
    let site = Site::of(House::new([(film(id, title, year, genres), 0, 3.0)]));
    let page = site.get("/browse").await.text;
    let from = page.find("<svg class=\"poster\"").unwrap();
    page[from..].split("</svg>").next().unwrap().to_owned()
}

#[tokio::test]
async fn a_film_has_the_same_poster_everywhere() {
    let one = poster("alien-1979", "Alien", 1979, &["Horror"]).await;
    assert_eq!(one, poster("alien-1979", "Alien", 1979, &["Horror"]).await);
    assert_ne!(one, poster("aliens-1986", "Alien", 1979, &["Horror"]).await);
}

#[tokio::test]
async fn any_film_gets_a_poster() {
    let long = "word ".repeat(100);
    let unbroken = "x".repeat(500);
    for title in [
        "M",
        "8½",
        "七人の侍",
        "A & <B>",
        "\u{0}\u{1b}",
        " ",
        long.trim(),
        &unbroken,
    ] {
        for year in [0, 1895, 1927, 1955, 1968, 1984, 1999, 2004, 2024, i32::MAX] {
            let svg = poster("id", title, year, &[]).await;
            assert!(svg.len() < 8_000, "{title:?} {year}: {}", svg.len());
            assert!(
                !svg.contains("<B>") && !svg.contains("NaN") && !svg.contains('\u{0}'),
                "{title:?} {year}"
            );
        }
    }
}

#[tokio::test]
async fn every_genre_has_its_motif() {
    let genres = [
        "Action",
        "Adventure",
        "Animation",
        "Children",
        "Comedy",
        "Crime",
        "Documentary",
        "Drama",
        "Family",
        "Fantasy",
        "History",
        "Horror",
        "Musical",
        "Mystery",
        "Romance",
        "Sci-Fi",
        "Sport",
        "Thriller",
        "War",
        "Western",
        "Never Heard Of",
    ];
    for genre in genres {
        for id in 0..12 {
            let svg = poster(&format!("film-{id}"), "Title", 1999, &[genre]).await;
            assert!(
                svg.contains("<path") && !svg.contains("NaN") && !svg.contains("inf"),
                "{genre} {id}"
            );
        }
    }
}

#[tokio::test]
async fn a_film_on_a_page_twice_shares_no_id_with_itself() {
    let site = Site::new();
    site.house.rate(super::ALIEN, "ann", 9);
    let text = site.get_as("ann", "/").await.text;
    let mut ids: Vec<_> = text
        .split(" id=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert!(all > 10 && ids.len() == all, "{} of {all}", ids.len());
}
