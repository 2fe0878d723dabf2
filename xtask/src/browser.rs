//! Scripts that look at the page in headless Chromium.

use std::path::Path;
use std::process::Command;

use crate::tools::Browser;

/// Runs one on the page at `url`; what it sees goes into `folder`.
pub(crate) fn look(browser: &Browser, script: &Path, url: &str, folder: &Path) -> Command {
    let mut node = Command::new(&browser.node);
    node.arg(script).args(["--url", url]);
    node.arg("--chromium").arg(&browser.chromium);
    node.arg("--driver").arg(&browser.driver);
    node.arg("--screenshots").arg(folder);
    node
}
