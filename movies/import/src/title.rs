//! Titles as people write them in lists: "American President, The (1995)".

/// Words that lists move behind a title, in the languages films are listed in.
const ARTICLES: [&str; 38] = [
    "the", "a", "an", // English
    "le", "la", "l'", "les", "un", "une", "des", // French
    "il", "lo", "i", "gli", "uno", "una", // Italian
    "el", "los", "las", "unos", "unas", // Spanish
    "o", "os", "as", "um", "uma", // Portuguese
    "der", "die", "das", "ein", "eine", // German
    "de", "het", "een", // Dutch
    "den", "det", "en", "ett", // Scandinavian
];

/// The years in which a film can have come out; any other four digits belong to its title.
const YEARS: std::ops::RangeInclusive<i32> = 1870..=2100;

/// A title taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Title {
    /// Its name, article in front.
    pub name: String,
    /// Its year; of a range the first.
    pub year: Option<i32>,
    /// Other names it goes by, in the order given.
    pub also: Vec<String>,
}

impl Title {
    /// Reads a title: its year in the last parentheses that hold one, other names in those before
    /// it, and articles from behind put in front. What cannot be taken apart stays as it is.
    ///
    /// ```
    /// use movies_import::title::Title;
    ///
    /// let title = Title::read("American President, The (1995)");
    /// assert_eq!((title.name.as_str(), title.year), ("The American President", Some(1995)));
    /// ```
    #[must_use]
    pub fn read(text: &str) -> Title {
        let text = spaced(text);
        let (mut rest, year) = without_year(&text);
        let mut also = Vec::new();
        // "Birdman: Or (The Unexpected Virtue of Ignorance)" is one name.
        while let Some((before, inside)) = last_group(&rest).filter(|(before, _)| is_whole(before))
        {
            also.push(article_first(known_as(inside)));
            rest = before.trim_end().to_owned();
        }
        also.reverse();
        let name = article_first(&rest);
        also.retain(|other| !other.is_empty() && *other != name);
        if name.is_empty() {
            // Nothing but a year or parentheses: then they are the name.
            return Title {
                name: text,
                year,
                also: Vec::new(),
            };
        }
        Title { name, year, also }
    }
}

/// One blank between words, none around them.
fn spaced(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// Takes the last parentheses that hold a year out of a title.
fn without_year(text: &str) -> (String, Option<i32>) {
    let mut end = text.len();
    while let Some(close) = text[..end].rfind(')') {
        let Some(open) = text[..close].rfind('(') else {
            break;
        };
        if let Some(year) = year(&text[open + 1..close]) {
            let (before, after) = (text[..open].trim_end(), text[close + 1..].trim_start());
            let rest = match (before.is_empty(), after.is_empty()) {
                (false, false) => format!("{before} {after}"),
                _ => format!("{before}{after}"),
            };
            return (rest, Some(year));
        }
        end = open;
    }
    (text.to_owned(), None)
}

/// "1995", "2006–2007", "1999-": the first year.
fn year(inside: &str) -> Option<i32> {
    let digits = inside.get(..4)?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let is_range = |rest: &str| {
        rest.strip_prefix(['-', '–', '—'])
            .is_some_and(|last| matches!(last.trim(), "" | "?") || year(last.trim()).is_some())
    };
    let rest = inside[4..].trim();
    let year = digits.parse().ok().filter(|year| YEARS.contains(year))?;
    (rest.is_empty() || is_range(rest)).then_some(year)
}

/// The parentheses a text ends with, other parentheses inside them or not.
fn last_group(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_suffix(')')?;
    let mut depth = 1;
    for (at, letter) in inner.char_indices().rev() {
        match letter {
            ')' => depth += 1,
            '(' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((text[..at].trim_end(), inner[at + 1..].trim()));
        }
    }
    None
}

/// Whether this can be a name of its own: not what leads over to the parentheses behind it.
fn is_whole(before: &str) -> bool {
    let last = before.rsplit(' ').next().unwrap_or_default();
    !before.is_empty() && !last.eq_ignore_ascii_case("or") && !before.ends_with([':', '-', '–'])
}

fn known_as(inside: &str) -> &str {
    ["a.k.a. ", "a.k.a.", "aka "]
        .iter()
        .find_map(|prefix| {
            let head = inside.get(..prefix.len())?;
            head.eq_ignore_ascii_case(prefix)
                .then(|| inside[prefix.len()..].trim_start())
        })
        .unwrap_or(inside)
}

/// "Matrix, The" is The Matrix; "Atalante, L'" is L'Atalante.
fn article_first(name: &str) -> String {
    let name = name.trim();
    let Some((rest, article)) = name.rsplit_once(',') else {
        return name.to_owned();
    };
    let (rest, article) = (rest.trim_end(), article.trim_start());
    let plain = article.replace('’', "'").to_lowercase();
    if rest.is_empty() || !ARTICLES.contains(&plain.as_str()) {
        return name.to_owned();
    }
    let blank = if plain.ends_with('\'') { "" } else { " " };
    format!("{article}{blank}{rest}")
}

#[cfg(test)]
mod tests;
