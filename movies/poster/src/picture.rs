//! Pictures of three sizes out of a file that anybody may have sent.

use crate::Config;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::{self, FilterType};
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage, Rgba};
use movies_api::events::{MAX_PICTURE_BYTES, Picture};
use std::io::Cursor;

/// What each size fits into, in pixels: a poster is two wide to three high.
const BOXES: [(u32, u32); 3] = [(160, 240), (320, 480), (640, 960)];
/// How good they are, of 100: less where they would be too large to be published.
const QUALITIES: [u8; 5] = [82, 70, 50, 30, 10];
/// The longest side there may be, in pixels: one so long and thin asks for more memory than its pixels
/// say.
const LONGEST: u32 = 30_000;
/// What shows through where a picture is transparent.
const GROUND: Rgba<u8> = Rgba([255, 255, 255, 255]);

/// Why nothing can be made of a file: for whoever sent it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("it has {bytes} bytes, more than {most}")]
    Bytes { bytes: usize, most: u32 },
    #[error("it has {width} by {height} pixels, more than {most} in all or {LONGEST} on a side")]
    Pixels { width: u32, height: u32, most: u32 },
    #[error("it begins like {found}, and was announced as {announced}")]
    Disguised { announced: String, found: String },
    #[error("it breaks what reads it")]
    Breaks,
    #[error("it is no {kind} that can be read: {reason}")]
    Broken { kind: &'static str, reason: String },
}

/// The same picture in three sizes, the smallest first; smaller ones where the file itself is
/// smaller. Nothing else of the file comes through: no place, no camera, no colour profile.
pub(crate) fn make(
    bytes: &[u8],
    announced: &str,
    config: &Config,
) -> Result<Vec<Picture>, Refused> {
    if bytes.len() > config.bytes as usize {
        return Err(Refused::Bytes {
            bytes: bytes.len(),
            most: config.bytes,
        });
    }
    let whole = read(bytes, format(bytes, announced)?, config)?;
    let (mut sizes, mut from) = (Vec::with_capacity(BOXES.len()), &whole);
    for within in BOXES.iter().rev() {
        let (width, height) = fit(whole.dimensions(), *within);
        if from.dimensions() != (width, height) {
            sizes.push(imageops::resize(from, width, height, FilterType::Lanczos3));
        } else {
            sizes.push(from.clone());
        }
        // The next one is made of this one, which is quicker than of the whole.
        from = sizes.last().unwrap_or(&whole);
    }
    sizes.reverse();
    encode(&sizes)
}

/// What the bytes are, whatever they are called.
fn format(bytes: &[u8], announced: &str) -> Result<(ImageFormat, &'static str), Refused> {
    let found = image::guess_format(bytes).ok();
    let known = match found {
        Some(ImageFormat::Jpeg) => Some(("image/jpeg", "JPEG")),
        Some(ImageFormat::Png) => Some(("image/png", "PNG")),
        Some(ImageFormat::WebP) => Some(("image/webp", "WebP")),
        _ => None,
    };
    match (found, known) {
        (Some(format), Some((media_type, kind))) if media_type == announced => Ok((format, kind)),
        _ => Err(Refused::Disguised {
            announced: announced.chars().take(40).collect(),
            found: match (found, known) {
                (_, Some((media_type, _))) => media_type.to_owned(),
                (Some(format), None) => format!("{format:?}"),
                (None, None) => "no picture".to_owned(),
            },
        }),
    }
}

fn read(
    bytes: &[u8],
    (format, kind): (ImageFormat, &'static str),
    config: &Config,
) -> Result<RgbImage, Refused> {
    let broken = |error: image::ImageError| Refused::Broken {
        kind,
        reason: reason(&error),
    };
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    // Sixteen bits for each of four channels, and as much again for what decoders keep.
    limits.max_alloc = Some(u64::from(config.pixels) * 16 + 16 * 1024 * 1024);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(broken)?;
    let (width, height) = decoder.dimensions();
    let is_long = width > LONGEST || height > LONGEST;
    if is_long || u64::from(width) * u64::from(height) > u64::from(config.pixels) {
        return Err(Refused::Pixels {
            width,
            height,
            most: config.pixels,
        });
    }
    // What cannot be read of it is how it is turned, nothing more.
    let turned = decoder.orientation().ok();
    let mut picture = DynamicImage::from_decoder(decoder).map_err(broken)?;
    if let Some(turned) = turned {
        picture.apply_orientation(turned);
    }
    if format == ImageFormat::Jpeg && !has_end(bytes) {
        return Err(Refused::Broken {
            kind,
            reason: "it ends in the middle of the picture".to_owned(),
        });
    }
    Ok(flatten(picture))
}

/// What is wrong, for people: how the decoder got there is for nobody.
fn reason(error: &image::ImageError) -> String {
    if let image::ImageError::IoError(error) = error
        && error.kind() == std::io::ErrorKind::UnexpectedEof
    {
        return "it ends in the middle of the picture".to_owned();
    }
    let said = error.to_string();
    let said = match said.split_once("Format error decoding ") {
        Some((_, rest)) => rest.split_once(": ").map_or(rest, |(_, reason)| reason),
        None => &said,
    };
    // Some are told by the decoder's own fields.
    said.split(" { ").next().unwrap_or(said).to_owned()
}

/// Whether a JPEG has its end, behind the beginning of the picture itself and not that of a small one
/// within: decoders show what there is, and fill up the rest with grey. What comes behind the end is
/// nobody's business.
fn has_end(bytes: &[u8]) -> bool {
    // Segments: a marker, and how long they are with it less the marker.
    let mut at = 2;
    while let Some([0xff, marker, high, low]) = bytes.get(at..at + 4) {
        if *marker == 0xda {
            let picture = bytes.get(at..).unwrap_or_default();
            return picture.windows(2).any(|two| two == [0xff, 0xd9]);
        }
        at += match marker {
            // A filling byte, and markers that stand alone.
            0xff => 1,
            0x01 | 0xd0..=0xd8 => 2,
            _ => 2 + usize::from(u16::from_be_bytes([*high, *low])),
        };
    }
    false
}

fn flatten(picture: DynamicImage) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.into_rgb8();
    }
    let mut picture = picture.into_rgba8();
    for pixel in picture.pixels_mut() {
        let mut ground = GROUND;
        image::Pixel::blend(&mut ground, pixel);
        *pixel = ground;
    }
    DynamicImage::ImageRgba8(picture).into_rgb8()
}

/// The largest size of these proportions within a box, and no larger than it is.
fn fit((width, height): (u32, u32), (most_wide, most_high): (u32, u32)) -> (u32, u32) {
    if width <= most_wide && height <= most_high {
        return (width, height);
    }
    let [width, height] = [u64::from(width), u64::from(height)];
    let [most_wide, most_high] = [u64::from(most_wide), u64::from(most_high)];
    let (wide, high) = match width * most_high > height * most_wide {
        true => (most_wide, (height * most_wide + width / 2) / width),
        false => ((width * most_high + height / 2) / height, most_high),
    };
    // Both are at most what the box has.
    (wide.max(1) as u32, high.max(1) as u32)
}

fn encode(sizes: &[RgbImage]) -> Result<Vec<Picture>, Refused> {
    let mut pictures = Vec::new();
    for quality in QUALITIES {
        pictures.clear();
        for size in sizes {
            let mut bytes = Vec::new();
            let encoder = JpegEncoder::new_with_quality(&mut bytes, quality);
            size.write_with_encoder(encoder)
                .map_err(|error| Refused::Broken {
                    kind: "picture",
                    reason: error.to_string(),
                })?;
            let (width, height) = size.dimensions();
            pictures.push(Picture {
                width,
                height,
                bytes,
            });
        }
        let all: usize = pictures.iter().map(|picture| picture.bytes.len()).sum();
        if all <= MAX_PICTURE_BYTES {
            break;
        }
    }
    Ok(pictures)
}

#[cfg(test)]
mod tests;
