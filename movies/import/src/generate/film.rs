//! Made-up films.

use backlot::Dice;

const FIRST: [&str; 24] = [
    "Silent",
    "Last",
    "Golden",
    "Broken",
    "Midnight",
    "Lost",
    "Crimson",
    "Distant",
    "Hidden",
    "Burning",
    "Paper",
    "Winter",
    "Electric",
    "Forgotten",
    "Hollow",
    "Iron",
    "Velvet",
    "Wandering",
    "Second",
    "Quiet",
    "Northern",
    "Salt",
    "Glass",
    "Restless",
];
const SECOND: [&str; 24] = [
    "River",
    "Harbor",
    "Letter",
    "Orchard",
    "Mirror",
    "Station",
    "Garden",
    "Promise",
    "Horizon",
    "Lantern",
    "Bridge",
    "Summer",
    "Shadow",
    "Voyage",
    "Clockmaker",
    "Island",
    "Witness",
    "Carnival",
    "Frontier",
    "Melody",
    "Kingdom",
    "Portrait",
    "Detective",
    "Tide",
];
const GENRES: [&str; 18] = [
    "Action",
    "Adventure",
    "Animation",
    "Children",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
];
const GIVEN: [&str; 12] = [
    "Anna", "Boris", "Clara", "David", "Elena", "Farid", "Greta", "Hugo", "Ines", "Jonas", "Keiko",
    "Lucía",
];
const FAMILY: [&str; 16] = [
    "Abel",
    "Brandt",
    "Castillo",
    "Dubois",
    "Eriksen",
    "Fontaine",
    "Grimaldi",
    "Horváth",
    "Ivanova",
    "Jansen",
    "Kowalski",
    "Lindqvist",
    "Moreau",
    "Nakamura",
    "Okafor",
    "Petersen",
];

/// A film that nobody made.
#[derive(Clone, Debug)]
pub(super) struct Film {
    /// Without an article.
    pub(super) name: String,
    pub(super) article: bool,
    pub(super) year: u32,
    pub(super) genres: Vec<&'static str>,
}

impl Film {
    /// The film at this place.
    pub(super) fn at(place: u32, dice: &Dice) -> Film {
        let word = |words: &[&'static str]| one_of(words, dice);
        let name = match dice.below(4) {
            0 => format!(
                "{} of the {} {}",
                word(&SECOND),
                word(&FIRST),
                word(&SECOND)
            ),
            1 => format!("{} {} {}", word(&FIRST), word(&SECOND), place + 1),
            _ => format!("{} {}", word(&FIRST), word(&SECOND)),
        };
        let mut genres: Vec<_> = (0..=dice.below(3)).map(|_| word(&GENRES)).collect();
        genres.sort_unstable();
        genres.dedup();
        Film {
            name,
            article: dice.below(3) == 0,
            year: 1_920 + dice.below(105) as u32,
            genres,
        }
    }
}

/// What a film is worth, known by its place alone: between 4 and 9 half stars.
pub(super) fn quality(place: u32) -> f64 {
    let mixed = (u64::from(place) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    4.0 + 5.0 * (mixed as f64 / (1u64 << 24) as f64)
}

/// A rating of a film worth so much, in half stars: mostly whole stars, as people give them.
pub(super) fn half_stars(quality: f64, dice: &Dice) -> u64 {
    let spread = (dice.unit() + dice.unit() + dice.unit() - 1.5) * 4.0;
    let value = (quality + spread).clamp(1.0, 10.0).round() as u64;
    if dice.below(4) > 0 && value % 2 == 1 && value < 10 {
        value + 1
    } else {
        value
    }
}

/// Somebody.
pub(super) fn person(number: u32) -> String {
    let (given, rest) = (number as usize % GIVEN.len(), number as usize / GIVEN.len());
    let (family, rest) = (rest % FAMILY.len(), rest / FAMILY.len());
    match rest {
        0 => format!("{} {}", GIVEN[given], FAMILY[family]),
        more => format!("{} {} {}", GIVEN[given], FAMILY[family], more + 1),
    }
}

pub(super) fn one_of<T: Copy>(items: &[T], dice: &Dice) -> T {
    items[dice.below(items.len() as u64) as usize]
}
