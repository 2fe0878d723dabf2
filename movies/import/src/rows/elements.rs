//! The elements of one JSON array, of any size: found by counting brackets, so that a malformed
//! one costs no more than itself.

use super::{End, LONGEST, Row, Rows};
use crate::file::Text;
use std::io::{self, BufRead};

pub(crate) struct Elements {
    text: Text,
    offset: u64,
    lines: u64,
    buffer: Vec<u8>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the array's bracket.
    Before,
    /// Before an element, the first or after a comma.
    Element,
    /// After an element.
    Comma,
    /// After the array.
    After,
}

impl Elements {
    /// Reads on from where so many bytes and lines were read: between two elements, or at the
    /// beginning.
    pub(crate) fn new(text: Text, offset: u64, lines: u64) -> Self {
        Elements {
            text,
            offset,
            lines,
            buffer: Vec::new(),
            state: if offset == 0 {
                State::Before
            } else {
                State::Comma
            },
        }
    }

    fn peek(&mut self) -> io::Result<Option<u8>> {
        Ok(self.text.input.fill_buf()?.first().copied())
    }

    fn take(&mut self, byte: u8) {
        self.text.input.consume(1);
        self.offset += 1;
        if byte == b'\n' {
            self.lines += 1;
        }
    }

    /// The next byte that is no blank, still to be taken.
    fn solid(&mut self) -> io::Result<Option<u8>> {
        while let Some(byte) = self.peek()? {
            let is_mark = self.offset < 3 && matches!(byte, 0xef | 0xbb | 0xbf);
            if !byte.is_ascii_whitespace() && !is_mark {
                return Ok(Some(byte));
            }
            self.take(byte);
        }
        Ok(None)
    }

    fn keep(&mut self, byte: u8) {
        self.take(byte);
        if self.buffer.len() <= LONGEST {
            self.buffer.push(byte);
        }
    }

    /// Reads an element into the buffer, to its closing bracket or up to the next comma.
    fn element(&mut self) -> io::Result<End> {
        self.buffer.clear();
        let (mut depth, mut in_text, mut escaped) = (0u64, false, false);
        while let Some(byte) = self.peek()? {
            if depth == 0 && !in_text && matches!(byte, b',' | b']' | b'}') {
                break;
            }
            self.keep(byte);
            match byte {
                _ if escaped => escaped = false,
                b'\\' if in_text => escaped = true,
                b'"' => in_text = !in_text,
                // No text of JSON goes over a line: a quote is missing.
                b'\n' if in_text => return self.past(depth),
                b'{' | b'[' if !in_text => depth += 1,
                b'}' | b']' if !in_text => {
                    depth -= 1;
                    if depth == 0 {
                        return Ok(self.whole());
                    }
                }
                _ => {}
            }
        }
        if depth > 0 || in_text {
            return Ok(End::NoRow("the file ends in the middle of this event"));
        }
        Ok(self.whole())
    }

    fn whole(&self) -> End {
        if self.buffer.len() > LONGEST {
            End::TooLong
        } else {
            End::Whole
        }
    }

    /// Reads past an element whose quotes do not match: to a bracket that closes it.
    fn past(&mut self, mut depth: u64) -> io::Result<End> {
        while depth > 0 {
            let Some(byte) = self.peek()? else { break };
            self.keep(byte);
            match byte {
                b'{' => depth += 1,
                b'}' => depth -= 1,
                _ => {}
            }
        }
        Ok(End::NoRow("a text of this event has no closing quote"))
    }

    fn no_row(&mut self, why: &'static str) -> Row<'_> {
        Row {
            bytes: b"",
            line: self.lines + 1,
            end: End::NoRow(why),
        }
    }
}

impl Rows for Elements {
    fn next(&mut self) -> io::Result<Option<Row<'_>>> {
        loop {
            let byte = self.solid()?;
            match (self.state, byte) {
                (State::Before, Some(b'[')) => {
                    self.take(b'[');
                    self.state = State::Element;
                }
                (State::Before, _) => {
                    self.state = State::After;
                    self.text.input = Box::new(io::empty());
                    return Ok(Some(self.no_row(
                        "is no JSON array: expected [ and events between { and }, such as [{\"userId\": \"105\", ...}]",
                    )));
                }
                (State::After, None) => return Ok(None),
                (State::After, Some(_)) => {
                    self.text.input = Box::new(io::empty());
                    return Ok(Some(self.no_row("goes on after the array's ]")));
                }
                (_, None) => {
                    self.state = State::After;
                    return Ok(Some(
                        self.no_row("the file ends before the array's ]: it may be cut off"),
                    ));
                }
                (State::Comma, Some(b',')) => {
                    self.take(b',');
                    self.state = State::Element;
                }
                (State::Comma | State::Element, Some(b']')) => {
                    self.take(b']');
                    self.state = State::After;
                }
                (State::Element, Some(byte @ (b',' | b'}'))) => {
                    self.take(byte);
                    return Ok(Some(self.no_row("an event is missing before this")));
                }
                (State::Comma, Some(b'{')) if self.offset > 0 => {
                    // Two events without a comma: both are clear.
                    self.state = State::Element;
                }
                (State::Comma, Some(byte)) => {
                    self.take(byte);
                    return Ok(Some(self.no_row("a comma is missing before this")));
                }
                (State::Element, Some(_)) => {
                    let line = self.lines + 1;
                    let end = self.element()?;
                    self.state = State::Comma;
                    return Ok(Some(Row {
                        bytes: self.buffer.trim_ascii_end(),
                        line,
                        end,
                    }));
                }
            }
        }
    }

    fn at(&self) -> (u64, u64) {
        (self.offset, self.lines)
    }

    fn read(&self) -> u64 {
        self.text.read()
    }
}

#[cfg(test)]
mod tests;
