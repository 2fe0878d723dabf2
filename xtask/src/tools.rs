//! Programs that a bare machine lacks: found on `PATH` or in the cache folder, and installed there
//! when the run may install.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::machine;

/// Versions are fixed so that a run means the same tomorrow.
const NEXTEST: Crate = Crate {
    name: "cargo-nextest",
    version: "0.9.143",
};
const DENY: Crate = Crate {
    name: "cargo-deny",
    version: "0.20.2",
};
const PLAYWRIGHT: &str = "playwright-core@1.65.1";

const CHROMIUM: &[&str] = &[
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];

/// Servers by their packages, with where their programs are.
const ENGINES: &[(&str, &[&str])] = &[
    (
        "mariadb-server",
        &["/usr/sbin/mariadbd", "/usr/local/bin/mariadbd"],
    ),
    (
        "postgresql",
        &["/usr/lib/postgresql/*/bin/initdb", "/usr/local/bin/initdb"],
    ),
];

struct Crate {
    name: &'static str,
    version: &'static str,
}

/// A program that is there, or the reason why not, with the cure.
pub(crate) type Found<T> = std::result::Result<T, String>;

/// Where to look for programs, and whether to install them.
#[derive(Debug)]
pub(crate) struct Tools {
    cache: Option<PathBuf>,
    install: bool,
}

/// What it takes to look at a page.
#[derive(Debug)]
pub(crate) struct Browser {
    pub(crate) node: PathBuf,
    pub(crate) chromium: PathBuf,
    /// The folder whose `node_modules` has the driver.
    pub(crate) driver: PathBuf,
}

impl Tools {
    pub(crate) fn new(install: bool) -> Tools {
        Tools {
            cache: machine::cache(),
            install,
        }
    }

    /// A command with the cache's programs in front of `PATH`.
    pub(crate) fn command(&self, mut command: Command) -> Command {
        if let Some(cache) = &self.cache {
            command.env("PATH", machine::path_with(&cache.join("tools/bin")));
        }
        command
    }

    pub(crate) fn nextest(&self) -> Result<Found<()>> {
        self.cargo_subcommand(&NEXTEST)
    }

    pub(crate) fn deny(&self) -> Result<Found<()>> {
        self.cargo_subcommand(&DENY)
    }

    fn cargo_subcommand(&self, tool: &Crate) -> Result<Found<()>> {
        let works =
            || machine::answer(self.command(Command::new(tool.name)).arg("--version")).is_some();
        if works() {
            return Ok(Ok(()));
        }
        let Crate { name, version } = tool;
        if !self.install {
            return Ok(Err(format!(
                "{name} is not installed (--engines installs it)"
            )));
        }
        let root = self.cache()?.join("tools");
        // A folder of its own: no artefact of a tool is of use to the workspace.
        let target = root.join("build");
        println!("installing {name} {version} into {}", root.display());
        let mut install = crate::workspace::cargo();
        install
            .args(["install", "--locked", name, "--version", version, "--root"])
            .arg(&root);
        install
            .env("CARGO_TARGET_DIR", &target)
            .env_remove("RUSTFLAGS");
        run(&mut install)?;
        fs::remove_dir_all(&target)
            .with_context(|| format!("cannot remove {}", target.display()))?;
        if !works() {
            bail!("{name} was installed but does not start");
        }
        Ok(Ok(()))
    }

    pub(crate) fn browser(&self) -> Result<Found<Browser>> {
        let node = match self.package("nodejs", &["node"])? {
            Ok(node) => node,
            Err(reason) => return Ok(Err(reason)),
        };
        let chromium = match self.package("chromium", CHROMIUM)? {
            Ok(chromium) => chromium,
            Err(reason) => return Ok(Err(reason)),
        };
        let driver = match self.cache()?.join("browser") {
            driver
                if driver
                    .join("node_modules/playwright-core/package.json")
                    .is_file() =>
            {
                driver
            }
            _ if !self.install => {
                return Ok(Err(format!(
                    "{PLAYWRIGHT} is not installed (--engines installs it)"
                )));
            }
            driver => {
                if let Err(reason) = self.package("npm", &["npm"])? {
                    return Ok(Err(reason));
                }
                println!("installing {PLAYWRIGHT} into {}", driver.display());
                fs::create_dir_all(&driver)
                    .with_context(|| format!("cannot create {}", driver.display()))?;
                run(Command::new("npm")
                    .args([
                        "install",
                        "--no-audit",
                        "--no-fund",
                        "--ignore-scripts",
                        "--prefix",
                    ])
                    .arg(&driver)
                    .arg(PLAYWRIGHT))?;
                driver
            }
        };
        Ok(Ok(Browser {
            node,
            chromium,
            driver,
        }))
    }

    /// The database servers that tests start by themselves.
    pub(crate) fn engines(&self) -> Result<Found<()>> {
        for (package, folders) in ENGINES {
            if let Err(reason) = self.server(package, folders)? {
                return Ok(Err(reason));
            }
        }
        Ok(Ok(()))
    }

    /// A server, whose programs need not be on `PATH`. It is installed, and not started: tests run
    /// their own.
    fn server(&self, package: &str, programs: &[&str]) -> Result<Found<()>> {
        let is_there = || programs.iter().any(|pattern| is_found(pattern));
        if is_there() {
            return Ok(Ok(()));
        }
        let may = self.install && machine::is_root() && machine::program(&["apt-get"]).is_some();
        if !may {
            return Ok(Err(format!(
                "{package} is not installed (apt-get install {package}): tests on it do nothing"
            )));
        }
        println!("installing {package}");
        let quiet = Quiet::ask()?;
        install(package)?;
        drop(quiet);
        if !is_there() {
            bail!(
                "{package} was installed but brought none of {}",
                programs.join(", ")
            );
        }
        Ok(Ok(()))
    }

    /// A program of the system.
    fn package(&self, package: &str, programs: &[&str]) -> Result<Found<PathBuf>> {
        if let Some(program) = machine::program(programs) {
            return Ok(Ok(program));
        }
        let may = self.install && machine::is_root() && machine::program(&["apt-get"]).is_some();
        if !may {
            return Ok(Err(format!(
                "{package} is not installed (apt-get install {package})"
            )));
        }
        println!("installing {package}");
        install(package)?;
        match machine::program(programs) {
            Some(program) => Ok(Ok(program)),
            None => bail!(
                "{package} was installed but brought none of {}",
                programs.join(", ")
            ),
        }
    }

    fn cache(&self) -> Result<&PathBuf> {
        self.cache
            .as_ref()
            .context("this account has no home for a cache; set XDG_CACHE_HOME")
    }
}

/// Installs a package of the system.
fn install(package: &str) -> Result<()> {
    let apt = || {
        let mut apt = Command::new("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive");
        apt
    };
    run(apt().args(["update", "-q"]))?;
    run(apt().args(["install", "-y", "-q", "--no-install-recommends", package]))
}

/// Whether a program is there; a `*` stands for one folder, such as a version.
fn is_found(pattern: &str) -> bool {
    match pattern.split_once("/*/") {
        None => Path::new(pattern).is_file(),
        Some((folder, rest)) => fs::read_dir(folder)
            .into_iter()
            .flatten()
            .filter_map(std::result::Result::ok)
            .any(|entry| entry.path().join(rest).is_file()),
    }
}

/// Tells Debian to start no service it installs, until it is dropped; unless it was told before.
struct Quiet(Option<&'static Path>);

impl Quiet {
    fn ask() -> Result<Quiet> {
        let policy = Path::new("/usr/sbin/policy-rc.d");
        if policy.exists() {
            return Ok(Quiet(None));
        }
        fs::write(policy, "#!/bin/sh\nexit 101\n")
            .with_context(|| format!("cannot write {}", policy.display()))?;
        let quiet = Quiet(Some(policy));
        run(Command::new("chmod").arg("755").arg(policy))?;
        Ok(quiet)
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        if let Some(policy) = self.0 {
            // Left behind it would only keep services from starting; the next run says so.
            drop(fs::remove_file(policy));
        }
    }
}

/// Runs a command whose output people see; a failure is an error that shows the command.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("{} does not start", shown(command)))?;
    if !status.success() {
        bail!("{} ended with {status}", shown(command));
    }
    Ok(())
}

/// A command as one would type it.
pub(crate) fn shown(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    let program = program.rsplit('/').next().unwrap_or_default().to_owned();
    let words = command.get_args().map(|argument| {
        let argument = argument.to_string_lossy();
        if argument.contains(' ') {
            format!("'{argument}'")
        } else {
            argument.into_owned()
        }
    });
    std::iter::once(program)
        .chain(words)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_one_would_type_it() {
        let mut command = Command::new("/opt/rust/bin/cargo");
        command.args(["nextest", "run", "-E", "not package(a)"]);
        assert_eq!(shown(&command), "cargo nextest run -E 'not package(a)'");
    }

    #[test]
    fn a_missing_program_names_its_cure_where_nothing_may_be_installed() {
        let tools = Tools {
            cache: None,
            install: false,
        };
        let missing = Crate {
            name: "cargo-no-such-tool",
            version: "1.0.0",
        };
        let found = tools
            .cargo_subcommand(&missing)
            .expect("looking cannot fail");
        assert_eq!(
            found,
            Err("cargo-no-such-tool is not installed (--engines installs it)".to_owned())
        );
    }

    #[test]
    fn a_program_is_found_below_any_version() {
        assert!(is_found("/bin/sh") && is_found("/usr/*/sh"));
        assert!(!is_found("/usr/*/no-such-program") && !is_found("/no/*/sh"));
    }

    #[test]
    fn a_command_that_fails_is_an_error_that_shows_it() {
        let error =
            run(&mut Command::new("no-such-program")).expect_err("there is no such program");
        assert_eq!(error.to_string(), "no-such-program does not start");
    }
}
