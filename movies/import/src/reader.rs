//! Reads the files of an import, pass after pass, into batches.

use crate::ImportError;
use crate::batch::{Batch, Mark};
use crate::layout::{Form, Layout, Pass};
use crate::problem::{Problem, Wrong, shown};
use crate::rows::{Elements, End, Lines, Row, Rows};
use std::io;

/// Rows that make nothing are read in slices of this many, so that there is progress to tell.
const SLICE: u64 = 50_000;

pub(crate) struct Reader {
    passes: Vec<Pass>,
    layout: Box<dyn Layout>,
    pass: usize,
    rows: Option<Box<dyn Rows>>,
    /// Where sending goes on.
    from: Mark,
    strict: bool,
    /// What strict reading ends with, and where: before the bad line.
    stop: Option<(Problem, Mark)>,
    /// Bytes of the passes before.
    before: u64,
}

/// What became of a row.
enum Taken {
    Row,
    /// The file is damaged here: nothing more comes out of it.
    Damaged(Wrong),
    End,
}

impl Reader {
    pub(crate) fn new(
        passes: Vec<Pass>,
        layout: Box<dyn Layout>,
        from: Mark,
        strict: bool,
    ) -> Self {
        Reader {
            passes,
            layout,
            pass: 0,
            rows: None,
            from,
            strict,
            stop: None,
            before: 0,
        }
    }

    /// Bytes of all passes, as they lie on the disk.
    pub(crate) fn size(&self) -> u64 {
        self.passes.iter().map(|pass| pass.file.size).sum()
    }

    /// The next batch, perhaps with nothing to send; none at the end of all files.
    pub(crate) fn next(&mut self) -> Result<Option<Batch>, ImportError> {
        if let Some((problem, _)) = self.stop.take() {
            return Err(ImportError::Strict(problem));
        }
        let Some(pass) = self.passes.get(self.pass).cloned() else {
            return Ok(None);
        };
        let done = self.pass < self.from.pass;
        if done && !pass.learns {
            // Sent before the restart.
            self.before += pass.file.size;
            self.pass += 1;
            return self.next();
        }
        let mut batch = Batch {
            file: pass.file.name.clone(),
            resumable: !pass.learns,
            ..Batch::default()
        };
        let failed = |source| ImportError::file(&pass.file.path, "read")(source);
        if self.rows.is_none() {
            self.open(&pass)?;
        }
        batch.start = self.mark();
        let mut ended = false;
        for _ in 0..SLICE {
            match self.take(&pass, &mut batch).map_err(failed)? {
                Taken::Row => {}
                Taken::Damaged(wrong) => {
                    let at = self.mark();
                    batch.tally.damaged += u64::from(!self.is_told_later());
                    let problem = wrong.at(&pass.file.name, at.lines + 1, true);
                    self.tell(problem, at, &mut batch);
                    ended = self.stop.is_none();
                }
                Taken::End => ended = true,
            }
            if ended || batch.is_full() || self.stop.is_some() {
                break;
            }
        }
        batch.end = self.stop.as_ref().map_or(self.mark(), |(_, at)| *at);
        batch.read = self.before + self.rows.as_ref().map_or(0, |rows| rows.read());
        if ended {
            self.layout.end(self.pass);
            self.rows = None;
            self.before += pass.file.size;
            self.pass += 1;
            batch.resumable = true;
            batch.end = self.mark();
        }
        if done {
            // Told and counted before the restart; and the position is further on.
            batch.problems.clear();
            batch.tally = Default::default();
            batch.resumable = false;
        }
        Ok(Some(batch))
    }

    fn open(&mut self, pass: &Pass) -> Result<(), ImportError> {
        let mut from = Mark::default();
        if self.pass == self.from.pass && !pass.learns {
            from = self.from;
        }
        let failed = |source| ImportError::file(&pass.file.path, "read")(source);
        let opened = |offset: u64| pass.file.open(offset).map_err(failed);
        let mut rows: Box<dyn Rows> = match pass.form {
            Form::Array => Box::new(Elements::new(opened(from.offset)?, from.offset, from.lines)),
            Form::Table => Box::new(Lines::new(opened(0)?, 0, 0)),
        };
        if pass.form == Form::Table {
            // The layout was recognised by the first line.
            rows.next().map_err(failed)?;
            if from.offset > 0 {
                let text = opened(from.offset)?;
                rows = Box::new(Lines::new(text, from.offset, from.lines));
            }
        }
        self.rows = Some(rows);
        Ok(())
    }

    /// Reads one row and hands it to the layout.
    fn take(&mut self, pass: &Pass, batch: &mut Batch) -> io::Result<Taken> {
        // Before the row, for those who stop there.
        let before = self.strict.then(|| self.mark());
        let Some(rows) = &mut self.rows else {
            return Ok(Taken::End);
        };
        let row = match rows.next() {
            Ok(Some(row)) => row,
            Ok(None) => return Ok(Taken::End),
            Err(error) => return damaged(error),
        };
        let line = row.line;
        let before = before.unwrap_or_default();
        let at_end = row.end == End::OfFile;
        let outcome = match text(&row, &*self.layout) {
            Ok(text) if text.trim().is_empty() => return Ok(Taken::Row),
            Ok(text) => self.layout.row(self.pass, text, batch),
            Err(wrong) => Err(wrong),
        };
        match outcome {
            Ok(cuts) => {
                batch.tally.cut += u64::from(!cuts.is_empty());
                let name = &pass.file.name;
                batch
                    .problems
                    .extend(cuts.into_iter().map(|cut| cut.at(name, line, false)));
            }
            Err(mut wrong) => {
                if at_end {
                    wrong.reason.push_str(
                        "; it is the last line and has no line end: the file may be cut off",
                    );
                }
                self.tell(wrong.at(&pass.file.name, line, true), before, batch);
            }
        }
        Ok(Taken::Row)
    }

    fn tell(&mut self, problem: Problem, at: Mark, batch: &mut Batch) {
        if self.is_told_later() {
            return;
        }
        if self.strict {
            self.stop = Some((problem, at));
        } else {
            batch.tally.bad += 1;
            batch.problems.push(problem);
        }
    }

    /// Whether a later pass reads the same file, and tells what is wrong with it.
    fn is_told_later(&self) -> bool {
        let mut rest = self.passes.iter().skip(self.pass);
        rest.next()
            .is_some_and(|this| rest.any(|later| later.file.path == this.file.path))
    }

    fn mark(&self) -> Mark {
        let (offset, lines) = self.rows.as_ref().map_or((0, 0), |rows| rows.at());
        Mark {
            pass: self.pass,
            offset,
            lines,
        }
    }
}

/// The text of a row, or why it is none.
fn text<'r>(row: &Row<'r>, layout: &dyn Layout) -> Result<&'r str, Wrong> {
    match row.end {
        End::NoRow(why) => return Err(Wrong::line(why)),
        End::TooLong => {
            let limit = crate::rows::LONGEST / 1024;
            return Err(Wrong::line(format!("is longer than {limit} KiB")));
        }
        End::Whole | End::OfFile => {}
    }
    std::str::from_utf8(row.bytes).map_err(|error| {
        let from = error.valid_up_to();
        let bytes = &row.bytes[from..row.bytes.len().min(from + 16)];
        let found = shown(&String::from_utf8_lossy(bytes));
        Wrong {
            value: found,
            field: "text",
            reason: layout.not_utf8().to_owned(),
        }
    })
}

/// Damage of a compressed file is a problem of the file; anything else one of the machine.
fn damaged(error: io::Error) -> io::Result<Taken> {
    let reason = match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            "the compressed file ends here, before its end: fetch it again".to_owned()
        }
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
            format!("the compressed file is damaged here ({error}): fetch it again")
        }
        _ => return Err(error),
    };
    Ok(Taken::Damaged(Wrong::line(reason)))
}
