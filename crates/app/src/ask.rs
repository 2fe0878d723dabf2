//! Questions to whoever sits at the terminal.

use crate::out;
use std::fmt::Display;
use std::io::{self, BufRead, IsTerminal};

/// Whether anybody can be asked.
pub(crate) fn somebody() -> bool {
    io::stdin().is_terminal()
}

/// Says what will be done, and answers whether that is agreed to.
///
/// # Errors
/// When the answer cannot be read.
pub(crate) fn agreed(what: impl Display) -> io::Result<bool> {
    out::note(format_args!("{what} Go on? [y/N]"));
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
