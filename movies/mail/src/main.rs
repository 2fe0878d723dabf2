//! Runs the mail service alone.

fn main() -> std::process::ExitCode {
    backlot::main(movies_mail::service())
}
