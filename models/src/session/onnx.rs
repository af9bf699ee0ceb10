//! Writes small ONNX networks for tests.

use prost::Message;
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto,
    TypeProto, ValueInfoProto,
    attribute_proto::AttributeType,
    tensor_proto::DataLocation,
    tensor_shape_proto::{Dimension, dimension::Value},
    type_proto,
};

/// A graph in the making.
#[derive(Default)]
pub(super) struct Graph(GraphProto);

fn value(name: &str, shape: &[i64]) -> ValueInfoProto {
    let dim = |n: &i64| Dimension { value: Some(Value::DimValue(*n)), ..Default::default() };
    let shape = TensorShapeProto { dim: shape.iter().map(dim).collect() };
    let tensor = type_proto::Tensor { elem_type: 1, shape: Some(shape) };
    let kind = TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..Default::default() };
    ValueInfoProto { name: name.into(), r#type: Some(kind), ..Default::default() }
}

impl Graph {
    pub(super) fn input(mut self, name: &str, shape: &[i64]) -> Self {
        self.0.input.push(value(name, shape));
        self
    }

    pub(super) fn output(mut self, name: &str, shape: &[i64]) -> Self {
        self.0.output.push(value(name, shape));
        self
    }

    pub(super) fn constant(mut self, name: &str, shape: &[i64], values: &[f32]) -> Self {
        self.0.initializer.push(TensorProto {
            name: name.into(),
            dims: shape.to_vec(),
            data_type: 1,
            raw_data: values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            ..Default::default()
        });
        self
    }

    /// A constant that lies in a file beside the network, as large networks have it.
    pub(super) fn constant_elsewhere(self, name: &str, shape: &[i64]) -> Self {
        let mut graph = self.constant(name, shape, &[]);
        if let Some(tensor) = graph.0.initializer.last_mut() {
            tensor.data_location = Some(DataLocation::External as i32);
        }
        graph
    }

    pub(super) fn node(mut self, op: &str, inputs: &[&str], output: &str, axis: Option<i64>) -> Self {
        let attribute = axis.map(|i| AttributeProto {
            name: "axis".into(),
            r#type: AttributeType::Int as i32,
            i,
            ..Default::default()
        });
        self.0.node.push(NodeProto {
            op_type: op.into(),
            name: output.into(),
            input: inputs.iter().map(ToString::to_string).collect(),
            output: vec![output.into()],
            attribute: attribute.into_iter().collect(),
            ..Default::default()
        });
        self
    }

    pub(super) fn bytes(mut self) -> Vec<u8> {
        self.0.name = "test".into();
        let opset = OperatorSetIdProto { version: 17, ..Default::default() };
        let model = ModelProto {
            ir_version: 8,
            opset_import: vec![opset],
            graph: Some(self.0),
            ..Default::default()
        };
        model.encode_to_vec()
    }
}
