//! Trace identity, in the W3C `traceparent` form.

use crate::Dice;

/// Which trace a call belongs to, and which span of it made the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace; zero when there is none yet.
    pub trace_id: u128,
    /// The span that makes the call.
    pub span_id: u64,
    /// Whether somebody upstream records this trace.
    pub sampled: bool,
}

impl TraceContext {
    /// No trace.
    pub const NONE: TraceContext = TraceContext {
        trace_id: 0,
        span_id: 0,
        sampled: false,
    };

    /// Whether this is no trace at all.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.trace_id == 0
    }

    /// The next span of this trace, or the first of a new one.
    #[must_use]
    pub fn child(&self, dice: &Dice) -> TraceContext {
        let trace_id = if self.is_none() {
            (u128::from(dice.next_u64()) << 64 | u128::from(dice.next_u64())).max(1)
        } else {
            self.trace_id
        };
        TraceContext {
            trace_id,
            span_id: dice.next_u64().max(1),
            sampled: self.sampled,
        }
    }

    /// Reads `traceparent`; anything malformed is no trace, as the specification asks.
    #[must_use]
    pub fn parse(text: &str) -> TraceContext {
        let bytes = text.as_bytes();
        if bytes.len() != 55 || !bytes.starts_with(b"00-") || bytes[35] != b'-' || bytes[52] != b'-'
        {
            return TraceContext::NONE;
        }
        match (hex(&bytes[3..35]), hex(&bytes[36..52]), hex(&bytes[53..])) {
            (Some(trace_id), Some(span_id), Some(flags)) if trace_id != 0 && span_id != 0 => {
                // Sixteen digits are 64 bits.
                TraceContext {
                    trace_id,
                    span_id: span_id as u64,
                    sampled: flags & 1 == 1,
                }
            }
            _ => TraceContext::NONE,
        }
    }

    /// Writes `traceparent`.
    #[must_use]
    pub fn header(&self) -> [u8; 55] {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        for nibble in 0..32 {
            text[34 - nibble] = HEX[(self.trace_id >> (4 * nibble)) as usize & 15];
        }
        for nibble in 0..16 {
            text[51 - nibble] = HEX[(self.span_id >> (4 * nibble)) as usize & 15];
        }
        text[54] = HEX[usize::from(self.sampled)];
        text
    }
}

/// A number of at most 32 digits in lower case.
fn hex(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0, |number: u128, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_comes_back_as_written() {
        let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let trace = TraceContext::parse(text);
        assert!(trace.sampled);
        assert_eq!(trace.header(), text.as_bytes());
    }

    #[test]
    fn a_malformed_header_is_no_trace() {
        for text in [
            "",
            "00",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert!(TraceContext::parse(text).is_none(), "{text}");
        }
    }
}
