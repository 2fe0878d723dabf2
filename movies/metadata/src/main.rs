//! Runs the metadata service alone.

fn main() -> std::process::ExitCode {
    backlot::main(movies_metadata::service())
}
