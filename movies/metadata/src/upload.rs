//! Files and uploads, and what bytes say they are.

use aws_lc_rs::digest::{Context, SHA256, digest};

/// The most bytes of a file.
pub(crate) const LARGEST: u32 = 10 * 1024 * 1024;
/// How many bytes of a file are kept and sent together.
pub(crate) const SEGMENT: u32 = 64 * 1024;

/// A file on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Upload {
    pub(crate) id: String,
    /// Whose poster it shall be.
    pub(crate) film: String,
    /// What its bytes have to hash to, in hexadecimal digits of lower case.
    pub(crate) sha256: String,
    pub(crate) size: u32,
    /// How many of its bytes are there.
    pub(crate) received: u32,
    /// Whose segments hold them.
    pub(crate) content: String,
}

/// A file, kept under its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) sha256: String,
    pub(crate) size: u32,
    pub(crate) media_type: String,
    /// Whose segments hold its bytes.
    pub(crate) content: String,
}

/// The name of an upload: the same for the same film and content, and nothing of what a caller
/// wrote.
pub(crate) fn name(film: &str, sha256: &str, size: u32) -> String {
    let named = format!("{sha256} {size} {film}");
    hex(&digest(&SHA256, named.as_bytes()).as_ref()[..16])
}

/// Hashes what comes in pieces.
pub(crate) struct Hash(Context);

impl Hash {
    pub(crate) fn new() -> Self {
        Hash(Context::new(&SHA256))
    }

    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// In hexadecimal digits.
    pub(crate) fn finish(self) -> String {
        hex(self.0.finish().as_ref())
    }
}

/// Hashes what is at hand.
pub(crate) fn hash(bytes: &[u8]) -> String {
    let mut hash = Hash::new();
    hash.add(bytes);
    hash.finish()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A SHA-256 as callers write it, in lower case; none when it is no such thing.
pub(crate) fn sha256(text: &str) -> Option<String> {
    let valid = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    valid.then(|| text.to_ascii_lowercase())
}

/// What the first bytes of a file say it is, as a media type.
///
/// # Errors
/// What it looks like instead.
pub(crate) fn media_type(bytes: &[u8]) -> Result<&'static str, &'static str> {
    if bytes.starts_with(&[0xff, 0xd8, 0xff]) {
        return Ok("image/jpeg");
    }
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        return Ok("image/png");
    }
    if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        return Ok("image/webp");
    }
    let text = || {
        let text = bytes.trim_ascii_start();
        let start = text.get(..text.len().min(14)).unwrap_or_default();
        start.to_ascii_lowercase()
    };
    Err(match bytes {
        [b'G', b'I', b'F', b'8', ..] => "a GIF",
        [b'%', b'P', b'D', b'F', ..] => "a PDF",
        [b'P', b'K', 3, 4, ..] => "a ZIP archive",
        [b'B', b'M', ..] => "a BMP",
        [b'I', b'I', b'*', 0, ..] | [b'M', b'M', 0, b'*', ..] => "a TIFF",
        [0x1f, 0x8b, ..] => "something compressed by gzip",
        [0x7f, b'E', b'L', b'F', ..] | [b'M', b'Z', ..] => "a program",
        _ if bytes.get(4..8) == Some(b"ftyp") => "an AVIF, HEIC or video",
        _ if text().starts_with(b"<svg") || text().starts_with(b"<?xml") => "an SVG or other XML",
        _ if text().starts_with(b"<!doctype html") || text().starts_with(b"<html") => "a web page",
        _ => "nothing known",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_say_what_they_are() {
        assert_eq!(media_type(b"\xff\xd8\xff\xe0\0"), Ok("image/jpeg"));
        assert_eq!(media_type(b"\x89PNG\r\n\x1a\n\0"), Ok("image/png"));
        assert_eq!(media_type(b"RIFF\x10\0\0\0WEBPVP8 "), Ok("image/webp"));
        for (bytes, looks) in [
            (&b"RIFF\x10\0\0\0WAVE"[..], "nothing known"),
            (b"GIF89a", "a GIF"),
            (b"  <SVG xmlns", "an SVG or other XML"),
            (b"<!DOCTYPE html><p>", "a web page"),
            (b"\0\0\0\x1cftypavif", "an AVIF, HEIC or video"),
            (b"\x7fELF", "a program"),
            (b"", "nothing known"),
        ] {
            assert_eq!(media_type(bytes), Err(looks));
        }
    }

    #[test]
    fn a_hash_is_64_hexadecimal_digits() {
        let digits = "AB".repeat(32);
        assert_eq!(sha256(&digits), Some("ab".repeat(32)));
        assert_eq!(sha256(&"é".repeat(32)), None);
        assert_eq!(sha256("ab"), None);
        let mut hash = Hash::new();
        hash.add(b"a");
        hash.add(b"bc");
        assert_eq!(
            hash.finish(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn an_upload_is_named_after_film_and_content() {
        assert_eq!(name("../a", "00", 1), name("../a", "00", 1));
        assert_ne!(name("a", "00", 1), name("b", "00", 1));
        assert!(
            name("../a", "00", 1)
                .bytes()
                .all(|byte| byte.is_ascii_hexdigit())
        );
    }
}
