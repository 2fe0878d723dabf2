//! Words as people type them: lower case, without diacritics, in any alphabet.
//!
//! | written | words | found by these too |
//! |---|---|---|
//! | `Amélie` | amelie | |
//! | `O'Brien` | obrien | o, brien |
//! | `Spider-Man` | spider, man | spiderman |
//! | `E.T.` | et | e, t |
//! | `千と千尋` | 千, と, 千, 尋 | |
//!
//! Scripts that are written without spaces give a word for each character. What is neither letter
//! nor digit separates. A word counts with its first [`LONGEST`] characters.

use std::collections::BTreeSet;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// How many characters of a word count.
pub(crate) const LONGEST: usize = 32;
/// The most parts whose joined form (`spiderman`) is a word as well.
const JOINED: usize = 4;
/// How many characters of a key count.
const KEY: usize = 200;

/// The words of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Words {
    /// In the order written.
    pub(crate) written: Vec<String>,
    /// By which the text is found as well.
    pub(crate) also: Vec<String>,
}

impl Words {
    pub(crate) fn of(text: &str) -> Self {
        let mut reader = Reader::default();
        for folded in folded(text) {
            reader.take(folded);
        }
        reader.end_of_chunk();
        reader.words
    }

    /// Each once, the other forms included.
    pub(crate) fn all(self) -> BTreeSet<String> {
        self.written.into_iter().chain(self.also).collect()
    }
}

/// What texts are compared and ordered by: their words. A text without any (`$`) stands for
/// itself.
pub(crate) fn key(text: &str) -> String {
    key_of(&Words::of(text).written, text)
}

/// As [`key`], when the words are known.
pub(crate) fn key_of(words: &[String], text: &str) -> String {
    if words.is_empty() {
        // Nothing below a space, and none at the end, so that databases that compare padded text
        // order it as the others do.
        let plain: String = text
            .chars()
            .map(|char| match char {
                '\u{10ffff}' => ' ',
                char if char.is_control() => ' ',
                char => char,
            })
            .collect();
        let plain: Vec<&str> = plain.split_whitespace().collect();
        return cut(&plain.join(" ").to_lowercase(), KEY)
            .trim_end()
            .to_owned();
    }
    cut(&words.join(" "), KEY).trim_end().to_owned()
}

/// The first characters of a text.
pub(crate) fn cut(text: &str, chars: usize) -> &str {
    match text.char_indices().nth(chars) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

/// What a character is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Folded {
    /// A part of a word.
    Letter(char),
    /// A word of its own.
    Ideograph(char),
    /// Joins what stands around it.
    Apostrophe,
    /// Separates parts of one chunk.
    Mark,
    /// Separates chunks.
    Space,
}

fn folded(text: &str) -> impl Iterator<Item = Folded> {
    text.chars()
        .filter(|char| !is_invisible(*char))
        // An accent that stands alone would decompose into a space.
        .map(|char| if is_apostrophe(char) { '\'' } else { char })
        .nfkd()
        .filter(|char| !is_combining_mark(*char))
        .flat_map(char::to_lowercase)
        .filter(|char| !is_combining_mark(*char))
        .flat_map(|char| plain(char).map_or([Some(char), None], |[first, second]| [first, second]))
        .flatten()
        .map(|char| match char {
            '\'' => Folded::Apostrophe,
            char if is_written_without_spaces(char) && char.is_alphanumeric() => {
                Folded::Ideograph(char)
            }
            char if char.is_alphanumeric() => Folded::Letter(char),
            char if char.is_whitespace() => Folded::Space,
            _ => Folded::Mark,
        })
}

/// Letters that are not a letter and a mark, and that people without them on their keyboard type
/// so.
fn plain(char: char) -> Option<[Option<char>; 2]> {
    let (first, second) = match char {
        'ß' => ('s', Some('s')),
        'æ' => ('a', Some('e')),
        'œ' => ('o', Some('e')),
        'þ' => ('t', Some('h')),
        'ø' => ('o', None),
        'ł' => ('l', None),
        'đ' | 'ð' => ('d', None),
        'ı' => ('i', None),
        'ħ' => ('h', None),
        'ŧ' => ('t', None),
        'ŋ' => ('n', None),
        'ĸ' => ('k', None),
        'ς' => ('σ', None),
        _ => return None,
    };
    Some([Some(first), second])
}

fn is_apostrophe(char: char) -> bool {
    matches!(
        char,
        '\'' | '’' | '‘' | 'ʼ' | 'ʻ' | 'ʹ' | '`' | '´' | '′' | '＇'
    )
}

fn is_invisible(char: char) -> bool {
    matches!(
        char,
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{feff}'
    )
}

/// Thai, Lao, Burmese, Khmer, Chinese and Japanese.
fn is_written_without_spaces(char: char) -> bool {
    matches!(
        char,
        '\u{e00}'..='\u{eff}'
            | '\u{1000}'..='\u{109f}'
            | '\u{1780}'..='\u{17ff}'
            | '\u{3005}'..='\u{3007}'
            | '\u{3040}'..='\u{30ff}'
            | '\u{31f0}'..='\u{31ff}'
            | '\u{3400}'..='\u{4dbf}'
            | '\u{4e00}'..='\u{9fff}'
            | '\u{20000}'..='\u{3ffff}'
    )
}

/// Reads chunk by chunk: what stands between spaces.
#[derive(Debug, Default)]
struct Reader {
    words: Words,
    /// Parts joined by apostrophes, one entry for each word of the chunk.
    chunk: Vec<Vec<String>>,
    part: String,
    /// An apostrophe came after the last part.
    joins: bool,
}

impl Reader {
    fn take(&mut self, folded: Folded) {
        match folded {
            Folded::Letter(char) => self.part.push(char),
            Folded::Apostrophe => {
                self.end_of_part();
                self.joins = true;
            }
            Folded::Mark => {
                self.end_of_part();
                self.joins = false;
            }
            Folded::Space => self.end_of_chunk(),
            Folded::Ideograph(char) => {
                self.end_of_chunk();
                self.words.written.push(char.to_string());
            }
        }
    }

    fn end_of_part(&mut self) {
        if self.part.is_empty() {
            return;
        }
        let part = std::mem::take(&mut self.part);
        match self.chunk.last_mut() {
            Some(word) if self.joins => word.push(part),
            _ => self.chunk.push(vec![part]),
        }
        self.joins = false;
    }

    fn end_of_chunk(&mut self) {
        self.end_of_part();
        self.joins = false;
        let chunk = std::mem::take(&mut self.chunk);
        let parts: Vec<String> = chunk.iter().map(|parts| parts.concat()).collect();
        for word in chunk.iter().filter(|word| word.len() > 1) {
            self.also(word);
        }
        let initials = parts.len() > 1 && parts.iter().all(|part| part.chars().count() == 1);
        if initials {
            self.also(&parts);
            self.write(&parts.concat());
            return;
        }
        if (2..=JOINED).contains(&parts.len()) {
            self.also(&[parts.concat()]);
        }
        for part in &parts {
            self.write(part);
        }
    }

    fn write(&mut self, word: &str) {
        self.words.written.push(cut(word, LONGEST).to_owned());
    }

    fn also(&mut self, words: &[String]) {
        let words = words.iter().map(|word| cut(word, LONGEST).to_owned());
        self.words.also.extend(words);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn reads(text: &str, written: &[&str], also: &[&str]) {
        let words = Words::of(text);
        assert_eq!(words.written, written, "{text}");
        assert_eq!(words.also, also, "{text}");
    }

    #[test]
    fn case_and_diacritics_do_not_count() {
        reads("Amélie  POULAIN", &["amelie", "poulain"], &[]);
        reads(
            "Øresund Łódź Straße Æon",
            &["oresund", "lodz", "strasse", "aeon"],
            &[],
        );
        reads(
            "Þór Đông İstanbul ılık Œuvre",
            &["thor", "dong", "istanbul", "ilik", "oeuvre"],
            &[],
        );
        reads("ﬁlm ２００１ Ⅳ", &["film", "2001", "iv"], &[]);
    }

    #[test]
    fn apostrophes_join_and_their_parts_are_found_too() {
        for written in ["O'Brien", "O’Brien", "O‘Brien", "O´Brien"] {
            reads(written, &["obrien"], &["o", "brien"]);
        }
        reads("L'Avventura", &["lavventura"], &["l", "avventura"]);
        reads("Rock 'n' Roll", &["rock", "n", "roll"], &[]);
    }

    #[test]
    fn what_hyphens_and_dots_hold_together_is_found_joined() {
        reads("Spider-Man", &["spider", "man"], &["spiderman"]);
        reads("WALL·E", &["wall", "e"], &["walle"]);
        reads(
            "E.T. M*A*S*H",
            &["et", "mash"],
            &["e", "t", "m", "a", "s", "h"],
        );
        reads("a-b-c-d-ee", &["a", "b", "c", "d", "ee"], &[]);
    }

    #[test]
    fn other_alphabets_are_words_too() {
        reads("Сталкер Броненосец", &["сталкер", "броненосец"], &[]);
        reads(
            "Η Αιωνιότητα και ΜΙΑ μέρας",
            &["η", "αιωνιοτητα", "και", "μια", "μερασ"],
            &[],
        );
        reads("千と千尋", &["千", "と", "千", "尋"], &[]);
        reads("باب الحديد", &["باب", "الحديد"], &[]);
        // Vowels above and below a consonant are marks.
        reads("ฟ้า", &["ฟ", "า"], &[]);
        assert_eq!(
            Words::of("괴물"),
            Words::of("괴물".nfd().collect::<String>().as_str())
        );
    }

    #[test]
    fn a_text_without_words_stands_for_itself() {
        assert_eq!(key("Dr. Strangelove, or:  How"), "dr strangelove or how");
        assert_eq!(key(" $ \u{1F3AC}\0! "), "$ \u{1F3AC} !");
        assert_eq!(key("\0 \n"), "");
    }

    #[test]
    fn nobody_can_write_endless_words() {
        let words = Words::of(&"ﷺ".repeat(500));
        assert!(
            words
                .written
                .iter()
                .all(|word| word.chars().count() <= LONGEST)
        );
        assert!(key(&"ab ".repeat(500)).chars().count() <= 200);
    }
}
