//! Checks gradients against central differences in f64, and the kernels of every device against f64.

use candle_core::{DType, Device, Result, Shape, Tensor, Var};

/// Step of the differences: its square is lost, its inverse times f64's rounding too.
const STEP: f64 = 1e-5;
/// How far a gradient may be from the differences, of the largest one.
const DIFFERENCES: f64 = 1e-6;
/// How far f32 may be from f64, of the largest value.
const ROUNDING: f64 = 2e-5;

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

/// The devices to check on: the processor, and with feature `cuda` the first GPU if there is one.
pub fn devices() -> Vec<Device> {
    let mut devices = vec![Device::Cpu];
    match crate::device::open(crate::device::DeviceKind::Cuda(0)) {
        Ok(device) => devices.push(device),
        Err(error) if std::env::var_os("COILSIGHT_NEEDS_GPU").is_some() => panic!("{error}"),
        // A build for the processor alone has nothing to skip.
        Err(error) if cfg!(feature = "cuda") => eprintln!("SKIPPED the layers on CUDA: {error}"),
        Err(_) => {}
    }
    devices
}

/// What a function gives for inputs of one type on one device: its value, and the gradients of a weighted sum of it.
fn run(
    name: &str,
    inputs: &[&Tensor],
    (device, dtype): (&Device, DType),
    f: &dyn Fn(&[Tensor]) -> Result<Tensor>,
) -> Result<Vec<Vec<f64>>> {
    let vars: Vec<Var> = inputs
        .iter()
        .map(|t| Var::from_tensor(&t.to_device(device)?.to_dtype(dtype)?))
        .collect::<Result<_>>()?;
    let tensors: Vec<Tensor> = vars.iter().map(|v| v.as_tensor().clone()).collect();
    let y = f(&tensors)?;
    let weights = weights(&y)?.to_device(device)?.to_dtype(dtype)?;
    let grads = (&y * &weights)?.sum_all()?.backward()?;
    let mut found = vec![numbers(&y)?];
    for (n, var) in vars.iter().enumerate() {
        let given = grads.get(var).unwrap_or_else(|| panic!("{name}: no gradient for input {n}"));
        assert_eq!(given.shape(), var.shape(), "{name}: shape of gradient {n}");
        found.push(numbers(given)?);
    }
    Ok(found)
}

/// Weights of the sum; not centred, for the gradient of a sum must not vanish.
fn weights(y: &Tensor) -> Result<Tensor> {
    values(y.shape().clone(), 11) + 0.3
}

fn numbers(t: &Tensor) -> Result<Vec<f64>> {
    t.to_dtype(DType::F64)?.flatten_all()?.to_vec1()
}

fn largest(v: &[f64]) -> f64 {
    v.iter().fold(1e-3, |m: f64, v| m.max(v.abs()))
}

/// Compares the gradients of all inputs in f64 with central differences of a weighted sum of `f`'s output, then
/// outputs and gradients in f32, on every device, with those in f64.
///
/// # Panics
/// If any derivative differs by more than a millionth of the largest one, or any f32 number by more than 2e-5.
pub fn check64(name: &str, inputs: &[&Tensor], f: impl Fn(&[Tensor]) -> Result<Tensor>) {
    check_all(name, inputs, &f).unwrap_or_else(|e| panic!("{name}: {e}"));
}

fn check_all(name: &str, inputs: &[&Tensor], f: &dyn Fn(&[Tensor]) -> Result<Tensor>) -> Result<()> {
    let exact = run(name, inputs, (&Device::Cpu, DType::F64), f)?;
    for (n, given) in exact[1..].iter().enumerate() {
        let slopes = slopes(inputs, n, f)?;
        let scale = largest(&slopes.iter().map(|(a, b)| f64::midpoint(*a, *b)).collect::<Vec<_>>());
        // Where a maximum or a ReLU switches within the step, the two slopes differ and neither is wrong.
        let smooth = |(a, b): &(f64, f64)| (a - b).abs() <= 1e-3 * scale;
        let bends = slopes.iter().filter(|s| !smooth(s)).count();
        assert!(bends * 5 <= slopes.len(), "{name}: too many bends");
        for (i, (g, slope)) in given.iter().zip(&slopes).enumerate().filter(|(_, (_, s))| smooth(s)) {
            let wanted = f64::midpoint(slope.0, slope.1);
            let off = (g - wanted).abs();
            assert!(off <= DIFFERENCES * scale, "{name}: input {n}[{i}]: gradient {g}, differences {wanted}");
        }
    }
    for device in devices() {
        let found = run(name, inputs, (&device, DType::F32), f)?;
        for (n, (found, exact)) in found.iter().zip(&exact).enumerate() {
            assert_eq!(found.len(), exact.len(), "{name}");
            let scale = largest(exact);
            for (i, (a, b)) in found.iter().zip(exact).enumerate() {
                let what = if n == 0 { "output".into() } else { format!("gradient {}", n - 1) };
                assert!(
                    (a - b).abs() <= ROUNDING * scale,
                    "{name}: {what} [{i}] on {device:?}: {a}, in f64 {b}"
                );
            }
        }
    }
    Ok(())
}

/// The slopes before and after every value of input `n`.
fn slopes(inputs: &[&Tensor], n: usize, f: &dyn Fn(&[Tensor]) -> Result<Tensor>) -> Result<Vec<(f64, f64)>> {
    let mut tensors: Vec<Tensor> = inputs.iter().map(|t| t.to_dtype(DType::F64)).collect::<Result<_>>()?;
    let base = numbers(inputs[n])?;
    let shape = inputs[n].shape().clone();
    let mut objective = |data: Vec<f64>| -> Result<f64> {
        tensors[n] = Tensor::from_vec(data, &shape, &Device::Cpu)?;
        let y = f(&tensors)?;
        (&y * weights(&y)?.to_dtype(DType::F64)?)?.sum_all()?.to_scalar()
    };
    let middle = objective(base.clone())?;
    let mut slopes = Vec::with_capacity(base.len());
    for i in 0..base.len() {
        let mut moved = |by: f64| {
            let mut data = base.clone();
            data[i] += by;
            objective(data)
        };
        slopes.push(((moved(STEP)? - middle) / STEP, (middle - moved(-STEP)?) / STEP));
    }
    Ok(slopes)
}
