//! Secrets a service makes for itself: 32 random bytes in a file that only its user may read.

use crate::StartError;
use backlot_core::Dice;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

/// The secret in `folder/name`, made on first use.
///
/// # Errors
/// When the file cannot be read or made, or does not hold 32 bytes.
pub fn load_or_make(folder: &Path, name: &str, dice: &Dice) -> Result<[u8; 32], StartError> {
    let path = folder.join(name);
    match read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        read => return read.map_err(|source| failed(&path, "read", source)),
    }
    let mut secret = [0; 32];
    dice.fill(&mut secret);
    match make(folder, &path, &secret, dice) {
        Ok(()) => Ok(secret),
        // Another process was faster: its secret counts.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            read(&path).map_err(|source| failed(&path, "read", source))
        }
        Err(source) => Err(failed(&path, "made", source)),
    }
}

fn read(path: &Path) -> io::Result<[u8; 32]> {
    let mut bytes = Vec::with_capacity(33);
    fs::File::open(path)?.take(33).read_to_end(&mut bytes)?;
    bytes.try_into().map_err(|bytes: Vec<u8>| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("it should hold 32 bytes and holds {}", bytes.len()),
        )
    })
}

/// Written aside and linked into place, so that nobody ever reads half of it.
fn make(folder: &Path, path: &Path, secret: &[u8; 32], dice: &Dice) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let aside = folder.join(format!(".{:016x}.new", dice.next_u64()));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&aside)?;
    let made = file
        .write_all(secret)
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::hard_link(&aside, path));
    fs::remove_file(&aside)?;
    made
}

fn failed(path: &Path, what: &'static str, source: io::Error) -> StartError {
    let cure = "give this user a data folder it may write, or delete a damaged secret: tokens signed with it end";
    StartError::Secret {
        path: path.display().to_string(),
        what,
        cure,
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_made_once_and_for_its_user_only() {
        let folder = tempfile::tempdir().unwrap();
        let first = load_or_make(folder.path(), "auth.key", &Dice::seeded(1)).unwrap();
        let second = load_or_make(folder.path(), "auth.key", &Dice::seeded(2)).unwrap();
        assert_eq!(first, second);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(folder.path().join("auth.key"))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            1,
            "nothing is left aside"
        );
    }

    #[test]
    fn a_damaged_secret_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("auth.key"), "short").unwrap();
        let error = load_or_make(folder.path(), "auth.key", &Dice::seeded(1))
            .unwrap_err()
            .chain();
        assert!(
            error.contains("auth.key") && error.contains("holds 5"),
            "{error}"
        );
    }
}
