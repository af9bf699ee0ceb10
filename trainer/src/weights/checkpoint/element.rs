//! Number types of stored tensors, and how a view of a storage becomes f32.

use super::CheckpointFault as Fault;
use half::{bf16, f16};

/// Axes of a tensor at most.
pub(super) const MAX_AXES: usize = 8;

/// How numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    F16,
    Bf16,
    F32,
    F64,
    /// No floating point: counters and masks, of so many bytes. Such tensors are passed over.
    Other(usize),
}

impl Element {
    /// By the name of PyTorch's storage class.
    pub(super) fn of_storage(class: &str) -> Option<Self> {
        Some(match class {
            "HalfStorage" => Self::F16,
            "BFloat16Storage" => Self::Bf16,
            "FloatStorage" => Self::F32,
            "DoubleStorage" => Self::F64,
            "BoolStorage" | "ByteStorage" | "CharStorage" | "QInt8Storage" | "QUInt8Storage" => {
                Self::Other(1)
            }
            "ShortStorage" => Self::Other(2),
            "IntStorage" | "QInt32Storage" => Self::Other(4),
            "LongStorage" | "ComplexFloatStorage" => Self::Other(8),
            "ComplexDoubleStorage" => Self::Other(16),
            _ => return None,
        })
    }

    /// Bytes of one number.
    pub(super) fn width(self) -> usize {
        match self {
            Self::F16 | Self::Bf16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
            Self::Other(width) => width,
        }
    }

    /// One number; `bytes` are as many as its width.
    fn one(self, bytes: &[u8]) -> f32 {
        let le = |bytes: &[u8]| bytes.iter().rev().fold(0u64, |n, byte| n << 8 | u64::from(*byte));
        match self {
            Self::F16 => f16::from_bits(le(bytes) as u16).to_f32(),
            Self::Bf16 => bf16::from_bits(le(bytes) as u16).to_f32(),
            Self::F32 => f32::from_bits(le(bytes) as u32),
            Self::F64 => f64::from_bits(le(bytes)) as f32,
            Self::Other(_) => 0.0,
        }
    }

    /// All numbers of `bytes`, one after the other.
    pub(super) fn all(self, bytes: &[u8]) -> Vec<f32> {
        bytes.chunks_exact(self.width()).map(|number| self.one(number)).collect()
    }
}

/// Which numbers of a storage a tensor consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct View {
    pub(super) offset: usize,
    pub(super) size: Vec<usize>,
    pub(super) stride: Vec<usize>,
}

impl View {
    /// Numbers in it, if that can be said and it has as many axes as strides.
    pub(super) fn count(&self) -> Option<usize> {
        if self.size.len() != self.stride.len() || self.size.len() > MAX_AXES {
            return None;
        }
        self.size.iter().try_fold(1usize, |count, size| count.checked_mul(*size))
    }

    /// One more than the last number that it touches.
    fn end(&self) -> Option<usize> {
        self.size
            .iter()
            .zip(&self.stride)
            .try_fold(self.offset, |last, (size, stride)| {
                last.checked_add(size.checked_sub(1)?.checked_mul(*stride)?)
            })?
            .checked_add(1)
    }

    fn is_dense(&self) -> bool {
        let mut step = 1;
        self.size.iter().zip(&self.stride).rev().all(|(size, stride)| {
            let fits = *size == 1 || *stride == step;
            step *= size;
            fits
        })
    }

    /// Its numbers, row by row; `name` is for the error.
    pub(super) fn gather(&self, name: &str, storage: &[u8], element: Element) -> Result<Vec<f32>, Fault> {
        let outside = || Fault::View { name: name.into() };
        let count = self.count().ok_or_else(outside)?;
        if count == 0 {
            return Ok(vec![]);
        }
        let width = element.width();
        if self.end().ok_or_else(outside)? > storage.len() / width {
            return Err(outside());
        }
        if self.is_dense() {
            return Ok(element.all(&storage[self.offset * width..(self.offset + count) * width]));
        }
        let mut index = vec![0; self.size.len()];
        let mut numbers = Vec::with_capacity(count);
        for _ in 0..count {
            let at: usize = index.iter().zip(&self.stride).map(|(i, stride)| i * stride).sum();
            numbers.push(element.one(&storage[(self.offset + at) * width..][..width]));
            for (i, size) in index.iter_mut().zip(&self.size).rev() {
                *i += 1;
                if *i < *size {
                    break;
                }
                *i = 0;
            }
        }
        Ok(numbers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(offset: usize, size: &[usize], stride: &[usize]) -> View {
        View { offset, size: size.to_vec(), stride: stride.to_vec() }
    }

    #[test]
    fn views_read_what_they_name_and_nothing_outside() {
        let storage: Vec<u8> = (0..6).flat_map(|v| (v as f32).to_le_bytes()).collect();
        let get = |view: View| view.gather("t", &storage, Element::F32);
        assert_eq!(get(view(0, &[2, 3], &[3, 1])).expect("dense"), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(get(view(0, &[3, 2], &[1, 3])).expect("turned"), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        assert_eq!(get(view(4, &[1, 2], &[77, 1])).expect("an axis of one"), [4.0, 5.0]);
        assert_eq!(get(view(5, &[3], &[0])).expect("repeated"), [5.0, 5.0, 5.0]);
        assert_eq!(get(view(2, &[], &[])).expect("a single number"), [2.0]);
        assert_eq!(get(view(99, &[0, 4], &[4, 1])).expect("empty"), [0.0f32; 0]);
        for bad in [
            view(1, &[2, 3], &[3, 1]),
            view(6, &[1], &[1]),
            view(0, &[2], &[usize::MAX]),
            view(usize::MAX, &[2], &[1]),
            view(0, &[usize::MAX, 2], &[0, 0]),
            view(0, &[2, 2], &[1]),
            view(0, &[1; 9], &[1; 9]),
        ] {
            assert!(matches!(get(bad.clone()), Err(Fault::View { .. })), "{bad:?}");
        }
    }

    #[test]
    fn every_number_type_becomes_f32() {
        let cases: [(Element, &[u8]); 4] = [
            (Element::F16, &[0x00, 0xc1]),
            (Element::Bf16, &[0x20, 0xc0]),
            (Element::F32, &[0, 0, 0x20, 0xc0]),
            (Element::F64, &[0, 0, 0, 0, 0, 0, 0x04, 0xc0]),
        ];
        for (element, bytes) in cases {
            assert_eq!(element.all(bytes), [-2.5], "{element:?}");
        }
    }
}
