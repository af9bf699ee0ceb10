//! What a convolution (or its transpose, which carries gradients back) reads for each pixel it computes.
//!
//! Pixels fall into classes whose windows meet the map through the same taps, so that padding is neither stored nor
//! multiplied: on a map one pixel wide a 3x3 window is a 3x1 window. A stride of the transpose only makes more classes.

use super::super::axis::{Axis, Span};
use std::collections::BTreeMap;

/// Where a pixel's window begins among the values that are read, and which pixel it is among those computed.
#[derive(Debug, Clone, Copy)]
pub struct Pixel {
    pub from: u32,
    pub to: u32,
}

/// Pixels that read through the same taps.
#[derive(Debug)]
pub struct Class {
    /// Where the first tap lies among the packed taps, and in the window: (row, column).
    pub packed: usize,
    pub tap: (usize, usize),
    /// Rows and columns of taps.
    pub taps: (usize, usize),
    pub pixels: Vec<Pixel>,
    per_image: usize,
}

impl Class {
    /// Those of the first images.
    pub fn of(&self, images: usize) -> &[Pixel] {
        &self.pixels[..images * self.per_image]
    }
}

/// The classes of some images, and the order in which taps are packed.
#[derive(Debug)]
pub struct Plan {
    /// Channels of what is read and of what is computed.
    pub channels: (usize, usize),
    /// Values of an image that is read, and pixels of one that is computed.
    pub image: (usize, usize),
    /// Values of a row that is read.
    pub row: usize,
    /// The taps that any pixel uses, in the order of packing; tap (y, x) of the window is `y * kernel width + x`.
    pub taps: Vec<usize>,
    /// Packed taps per row.
    pub wide: usize,
    /// Images in the lists of the classes.
    pub images: usize,
    pub classes: Vec<Class>,
}

/// Taps in use, those that one span can hold next to each other.
fn used(axis: &Axis) -> Vec<usize> {
    let taps = |s: &Span| {
        let s = *s;
        (0..s.count).map(move |j| s.tap + j * axis.step)
    };
    let mut used: Vec<usize> = axis.spans.iter().flat_map(taps).collect();
    used.sort_unstable_by_key(|tap| (tap % axis.step, *tap));
    used.dedup();
    used
}

impl Plan {
    /// For groups of `images` images.
    ///
    /// # Panics
    /// If a group has 2^32 values or more.
    pub fn new((y, x): (&Axis, &Axis), channels: (usize, usize), images: usize) -> Self {
        let row = x.read * channels.0;
        let image = (y.read * row, y.spans.len() * x.spans.len());
        let largest = images * image.0.max(image.1);
        assert!(u32::try_from(largest).is_ok(), "{largest} values at a time are too many");
        let (rows, columns) = (used(y), used(x));
        let place =
            |used: &[usize], s: &Span| used.iter().position(|tap| s.count > 0 && *tap == s.tap).unwrap_or(0);
        let mut classes = BTreeMap::new();
        for (i, v) in y.spans.iter().enumerate() {
            for (j, h) in x.spans.iter().enumerate() {
                let class = classes.entry((v.tap, v.count, h.tap, h.count)).or_insert_with(|| Class {
                    packed: place(&rows, v) * columns.len() + place(&columns, h),
                    tap: (v.tap, h.tap),
                    taps: if h.count == 0 { (0, 0) } else { (v.count, h.count) },
                    pixels: Vec::new(),
                    per_image: 0,
                });
                let from = v.from * row + h.from * channels.0;
                class.pixels.push(Pixel { from: from as u32, to: (i * x.spans.len() + j) as u32 });
            }
        }
        let mut classes: Vec<Class> = classes.into_values().collect();
        for class in &mut classes {
            class.per_image = class.pixels.len();
            for n in 1..images {
                for i in 0..class.per_image {
                    let Pixel { from, to } = class.pixels[i];
                    let (from, to) = (from + (n * image.0) as u32, to + (n * image.1) as u32);
                    class.pixels.push(Pixel { from, to });
                }
            }
        }
        let taps = rows.iter().flat_map(|r| columns.iter().map(move |c| r * x.kernel + c)).collect();
        Self { channels, image, row, taps, wide: columns.len(), images, classes }
    }

    /// Values read per pixel at most.
    pub fn depth(&self) -> usize {
        self.taps.len() * self.channels.0
    }
}
