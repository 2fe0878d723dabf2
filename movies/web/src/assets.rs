//! Style sheet, script and icon, inside the program. Their addresses hold a hash of what is in
//! them, so that browsers may keep them for ever.

use crate::page::Page;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use rust_embed::Embed;

#[derive(Embed)]
#[folder = "assets"]
struct Files;

/// The assets with their addresses.
#[derive(Debug)]
pub(crate) struct Assets {
    pub(crate) style: Asset,
    pub(crate) script: Asset,
    pub(crate) icon: Asset,
}

/// A file of the page.
#[derive(Debug)]
pub(crate) struct Asset {
    stem: &'static str,
    extension: &'static str,
    media_type: &'static str,
    /// Where it is: `/assets/app-0123456789abcdef.css`.
    pub(crate) url: String,
    bytes: Bytes,
}

impl Assets {
    pub(crate) fn load() -> Self {
        Assets {
            style: Asset::load("app", "css", "text/css; charset=utf-8", "style/"),
            script: Asset::load("app", "js", "text/javascript; charset=utf-8", "script/"),
            icon: Asset::load("icon", "svg", "image/svg+xml", "icon.svg"),
        }
    }
}

impl Asset {
    /// One asset of all files whose path starts so, in the order of their names: many files are
    /// easier to read, one is quicker to fetch.
    fn load(
        stem: &'static str,
        extension: &'static str,
        media_type: &'static str,
        path: &str,
    ) -> Self {
        let mut names: Vec<_> = Files::iter()
            .filter(|name| name.starts_with(path))
            .collect();
        names.sort_unstable();
        // Without a file this is an empty asset: `every_asset_is_there` holds that none is.
        let (mut bytes, mut hash) = (Vec::new(), 0u64);
        for file in names.iter().filter_map(|name| Files::get(name)) {
            bytes.extend_from_slice(&file.data);
            // What is in the files and how they follow each other makes the address.
            let part = file.metadata.sha256_hash().into_iter().take(8);
            let part = part.fold(0, |part, byte| part << 8 | u64::from(byte));
            hash = hash.rotate_left(7) ^ part;
        }
        Asset {
            stem,
            extension,
            media_type,
            url: format!("/assets/{stem}-{hash:016x}.{extension}"),
            bytes: Bytes::from(bytes),
        }
    }
}

/// Serves an asset. One of another version is answered with ours, which the browser must not keep:
/// while versions change over, a page may ask the other one for its style.
pub(crate) async fn show(State(page): State<Page>, Path(file): Path<String>) -> Response {
    let assets = page.assets();
    let same_kind = |asset: &&Asset| {
        file.strip_prefix(asset.stem)
            .and_then(|rest| rest.strip_prefix('-')?.strip_suffix(asset.extension))
            .is_some_and(|hash| hash.ends_with('.'))
    };
    let Some(asset) = [&assets.style, &assets.script, &assets.icon]
        .into_iter()
        .find(same_kind)
    else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let exact = asset.url.strip_prefix("/assets/") == Some(file.as_str());
    let keep = if exact {
        "public, max-age=31536000, immutable"
    } else {
        "no-store"
    };
    (
        [(CONTENT_TYPE, asset.media_type), (CACHE_CONTROL, keep)],
        asset.bytes.clone(),
    )
        .into_response()
}

#[cfg(test)]
mod contrast;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_asset_is_there() {
        let assets = Assets::load();
        for asset in [assets.style, assets.script, assets.icon] {
            assert!(!asset.bytes.is_empty(), "{}", asset.url);
        }
    }

    #[test]
    fn the_page_stays_light() {
        let assets = Assets::load();
        let bytes = assets.style.bytes.len() + assets.script.bytes.len() + assets.icon.bytes.len();
        assert!(bytes < 60_000, "{bytes}");
    }
}
