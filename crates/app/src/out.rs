//! What a program prints. Whoever reads it may leave early (`movies call ... | head`); that is no
//! failure, so nothing panics and no exit code tells of it.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

/// Prints a line of what was asked for, to standard output.
///
/// # Errors
/// What kept it from being written: [`ErrorKind::BrokenPipe`] when nobody reads any more.
pub fn line(line: impl Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// Prints a line about the work, to standard error. When nobody reads it, the work goes on.
pub fn note(line: impl Display) {
    drop(writeln!(io::stderr(), "{line}"));
}

/// Prints over the line that stands in the terminal, to standard error.
pub fn over(line: impl Display) {
    drop(write!(io::stderr(), "\r\x1b[2K{line}"));
}

/// Prints all that was asked for; with what the program ends.
#[must_use]
pub fn answer(text: impl Display) -> ExitCode {
    ended(line(text))
}

/// With what a program ends that has printed, or tried to: a reader who left has read enough.
#[must_use]
pub fn ended(printed: io::Result<()>) -> ExitCode {
    match printed {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            note(format_args!("cannot print: {error}"));
            ExitCode::FAILURE
        }
        Ok(()) | Err(_) => ExitCode::SUCCESS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(code: ExitCode) -> String {
        format!("{code:?}")
    }

    #[test]
    fn a_reader_who_leaves_is_no_failure_but_a_full_disk_is_one() {
        let left = ended(Err(ErrorKind::BrokenPipe.into()));
        let full = ended(Err(ErrorKind::StorageFull.into()));
        assert_eq!(code(left), code(ExitCode::SUCCESS));
        assert_eq!(code(full), code(ExitCode::FAILURE));
    }
}
