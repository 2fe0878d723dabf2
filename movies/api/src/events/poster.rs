//! Posters: what was uploaded, and what could be made of it.

use backlot::messaging::event::Event;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The most pictures of one poster.
pub const MAX_PICTURES: usize = 8;
/// The most bytes of all pictures of a poster together: written as text they fit into an event.
pub const MAX_PICTURE_BYTES: usize = 360_000;

/// A file was uploaded that shall be a film's poster. Nobody has looked into it yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PosterUploaded {
    /// The film.
    pub movie_id: String,
    /// The file, by its SHA-256 in hexadecimal digits of lower case.
    pub sha256: String,
    /// Its bytes.
    pub size: u32,
    /// What its first bytes say it is: `image/jpeg`, `image/png` or `image/webp`.
    pub media_type: String,
}

/// What came of an uploaded file: pictures, or the reason why there are none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PosterChecked {
    /// The film.
    pub movie_id: String,
    /// The file that was uploaded, by its SHA-256.
    pub sha256: String,
    /// The same picture in different sizes, at most [`MAX_PICTURES`] with [`MAX_PICTURE_BYTES`]
    /// bytes; none when it was refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pictures: Vec<Picture>,
    /// Why it was refused, in words for whoever uploaded it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// A picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Picture {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// A JPEG; on the wire in base64.
    #[serde(serialize_with = "to_text", deserialize_with = "of_text")]
    pub bytes: Vec<u8>,
}

fn to_text<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&STANDARD.encode(bytes))
}

fn of_text<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(from)?;
    STANDARD.decode(text).map_err(serde::de::Error::custom)
}

impl Event for PosterUploaded {
    const NAME: &'static str = "PosterUploaded";
    const TOPIC: &'static str = "posters";
    const PARTITIONS: u32 = 4;
    const VERSION: u32 = 1;

    fn key(&self) -> Option<String> {
        Some(self.movie_id.clone())
    }
}

impl Event for PosterChecked {
    const NAME: &'static str = "PosterChecked";
    const TOPIC: &'static str = "poster-checks";
    const PARTITIONS: u32 = 4;
    const VERSION: u32 = 1;

    fn key(&self) -> Option<String> {
        Some(self.movie_id.clone())
    }
}
