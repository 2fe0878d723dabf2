//! The flags every command shares, and how they become a configuration.

use crate::config::{PlatformConfig, platform};
use crate::service::{Prepared, Service};
use backlot_core::Env;
use backlot_service::config::{Layers, Problems, print};
use std::path::PathBuf;

/// What a set of services is called and where its configuration comes from.
#[derive(Clone, Copy, Debug)]
pub struct Product {
    /// Its name, for example `movies`.
    pub name: &'static str,
    /// Prefix of its environment variables, for example `MOVIES`.
    pub variables: &'static str,
    /// The data folder when none is configured.
    pub data: &'static str,
    /// Its services, in the order they start.
    pub services: fn() -> Vec<Service>,
}

/// Flags every command shares.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Options {
    /// Read configuration from this TOML file
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// Set one key, above file and environment; may be repeated
    #[arg(long, value_name = "KEY=VALUE", global = true)]
    pub set: Vec<String>,
    /// Keep databases and keys in this folder
    #[arg(long, value_name = "FOLDER", global = true)]
    pub data: Option<PathBuf>,
    /// Check the configuration and exit
    #[arg(long, global = true)]
    pub check_config: bool,
    /// Print the configuration in force and exit
    #[arg(long, global = true)]
    pub print_config: bool,
    /// Stop when standard input ends, as it does when the parent process dies
    #[arg(long, global = true, hide = true)]
    pub exit_with_parent: bool,
}

/// A checked configuration.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// Keys at the top.
    pub platform: PlatformConfig,
    /// The services, each with its own.
    pub services: Vec<Prepared>,
}

impl Configuration {
    /// Merges file, environment and flags, and checks everything.
    ///
    /// # Errors
    /// All problems at once, each by its key, with the cure.
    pub fn load(product: &Product, options: &Options, env: &Env) -> Result<Self, Problems> {
        let mut layers = Layers::new();
        layers = layers.flag(&format!("data={}", product.data));
        if let Some(file) = &options.config {
            layers = layers.file(file)?;
        }
        layers = layers.variables(product.variables, &env.variables);
        for assignment in &options.set {
            layers = layers.flag(assignment);
        }
        if let Some(data) = &options.data {
            layers = layers.flag(&format!("data={}", data.display()));
        }
        let mut tree = layers.tree();
        let mut problems = Problems::default();
        let platform = platform(&mut tree, &mut problems);
        let services = (product.services)()
            .iter()
            .map(|service| service.prepare(&mut tree, &mut problems))
            .collect();
        tree.finish(&mut problems);
        problems.into_result()?;
        Ok(Configuration { platform, services })
    }

    /// The service of this name.
    #[must_use]
    pub fn service(&self, name: &str) -> Option<&Prepared> {
        self.services.iter().find(|service| service.name() == name)
    }

    /// The configuration in force as TOML, secrets masked.
    #[must_use]
    pub fn print(&self) -> String {
        let mut page = print("", &self.platform);
        for service in &self.services {
            page.push('\n');
            page.push_str(service.printed());
        }
        page
    }
}
