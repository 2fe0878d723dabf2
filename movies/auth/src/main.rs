//! Runs the auth service alone.

fn main() -> std::process::ExitCode {
    backlot::main(movies_auth::service())
}
