//! `cargo xtask tour`: the index of the tour, made of its pages. `cargo xtask check` holds it
//! against them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

/// Where the pages are, from the root.
pub(crate) const FOLDER: &str = "docs/tour";
/// The index among them.
pub(crate) const INDEX: &str = "docs/tour/README.md";
/// What every page tells.
const ROWS: [&str; 4] = ["Lives in", "See it", "Held by", "Not yet"];
/// What stands where there is nothing to tell.
const NOTHING: &str = "–";

/// A chapter of the books.
#[derive(Debug, PartialEq, Eq)]
struct Page<'a> {
    title: &'a str,
    rows: BTreeMap<&'a str, &'a str>,
}

impl<'a> Page<'a> {
    fn read(text: &'a str) -> Result<Page<'a>, String> {
        let title = text.lines().next().and_then(|line| line.strip_prefix("# "));
        let title = title.ok_or("it does not begin with a title")?;
        let cells = text.lines().filter_map(|line| {
            let (name, said) = line
                .strip_prefix("| ")?
                .strip_suffix(" |")?
                .split_once(" | ")?;
            ROWS.contains(&name).then_some((name, said))
        });
        let rows: BTreeMap<_, _> = cells.collect();
        for name in ROWS {
            let said = rows.get(name).ok_or(format!("it has no row {name:?}"))?;
            let needs_link = matches!(name, "Lives in" | "Held by");
            if needs_link && !said.contains("](") {
                return Err(format!("its row {name:?} leads nowhere"));
            }
        }
        Ok(Page { title, rows })
    }
}

/// The index of these pages, by the names of their files.
pub(crate) fn index<'a>(
    pages: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<String, (String, String)> {
    let mut pages: Vec<_> = pages.into_iter().collect();
    pages.sort_unstable();
    let (mut chapters, mut missing) = (String::new(), String::new());
    for (name, text) in pages {
        let page = Page::read(text).map_err(|problem| (name.to_owned(), problem))?;
        let row = |name| page.rows.get(name).copied().unwrap_or(NOTHING);
        chapters.push_str(&format!(
            "| [{}]({name}) | {} | {} |\n",
            page.title,
            row("See it"),
            row("Held by"),
        ));
        if row("Not yet") != NOTHING {
            missing.push_str(&format!(
                "| [{}]({name}) | {} |\n",
                page.title,
                row("Not yet")
            ));
        }
    }
    Ok(format!(
        "# The tour\n\nA page for each part that the books on microservices name: what it is, where it lives, the command that shows it,\nthe test that holds it. `cargo xtask tour` makes this index of the pages.\n\n| | See it | Held by |\n|---|---|---|\n{chapters}\n## Not built yet\n\n| | |\n|---|---|\n{missing}"
    ))
}

/// Writes the index anew.
pub(crate) fn run(root: &Path) -> Result<()> {
    let mut pages = BTreeMap::new();
    let folder = root.join(FOLDER);
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {FOLDER}"))? {
        let path = entry?.path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if name != "README.md" && name.ends_with(".md") {
            pages.insert(name.to_owned(), fs::read_to_string(&path)?);
        }
    }
    ensure!(!pages.is_empty(), "{FOLDER} has no pages");
    let texts = pages.iter().map(|(name, text)| (&**name, &**text));
    let index =
        index(texts).map_err(|(name, problem)| anyhow::anyhow!("{FOLDER}/{name}: {problem}"))?;
    fs::write(root.join(INDEX), index).with_context(|| format!("cannot write {INDEX}"))?;
    println!("{INDEX}: {} chapters", pages.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# 1. A part\n\nWhat.\n\n| | |\n|---|---|\n| Lives in | [x](y) |\n| See it | `z` |\n| Held by | [t](u) |\n| Not yet | – |\n";

    #[test]
    fn a_page_tells_all_four_and_leads_somewhere() {
        let index = index([
            ("2.md", &*PAGE.replace('–', "more").replace("1.", "2.")),
            ("1.md", PAGE),
        ]);
        let index = index.expect("both are pages");
        let first = index
            .find("| [1. A part](1.md) | `z` | [t](u) |")
            .expect("a row");
        assert!(first < index.find("[2. A part](2.md)").expect("a row"));
        assert!(index.contains("| [2. A part](2.md) | more |") && !index.contains("(1.md) | – |"));
        for (wrong, said) in [
            (PAGE.replace("# ", ""), "title"),
            (PAGE.replace("| See it", "| Seen"), "See it"),
            (PAGE.replace("[t](u)", "a test"), "leads nowhere"),
        ] {
            let (name, problem) = super::index([("1.md", &*wrong)]).expect_err("it is wrong");
            assert!(name == "1.md" && problem.contains(said), "{problem}");
        }
    }
}
