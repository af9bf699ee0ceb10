//! The direct kernels against unfolding. Small integers: sums are exact in every order, so that what different processors
//! compute must agree bit for bit.

use super::*;
use crate::nn::kernel::direct::available;
use crate::nn::kernel::geometry::Pads;

fn numbers(n: usize, salt: usize) -> Vec<f32> {
    (0..n).map(|i| ((i * 7919 + salt * 31) % 17) as f32 - 8.0).collect()
}

type Pair = (usize, usize);

/// Both ways, forward and backward.
fn compare(batch: usize, (input, output): Pair, size: Pair, kernel: Pair, stride: Pair, pads: Pads) {
    let w_shape = [kernel.0, kernel.1, input, output];
    let fresh = Geometry::new(&[batch, size.0, size.1, input], &w_shape, stride, pads).expect("fits");
    let (x, w) = (numbers(batch * fresh.image(), 1), numbers(fresh.taps() * output, 2));
    let dy = numbers(batch * fresh.pixels() * output, 3);
    let run = |direct: bool| {
        let g = Geometry { direct, ..fresh };
        let (y, seen) = forward(&g, &x, &w, |sum: &mut f64, tile| {
            assert_eq!(tile.len() % output, 0, "whole pixels");
            *sum += tile.iter().map(|v| f64::from(*v)).sum::<f64>();
        });
        let found = backward(&g, &x, &w, &dy.as_slice(), true, true);
        (y, seen, found.dx, found.dw)
    };
    assert!(run(false) == run(available()), "{fresh:?}");
}

const KERNELS: [(Pair, Pair, Pads); 10] = [
    ((3, 3), (1, 1), Pads::both((1, 1))),
    ((3, 3), (2, 2), Pads::both((1, 1))),
    ((3, 3), (2, 1), Pads::both((1, 1))),
    ((1, 1), (1, 1), Pads::NONE),
    ((1, 1), (2, 2), Pads::NONE),
    ((2, 2), (3, 3), Pads::NONE),
    ((5, 2), (1, 2), Pads::both((2, 0))),
    ((5, 5), (2, 2), Pads { before: (1, 2), after: (2, 2) }),
    ((3, 3), (2, 2), Pads { before: (0, 0), after: (1, 1) }),
    ((2, 3), (1, 1), Pads { before: (4, 0), after: (0, 5) }),
];

#[test]
fn small_maps_agree() {
    for (kernel, stride, pads) in KERNELS {
        for size in [(5, 4), (7, 2), (17, 2), (9, 3), (8, 9)] {
            for (batch, channels) in [(1, (2, 3)), (3, (3, 24)), (19, (1, 2)), (2, (16, 33)), (5, (9, 70))] {
                compare(batch, channels, size, kernel, stride, pads);
            }
        }
    }
}

#[test]
fn maps_one_pixel_wide_agree() {
    for stride in [(1, 1), (2, 1), (2, 2)] {
        compare(32, (40, 112), (9, 1), (3, 3), stride, Pads::both((1, 1)));
        compare(32, (33, 50), (9, 1), (5, 5), stride, Pads::both((2, 2)));
    }
    compare(32, (70, 96), (17, 2), (3, 3), (2, 2), Pads::both((1, 1)));
    compare(32, (256, 80), (9, 1), (1, 1), (1, 1), Pads::NONE);
}

/// Enough pixels for parts of the batch, several groups of images in each, and the last part short.
#[test]
fn large_maps_agree() {
    for (kernel, stride, pads) in KERNELS {
        compare(41, (3, 17), (23, 9), kernel, stride, pads);
        compare(40, (17, 5), (33, 5), kernel, stride, pads);
    }
    compare(35, (16, 16), (264, 18), (3, 3), (1, 1), Pads::both((1, 1)));
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    for (batch, size, channels) in
        [(37, (30, 9), (5, 40)), (37, (9, 1), (64, 70)), (37, (8, 4), (64, 40)), (32, (17, 2), (40, 100))]
    {
        let x_shape = [batch, size.0, size.1, channels.0];
        let w_shape = [3, 3, channels.0, channels.1];
        let g = Geometry::new(&x_shape, &w_shape, (1, 1), Pads::both((1, 1))).expect("fits");
        let real = |n: usize| numbers(n, 4).iter().map(|v| v / 7.3).collect::<Vec<_>>();
        let (x, w) = (real(batch * g.image()), real(g.taps() * g.output));
        let bits = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("pool");
            pool.install(|| {
                let (y, seen) = forward(&g, &x, &w, |sum: &mut f32, tile| *sum += tile.iter().sum::<f32>());
                let found = backward(&g, &x, &w, &y.as_slice(), true, true);
                (y, seen, found.dx, found.dw)
            })
        };
        let want = bits(1);
        for threads in [2, 3, 5, 8] {
            assert!(bits(threads) == want, "{g:?} with {threads} threads");
        }
    }
}
