use super::*;
use proptest::prelude::*;

fn read(text: &str) -> (String, Option<i32>, Vec<String>) {
    let Title { name, year, also } = Title::read(text);
    (name, year, also)
}

#[test]
fn articles_come_back_to_the_front() {
    for (listed, name) in [
        ("American President, The (1995)", "The American President"),
        ("Matrix, The (1999)", "The Matrix"),
        ("Close Shave, A (1995)", "A Close Shave"),
        ("Affair to Remember, An (1957)", "An Affair to Remember"),
        ("Atalante, L' (1934)", "L'Atalante"),
        ("Enfer, L’ (1994)", "L’Enfer"),
        ("Misérables, Les (1995)", "Les Misérables"),
        ("Dolce Vita, La (1960)", "La Dolce Vita"),
        ("Vitelloni, I (1953)", "I Vitelloni"),
        ("Boot, Das (1981)", "Das Boot"),
        ("Mariachi, El (1992)", "El Mariachi"),
        ("Cité des enfants perdus, La", "La Cité des enfants perdus"),
        (
            "Lord of the Rings: The Fellowship of the Ring, The (2001)",
            "The Lord of the Rings: The Fellowship of the Ring",
        ),
        // No articles, though a comma is there.
        ("Paris, Texas (1984)", "Paris, Texas"),
        ("I, Robot (2004)", "I, Robot"),
        ("Monsters, Inc. (2001)", "Monsters, Inc."),
        (", The (2001)", ", The"),
    ] {
        assert_eq!(read(listed).0, name, "{listed}");
    }
}

#[test]
fn the_year_is_in_the_last_parentheses_that_hold_one() {
    for (listed, name, year) in [
        ("Toy Story (1995)", "Toy Story", Some(1995)),
        ("Blind Side, The  (2009)", "The Blind Side", Some(2009)),
        (
            "From Dusk Till Dawn 2: Texas Blood Money (1999) ",
            "From Dusk Till Dawn 2: Texas Blood Money",
            Some(1999),
        ),
        ("Death Note (2006–2007)", "Death Note", Some(2006)),
        (
            "Big Bang Theory, The (2007-)",
            "The Big Bang Theory",
            Some(2007),
        ),
        ("Lost Show (1999–?)", "Lost Show", Some(1999)),
        ("Babylon 5", "Babylon 5", None),
        (
            "2001: A Space Odyssey (1968)",
            "2001: A Space Odyssey",
            Some(1968),
        ),
        ("2012 (2009)", "2012", Some(2009)),
        (
            "(500) Days of Summer (2009)",
            "(500) Days of Summer",
            Some(2009),
        ),
        ("Room 2046 (0007)", "Room 2046", None),
        ("Movie (1995) (V)", "Movie", Some(1995)),
        ("1984", "1984", None),
        ("(1995)", "(1995)", Some(1995)),
        ("Unclosed (1995", "Unclosed (1995", None),
        ("七人の侍 (1954)", "七人の侍", Some(1954)),
        (
            "Броненосец «Потёмкин» (1925)",
            "Броненосец «Потёмкин»",
            Some(1925),
        ),
        (
            "11'09\"01 - September 11 (2002)",
            "11'09\"01 - September 11",
            Some(2002),
        ),
    ] {
        let (found, in_year, _) = read(listed);
        assert_eq!((found.as_str(), in_year), (name, year), "{listed}");
    }
}

#[test]
fn other_names_are_kept_apart() {
    for (listed, name, also) in [
        (
            "City of Lost Children, The (Cité des enfants perdus, La) (1995)",
            "The City of Lost Children",
            &["La Cité des enfants perdus"][..],
        ),
        ("Seven (a.k.a. Se7en) (1995)", "Seven", &["Se7en"]),
        (
            "Trou, Le (Hole, The) (Night Watch, The) (1960)",
            "Le Trou",
            &["The Hole", "The Night Watch"],
        ),
        (
            "Good, the Bad and the Ugly, The (Buono, il brutto, il cattivo, Il) (1966)",
            "The Good, the Bad and the Ugly",
            &["Il Buono, il brutto, il cattivo"],
        ),
        ("Three (a.k.a. 3 (Drei)) (2010)", "Three", &["3 (Drei)"]),
        (
            "Birdman: Or (The Unexpected Virtue of Ignorance) (2014)",
            "Birdman: Or (The Unexpected Virtue of Ignorance)",
            &[],
        ),
        ("Solaris (Solaris) (1972)", "Solaris", &[]),
        ("Empty () (1990)", "Empty", &[]),
    ] {
        let (found, _, others) = read(listed);
        assert_eq!(found, name, "{listed}");
        assert_eq!(others, also, "{listed}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_without_loss_of_its_name(text in "\\PC{0,60}") {
        let title = Title::read(&text);
        prop_assert_eq!(title.name.is_empty(), text.trim().is_empty());
    }

    #[test]
    fn parentheses_in_any_order_are_read(text in "[()a ,1995–-]{0,40}") {
        let title = Title::read(&text);
        prop_assert_eq!(title.name.is_empty(), text.trim().is_empty());
    }

    #[test]
    fn a_name_in_front_comes_back_as_it_was(name in "[A-Z][a-zé]{1,9}( [A-Za-z']{1,9}){0,4}", year in 1900..2030i32) {
        prop_assert_eq!(read(&format!("{name}, The ({year})")), (format!("The {name}"), Some(year), vec![]));
    }
}
