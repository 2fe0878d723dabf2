//! Ports that are free and stay so.
//!
//! Asking the system for a free port and closing it again invites somebody else to take it: any
//! connection that is opened gets its own end from the same range. These ports are outside of that
//! range, and each is locked for its owner, across all test processes of the machine.

use std::fs::{File, TryLockError};
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;

/// Below the range that Linux and the BSDs give to outgoing connections.
const FIRST: u16 = 12_000;
const LAST: u16 = 31_999;

/// Ports of one test: others leave them alone until this is dropped.
#[derive(Debug)]
pub struct Ports(Vec<Port>);

#[derive(Debug)]
struct Port {
    number: u16,
    /// Held for its lock.
    _lock: File,
}

impl Ports {
    /// Takes `count` ports of 127.0.0.1 on which nobody listens.
    ///
    /// # Panics
    /// When there are none.
    #[must_use]
    pub fn claim(count: usize) -> Self {
        let span = u32::from(LAST - FIRST) + 1;
        // Processes start at different places, so that they rarely try the same port.
        let start = std::process::id().wrapping_mul(7919) % span;
        let ports: Vec<Port> = (0..span)
            .filter_map(|step| u16::try_from((start + step) % span).ok())
            .filter_map(|offset| take(FIRST + offset))
            .take(count)
            .collect();
        assert_eq!(
            ports.len(),
            count,
            "no {count} ports are free between {FIRST} and {LAST}"
        );
        Ports(ports)
    }

    /// The port at `index`.
    ///
    /// # Panics
    /// When fewer were claimed.
    #[must_use]
    pub fn number(&self, index: usize) -> u16 {
        self.0[index].number
    }

    /// `127.0.0.1:port` of the port at `index`.
    ///
    /// # Panics
    /// When fewer were claimed.
    #[must_use]
    pub fn address(&self, index: usize) -> String {
        format!("127.0.0.1:{}", self.number(index))
    }
}

fn take(number: u16) -> Option<Port> {
    let lock = lock(number)?;
    TcpListener::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
    Some(Port {
        number,
        _lock: lock,
    })
}

fn lock(number: u16) -> Option<File> {
    let folder: PathBuf = std::env::temp_dir().join("backlot-test-ports");
    std::fs::create_dir_all(&folder).ok()?;
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join(number.to_string()))
        .ok()?;
    match file.try_lock() {
        Ok(()) => Some(file),
        Err(TryLockError::WouldBlock | TryLockError::Error(_)) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn two_owners_never_share_a_port() {
        let (first, second) = (Ports::claim(20), Ports::claim(20));
        let all: BTreeSet<u16> = (0..20)
            .flat_map(|index| [first.number(index), second.number(index)])
            .collect();
        assert_eq!(all.len(), 40);
    }
}
