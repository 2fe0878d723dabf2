//! The `main` of a program that runs one service.

use backlot_app::Service;
use backlot_app::cli::{Options, Product};
use std::process::ExitCode;
use std::sync::OnceLock;

static SERVICE: OnceLock<Service> = OnceLock::new();

#[derive(Debug, clap::Parser)]
#[command(about = "Runs one service until it is told to stop")]
struct Command {
    #[command(flatten)]
    options: Options,
}

/// Runs a service as this process: reads flags, environment (`BACKLOT_...`) and configuration,
/// serves until a signal comes, drains, and gives the exit code.
#[must_use]
pub fn main(service: Service) -> ExitCode {
    let Command { options } = clap::Parser::parse();
    let name = SERVICE.get_or_init(|| service).name();
    let product = Product {
        name,
        variables: "BACKLOT",
        data: "data",
        services: || SERVICE.get().cloned().into_iter().collect(),
    };
    backlot_app::process::run(&product, name, &options)
}
