//! A seeded generator for intervals, so that equal coils give equal intervals on every machine: xoshiro256++ (D.
//! Blackman, S. Vigna, Scrambled linear pseudorandom number generators, ACM Transactions on Mathematical Software 47
//! (2021)). The generator that the agent has otherwise (fastrand) does not promise the same numbers in its next
//! version, and knows no gamma distribution.

/// The generator.
#[derive(Clone, Debug)]
pub struct Random([u64; 4]);

impl Random {
    /// Starts from a seed, spread by `SplitMix64`.
    pub fn seeded(seed: u64) -> Self {
        let mut z = seed;
        Self(std::array::from_fn(|_| {
            z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut x = z;
            x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            x ^ (x >> 31)
        }))
    }

    fn bits(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.0;
        let out = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
        let t = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= t;
        *d = d.rotate_left(45);
        out
    }

    /// Between 0 (excluded) and 1 (excluded).
    pub fn uniform(&mut self) -> f64 {
        ((self.bits() >> 11) as f64 + 0.5) * (-53_f64).exp2()
    }

    /// True with this probability.
    pub fn chance(&mut self, p: f64) -> bool {
        self.uniform() < p
    }

    /// Standard normal: Marsaglia's polar method.
    fn normal(&mut self) -> f64 {
        loop {
            let (x, y) = (2.0 * self.uniform() - 1.0, 2.0 * self.uniform() - 1.0);
            let r = x * x + y * y;
            if r < 1.0 && r > 0.0 {
                return x * (-2.0 * r.ln() / r).sqrt();
            }
        }
    }

    /// Gamma of this shape (above 0) and scale 1 (G. Marsaglia, W. W. Tsang, A simple method for generating gamma
    /// variables, ACM Transactions on Mathematical Software 26 (2000)); 0 of a shape that is not above 0.
    pub fn gamma(&mut self, shape: f64) -> f64 {
        if shape.is_nan() || shape <= 0.0 {
            return 0.0;
        }
        if shape < 1.0 {
            let boost = self.uniform().powf(1.0 / shape);
            return self.gamma(shape + 1.0) * boost;
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && self.uniform().ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v;
            }
        }
    }

    /// Beta of these shapes; a shape of 0 leaves no mass but at its end.
    pub fn beta(&mut self, a: f64, b: f64) -> f64 {
        let (x, y) = (self.gamma(a), self.gamma(b));
        // Both are 0 for tiny shapes only: then the mass lies at the ends.
        if x + y > 0.0 { x / (x + y) } else { f64::from(u8::from(self.chance(a / (a + b)))) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_the_published_one() {
        // xoshiro256plusplus.c of its authors from the state 1, 2, 3, 4.
        let mut random = Random([1, 2, 3, 4]);
        assert_eq!([random.bits(), random.bits(), random.bits()], [41943041, 58720359, 3588806011781223]);
    }

    #[test]
    fn gamma_and_beta_have_their_moments() {
        let mut random = Random::seeded(1);
        for shape in [0.05, 0.5, 1.0, 2.5, 40.0] {
            let draws: Vec<f64> = (0..100_000).map(|_| random.gamma(shape)).collect();
            let mean = draws.iter().sum::<f64>() / 1e5;
            let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 1e5;
            let error = (shape / 1e5).sqrt();
            assert!((mean - shape).abs() < 5.0 * error, "{shape}: {mean}");
            assert!((variance / shape - 1.0).abs() < 0.15, "{shape}: {variance}");
        }
        let mean = (0..100_000).map(|_| random.beta(0.5, 19.5)).sum::<f64>() / 1e5;
        assert!((mean - 0.025).abs() < 0.0006, "{mean}");
        assert_eq!((random.gamma(f64::NAN), random.beta(0.0, 3.0), random.beta(3.0, 0.0)), (0.0, 0.0, 1.0));
        assert!([0.0, 1.0].contains(&random.beta(0.0, 0.0)));
    }
}
