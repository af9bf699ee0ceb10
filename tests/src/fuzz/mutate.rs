//! Small changes to an input, the same from the same seed: a fuzzer's moves without a fuzzer.

/// A linear congruential generator: nothing hangs on its quality, all on its repeating.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number from 0 to before `end`; 0 for 0.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.0 >> 33) as usize).checked_rem(end).unwrap_or(0)
    }
}

/// What parsers trip over.
const TOKENS: [&[u8]; 16] = [
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\0\0\x10\0",
    b"null",
    b"-1",
    b"1e999",
    b"18446744073709551615",
    b"\"",
    b"{}",
    b"[]",
    b"[[[[[[[[",
    b"\\u0000",
    b"../",
    b"\xc3\xa4",
    b"\n",
];

/// One to four changes to `input`; `other` is what parts are taken from.
pub fn mutate(input: &[u8], other: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=rng.below(4) {
        let at = rng.below(bytes.len() + 1);
        let end = at + rng.below((bytes.len() - at).min(64) + 1);
        match rng.below(8) {
            0 | 1 if at < bytes.len() => bytes[at] ^= 1 << rng.below(8),
            2 if at < bytes.len() => bytes[at] = rng.below(256) as u8,
            3 => bytes.truncate(at),
            4 => drop(bytes.drain(at..end)),
            5 => {
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            6 => {
                let from = rng.below(other.len());
                let to = from + rng.below((other.len() - from).min(256) + 1);
                bytes.splice(at..end, other[from..to].iter().copied());
            }
            _ => drop(bytes.splice(at..at, TOKENS[rng.below(TOKENS.len())].iter().copied())),
        }
    }
    bytes
}
