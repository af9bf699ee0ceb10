//! Small random networks of every kind.

use super::super::folded::{Activation, Average, Distance, FoldedNet, GlobalPool, Pads, Sides};
use super::nets::Builder;

/// Small networks of unlike shapes whose f32 parts are sums and means of u8 values.
pub fn zoo() -> Vec<(&'static str, FoldedNet)> {
    let (one, three) = ((1, 1), (3, 3));
    vec![
        (
            "image, odd width, strides, side vector",
            Builder::new(1, [2, 33, 9], Sides::Image, 3)
                .conv(5, three, one, true)
                .pool((2, 2))
                .conv(8, three, (2, 1), true)
                .conv(4, one, one, true)
                .head(&[6]),
        ),
        (
            "two sides, no side vector, floor of an odd map",
            Builder::new(2, [3, 31, 18], Sides::Shared, 0)
                .conv(6, three, one, true)
                .conv(7, three, one, true)
                .pool((2, 2))
                .conv(5, (5, 3), one, true)
                .head(&[]),
        ),
        (
            "two sides, convolutions without ReLU, pools that are not square, last",
            Builder::new(3, [1, 40, 10], Sides::Shared, 2)
                .conv(4, (7, 3), (2, 2), false)
                .pool((3, 1))
                .conv(9, (3, 1), one, false)
                .pool((1, 2))
                .head(&[5, 4]),
        ),
        (
            "one channel after another",
            Builder::new(4, [1, 20, 6], Sides::Image, 1)
                .conv(1, three, one, true)
                .conv(1, three, one, true)
                .head(&[]),
        ),
        (
            "maximum alone, no pool",
            Builder::new(5, [1, 13, 7], Sides::Image, 0)
                .pools(&[GlobalPool::Max])
                .conv(3, three, one, true)
                .head(&[]),
        ),
        (
            "maximum pools, padded below",
            Builder::new(10, [1, 24, 20], Sides::Image, 0)
                .conv(4, three, one, true)
                .max_pool((2, 2), (2, 2), Pads::NONE)
                .conv_to(6, three, one, Activation::Relu6)
                .max_pool(three, (2, 2), Pads { before: (0, 1), after: (1, 1) })
                .conv(8, three, one, true)
                .head(&[5]),
        ),
    ]
}

/// Small networks with parts that runtimes do not compute to the bit alike, or in f32.
pub fn wider_zoo() -> Vec<(&'static str, FoldedNet)> {
    let (two, three) = ((2, 2), (3, 3));
    vec![
        (
            "C2f blocks with SiLU",
            Builder::new(12, [3, 40, 9], Sides::Image, 0)
                .conv_to(8, three, two, Activation::Silu)
                .c2f(8, 1, true)
                .conv_to(12, three, two, Activation::Silu)
                .c2f(12, 2, true)
                .c2f(12, 1, false)
                .head(&[]),
        ),
        (
            "C2f blocks on two sides, with a side vector",
            Builder::new(11, [2, 30, 18], Sides::Shared, 4)
                .conv_to(8, three, two, Activation::Silu)
                .c2f(8, 2, true)
                .head(&[6]),
        ),
        (
            "inverted residuals",
            Builder::new(14, [3, 37, 10], Sides::Image, 2)
                .conv_to(8, three, two, Activation::Relu6)
                .inverted(6, 1, 3, (1, 1))
                .inverted(8, 4, 3, two)
                .inverted(8, 4, 5, (1, 1))
                .inverted(12, 4, 5, two)
                .inverted(12, 4, 5, (1, 1))
                .conv_to(20, (1, 1), (1, 1), Activation::Relu6)
                .head(&[]),
        ),
        (
            "an embedding and references, two sides",
            Builder::new(13, [3, 30, 18], Sides::Shared, 3)
                .conv(6, three, (1, 1), true)
                .pool((2, 2))
                .conv(8, three, (1, 1), true)
                .siamese(10, Distance::Euclidean, Average::Mean),
        ),
        (
            "an embedding and the nearest references by the cosine",
            Builder::new(15, [2, 20, 9], Sides::Image, 0).conv(6, three, two, true).siamese(
                8,
                Distance::Cosine,
                Average::Nearest,
            ),
        ),
        (
            "an embedding and references by Manhattan distances",
            Builder::new(16, [2, 20, 9], Sides::Image, 2).conv(6, three, two, true).siamese(
                5,
                Distance::Manhattan,
                Average::Mean,
            ),
        ),
    ]
}

pub fn all() -> impl Iterator<Item = (&'static str, FoldedNet)> {
    zoo().into_iter().chain(wider_zoo())
}
