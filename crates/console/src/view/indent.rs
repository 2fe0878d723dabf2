//! JSON with a line for each part, letter by letter: nothing of it is read as a number or sorted,
//! so that what is sent again is what was there.

/// The text on many lines; as it is when it already has some, or is no JSON.
pub(crate) fn indented(text: &str) -> String {
    let is_json = serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
    if !is_json || text.trim().contains('\n') {
        return text.to_owned();
    }
    let (mut lines, mut depth) = (String::with_capacity(text.len() * 2), 0_usize);
    let (mut in_string, mut escaped) = (false, false);
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        if in_string {
            lines.push(character);
            in_string = escaped || character != '"';
            escaped = !escaped && character == '\\';
            continue;
        }
        match character {
            '"' => {
                in_string = true;
                lines.push(character);
            }
            '{' | '[' => {
                while rest.next_if(|next| next.is_whitespace()).is_some() {}
                lines.push(character);
                if let Some(close) = rest.next_if(|next| matches!(next, '}' | ']')) {
                    lines.push(close);
                } else {
                    depth += 1;
                    line(&mut lines, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut lines, depth);
                lines.push(character);
            }
            ',' => {
                lines.push(character);
                line(&mut lines, depth);
            }
            ':' => lines.push_str(": "),
            space if space.is_whitespace() => {}
            other => lines.push(other),
        }
    }
    lines
}

fn line(lines: &mut String, depth: usize) {
    lines.push('\n');
    lines.extend(std::iter::repeat_n("  ", depth));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_spaces_is_added() {
        let text =
            r#"{"b": [1.50, 12345678901234567890123, {}, [ ]], "a":"x, {\"y\": \\ }", "c":null}"#;
        let shown = indented(text);
        assert!(
            shown.starts_with("{\n  \"b\": [\n    1.50,\n    12345678901234567890123,\n    {},"),
            "{shown}"
        );
        assert!(shown.contains(r#""a": "x, {\"y\": \\ }","#), "{shown}");
        let plain = |text: &str| text.replace([' ', '\n'], "");
        assert_eq!(plain(&shown), plain(text));
        for as_it_is in ["no json", "{\n}", "7", "\"{,}\""] {
            assert_eq!(indented(as_it_is), as_it_is);
        }
    }
}
