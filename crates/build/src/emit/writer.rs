//! Lines of code, indented.

pub(super) struct Writer {
    text: String,
    depth: usize,
}

impl Writer {
    pub(super) fn new() -> Self {
        Writer {
            text: String::new(),
            depth: 0,
        }
    }

    pub(super) fn line(&mut self, line: impl AsRef<str>) {
        let line = line.as_ref();
        if !line.is_empty() {
            self.text.extend(std::iter::repeat_n("    ", self.depth));
        }
        self.text.push_str(line);
        self.text.push('\n');
    }

    pub(super) fn blank(&mut self) {
        self.text.push('\n');
    }

    /// Lines that bring their own indentation.
    pub(super) fn block(&mut self, text: &str) {
        for line in text.lines() {
            self.line(line);
        }
    }

    /// A line that opens a block.
    pub(super) fn open(&mut self, line: impl AsRef<str>) {
        self.line(line);
        self.depth += 1;
    }

    /// A line that closes a block and opens the next.
    pub(super) fn turn(&mut self, line: &str) {
        self.close(line);
        self.depth += 1;
    }

    /// Ends a level that no line closes.
    pub(super) fn outdent(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// A line that closes a block.
    pub(super) fn close(&mut self, line: &str) {
        self.depth = self.depth.saturating_sub(1);
        self.line(line);
    }

    pub(super) fn docs(&mut self, lines: &[String]) {
        for line in lines {
            let line = crate::comment::doc(line);
            self.line(format!("/// {line}").trim_end());
        }
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }
}
