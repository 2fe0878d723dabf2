use super::*;
use image::{ImageBuffer, RgbaImage};
use proptest::prelude::*;

const PNG: &str = "image/png";
const JPEG: &str = "image/jpeg";
const WEBP: &str = "image/webp";

/// Something to see: every pixel is another.
fn drawn(width: u32, height: u32) -> RgbImage {
    ImageBuffer::from_fn(width, height, |x, y| {
        image::Rgb([
            (x * 255 / width) as u8,
            (y * 255 / height) as u8,
            (x ^ y) as u8,
        ])
    })
}

/// The worst for a JPEG: noise.
fn noise(width: u32, height: u32) -> RgbImage {
    let mut state = 1_u32;
    ImageBuffer::from_fn(width, height, |_, _| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        image::Rgb([(state >> 24) as u8, (state >> 16) as u8, (state >> 8) as u8])
    })
}

fn file(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn sizes(pictures: &[Picture]) -> Vec<(u32, u32)> {
    let sizes = pictures.iter().map(|it| (it.width, it.height));
    sizes.collect()
}

fn decoded(picture: &Picture) -> RgbImage {
    let decoded = image::load_from_memory_with_format(&picture.bytes, ImageFormat::Jpeg);
    let decoded = decoded.unwrap().into_rgb8();
    assert_eq!(decoded.dimensions(), (picture.width, picture.height));
    decoded
}

fn refused(bytes: &[u8], announced: &str) -> String {
    let made = make(bytes, announced, &Config::default());
    made.map(|pictures| sizes(&pictures))
        .unwrap_err()
        .to_string()
}

#[test]
fn each_kind_becomes_three_jpegs_that_show_the_same() {
    for (format, media_type) in [
        (ImageFormat::Png, PNG),
        (ImageFormat::Jpeg, JPEG),
        (ImageFormat::WebP, WEBP),
    ] {
        let original = drawn(1000, 1500);
        let bytes = file(original.clone(), format);
        let pictures = make(&bytes, media_type, &Config::default()).unwrap();
        assert_eq!(sizes(&pictures), [(160, 240), (320, 480), (640, 960)]);
        for picture in &pictures {
            let decoded = decoded(picture);
            for (x, y) in [(0.1, 0.1), (0.5, 0.9), (0.9, 0.5)] {
                let at = |of: &RgbImage| {
                    let (width, height) = of.dimensions();
                    let (x, y) = (f64::from(width) * x, f64::from(height) * y);
                    of.get_pixel(x as u32, y as u32).0
                };
                // Blue is noise; red and green tell where one is.
                let (is, was) = (at(&decoded), at(&original));
                let near = |one: u8, other: u8| one.abs_diff(other) < 24;
                assert!(near(is[0], was[0]) && near(is[1], was[1]), "{is:?} {was:?}");
            }
        }
    }
}

#[test]
fn a_picture_keeps_its_proportions_and_is_not_made_larger() {
    let made = |width, height| {
        let bytes = file(drawn(width, height), ImageFormat::Png);
        sizes(&make(&bytes, PNG, &Config::default()).unwrap())
    };
    assert_eq!(made(3000, 1000), [(160, 53), (320, 107), (640, 213)]);
    assert_eq!(made(500, 2000), [(60, 240), (120, 480), (240, 960)]);
    assert_eq!(made(200, 300), [(160, 240), (200, 300), (200, 300)]);
    assert_eq!(made(1, 1), [(1, 1); 3]);
    assert_eq!(made(5000, 1), [(160, 1), (320, 1), (640, 1)]);
    let long = file(drawn(30_001, 1), ImageFormat::Png);
    assert!(refused(&long, PNG).contains("30000 on a side"));
}

#[test]
fn what_is_transparent_shows_white_and_what_is_grey_or_deep_is_read_too() {
    let glass = RgbaImage::from_pixel(10, 10, Rgba([255, 0, 0, 0]));
    let pictures = make(&file(glass, ImageFormat::Png), PNG, &Config::default()).unwrap();
    let pixel = decoded(&pictures[0]).get_pixel(5, 5).0;
    assert!(pixel.iter().all(|channel| *channel > 250), "{pixel:?}");
    let grey = image::GrayImage::from_pixel(10, 10, image::Luma([7]));
    let pictures = make(&file(grey, ImageFormat::Jpeg), JPEG, &Config::default()).unwrap();
    assert!(decoded(&pictures[0]).get_pixel(5, 5).0[2] < 12);
    let deep: ImageBuffer<image::Rgb<u16>, Vec<u16>> =
        ImageBuffer::from_pixel(10, 10, image::Rgb([65535, 0, 0]));
    let pictures = make(&file(deep, ImageFormat::Png), PNG, &Config::default()).unwrap();
    assert!(decoded(&pictures[0]).get_pixel(5, 5).0[0] > 240);
}

#[test]
fn a_picture_that_was_taken_sideways_is_shown_upright_and_tells_no_place() {
    // EXIF in the smallest form there is: one entry, that it is to be turned by 90 degrees.
    let exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    let plain = file(drawn(300, 200), ImageFormat::Jpeg);
    let mut bytes = plain[..2].to_vec();
    bytes.extend([0xff, 0xe1]);
    bytes.extend((exif.len() as u16 + 2).to_be_bytes());
    bytes.extend(exif);
    bytes.extend(&plain[2..]);
    let pictures = make(&bytes, JPEG, &Config::default()).unwrap();
    assert_eq!(sizes(&pictures)[2], (200, 300));
    for picture in &pictures {
        assert!(!picture.bytes.windows(4).any(|four| four == b"Exif"));
    }
}

#[test]
fn what_comes_behind_a_jpeg_is_nobodys_business_and_a_small_one_within_is_no_end() {
    let jpeg = file(drawn(120, 90), ImageFormat::Jpeg);
    let with_film = [&jpeg[..], &b"\xff\xda film \xff\xda"[..]].concat();
    make(&with_film, JPEG, &Config::default()).unwrap();
    // A thumbnail, whole, in a picture that is cut off.
    let small = file(drawn(8, 8), ImageFormat::Jpeg);
    let mut cut = jpeg[..2].to_vec();
    cut.extend([0xff, 0xe1]);
    cut.extend((small.len() as u16 + 2).to_be_bytes());
    cut.extend(&small);
    cut.extend(&jpeg[2..jpeg.len() - 300]);
    assert!(refused(&cut, JPEG).contains("that can be read"));
}

#[test]
fn noise_fits_into_an_event_too() {
    let bytes = file(noise(640, 960), ImageFormat::Png);
    let pictures = make(&bytes, PNG, &Config::default()).unwrap();
    let all: usize = pictures.iter().map(|picture| picture.bytes.len()).sum();
    assert!(all <= MAX_PICTURE_BYTES, "{all}");
    assert_eq!(sizes(&pictures), [(160, 240), (320, 480), (640, 960)]);
}

#[test]
fn a_file_that_is_cut_off_is_refused_wherever_it_is_cut() {
    for (format, media_type) in [
        (ImageFormat::Png, PNG),
        (ImageFormat::Jpeg, JPEG),
        (ImageFormat::WebP, WEBP),
    ] {
        let bytes = file(drawn(120, 90), format);
        make(&bytes, media_type, &Config::default()).unwrap();
        for part in 1..20 {
            let cut = &bytes[..bytes.len() * part / 20];
            let said = refused(cut, media_type);
            assert!(
                said.contains("that can be read") || said.contains("no picture"),
                "{media_type} {part}: {said}"
            );
        }
    }
}

#[test]
fn what_is_something_else_than_announced_is_refused() {
    let png = file(drawn(9, 9), ImageFormat::Png);
    assert_eq!(
        refused(&png, JPEG),
        "it begins like image/png, and was announced as image/jpeg"
    );
    assert!(refused(b"GIF89a\x01\0\x01\0\0\0\0;", PNG).contains("begins like Gif"));
    assert!(refused(b"<svg xmlns='x'/>", PNG).contains("begins like no picture"));
    // It begins well, and is a web page.
    let page = b"\x89PNG\r\n\x1a\n<!doctype html><script>alert(1)</script>";
    assert!(refused(page, PNG).starts_with("it is no PNG that can be read"));
    let page = b"RIFF\x40\0\0\0WEBPVP8 <!doctype html><script>alert(1)</script>";
    assert!(refused(page, WEBP).starts_with("it is no WebP that can be read"));
    let page = b"\xff\xd8\xff\xe0<!doctype html><script>alert(1)</script>\xff\xd9";
    assert!(refused(page, JPEG).starts_with("it is no JPEG that can be read"));
}

#[test]
fn what_is_too_large_is_refused_before_it_takes_memory() {
    let config = Config {
        bytes: 1000,
        pixels: 10_000,
        ..Config::default()
    };
    let made = |bytes: &[u8]| make(bytes, PNG, &config).map(|it| sizes(&it));
    assert_eq!(
        made(&[0; 1001]),
        Err(Refused::Bytes {
            bytes: 1001,
            most: 1000
        })
    );
    let black = |width, height| file(RgbImage::new(width, height), ImageFormat::Png);
    assert!(made(&black(100, 100)).is_ok());
    assert_eq!(
        made(&black(101, 100)),
        Err(Refused::Pixels {
            width: 101,
            height: 100,
            most: 10_000
        })
    );
    // A bomb: 70 bytes that ask for 3.6 TB.
    let mut bomb = file(RgbImage::new(1, 1), ImageFormat::Png);
    bomb[16..20].copy_from_slice(&1_000_000_u32.to_be_bytes());
    bomb[20..24].copy_from_slice(&1_200_000_u32.to_be_bytes());
    let said = refused(&bomb, PNG);
    // Its checksum is wrong as well, which may be found first.
    assert!(
        said.contains("pixels") || said.contains("that can be read"),
        "{said}"
    );
}

proptest! {
    #[test]
    fn whatever_is_sent_nothing_panics(
        kind in 0_usize..3,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
    ) {
        let (format, media_type) = [
            (ImageFormat::Png, PNG),
            (ImageFormat::Jpeg, JPEG),
            (ImageFormat::WebP, WEBP),
        ][kind];
        let mut bytes = file(drawn(16, 24), format);
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        let config = Config { pixels: 100_000, ..Config::default() };
        // Either is right, as long as it is one of them.
        if let Ok(pictures) = make(&bytes, media_type, &config) {
            prop_assert_eq!(pictures.len(), 3);
        }
    }
}
