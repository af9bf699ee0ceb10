//! A thin, typed writer of ONNX models: the operators that the exporters need, in the default domain.
//!
//! Opset 17, IR version 8: what ONNX Runtime and tract both read. Every node is named as its output.

use crate::nn::conv::Pads;
use prost::Message;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension};
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto,
    TypeProto, ValueInfoProto, type_proto,
};

const OPSET: i64 = 17;
const IR_VERSION: i64 = 8;
const ATTRIBUTE_INT: i32 = 2;
const ATTRIBUTE_INTS: i32 = 7;

/// A graph under construction.
#[derive(Default)]
pub struct Graph {
    proto: GraphProto,
}

/// A tensor in a [`Graph`]: an input, a constant or what a node gives.
#[derive(Debug, Clone)]
pub struct Value(String);

/// A number that a constant may hold.
pub trait Element: Copy {
    /// ONNX's name of the type.
    const TYPE: DataType;
    /// Appends the number's little-endian bytes.
    fn put(self, bytes: &mut Vec<u8>);
}

macro_rules! element {
    ($($number:ty => $name:ident),*) => {$(
        impl Element for $number {
            const TYPE: DataType = DataType::$name;
            fn put(self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
            }
        }
    )*};
}
element!(f32 => Float, u8 => Uint8, i8 => Int8, i32 => Int32, i64 => Int64);

/// Kernel, step and padding of a convolution or pool; pairs are (height, width).
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// Kernel size.
    pub kernel: (usize, usize),
    /// Step.
    pub stride: (usize, usize),
    /// What surrounds the map.
    pub pads: Pads,
}

/// Scale and zero point of a quantised tensor, both already constants of the graph.
#[derive(Debug, Clone)]
pub struct Quantisation {
    /// f32: one value, or one for each output channel of a weight.
    pub scale: Value,
    /// u8 for activations, s8 for weights; one value.
    pub zero_point: Value,
}

impl Graph {
    /// An f32 input of a fixed shape.
    pub fn input(&mut self, name: &str, shape: &[usize]) -> Value {
        self.proto.input.push(tensor_info(name, shape));
        Value(name.to_owned())
    }

    /// Declares `value` an f32 output of a fixed shape, under its own name.
    pub fn output(&mut self, value: &Value, shape: &[usize]) {
        self.proto.output.push(tensor_info(&value.0, shape));
    }

    /// A constant; an empty `shape` is a scalar.
    pub fn constant<T: Element>(&mut self, name: &str, shape: &[usize], values: &[T]) -> Value {
        assert_eq!(shape.iter().product::<usize>(), values.len(), "constant {name}: shape and values");
        let mut raw_data = Vec::with_capacity(std::mem::size_of_val(values));
        for v in values {
            v.put(&mut raw_data);
        }
        self.proto.initializer.push(TensorProto {
            name: name.to_owned(),
            dims: dims(shape),
            data_type: T::TYPE as i32,
            raw_data,
            ..TensorProto::default()
        });
        Value(name.to_owned())
    }

    /// An operator without attributes.
    pub fn op(&mut self, op: &str, name: &str, inputs: &[&Value]) -> Value {
        self.node(op, name, inputs, vec![])
    }

    /// `Cast` to f32.
    pub fn to_float(&mut self, name: &str, x: &Value) -> Value {
        self.node("Cast", name, &[x], vec![int("to", DataType::Float as i64)])
    }

    /// `Conv` with a bias.
    pub fn conv(
        &mut self,
        name: &str,
        x: &Value,
        weight: &Value,
        bias: &Value,
        window: Window,
        groups: usize,
    ) -> Value {
        let mut attributes = window.attributes();
        if groups > 1 {
            attributes.push(int("group", groups as i64));
        }
        self.node("Conv", name, &[x, weight, bias], attributes)
    }

    /// `QLinearConv`: quantised input and weight, s32 bias of scale `x scale * weight scale`.
    #[allow(clippy::too_many_arguments)] // As many as the operator has.
    pub fn qlinear_conv(
        &mut self,
        name: &str,
        x: (&Value, &Quantisation),
        weight: (&Value, &Quantisation),
        output: &Quantisation,
        bias: &Value,
        window: Window,
    ) -> Value {
        let ((x, xq), (w, wq)) = (x, weight);
        let inputs = [
            x,
            &xq.scale,
            &xq.zero_point,
            w,
            &wq.scale,
            &wq.zero_point,
            &output.scale,
            &output.zero_point,
            bias,
        ];
        self.node("QLinearConv", name, &inputs, window.attributes())
    }

    /// `AveragePool` in floor mode; padding does not count.
    pub fn average_pool(&mut self, name: &str, x: &Value, window: Window) -> Value {
        self.node("AveragePool", name, &[x], window.attributes())
    }

    /// `MaxPool` in floor mode.
    pub fn max_pool(&mut self, name: &str, x: &Value, window: Window) -> Value {
        self.node("MaxPool", name, &[x], window.attributes())
    }

    /// `QuantizeLinear` to u8.
    pub fn quantize(&mut self, name: &str, x: &Value, q: &Quantisation) -> Value {
        self.node("QuantizeLinear", name, &[x, &q.scale, &q.zero_point], vec![])
    }

    /// `DequantizeLinear` to f32.
    pub fn dequantize(&mut self, name: &str, x: &Value, q: &Quantisation) -> Value {
        self.node("DequantizeLinear", name, &[x, &q.scale, &q.zero_point], vec![])
    }

    /// `Flatten` from the second axis on.
    pub fn flatten(&mut self, name: &str, x: &Value) -> Value {
        self.node("Flatten", name, &[x], vec![int("axis", 1)])
    }

    /// `Concat`.
    pub fn concat(&mut self, name: &str, axis: i64, parts: &[Value]) -> Value {
        self.node("Concat", name, &parts.iter().collect::<Vec<_>>(), vec![int("axis", axis)])
    }

    /// `Slice` of `from..to` on one axis.
    pub fn slice(&mut self, name: &str, x: &Value, axis: i64, from: usize, to: usize) -> Value {
        let mut one = |what: &str, v: i64| self.constant(&format!("{name}.{what}"), &[1], &[v]);
        let (from, to, axis) = (one("starts", from as i64), one("ends", to as i64), one("axes", axis));
        self.node("Slice", name, &[x, &from, &to, &axis], vec![])
    }

    /// A `Reduce` operator over one axis, which stays with length 1.
    pub fn reduce(&mut self, op: &str, name: &str, x: &Value, axis: i64) -> Value {
        self.node(op, name, &[x], vec![ints("axes", vec![axis]), int("keepdims", 1)])
    }

    /// `Gemm` with a weight of `[out][in]`.
    pub fn gemm(&mut self, name: &str, x: &Value, weight: &Value, bias: &Value) -> Value {
        self.node("Gemm", name, &[x, weight, bias], vec![int("transB", 1)])
    }

    /// The model's bytes.
    pub fn finish(mut self, name: &str) -> Vec<u8> {
        name.clone_into(&mut self.proto.name);
        let model = ModelProto {
            ir_version: IR_VERSION,
            opset_import: vec![OperatorSetIdProto { domain: String::new(), version: OPSET }],
            producer_name: "coilsight".to_owned(),
            producer_version: env!("CARGO_PKG_VERSION").to_owned(),
            graph: Some(self.proto),
            ..ModelProto::default()
        };
        model.encode_to_vec()
    }

    fn node(&mut self, op: &str, name: &str, inputs: &[&Value], attribute: Vec<AttributeProto>) -> Value {
        self.proto.node.push(NodeProto {
            op_type: op.to_owned(),
            name: name.to_owned(),
            input: inputs.iter().map(|v| v.0.clone()).collect(),
            output: vec![name.to_owned()],
            attribute,
            ..NodeProto::default()
        });
        Value(name.to_owned())
    }
}

impl Window {
    fn attributes(self) -> Vec<AttributeProto> {
        let pair = |(h, w): (usize, usize)| vec![h as i64, w as i64];
        let mut all = vec![ints("kernel_shape", pair(self.kernel)), ints("strides", pair(self.stride))];
        if self.pads != Pads::NONE {
            all.push(ints("pads", [pair(self.pads.before), pair(self.pads.after)].concat()));
        }
        all
    }
}

fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto { name: name.to_owned(), r#type: ATTRIBUTE_INT, i, ..AttributeProto::default() }
}

fn ints(name: &str, ints: Vec<i64>) -> AttributeProto {
    AttributeProto { name: name.to_owned(), r#type: ATTRIBUTE_INTS, ints, ..AttributeProto::default() }
}

fn dims(shape: &[usize]) -> Vec<i64> {
    shape.iter().map(|d| *d as i64).collect()
}

fn tensor_info(name: &str, shape: &[usize]) -> ValueInfoProto {
    let dim = |d: i64| Dimension { value: Some(dimension::Value::DimValue(d)), ..Dimension::default() };
    let shape = TensorShapeProto { dim: dims(shape).into_iter().map(dim).collect() };
    let tensor = type_proto::Tensor { elem_type: DataType::Float as i32, shape: Some(shape) };
    let tensor = TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..TypeProto::default() };
    ValueInfoProto { name: name.to_owned(), r#type: Some(tensor), ..ValueInfoProto::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_names_its_versions_its_inputs_and_its_constants() {
        let mut graph = Graph::default();
        let x = graph.input("x", &[1, 2, 3]);
        let c = graph.constant("c", &[2, 1], &[0.5_f32, -1.0]);
        let y = graph.op("Mul", "y", &[&x, &c]);
        graph.output(&y, &[1, 2, 3]);
        let model = ModelProto::decode(graph.finish("g").as_slice()).unwrap();
        assert_eq!((model.ir_version, model.opset_import[0].version), (8, 17));
        assert_eq!(model.opset_import[0].domain, "");
        let graph = model.graph.unwrap();
        assert_eq!((graph.name.as_str(), graph.input[0].name.as_str()), ("g", "x"));
        assert_eq!(graph.initializer[0].dims, [2, 1]);
        assert_eq!(graph.initializer[0].raw_data, [0, 0, 0, 0x3f, 0, 0, 0x80, 0xbf]);
        assert_eq!(graph.node[0].input, ["x", "c"]);
        assert_eq!(graph.node[0].output, ["y"]);
    }

    #[test]
    #[should_panic(expected = "shape and values")]
    fn a_constant_of_the_wrong_length_is_a_mistake_of_the_caller() {
        Graph::default().constant("c", &[3], &[1_i32]);
    }
}
