//! The table at the end of a run.

use std::fmt;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Passed,
    Failed,
    Skipped,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Verdict::Passed => "passed",
            Verdict::Failed => "FAILED",
            Verdict::Skipped => "skipped",
        })
    }
}

/// What became of each step, in order.
#[derive(Debug, Default)]
pub(super) struct Report {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    step: &'static str,
    verdict: Verdict,
    took: Duration,
    cpu: Option<Duration>,
    note: String,
}

impl Report {
    pub(super) fn add(
        &mut self,
        step: &'static str,
        verdict: Verdict,
        took: Duration,
        cpu: Option<Duration>,
        note: String,
    ) {
        self.rows.push(Row {
            step,
            verdict,
            took,
            cpu,
            note,
        });
    }

    pub(super) fn failed(&self) -> bool {
        self.count(Verdict::Failed) > 0
    }

    fn count(&self, verdict: Verdict) -> usize {
        self.rows
            .iter()
            .filter(|row| row.verdict == verdict)
            .count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<12} {:<8} {:>9} {:>9}  note",
            "step", "result", "seconds", "cpu s"
        )?;
        let mut total = Duration::ZERO;
        for row in &self.rows {
            total += row.took;
            let cpu = row
                .cpu
                .map_or_else(|| "-".to_owned(), |cpu| format!("{:.1}", cpu.as_secs_f64()));
            let took = row.took.as_secs_f64();
            // Errors may have several lines; the table has room for the first.
            let note = row.note.lines().next().unwrap_or_default();
            let line = format!(
                "{:<12} {:<8} {took:>9.1} {cpu:>9}  {note}",
                row.step, row.verdict
            );
            writeln!(f, "{}", line.trim_end())?;
        }
        writeln!(f, "{:<12} {:<8} {:>9.1}", "all", "", total.as_secs_f64())?;
        let [passed, failed, skipped] =
            [Verdict::Passed, Verdict::Failed, Verdict::Skipped].map(|of| self.count(of));
        writeln!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_its_figures_and_the_first_line_of_its_note() {
        let mut report = Report::default();
        let cpu = Some(Duration::from_millis(2_500));
        report.add(
            "clippy",
            Verdict::Failed,
            Duration::from_millis(1_260),
            cpu,
            "one\ntwo".to_owned(),
        );
        let text = report.to_string();
        let row = text.lines().nth(1).expect("the row follows the heading");
        assert_eq!(
            row.split_whitespace().collect::<Vec<_>>(),
            ["clippy", "FAILED", "1.3", "2.5", "one"]
        );
        assert!(text.ends_with("0 passed, 1 failed, 0 skipped\n"));
        assert!(report.failed());
    }
}
