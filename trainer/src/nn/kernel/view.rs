//! Tensors seen as slices and made from them. CPU f32 only; other devices are refused with a clear error.

use candle_core::{CpuStorage, Layout, Result, Storage, Tensor};

/// The contiguous f32 values behind a custom operation's argument.
pub fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let values = storage.as_slice::<f32>()?;
    match layout.contiguous_offsets() {
        Some((from, to)) => Ok(&values[from..to]),
        None => candle_core::bail!("layer argument of shape {:?} is not contiguous", layout.shape()),
    }
}

/// Runs `f` on the contiguous f32 values of `tensor`.
pub fn with<R>(tensor: &Tensor, f: impl FnOnce(&[f32]) -> Result<R>) -> Result<R> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(cpu) => f(slice(cpu, layout)?),
        _ => candle_core::bail!("layers run on the CPU so far; move the tensor there first"),
    }
}

/// A tensor like `like`, holding `values`.
pub fn tensor_like(values: Vec<f32>, like: &Tensor) -> Result<Tensor> {
    Tensor::from_vec(values, like.shape(), like.device())
}
