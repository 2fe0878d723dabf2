//! Runs the rating service alone.

fn main() -> std::process::ExitCode {
    backlot::main(movies_rating::service())
}
