//! What an Ed25519 key or signature must look like before its equation is asked: byte comparisons alone.
//!
//! The verifying crate (minisign-verify 0.3) compares S with L and refuses the identity as a key in its
//! canonical encoding. Everything else that can be seen in the bytes is refused here, so that what this
//! program believes does not hang on a library's version:
//!
//! - a point of small order as a key: for such a key anybody can make signatures, over anything;
//! - a point of small order as R, which no honest signer makes;
//! - an encoding that is not the one of RFC 8032, section 5.1.3: y not below p = 2^255 - 19;
//! - S not below L, the group's order: a second signature made of a first (section 5.1.7).
//!
//! The tables are those of Chalkias, Garillot, Nikolaenko: "Taming the many `EdDSAs`" (2020), section 5,
//! and of libsodium. Points of mixed order cannot be told by their bytes; whoever has such a key made it
//! so, and signs with it for himself alone. Numbers are little-endian, as everywhere in Ed25519.

/// The group's order, L = 2^252 + 27742317777372353535851937790883648493.
const L: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// The field's prime, p = 2^255 - 19.
const P: [u8; 32] = near_p(0xed);

/// The y coordinates of the eight points whose order divides 8, below p, and the two of them that fit
/// into 255 bits once more as y + p.
const SMALL_ORDER: [[u8; 32]; 7] = [
    small(0),     // order 4
    small(1),     // order 1, the identity
    near_p(0xec), // p - 1: order 2
    near_p(0xed), // p: 0 again
    near_p(0xee), // p + 1: 1 again
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a,
        0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ], // order 8
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5,
        0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ], // order 8
];

/// Why an encoded point is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PointFault {
    /// Its order divides 8.
    #[error("a point of small order, for which anybody can make signatures")]
    SmallOrder,
    /// y is not below p.
    #[error("a point that is not encoded as RFC 8032 says: its y is not below p")]
    NonCanonical,
}

/// Why a signature is not taken, whatever it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HalfFault {
    /// R, the first 32 bytes.
    #[error("its R is {0}")]
    Point(PointFault),
    /// S, the last 32 bytes.
    #[error("its S is not below the group's order: a signature altered after it was made")]
    Scalar,
}

/// Checks an encoded point, a public key or the R of a signature.
pub(super) fn check_point(point: &[u8; 32]) -> Result<(), PointFault> {
    let mut y = *point;
    // The last bit is the sign of x. With x = 0 a sign is no valid encoding either; those points, y = 1
    // and y = p - 1, are in the table.
    y[31] &= 0x7f;
    if SMALL_ORDER.contains(&y) {
        return Err(PointFault::SmallOrder);
    }
    if below(&y, &P) { Ok(()) } else { Err(PointFault::NonCanonical) }
}

/// Checks the two halves of a signature: R and S.
pub(super) fn check_signature(signature: &[u8; 64]) -> Result<(), HalfFault> {
    let (mut r, mut s) = ([0; 32], [0; 32]);
    r.copy_from_slice(&signature[..32]);
    s.copy_from_slice(&signature[32..]);
    check_point(&r).map_err(HalfFault::Point)?;
    if below(&s, &L) { Ok(()) } else { Err(HalfFault::Scalar) }
}

/// Whether a < b. Nothing here is secret: time may depend on the values.
fn below(a: &[u8; 32], b: &[u8; 32]) -> bool {
    a.iter().rev().lt(b.iter().rev())
}

const fn small(y: u8) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[0] = y;
    bytes
}

/// 2^255 - 256 + `low`.
const fn near_p(low: u8) -> [u8; 32] {
    let mut bytes = [0xff; 32];
    bytes[0] = low;
    bytes[31] = 0x7f;
    bytes
}

#[cfg(test)]
mod tests;
