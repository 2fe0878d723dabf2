//! Runs the page alone.

fn main() -> std::process::ExitCode {
    backlot::main(movies_web::service())
}
