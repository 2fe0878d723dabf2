//! What can be set.

use backlot::config::{Problems, Validate};
use serde::{Deserialize, Serialize};

/// Configuration of the poster worker.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How many files this process works on at once, 1 to 64. Each takes up to 16 bytes of memory per
    /// pixel.
    pub workers: usize,
    /// The most bytes of a file; the catalogue takes none above 10 MiB.
    pub bytes: u32,
    /// The most pixels of a picture, 1 to 200 million: however small a file is, it may ask for more
    /// than there is memory.
    pub pixels: u32,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            workers: 2,
            bytes: 10 * 1024 * 1024,
            pixels: 40_000_000,
        }
    }
}

impl Validate for Config {
    fn validate(&self, at: &str, problems: &mut Problems) {
        let said = |value: &dyn std::fmt::Display| format!("{value} is out of range");
        if !(1..=64).contains(&self.workers) {
            problems.push(at, "workers", said(&self.workers), "set 1 to 64");
        }
        if self.bytes == 0 {
            problems.push(at, "bytes", said(&self.bytes), "the default is 10485760");
        }
        if !(1..=200_000_000).contains(&self.pixels) {
            problems.push(at, "pixels", said(&self.pixels), "set 1 to 200000000");
        }
    }
}
