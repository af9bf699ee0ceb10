//! Checks gradients against central differences.

use candle_core::{Device, Result, Shape, Tensor, Var};

/// Distinct, well-spread values in about -1..1, none of them zero, so that maxima and a ReLU have room to move.
pub fn values(shape: impl Into<Shape>, salt: usize) -> Tensor {
    let shape = shape.into();
    let n = shape.elem_count();
    let step = (3 * n / 8 + 1..=n + 1).find(|s| gcd(*s, n.max(1)) == 1).unwrap_or(1);
    let spread = |i: usize| ((i * step + salt * 7 + 1) % n.max(1)) as f32;
    let data: Vec<f32> = (0..n).map(|i| (2.0 * spread(i) + 1.4) / n as f32 - 1.0).collect();
    Tensor::from_vec(data, shape, &Device::Cpu).expect("as many values as the shape holds")
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Compares the gradients of all inputs with central differences of a weighted sum of `f`'s output.
///
/// # Panics
/// If any derivative differs by more than 1.5 % of the largest one.
pub fn check(name: &str, inputs: &[&Tensor], f: impl Fn(&[Tensor]) -> Result<Tensor>) {
    check_step(name, inputs, 1e-2, f);
}

/// [`check`] with another step: smaller where the function bends sharply.
pub fn check_step(name: &str, inputs: &[&Tensor], step: f32, f: impl Fn(&[Tensor]) -> Result<Tensor>) {
    let run = || -> Result<()> {
        let vars: Vec<Var> = inputs.iter().map(|t| Var::from_tensor(t)).collect::<Result<_>>()?;
        let tensors: Vec<Tensor> = vars.iter().map(|v| v.as_tensor().clone()).collect();
        let y = f(&tensors)?;
        // Not centred: the gradient of a sum must not vanish.
        let weights = (values(y.shape().clone(), 11) + 0.3)?;
        let objective = |y: &Tensor| -> Result<f64> {
            let terms = (y * &weights)?.flatten_all()?.to_vec1::<f32>()?;
            Ok(terms.iter().map(|v| f64::from(*v)).sum())
        };
        let grads = (&y * &weights)?.sum_all()?.backward()?;
        for (n, var) in vars.iter().enumerate() {
            let given = grads.get(var).unwrap_or_else(|| panic!("{name}: no gradient for input {n}"));
            assert_eq!(given.shape(), var.shape(), "{name}: shape of gradient {n}");
            let given = given.flatten_all()?.to_vec1::<f32>()?;
            let base = inputs[n].flatten_all()?.to_vec1::<f32>()?;
            let moved = |i: usize, by: f32| -> Result<f64> {
                let mut data = base.clone();
                data[i] += by;
                let mut tensors = inputs.iter().map(|t| (*t).clone()).collect::<Vec<_>>();
                tensors[n] = Tensor::from_vec(data, inputs[n].shape(), &Device::Cpu)?;
                objective(&f(&tensors)?)
            };
            let middle = moved(0, 0.0)?;
            let step64 = f64::from(step);
            let slopes: Vec<(f64, f64)> = (0..base.len())
                .map(|i| Ok(((moved(i, step)? - middle) / step64, (middle - moved(i, -step)?) / step64)))
                .collect::<Result<_>>()?;
            let scale = slopes.iter().fold(1e-2f64, |m, (a, b)| m.max((a + b).abs() / 2.0));
            // Where a maximum or a ReLU switches within the step, the two slopes differ and neither is wrong.
            let smooth = |(a, b): &&(f64, f64)| (a - b).abs() <= 0.02 * scale;
            assert!(slopes.iter().filter(smooth).count() * 5 >= slopes.len() * 4, "{name}: too many bends");
            for (i, (g, slope)) in given.iter().zip(&slopes).enumerate().filter(|(_, (_, s))| smooth(s)) {
                let wanted = f64::midpoint(slope.0, slope.1);
                let off = (f64::from(*g) - wanted).abs();
                assert!(off <= 0.015 * scale, "{name}: input {n}[{i}]: gradient {g}, differences {wanted}");
            }
        }
        Ok(())
    };
    run().unwrap_or_else(|e| panic!("{name}: {e}"));
}
