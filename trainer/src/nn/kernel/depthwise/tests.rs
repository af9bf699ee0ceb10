//! Depthwise convolution against dense convolution with weights on the diagonal.

use super::*;
use crate::nn::kernel::conv;

fn numbers(n: usize, salt: usize) -> Vec<f32> {
    (0..n).map(|i| ((i * 7919 + salt * 31) % 17) as f32 - 8.0).collect()
}

/// Dense weights whose only values are those of channel c to channel c.
fn diagonal(g: &DepthwiseGeometry, w: &[f32]) -> Vec<f32> {
    let c = g.channels;
    let mut dense = vec![0.0; w.len() * c];
    for (i, v) in w.iter().enumerate() {
        dense[(i / c * c + i % c) * c + i % c] = *v;
    }
    dense
}

type Pair = (usize, usize);

/// Batch, map, channels, kernel, stride and zeros.
fn cases() -> Vec<(usize, Pair, usize, Pair, Pair, Pads)> {
    let both = |n| Pads::both((n, n));
    let mut cases = vec![
        (1, (5, 4), 3, (3, 3), (1, 1), both(1)),
        (3, (17, 2), 33, (3, 3), (2, 2), both(1)),
        (19, (9, 1), 70, (5, 5), (1, 1), both(2)),
        (2, (8, 9), 16, (5, 5), (2, 2), Pads { before: (1, 2), after: (2, 2) }),
        (2, (6, 5), 5, (2, 3), (3, 1), Pads { before: (0, 2), after: (1, 0) }),
        (2, (1, 1), 8, (3, 3), (1, 1), both(1)),
        (1, (6, 7), 130, (4, 4), (1, 2), both(3)),
        (17, (3, 2), 2, (1, 1), (2, 1), Pads::NONE),
    ];
    for size in [(17, 3), (9, 2), (33, 5)] {
        for kernel in [(3, 3), (5, 5)] {
            cases.push((2, size, 48, kernel, (2, 2), Pads::same(size, kernel, (2, 2))));
            cases.push((2, size, 112, kernel, (1, 1), Pads::same(size, kernel, (1, 1))));
        }
    }
    cases
}

/// Small integers: sums are exact in every order.
#[test]
fn agrees_with_a_dense_convolution() {
    for (batch, size, channels, kernel, stride, pads) in cases() {
        let (x_shape, w_shape) = ([batch, size.0, size.1, channels], [kernel.0, kernel.1, 1, channels]);
        let g = DepthwiseGeometry::new(&x_shape, &w_shape, stride, pads).expect("fits");
        let dense_shape = [kernel.0, kernel.1, channels, channels];
        let dense = Geometry::new(&x_shape, &dense_shape, stride, pads).expect("fits");
        let (x, w) = (numbers(batch * g.image(), 1), numbers(kernel.0 * kernel.1 * channels, 2));
        let dy = numbers(batch * g.pixels() * channels, 3);
        let (y, seen) = forward(&g, &x, &w, |sum: &mut f32, tile| *sum += tile.iter().sum::<f32>());
        let (want, _) = conv::forward(&dense, &x, &diagonal(&g, &w), |(): &mut (), _| {});
        assert_eq!(y, want, "{g:?}");
        assert_eq!(seen.iter().sum::<f32>(), y.iter().sum::<f32>());
        let found = backward(&g, &x, &w, &dy.as_slice(), true, true);
        let want = conv::backward(&dense, &x, &diagonal(&g, &w), &dy.as_slice(), true, true);
        assert_eq!(found.dx, want.dx, "{g:?}");
        let dense_dw = want.dw.expect("asked for");
        let on_diagonal =
            |i: usize| dense_dw[(i / channels * channels + i % channels) * channels + i % channels];
        assert_eq!(found.dw, Some((0..w.len()).map(on_diagonal).collect()), "{g:?}");
    }
}

/// What processors without AVX-512 compute.
#[test]
#[allow(unsafe_code)]
fn the_plain_version_agrees() {
    for (_, size, channels, kernel, stride, pads) in cases() {
        let (x_shape, w_shape) = ([1, size.0, size.1, channels], [kernel.0, kernel.1, 1, channels]);
        let g = DepthwiseGeometry::new(&x_shape, &w_shape, stride, pads).expect("fits");
        let (w, x) = (numbers(kernel.0 * kernel.1 * channels, 2), numbers(g.image(), 1));
        let dy = numbers(g.pixels() * channels, 3);
        for (direction, from, to) in
            [(Axis::forward as fn(Sizes) -> Axis, &x, &dy), (Axis::backward, &dy, &x)]
        {
            let axes = g.axes(direction);
            let gather = Gather::new(&axes, channels, &w);
            let (mut got, mut want) = (vec![f32::NAN; to.len()], vec![f32::NAN; to.len()]);
            // SAFETY: the values are nobody else's.
            unsafe { gather.of_image(0..axes.0.spans.len(), from, Shared::new(&mut got)) };
            gather.plain(0..axes.0.spans.len(), from, &mut want);
            assert_eq!(got, want, "{g:?}");
        }
        let axes = g.axes(Axis::forward);
        let sums = Sums { axes: &axes, channels, columns: Columns::of(&axes.1) };
        let (mut got, mut want) = (vec![1.0; w.len()], vec![1.0; w.len()]);
        sums.add(&x, &dy, &mut got);
        sums.plain(&x, &dy, &mut want);
        assert_eq!(got, want, "{g:?}");
    }
}

#[test]
fn what_is_not_asked_for_is_not_computed() {
    let g = DepthwiseGeometry::new(&[2, 4, 4, 3], &[3, 3, 1, 3], (1, 1), Pads::both((1, 1))).expect("fits");
    let (x, w) = (numbers(2 * g.image(), 1), numbers(27, 2));
    let run = |dx, dw| backward(&g, &x, &w, &x.as_slice(), dx, dw);
    assert!(run(false, true).dx.is_none());
    assert!(run(true, false).dw.is_none());
    assert_eq!(run(false, true).dw, run(true, true).dw);
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    let g =
        DepthwiseGeometry::new(&[37, 9, 5, 50], &[3, 3, 1, 50], (1, 1), Pads::both((1, 1))).expect("fits");
    let real = |n: usize| numbers(n, 4).iter().map(|v| v / 7.3).collect::<Vec<_>>();
    let (x, w) = (real(37 * g.image()), real(9 * 50));
    let bits = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("pool");
        pool.install(|| {
            let (y, _) = forward(&g, &x, &w, |(): &mut (), _| {});
            let found = backward(&g, &x, &w, &y.as_slice(), true, true);
            (y, found.dx, found.dw)
        })
    };
    assert_eq!(bits(1), bits(2));
}

#[test]
fn sizes_that_do_not_fit_are_refused() {
    let new = |x: &[usize], w: &[usize]| DepthwiseGeometry::new(x, w, (1, 1), Pads::NONE);
    assert!(new(&[1, 4, 4, 2], &[3, 3, 1, 2]).is_ok());
    assert!(new(&[1, 4, 4, 2], &[3, 3, 2, 2]).is_err());
    assert!(new(&[1, 4, 4, 2], &[3, 3, 1, 3]).is_err());
    assert!(new(&[1, 2, 4, 2], &[3, 3, 1, 2]).is_err());
    assert!(new(&[1, 4, 4], &[3, 3, 1, 2]).is_err());
}
