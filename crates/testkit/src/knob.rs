//! What a person may ask of a test: more rounds, another seed. Tests run the same without.

/// The whole number in the environment variable `name`, for example `KILLS=1000`.
///
/// # Panics
/// When it is set and is no whole number.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "a knob of the person who runs the test; no product code reads it"
)]
pub fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    match text.parse() {
        Ok(number) => Some(number),
        Err(_) => panic!("{name} must be a whole number, got {text:?}"),
    }
}
