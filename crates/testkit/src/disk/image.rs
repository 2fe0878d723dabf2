//! What a disk may hold after the power was lost.
//!
//! What was written before the last sync of a file that succeeded is there. Of what came later
//! anything may be there or not, in any order, and of one write any of its sectors. A file that was
//! made, removed or renamed may be as it was until its folder was synced.

use super::record::Event;
use backlot_core::Dice;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What a disk writes as one.
const SECTOR: usize = 512;

/// How what was not synced is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// All of it is gone.
    Everything,
    /// All of it is there: as after a kill.
    Nothing,
    /// What came first is there; the last of it in part.
    Tail,
    /// Each write is there or not.
    Some,
    /// Each sector of each write is there or not, written in any order.
    Sectors,
}

/// All kinds, to be taken in turn.
pub const LOSSES: [Loss; 5] = [
    Loss::Everything,
    Loss::Nothing,
    Loss::Tail,
    Loss::Some,
    Loss::Sectors,
];

/// The files of a folder by name, as they are after the power was lost.
pub type Image = BTreeMap<String, Vec<u8>>;

/// A change of a file that was not synced.
#[derive(Clone, Debug)]
enum Change {
    Bytes(u64, Vec<u8>),
    Size(u64),
}

#[derive(Clone, Debug, Default)]
struct File {
    kept: Vec<u8>,
    pending: Vec<Change>,
}

/// A disk while it has power.
#[derive(Debug)]
pub struct Platter {
    files: Vec<File>,
    /// What the folder says now, and what it says for certain.
    names: BTreeMap<String, usize>,
    kept_names: BTreeMap<String, usize>,
    dice: Dice,
}

impl Platter {
    /// An empty disk. The dice say what becomes of writes whose sync failed.
    #[must_use]
    pub fn new(dice: Dice) -> Self {
        Platter {
            files: Vec::new(),
            names: BTreeMap::new(),
            kept_names: BTreeMap::new(),
            dice,
        }
    }

    /// Takes in what happened next.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Made { name } => {
                self.files.push(File::default());
                self.names.insert(name.clone(), self.files.len() - 1);
            }
            Event::Written { name, offset, data } => {
                let change = Change::Bytes(*offset, data.clone());
                self.file(name).pending.push(change);
            }
            Event::Resized { name, size } => self.file(name).pending.push(Change::Size(*size)),
            Event::Synced { name } if name == "." => {
                self.kept_names = self.names.clone();
            }
            Event::Synced { name } => {
                let file = self.file(name);
                for change in std::mem::take(&mut file.pending) {
                    change.apply(&mut file.kept);
                }
            }
            Event::SyncFailed { name } => {
                // Those that are lost are lost for good; the others are as any that were not synced.
                let (dice, mut lost) = (self.dice.clone(), Vec::new());
                let all = dice.below(2) == 0;
                let file = self.file(name);
                for (index, change) in file.pending.iter().enumerate() {
                    if matches!(change, Change::Bytes(..)) && (all || dice.below(2) == 0) {
                        lost.push(index);
                    }
                }
                for index in lost.into_iter().rev() {
                    file.pending.remove(index);
                }
            }
            Event::Removed { name } => {
                self.names.remove(name);
            }
            Event::Renamed { from, to } => {
                if let Some(index) = self.names.remove(from) {
                    self.names.insert(to.clone(), index);
                }
            }
            Event::Said(_) => {}
        }
    }

    fn file(&mut self, name: &str) -> &mut File {
        let index = match self.names.get(name) {
            Some(index) => *index,
            // It was there before the log began.
            None => {
                self.files.push(File::default());
                let index = self.files.len() - 1;
                self.names.insert(name.to_owned(), index);
                self.kept_names.insert(name.to_owned(), index);
                index
            }
        };
        &mut self.files[index]
    }

    /// What is there if the power is lost now.
    #[must_use]
    pub fn lose(&self, loss: Loss, dice: &Dice) -> Image {
        let mut image = Image::new();
        for (name, index) in self.surviving(loss, dice) {
            let file = &self.files[index];
            let mut bytes = file.kept.clone();
            for change in surviving(&file.pending, loss, dice) {
                change.apply(&mut bytes);
            }
            image.insert(name, bytes);
        }
        image
    }

    /// The names that are there, and of which files.
    fn surviving(&self, loss: Loss, dice: &Dice) -> BTreeMap<String, usize> {
        match loss {
            Loss::Everything => return self.kept_names.clone(),
            Loss::Nothing => return self.names.clone(),
            Loss::Tail | Loss::Some | Loss::Sectors => {}
        }
        let both: BTreeSet<&String> = self.names.keys().chain(self.kept_names.keys()).collect();
        let name = |name: &String| {
            let from = match dice.below(2) {
                0 => &self.names,
                _ => &self.kept_names,
            };
            from.get(name).map(|index| (name.clone(), *index))
        };
        both.into_iter().filter_map(name).collect()
    }
}

/// Which of these changes are there, in the order in which they were made to the disk.
fn surviving(pending: &[Change], loss: Loss, dice: &Dice) -> Vec<Change> {
    let count = pending.len() as u64;
    match loss {
        Loss::Everything => Vec::new(),
        Loss::Nothing => pending.to_vec(),
        Loss::Tail => {
            let first = usize::try_from(dice.below(count + 1)).unwrap_or(0);
            let mut kept: Vec<Change> = pending[..first].to_vec();
            if let Some(Change::Bytes(offset, data)) = pending.get(first) {
                let sectors = data.len().div_ceil(SECTOR) as u64;
                let some = usize::try_from(dice.below(sectors + 1)).unwrap_or(0) * SECTOR;
                kept.push(Change::Bytes(
                    *offset,
                    data[..some.min(data.len())].to_vec(),
                ));
            }
            kept
        }
        Loss::Some => {
            let kept = pending.iter().filter(|_| dice.below(2) == 0);
            kept.cloned().collect()
        }
        Loss::Sectors => {
            let mut pieces = Vec::new();
            for change in pending {
                match change {
                    Change::Size(_) => pieces.push(change.clone()),
                    Change::Bytes(offset, data) => {
                        for (index, sector) in data.chunks(SECTOR).enumerate() {
                            let at = offset + (index * SECTOR) as u64;
                            pieces.push(Change::Bytes(at, sector.to_vec()));
                        }
                    }
                }
            }
            pieces.retain(|_| dice.below(2) == 0);
            for index in (1..pieces.len()).rev() {
                let other = dice.below(index as u64 + 1);
                pieces.swap(index, usize::try_from(other).unwrap_or(0));
            }
            pieces
        }
    }
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Change::Size(size) => bytes.resize(usize::try_from(*size).unwrap_or(usize::MAX), 0),
            Change::Bytes(_, data) if data.is_empty() => {}
            Change::Bytes(offset, data) => {
                let from = usize::try_from(*offset).unwrap_or(usize::MAX);
                let end = from + data.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[from..end].copy_from_slice(data);
            }
        }
    }
}

/// Writes an image into an empty folder.
///
/// # Panics
/// When the system refuses.
pub fn lay_out(image: &Image, folder: &Path) {
    for (name, bytes) in image {
        if let Err(error) = std::fs::write(folder.join(name), bytes) {
            panic!("{name} cannot be written: {error}");
        }
    }
}
