//! Matrix product on slices, one thread; a safe face for the `gemm` crate.

use gemm::Parallelism;

/// A matrix in a slice: element (i, j) at `i * row_stride + j * col_stride`.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    data: &'a [f32],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

impl<'a> Matrix<'a> {
    /// The first `rows * cols` values, row after row.
    pub fn new(data: &'a [f32], rows: usize, cols: usize) -> Self {
        Self { data: &data[..rows * cols], rows, cols, row_stride: cols, col_stride: 1 }
    }

    /// The same values, transposed.
    pub fn transposed(self) -> Self {
        Self {
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
            ..self
        }
    }
}

/// `out = a * b`, or `out += a * b` with `accumulate`; `out` is row-major, `a.rows * b.cols` values.
///
/// # Panics
/// If sizes do not match.
#[allow(unsafe_code)]
pub fn product(a: Matrix, b: Matrix, out: &mut [f32], accumulate: bool) {
    assert_eq!(a.cols, b.rows, "inner sizes");
    assert_eq!(out.len(), a.rows * b.cols, "output size");
    if a.cols == 0 || out.is_empty() {
        if !accumulate {
            out.fill(0.0);
        }
        return;
    }
    // SAFETY: `Matrix` spans exactly rows * cols values of its slice under either stride order, and `out` was
    // checked to hold a.rows * b.cols values, so every address that gemm forms lies within a live slice; `out`
    // is borrowed mutably and cannot overlap `a` or `b`.
    unsafe {
        gemm::gemm(
            a.rows,
            b.cols,
            a.cols,
            out.as_mut_ptr(),
            1,
            b.cols as isize,
            accumulate,
            a.data.as_ptr(),
            a.col_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.col_stride as isize,
            b.row_stride as isize,
            f32::from(u8::from(accumulate)),
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(n: usize, salt: usize) -> Vec<f32> {
        (0..n).map(|i| ((i * 7919 + salt * 31) % 17) as f32 - 8.0).collect()
    }

    /// Small integers: every order of summation is exact.
    #[test]
    fn agrees_with_plain_loops_for_every_transposition() {
        for (m, n, k) in [(1, 1, 1), (3, 5, 7), (17, 16, 33), (70, 24, 144), (2, 3, 0)] {
            let (a, b) = (numbers(m * k, 1), numbers(k * n, 2));
            for (ta, tb) in [(false, false), (true, false), (false, true), (true, true)] {
                let left = if ta { Matrix::new(&a, k, m).transposed() } else { Matrix::new(&a, m, k) };
                let right = if tb { Matrix::new(&b, n, k).transposed() } else { Matrix::new(&b, k, n) };
                let at = |i, l| if ta { a[l * m + i] } else { a[i * k + l] };
                let bt = |l, j| if tb { b[j * k + l] } else { b[l * n + j] };
                let plain: Vec<f32> =
                    (0..m * n).map(|p| (0..k).map(|l| at(p / n, l) * bt(l, p % n)).sum::<f32>()).collect();
                let mut out = vec![f32::NAN; m * n];
                product(left, right, &mut out, false);
                assert_eq!(out, plain);
                product(left, right, &mut out, true);
                assert_eq!(out, plain.iter().map(|v| 2.0 * v).collect::<Vec<_>>());
            }
        }
    }
}
