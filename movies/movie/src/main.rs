//! Runs the movie service alone.

fn main() -> std::process::ExitCode {
    backlot::main(movies_movie::service())
}
