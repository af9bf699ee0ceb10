//! What computes a part. One kind today ([`super::network`], tract); an integer plan would be another.

use tract_onnx::prelude::TractError;

/// Numbers between parts: row-major, `values` as many as `shape` multiplies to.
pub(super) struct Tensor {
    pub(super) shape: Vec<usize>,
    pub(super) values: Box<[f32]>,
}

/// A loaded part: fixed shapes in, fixed shapes out.
pub(super) trait Engine: Send {
    /// Shapes of the outputs, in the manifest's order.
    fn shapes(&self) -> &[Vec<usize>];

    /// Computes the outputs of `inputs`, both in the manifest's order.
    fn run(&mut self, inputs: &[&Tensor]) -> Result<Vec<Tensor>, EngineFault>;
}

/// Why a part cannot be loaded or computed.
#[derive(Debug, thiserror::Error)]
pub enum EngineFault {
    /// Not an ONNX model.
    #[error("its file is not an ONNX model")]
    NotOnnx(#[source] TractError),
    /// The graph's inputs are others than the manifest's.
    #[error("its graph has the inputs {graph:?}, the manifest names {manifest:?}")]
    Inputs {
        /// Without initialised ones.
        graph: Vec<String>,
        /// In the manifest's order.
        manifest: Vec<String>,
    },
    /// An output that the graph does not have or never computes.
    #[error("its graph has no output {0:?}")]
    Output(String),
    /// An output that is no `f32` tensor of a fixed shape.
    #[error("its output {name:?} is {fact}, not f32 of a fixed shape")]
    OutputKind {
        /// Which.
        name: String,
        /// What the runtime takes it for.
        fact: String,
    },
    /// The runtime refuses it: an operator or a form of one that it lacks, or shapes that do not meet.
    #[error("the runtime cannot run it")]
    Unsupported(#[source] TractError),
    /// The runtime failed while computing.
    #[error("the runtime failed while computing it")]
    Run(#[source] TractError),
    /// The runtime broke off.
    #[error("the runtime broke off: {0}")]
    Panic(String),
}
