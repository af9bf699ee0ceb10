//! Codes that cannot be guessed in the tries that there are. A code alone says whose it is, so that with forty
//! operators one guess is forty guesses.

use super::RosterFault;
use super::roster::random;

/// Digits of a code that is made here: typed with gloves, once a shift.
const DIGITS: usize = 8;
/// Least digits of a code that is chosen and has nothing else.
pub(super) const LEAST_DIGITS: usize = 6;

/// A code that nobody chose, in digits: gloves and number pads.
pub fn fresh_code() -> String {
    // The modulus is far below 2^64: no digit is favoured by anything measurable.
    let number = u64::from_le_bytes(random::<8>()) % 10_u64.pow(DIGITS as u32);
    format!("{number:0DIGITS$}")
}

/// Whether a code that somebody chose is not too easily guessed.
pub fn is_hard_enough(code: &str) -> Result<(), RosterFault> {
    let few = code.len() < LEAST_DIGITS && code.bytes().all(|b| b.is_ascii_digit());
    if few { Err(RosterFault::FewDigits) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_made_here_are_digits() {
        let code = fresh_code();
        assert!(code.len() == DIGITS && code.bytes().all(|b| b.is_ascii_digit()), "{code}");
        assert_ne!([fresh_code(), fresh_code()], [code.clone(), code]);
    }

    #[test]
    fn few_digits_are_no_code_and_badges_are() {
        assert!(matches!(is_hard_enough("12345"), Err(RosterFault::FewDigits)));
        assert!(is_hard_enough("123456").is_ok() && is_hard_enough("A-12").is_ok());
    }
}
