//! An ONNX network in tract: single thread, batch 1, every shape fixed when it is loaded.

use super::engine::{Engine, EngineFault, Tensor};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tract_onnx::pb::{GraphProto, ModelProto};
use tract_onnx::prelude::*;
use tract_onnx::tract_hir::tract_core::tract_linalg::multithread::Executor;

/// A network ready to run.
pub(super) struct Network {
    plan: Arc<TypedRunnableModel>,
    state: TypedSimpleState,
    shapes: Vec<Vec<usize>>,
}

impl Network {
    /// Loads a graph whose inputs are exactly `inputs` (name, shape), for `outputs`.
    pub(super) fn load(
        onnx: &[u8],
        inputs: &[(&str, Vec<usize>)],
        outputs: &[String],
    ) -> Result<Self, EngineFault> {
        guarded(|| {
            super::leave_out_faulty();
            let framework = tract_onnx::onnx();
            let mut proto = framework.proto_model_for_read(&mut &onnx[..]).map_err(EngineFault::NotOnnx)?;
            arrange(&mut proto, inputs, outputs)?;
            let model = optimise(&framework, &proto, inputs).map_err(EngineFault::Unsupported)?;
            let shapes = outputs
                .iter()
                .enumerate()
                .map(|(at, name)| shape(&model, at, name))
                .collect::<Result<_, _>>()?;
            let options = RunOptions { executor: Some(Executor::SingleThread), ..RunOptions::default() };
            let plan = model.into_runnable_with_options(&options).map_err(EngineFault::Unsupported)?;
            let state = plan.spawn().map_err(EngineFault::Unsupported)?;
            Ok(Self { plan, state, shapes })
        })
    }

    fn compute(&mut self, inputs: &[&Tensor]) -> TractResult<Vec<Tensor>> {
        let inputs = inputs
            .iter()
            .map(|t| Ok(tract_onnx::prelude::Tensor::from_shape(&t.shape, &t.values)?.into_tvalue()))
            .collect::<TractResult<TVec<TValue>>>()?;
        let take = |value: &TValue| {
            let view = value.to_plain_array_view::<f32>()?;
            Ok(Tensor { shape: view.shape().to_vec(), values: view.iter().copied().collect() })
        };
        self.state.run(inputs)?.iter().map(take).collect()
    }
}

impl Engine for Network {
    fn shapes(&self) -> &[Vec<usize>] {
        &self.shapes
    }

    fn run(&mut self, inputs: &[&Tensor]) -> Result<Vec<Tensor>, EngineFault> {
        let outputs = guarded(|| self.compute(inputs).map_err(EngineFault::Run));
        if outputs.is_err() {
            // Half a run leaves values behind; the next coil starts clean.
            self.state = self.plan.spawn().map_err(EngineFault::Run)?;
        }
        outputs
    }
}

/// Checks the graph's own names and puts its inputs and outputs into the manifest's order. tract takes
/// for granted that every output is computed somewhere, and panics where it is not.
fn arrange(
    proto: &mut ModelProto,
    inputs: &[(&str, Vec<usize>)],
    outputs: &[String],
) -> Result<(), EngineFault> {
    let empty = GraphProto::default();
    let graph = proto.graph.as_ref().unwrap_or(&empty);
    let constants: BTreeSet<&str> = graph.initializer.iter().map(|t| t.name.as_str()).collect();
    let open: Vec<_> = graph.input.iter().filter(|i| !constants.contains(i.name.as_str())).collect();
    let find = |name: &str| open.iter().find(|i| i.name == name).copied().cloned();
    let ordered: Option<Vec<_>> = inputs.iter().map(|(name, _)| find(name)).collect();
    let Some(ordered) = ordered.filter(|o| o.len() == open.len()) else {
        return Err(EngineFault::Inputs {
            graph: open.iter().map(|i| i.name.clone()).collect(),
            manifest: inputs.iter().map(|(name, _)| (*name).to_string()).collect(),
        });
    };
    let computed = |name: &str| {
        graph.node.iter().any(|n| n.output.iter().any(|o| o == name))
            || constants.contains(name)
            || open.iter().any(|i| i.name == name)
    };
    let output = |name: &String| {
        let found = graph.output.iter().find(|o| o.name == *name && computed(name));
        found.cloned().ok_or_else(|| EngineFault::Output(name.clone()))
    };
    let wanted = outputs.iter().map(output).collect::<Result<Vec<_>, _>>()?;
    if let Some(graph) = proto.graph.as_mut() {
        graph.input = ordered;
        graph.output = wanted;
    }
    Ok(())
}

/// Parses without a folder, so that no graph can point at files of the device.
fn optimise(
    framework: &tract_onnx::Onnx,
    proto: &ModelProto,
    inputs: &[(&str, Vec<usize>)],
) -> TractResult<TypedModel> {
    let parsed = framework.parse(proto, None)?;
    if let Some(name) = parsed.unresolved_inputs.first() {
        return Err(TractError::msg(format!("a node reads {name:?}, which nothing gives")));
    }
    let mut model = parsed.model;
    for (at, (_, shape)) in inputs.iter().enumerate() {
        model.set_input_fact(at, f32::fact(shape).into())?;
    }
    model.into_optimized()
}

/// The fixed shape of output `at`.
fn shape(model: &TypedModel, at: usize, name: &str) -> Result<Vec<usize>, EngineFault> {
    let fact = model.output_fact(at).map_err(EngineFault::Unsupported)?;
    match fact.shape.as_concrete() {
        Some(shape) if fact.datum_type == f32::datum_type() => Ok(shape.to_vec()),
        _ => Err(EngineFault::OutputKind { name: name.to_string(), fact: format!("{fact:?}") }),
    }
}

/// Turns a panic of the runtime on a graph that it did not foresee into an error.
fn guarded<T>(work: impl FnOnce() -> Result<T, EngineFault>) -> Result<T, EngineFault> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|cause| {
        let text = cause.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| cause.downcast_ref::<&str>().copied()).unwrap_or("no reason given");
        Err(EngineFault::Panic(text.chars().take(500).collect()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_the_runtime_is_an_error() {
        let broken: Result<(), _> = guarded(|| panic!("index {} out of bounds", 7));
        assert!(matches!(broken, Err(EngineFault::Panic(text)) if text == "index 7 out of bounds"));
    }
}
