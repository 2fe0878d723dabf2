//! What a film is shown by: its uploaded poster, or else a drawn one.

use super::{Poster, Subject};
use std::fmt;

/// A picture of a film. `Display` writes an element that is hidden from screen readers, or an
/// image without words: the page says title and year beside it.
#[derive(Debug)]
pub(crate) enum Picture {
    Drawn(Poster),
    Uploaded(Uploaded),
}

/// An uploaded poster in one size or several.
#[derive(Debug)]
pub(crate) struct Uploaded {
    /// What is shown where no size can be chosen.
    file: FileName,
    /// The files with their widths in pixels.
    sizes: Vec<(FileName, u32)>,
    /// How wide it is on the page as far as a browser cannot tell by itself, in pixels.
    wide: u32,
}

impl Picture {
    /// The picture of a film; `place` starts the ids of a drawing.
    pub(crate) fn of(subject: Subject<'_>, place: &str) -> Self {
        let uploaded = Uploaded::of(subject, 240).map(Picture::Uploaded);
        uploaded.unwrap_or_else(|| Picture::Drawn(Poster::of(subject, place)))
    }

    /// The same for a thumb's size.
    pub(crate) fn small(subject: Subject<'_>, place: &str) -> Self {
        let uploaded = Uploaded::of(subject, 64).map(Picture::Uploaded);
        uploaded.unwrap_or_else(|| Picture::Drawn(Poster::small(subject, place)))
    }
}

impl Uploaded {
    fn of(subject: Subject<'_>, wide: u32) -> Option<Self> {
        let named = subject.pictures.iter().filter_map(|picture| {
            let file = FileName::parse(&picture.sha256)?;
            Some((file, picture.width))
        });
        let sizes: Vec<_> = named.collect();
        let enough = sizes.iter().find(|(_, width)| *width >= wide);
        let file = match enough.or(sizes.last()) {
            Some((file, _)) => file.clone(),
            // Of an older version of the catalogue, which showed what was uploaded.
            None => FileName::parse(subject.file)?,
        };
        Some(Uploaded { file, sizes, wide })
    }
}

impl fmt::Display for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Picture::Drawn(poster) => poster.fmt(f),
            Picture::Uploaded(poster) => poster.fmt(f),
        }
    }
}

impl fmt::Display for Uploaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FileName(name) = &self.file;
        write!(f, "<img class=\"poster\" src=\"/posters/{name}\"")?;
        if self.sizes.len() > 1 {
            f.write_str(" srcset=\"")?;
            for (place, (FileName(name), width)) in self.sizes.iter().enumerate() {
                let comma = if place == 0 { "" } else { ", " };
                write!(f, "{comma}/posters/{name} {width}w")?;
            }
            write!(f, "\" sizes=\"auto, {}px\"", self.wide)?;
        }
        f.write_str(" width=\"200\" height=\"300\" alt=\"\" loading=\"lazy\" decoding=\"async\">")
    }
}

/// The name of an uploaded file: its SHA-256 in 64 hexadecimal digits, and nothing that could be a
/// path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileName(String);

impl FileName {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let is_name = text.len() == 64 && text.bytes().all(digit);
        is_name.then(|| FileName(text.to_owned()))
    }

    pub(crate) fn into_string(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_hash_names_a_file() {
        assert!(FileName::parse(&"0f".repeat(32)).is_some());
        for wrong in [
            "",
            "../../etc/passwd",
            &"0F".repeat(32),
            &"0".repeat(63),
            &"é".repeat(32),
        ] {
            assert_eq!(FileName::parse(wrong), None, "{wrong}");
        }
    }
}
