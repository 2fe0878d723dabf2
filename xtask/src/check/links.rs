//! Links between the documents lead somewhere: the file exists, and so does the heading.

use std::collections::BTreeMap;

use super::{Finding, Source, ending};

pub(super) fn check(sources: &[Source], exists: impl Fn(&str) -> bool) -> Vec<Finding> {
    let documents: BTreeMap<&str, Vec<String>> = ending(sources, &[".md"])
        .map(|source| (source.path.as_str(), anchors(&source.text)))
        .collect();
    let mut findings = Vec::new();
    for source in ending(sources, &[".md"]) {
        for (line, link) in links(&source.text) {
            if let Some(problem) = dead(&source.path, &link, &documents, &exists) {
                findings.push(Finding::at(source, line, problem));
            }
        }
    }
    findings
}

fn dead(
    from: &str,
    link: &str,
    documents: &BTreeMap<&str, Vec<String>>,
    exists: impl Fn(&str) -> bool,
) -> Option<String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = match link.split_once('#') {
        Some((path, anchor)) => (path, Some(anchor)),
        None => (link, None),
    };
    let Some(target) = resolve(from, path) else {
        return Some(format!("the link `{link}` leads out of the repository"));
    };
    if !path.is_empty() && !exists(&target) {
        return Some(format!(
            "the link `{link}` leads to {target}, which does not exist"
        ));
    }
    // Anchors are known for documents alone; lines of source files are the host's business.
    let headings = documents.get(target.as_str())?;
    let anchor = anchor?;
    let known = headings.iter().any(|heading| heading == anchor);
    (!known).then(|| format!("the link `{link}`: {target} has no heading #{anchor}"))
}

/// The path from the root that a relative link means.
fn resolve(from: &str, link: &str) -> Option<String> {
    if link.is_empty() {
        return Some(from.to_owned());
    }
    let mut parts: Vec<&str> = if link.starts_with('/') {
        Vec::new()
    } else {
        from.split('/').collect()
    };
    // A link starts from the folder of its document.
    parts.pop();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Lines outside fenced code, with code spans blanked, counted from 1.
fn prose(text: &str) -> impl Iterator<Item = (usize, String)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            return None;
        }
        if fenced {
            return None;
        }
        // Every second piece between backticks is code.
        let prose = line
            .split('`')
            .enumerate()
            .map(|(piece, text)| if piece % 2 == 0 { text } else { "" });
        Some((index + 1, prose.collect::<Vec<_>>().join("`")))
    })
}

fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        let mut rest = line.as_str();
        while let Some(start) = rest.find("](") {
            rest = &rest[start + 2..];
            let Some(end) = rest.find(')') else { break };
            // A title may follow the target after a blank.
            let target = rest[..end].split_whitespace().next().unwrap_or_default();
            found.push((number, target.trim_matches(['<', '>']).to_owned()));
            rest = &rest[end..];
        }
        // `[name]: target`
        if line.starts_with('[')
            && let Some((_, target)) = line.split_once("]: ")
            && let Some(target) = target.split_whitespace().next()
        {
            found.push((number, target.to_owned()));
        }
    }
    found
}

/// The anchors a document's headings get.
fn anchors(text: &str) -> Vec<String> {
    let mut fenced = false;
    let mut anchors: Vec<String> = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        let title = line.trim_start_matches('#');
        if fenced || title.len() == line.len() || !title.starts_with(' ') {
            continue;
        }
        let slug: String = title
            .trim()
            .to_lowercase()
            .chars()
            .filter(|char| char.is_alphanumeric() || matches!(char, ' ' | '-' | '_'))
            .map(|char| if char == ' ' { '-' } else { char })
            .collect();
        // A heading that comes again is numbered.
        let again = (1..).map(|number| format!("{slug}-{number}"));
        let free = std::iter::once(slug.clone())
            .chain(again)
            .find(|slug| !anchors.contains(slug));
        anchors.extend(free);
    }
    anchors
}

#[cfg(test)]
mod tests {
    use super::super::source;
    use super::*;

    fn complaints(text: &str) -> Vec<String> {
        let sources = [
            source("docs/a.md", text),
            source("README.md", "# Movies\n## Try it, now!\n## Try it, now!\n"),
        ];
        let files = ["docs/a.md", "README.md", "docs", "docs/b.png"];
        check(&sources, |path| files.contains(&path))
            .into_iter()
            .map(|finding| finding.problem)
            .collect()
    }

    #[test]
    fn links_to_what_is_there_pass() {
        let text = "# A\n[up](../README.md) [](b.png \"title\") [x](#a) [web](https://example.org/x)\n\
                    [h](../README.md#try-it-now) [h2](../README.md#try-it-now-1)\n[ref]: ../README.md\n";
        assert!(complaints(text).is_empty());
    }

    #[test]
    fn a_dead_link_names_where_it_leads() {
        assert_eq!(
            complaints("[gone](../old.md)"),
            ["the link `../old.md` leads to old.md, which does not exist"]
        );
    }

    #[test]
    fn a_missing_heading_is_found() {
        assert_eq!(
            complaints("[h](../README.md#gone)"),
            ["the link `../README.md#gone`: README.md has no heading #gone"]
        );
    }

    #[test]
    fn a_link_cannot_leave_the_repository() {
        assert_eq!(complaints("[out](../../x.md)").len(), 1);
    }

    #[test]
    fn code_holds_no_links() {
        assert!(complaints("`[x](gone.md)`\n```\n[y](gone.md)\n```\n").is_empty());
    }
}
