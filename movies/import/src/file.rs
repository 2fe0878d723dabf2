//! Files as they lie on the disk: plain or compressed, and whether they are still the same.

use crate::ImportError;
use flate2::bufread::MultiGzDecoder;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;
use xxhash_rust::xxh3::xxh3_64;

/// How much of a file's beginning tells it from others.
const HEAD: u64 = 64 * 1024;
const BUFFER: usize = 256 * 1024;

/// A file to import from.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) path: PathBuf,
    /// As problems name it.
    pub(crate) name: String,
    /// Its bytes on the disk.
    pub(crate) size: u64,
    pub(crate) identity: Identity,
    compressed: bool,
}

/// What a file must still be for a position in it to mean anything.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Identity {
    path: PathBuf,
    size: u64,
    /// In milliseconds since 1970 UTC; 0 where the disk does not tell.
    modified: u64,
    /// Of the first 64 KiB.
    head: u64,
}

impl Identity {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl File {
    /// Looks at a file.
    pub(crate) fn at(path: &Path) -> Result<File, ImportError> {
        let failed = |source| ImportError::file(path, "read")(source);
        let real = fs::canonicalize(path).map_err(failed)?;
        let file = fs::File::open(&real).map_err(failed)?;
        let about = file.metadata().map_err(failed)?;
        if !about.is_file() {
            let name = path.display();
            return Err(ImportError::Layout(format!("{name} is not a file")));
        }
        let mut head = Vec::new();
        file.take(HEAD).read_to_end(&mut head).map_err(failed)?;
        let since = about
            .modified()
            .ok()
            .and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        Ok(File {
            name: path
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default(),
            path: path.to_owned(),
            size: about.len(),
            compressed: head.starts_with(&[0x1f, 0x8b]),
            identity: Identity {
                path: real,
                size: about.len(),
                modified: since
                    .and_then(|since| u64::try_from(since.as_millis()).ok())
                    .unwrap_or_default(),
                head: xxh3_64(&head),
            },
        })
    }

    /// Its text from `offset` on, which counts bytes after decompression.
    pub(crate) fn open(&self, offset: u64) -> io::Result<Text> {
        let mut file = fs::File::open(&self.path)?;
        let read = Arc::new(AtomicU64::new(0));
        let counted = |file| {
            BufReader::with_capacity(
                BUFFER,
                Counted {
                    file,
                    read: Arc::clone(&read),
                },
            )
        };
        let input: Box<dyn BufRead + Send> = if self.compressed {
            let plain = MultiGzDecoder::new(counted(file));
            let mut plain = BufReader::with_capacity(BUFFER, plain);
            // There is no way into the middle of it.
            io::copy(&mut (&mut plain).take(offset), &mut io::sink())?;
            Box::new(plain)
        } else {
            file.seek(SeekFrom::Start(offset))?;
            read.store(offset, Ordering::Relaxed);
            Box::new(counted(file))
        };
        Ok(Text { input, read })
    }
}

/// A file's text, and how many bytes of the file it took so far.
pub(crate) struct Text {
    pub(crate) input: Box<dyn BufRead + Send>,
    read: Arc<AtomicU64>,
}

impl Text {
    /// Bytes read from the disk.
    pub(crate) fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }
}

struct Counted {
    file: fs::File,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;

    #[test]
    fn plain_and_compressed_files_read_alike_from_anywhere() {
        let folder = tempfile::tempdir().unwrap();
        let (plain, packed) = (folder.path().join("a"), folder.path().join("b"));
        let text = "one\ntwo\nthree\n".repeat(1000);
        fs::write(&plain, &text).unwrap();
        let mut encoder = GzEncoder::new(fs::File::create(&packed).unwrap(), Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap();
        for path in [plain, packed] {
            let file = File::at(&path).unwrap();
            for offset in [0, 4, 7_000] {
                let mut read = String::new();
                let mut opened = file.open(offset).unwrap();
                opened.input.read_to_string(&mut read).unwrap();
                assert_eq!(read, text[offset as usize..], "{path:?} from {offset}");
                assert_eq!(opened.read(), file.size);
            }
        }
    }

    #[test]
    fn a_file_that_was_written_anew_is_another_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "one").unwrap();
        let before = File::at(&path).unwrap().identity;
        assert_eq!(File::at(&path).unwrap().identity, before);
        fs::write(&path, "two").unwrap();
        assert_ne!(File::at(&path).unwrap().identity, before);
        assert!(
            File::at(folder.path())
                .unwrap_err()
                .chain()
                .contains("not a file")
        );
    }
}
