//! Where problems go: a file of JSON lines for all, the first few for the person.

use crate::ImportError;
use crate::problem::Problem;
use std::fs;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// How many are kept to be shown at the end.
const SHOWN: usize = 5;

/// Takes problems.
#[derive(Debug, Default)]
pub(crate) struct Report {
    file: Option<(PathBuf, BufWriter<fs::File>)>,
    written: u64,
    first: Vec<Problem>,
}

impl Report {
    /// Writes into this file, if any, behind the `kept` bytes of an earlier run.
    pub(crate) fn to(path: Option<&Path>, kept: u64) -> Result<Self, ImportError> {
        let Some(path) = path else {
            return Ok(Report::default());
        };
        let open = || -> io::Result<(fs::File, u64)> {
            let mut file = fs::File::options()
                .create(true)
                .truncate(false)
                .write(true)
                .open(path)?;
            // Another file than before, or none: it begins anew.
            let kept = if file.metadata()?.len() < kept {
                0
            } else {
                kept
            };
            file.set_len(kept)?;
            file.seek(SeekFrom::Start(kept))?;
            Ok((file, kept))
        };
        let (file, written) = open().map_err(ImportError::file(path, "written"))?;
        Ok(Report {
            file: Some((path.to_owned(), BufWriter::new(file))),
            written,
            first: Vec::new(),
        })
    }

    /// Takes the problems of a batch.
    pub(crate) fn take(&mut self, problems: Vec<Problem>) -> Result<(), ImportError> {
        if problems.is_empty() {
            return Ok(());
        }
        if let Some((path, file)) = &mut self.file {
            let mut write = || -> io::Result<u64> {
                let mut count = 0;
                for problem in &problems {
                    let mut line = serde_json::to_vec(problem)?;
                    line.push(b'\n');
                    file.write_all(&line)?;
                    count += line.len() as u64;
                }
                // It is as long as the position says.
                file.flush()?;
                Ok(count)
            };
            self.written += write().map_err(ImportError::file(&*path, "written"))?;
        }
        let skipped = problems.into_iter().filter(|problem| problem.skipped);
        let room = SHOWN.saturating_sub(self.first.len());
        self.first.extend(skipped.take(room));
        Ok(())
    }

    /// Bytes written so far, those of an earlier run among them.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// The first bad lines.
    pub(crate) fn into_first(self) -> Vec<Problem> {
        self.first
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Wrong;

    fn problem(line: u64) -> Problem {
        Wrong::field("rating", "6", "must be less").at("ratings.csv", line, true)
    }

    #[test]
    fn a_report_goes_on_behind_what_belongs_to_the_position() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report");
        let mut report = Report::to(Some(&path), 0).unwrap();
        report.take(vec![problem(1)]).unwrap();
        let kept = report.written();
        report.take(vec![problem(2)]).unwrap();
        drop(report);
        let mut report = Report::to(Some(&path), kept).unwrap();
        report.take((2..9).map(problem).collect()).unwrap();
        assert_eq!(report.into_first().len(), SHOWN);
        let lines: Vec<Problem> = fs::read_to_string(&path)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines, (1..9).map(problem).collect::<Vec<_>>());
    }
}
