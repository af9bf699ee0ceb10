//! Memory that several threads write to, each to places of its own, and that need not be cleared before.

use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ops::Range;

/// Values that may not have been written yet.
#[derive(Clone, Copy)]
pub struct Shared<'a> {
    at: *mut f32,
    length: usize,
    borrowed: PhantomData<&'a mut [f32]>,
}

// SAFETY: a pointer to `f32`, which any thread may write through; who writes where is a condition of the functions
// that do.
#[allow(unsafe_code)]
unsafe impl Send for Shared<'_> {}
// SAFETY: as above.
#[allow(unsafe_code)]
unsafe impl Sync for Shared<'_> {}

impl<'a> Shared<'a> {
    pub fn new(values: &'a mut [f32]) -> Self {
        Self { at: values.as_mut_ptr(), length: values.len(), borrowed: PhantomData }
    }

    fn unwritten(values: &'a mut [MaybeUninit<f32>]) -> Self {
        Self { at: values.as_mut_ptr().cast(), length: values.len(), borrowed: PhantomData }
    }

    pub fn len(self) -> usize {
        self.length
    }

    /// Where the values are; to be written within [`Shared::len`] alone.
    pub fn pointer(self) -> *mut f32 {
        self.at
    }

    /// Some of the values.
    pub fn part(self, range: Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= self.length, "within the values");
        Self { at: self.at.wrapping_add(range.start), length: range.len(), borrowed: PhantomData }
    }

    /// Consecutive parts of `length` values, the last one shorter.
    pub fn parts(self, length: usize) -> impl Iterator<Item = Self> {
        (0..self.length).step_by(length).map(move |at| self.part(at..(at + length).min(self.length)))
    }

    /// The values as a slice.
    ///
    /// # Safety
    /// All of them have been written, and nobody else uses them meanwhile.
    #[allow(unsafe_code)]
    pub unsafe fn written(self) -> &'a mut [f32] {
        // SAFETY: `new` borrowed so many values, and the caller answers for the rest.
        unsafe { std::slice::from_raw_parts_mut(self.at, self.length) }
    }

    /// The values as a slice of zeros.
    ///
    /// # Safety
    /// Nobody else uses them meanwhile.
    #[allow(unsafe_code)]
    pub unsafe fn zeros(self) -> &'a mut [f32] {
        // SAFETY: all of them have been written then; the caller answers for the rest.
        unsafe {
            self.at.write_bytes(0, self.length);
            self.written()
        }
    }
}

/// A new vector of `length` values, all of which `write` writes, and what it returns.
///
/// # Safety
/// `write` does write them all.
#[allow(unsafe_code)]
pub unsafe fn vector<R>(length: usize, write: impl FnOnce(Shared) -> R) -> (Vec<f32>, R) {
    let mut values = Vec::with_capacity(length);
    let result = write(Shared::unwritten(&mut values.spare_capacity_mut()[..length]));
    // SAFETY: so many values have been reserved, and the caller answers for their having been written.
    unsafe { values.set_len(length) };
    (values, result)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rayon::prelude::*;

    #[test]
    #[allow(unsafe_code)]
    fn parts_cover_the_values() {
        let write = |values: Shared| {
            let parts: Vec<Shared> = values.parts(7).collect();
            parts.into_par_iter().enumerate().for_each(|(i, part)| {
                // SAFETY: parts do not overlap.
                unsafe { part.zeros() }.fill(i as f32);
            });
        };
        // SAFETY: the parts are all of the values.
        let values = unsafe { vector(30, write) }.0;
        assert_eq!(values, (0..30).map(|i| (i / 7) as f32).collect::<Vec<_>>());
    }

    #[test]
    #[should_panic(expected = "within the values")]
    fn parts_outside_are_refused() {
        Shared::new(&mut [0.0; 3]).part(1..4);
    }
}
