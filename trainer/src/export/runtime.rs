//! An exported file in tract: one coil at a time, single-threaded, fixed shapes, as the line runs it.

use tract_onnx::prelude::*;
use tract_onnx::tract_hir::tract_core::tract_linalg::multithread::Executor;

/// A loaded file.
pub struct Runtime {
    state: TypedSimpleState,
    shapes: Vec<Vec<usize>>,
}

/// Why a file cannot be loaded or run.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// Not a model, or one with operators, forms or shapes that the runtime refuses.
    #[error("tract cannot load the exported model; export it with operators that tract supports")]
    Load(#[source] TractError),
    /// Inputs of other lengths than the model's.
    #[error("the model takes inputs of {expected:?} values, not {given:?}; prepare the coil for this model")]
    Inputs {
        /// Values in each input, by the model's shapes.
        expected: Vec<usize>,
        /// Values given.
        given: Vec<usize>,
    },
    /// The computation failed.
    #[error("tract failed while it computed the model")]
    Run(#[source] TractError),
    /// The output is not two finite numbers.
    #[error("the model gave {0:?} where two finite logits were expected; do not use this export")]
    Logits(Vec<f32>),
}

impl Runtime {
    /// Loads a model as it is written.
    pub fn load(onnx: &[u8]) -> Result<Self, RuntimeError> {
        Self::load_named(onnx, &[])
    }

    /// Loads a model to compute the named values instead of its outputs; none named means its outputs.
    pub fn load_named(mut onnx: &[u8], values: &[String]) -> Result<Self, RuntimeError> {
        coilsight_models::session::leave_out_faulty();
        let mut load = || {
            let mut model = tract_onnx::onnx().model_for_read(&mut onnx)?;
            if !values.is_empty() {
                model.select_outputs_by_name(values)?;
            }
            let model = model.into_optimized()?;
            let shapes = (0..model.input_outlets()?.len())
                .map(|i| Ok(model.input_fact(i)?.shape.as_concrete().unwrap_or_default().to_vec()))
                .collect::<TractResult<Vec<_>>>()?;
            let options = RunOptions { executor: Some(Executor::SingleThread), ..RunOptions::default() };
            let state = model.into_runnable_with_options(&options)?.spawn()?;
            Ok(Self { state, shapes })
        };
        load().map_err(RuntimeError::Load)
    }

    /// The model's outputs for a coil: logits, then features if it gives any. An empty `side` stands for a model without a side vector.
    pub fn run(&mut self, image: &[f32], side: &[f32]) -> Result<Vec<Vec<f32>>, RuntimeError> {
        let given: Vec<&[f32]> = if side.is_empty() { vec![image] } else { vec![image, side] };
        let expected: Vec<usize> = self.shapes.iter().map(|s| s.iter().product()).collect();
        if !given.iter().map(|v| v.len()).eq(expected.iter().copied()) {
            let given = given.iter().map(|v| v.len()).collect();
            return Err(RuntimeError::Inputs { expected, given });
        }
        self.compute(&given).map_err(RuntimeError::Run)
    }

    /// P(NOK): the softmax of the two logits.
    pub fn p_nok(&mut self, image: &[f32], side: &[f32]) -> Result<f64, RuntimeError> {
        let [ok, nok] = self.logits(image, side)?;
        Ok(p_nok(ok, nok))
    }

    /// The two logits, finite.
    pub fn logits(&mut self, image: &[f32], side: &[f32]) -> Result<[f32; 2], RuntimeError> {
        let logits = self.run(image, side)?.into_iter().next().unwrap_or_default();
        match logits.as_slice() {
            [ok, nok] if ok.is_finite() && nok.is_finite() => Ok([*ok, *nok]),
            _ => Err(RuntimeError::Logits(logits)),
        }
    }

    fn compute(&mut self, inputs: &[&[f32]]) -> TractResult<Vec<Vec<f32>>> {
        let inputs = inputs
            .iter()
            .zip(&self.shapes)
            .map(|(values, shape)| Ok(Tensor::from_shape(shape, values)?.into_tvalue()))
            .collect::<TractResult<TVec<TValue>>>()?;
        let values = |v: &TValue| {
            let v = v.cast_to::<f32>()?;
            Ok(v.to_plain_array_view::<f32>()?.iter().copied().collect())
        };
        self.state.run(inputs)?.iter().map(values).collect()
    }
}

/// The softmax of two logits, class 1.
pub fn p_nok(ok: f32, nok: f32) -> f64 {
    1.0 / (1.0 + (f64::from(ok) - f64::from(nok)).exp())
}
