//! Which partition a key belongs to: the same for every engine and every program.

/// FNV-1a of 64 bits, as its authors published it.
#[must_use]
pub fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The partition of a key among `partitions`, counted from 0.
///
/// ```
/// assert_eq!(backlot_messaging::partition::of_key("tt0133093", 16), 0);
/// ```
#[must_use]
pub fn of_key(key: &str, partitions: u32) -> u32 {
    // The remainder is below a u32.
    (fnv1a(key.as_bytes()) % u64::from(partitions.max(1))) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_published_one() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
