//! Stars on the wire: a number, 0.5 to 5 by halves. Whole ones are written without a fraction, as
//! readers that know whole stars alone expect them.

use serde::Serializer;

/// The half stars of this many stars, if they are 1 to 10.
pub(super) fn half_stars(stars: f64) -> Option<u8> {
    let halves = stars * 2.0;
    // Exact: of what is left every number is whole and small.
    (halves.fract() == 0.0 && (1.0..=10.0).contains(&halves)).then_some(halves as u8)
}

/// This many half stars in stars.
pub(super) fn of(half_stars: u8) -> f64 {
    f64::from(half_stars) / 2.0
}

#[expect(clippy::ref_option, reason = "serde hands in fields by reference")]
pub(super) fn serialize<S: Serializer>(
    stars: &Option<f64>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match *stars {
        None => serializer.serialize_none(),
        Some(stars) if stars.fract() == 0.0 && stars.abs() < 1e9 => {
            serializer.serialize_i64(stars as i64)
        }
        Some(stars) => serializer.serialize_f64(stars),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_halves_from_a_half_to_five_are_stars() {
        for half in 1..=10 {
            assert_eq!(half_stars(of(half)), Some(half));
        }
        for none in [0.0, 0.25, 5.5, -1.0, 4.2, 1e300, f64::NAN, f64::INFINITY] {
            assert_eq!(half_stars(none), None, "{none}");
        }
    }
}
