//! Runs the poster worker alone.

fn main() -> std::process::ExitCode {
    backlot::main(movies_poster::service())
}
