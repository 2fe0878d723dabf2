//! Files that scenarios upload: the smallest pictures there are, each with its SHA-256.

/// A PNG of two pixels by three.
macro_rules! png {
    ($data:literal) => {
        concat_bytes(
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x02\0\0\0\x03\x08\x02\0\0\0\x36\x88\x49\xd6\0\0\0\x10IDAT",
            $data,
            b"\0\0\0\0IEND\xae\x42\x60\x82",
        )
    };
}

/// In red.
pub(super) const RED: &[u8] =
    &png!(b"\x78\xda\x63\x38\x21\x27\x07\x44\x0c\x28\x14\0\x44\x0d\x06\x19\xfc\x27\xce\xec");
/// What `RED` hashes to.
pub(super) const RED_HASH: &str =
    "3290c580e24da374adaff1cdcd7981a6ca11231f310a622c68715041086b7b9c";
/// In blue.
pub(super) const BLUE: &[u8] =
    &png!(b"\x78\xda\x63\x90\x93\x3b\x01\x44\x0c\x28\x14\0\x3c\x15\x06\x19\x38\xa9\xe8\xe8");
/// What `BLUE` hashes to.
pub(super) const BLUE_HASH: &str =
    "4b3ca40e5a4b34be9bbc66787fb9558cb7aaeb84c73152db89cb43c7f035fa43";
/// In green.
pub(super) const GREEN: &[u8] =
    &png!(b"\x78\xda\x63\x90\x3b\x21\x07\x44\x0c\x28\x14\0\x40\x11\x06\x19\x21\xf4\x71\xfe");
/// What `GREEN` hashes to.
pub(super) const GREEN_HASH: &str =
    "52dedd247a421c0e7eb33632f4986ce998d27a334bd1c5e8904f0f3eef73e94b";
/// Begins like a PNG.
pub(super) const DISGUISED: &[u8] = b"\x89PNG\r\n\x1a\n<!doctype html><script>alert(1)</script>";
/// What `DISGUISED` hashes to.
pub(super) const DISGUISED_HASH: &str =
    "81dda999c1f60770f65518e6fb80b5a000a8eb371b15cc9b9a6c73e441cb21a4";

/// Begins like a PNG too.
pub(super) const FLEETING: &[u8] = b"\x89PNG\r\n\x1a\nnot for long";
/// What `FLEETING` hashes to.
pub(super) const FLEETING_HASH: &str =
    "74b29507ea6fd00df1102a603bcaca9e558cb4729e84a59e66dd9e4c70f92ee5";

/// Joined: all parts have a fixed length.
const fn concat_bytes(head: &[u8; 41], data: &[u8; 20], tail: &[u8; 12]) -> [u8; 73] {
    let mut all = [0; 73];
    let mut at = 0;
    while at < 73 {
        all[at] = if at < 41 {
            head[at]
        } else if at < 61 {
            data[at - 41]
        } else {
            tail[at - 61]
        };
        at += 1;
    }
    all
}
