//! A network's named parameters and buffers, in one order everywhere: built once, saved, loaded, copied, restored.

use super::init::he_normal;
use candle_core::{DType, Device, Result, Tensor, Var};
use rand_chacha::ChaCha8Rng;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// The largest parameter file that is read: many times the largest network we train.
pub const MAX_FILE: u64 = 1 << 30;

/// What goes wrong with parameter files.
#[derive(Debug, thiserror::Error)]
pub enum ParamsError {
    /// The bytes are no safetensors file.
    #[error("the parameter file cannot be read as safetensors; it may be damaged or cut short")]
    Format(#[source] safetensors::SafeTensorError),
    /// The file lacks a tensor of the network.
    #[error("the parameter file has no tensor {name}; it belongs to another network")]
    Missing {
        /// The tensor's name.
        name: String,
    },
    /// The file has tensors that the network lacks.
    #[error("the parameter file has a tensor {name} that the network lacks; it belongs to another network")]
    Unknown {
        /// The tensor's name.
        name: String,
    },
    /// A tensor of another shape or number type.
    #[error(
        "tensor {name} is {found} in the parameter file, the network has f32 {wanted:?}; it belongs to another network"
    )]
    Shape {
        /// The tensor's name.
        name: String,
        /// What the file has.
        found: String,
        /// What the network has.
        wanted: Vec<usize>,
    },
    /// A tensor operation failed.
    #[error("a parameter could not be copied")]
    Tensor(#[source] candle_core::Error),
}

/// Where a network's numbers live, and in which float type. Training is f32; f64 is for checks.
#[derive(Debug, Clone)]
pub struct Place {
    /// The processor or a GPU.
    pub device: Device,
    /// f32 or f64.
    pub dtype: DType,
}

impl Default for Place {
    /// f32 on the processor.
    fn default() -> Self {
        Self { device: Device::Cpu, dtype: DType::F32 }
    }
}

impl Place {
    /// The tensor here.
    pub fn take(&self, tensor: &Tensor) -> Result<Tensor> {
        tensor.to_device(&self.device)?.to_dtype(self.dtype)
    }
}

/// Named trainable parameters and named buffers (running statistics), each in the order of their names.
#[derive(Debug, Clone, Default)]
pub struct Params {
    place: Place,
    vars: BTreeMap<String, Var>,
    buffers: BTreeMap<String, Var>,
    frozen: BTreeMap<String, Var>,
    /// Which of the frozen ones were buffers.
    frozen_buffers: BTreeSet<String>,
}

/// The values of all parameters and buffers at one moment, apart from the network.
pub type Snapshot = BTreeMap<String, Tensor>;

impl Params {
    /// None yet; what is added will live at `place`.
    pub fn at(place: Place) -> Self {
        Self { place, ..Self::default() }
    }

    /// Where they live.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Trainable parameters by name.
    pub fn vars(&self) -> &BTreeMap<String, Var> {
        &self.vars
    }

    /// Buffers by name.
    pub fn buffers(&self) -> &BTreeMap<String, Var> {
        &self.buffers
    }

    /// Parameters and buffers that training leaves alone.
    pub fn frozen(&self) -> &BTreeMap<String, Var> {
        &self.frozen
    }

    /// Puts these parameters and buffers among the frozen ones.
    pub fn freeze(&mut self, vars: &[&Var]) {
        let ids: HashSet<_> = vars.iter().map(|var| var.id()).collect();
        let of_buffers = self.buffers.iter().filter(|(_, var)| ids.contains(&var.id()));
        self.frozen_buffers.extend(of_buffers.map(|(name, _)| name.clone()));
        for map in [&mut self.vars, &mut self.buffers] {
            let (frozen, left): (BTreeMap<_, _>, _) =
                std::mem::take(map).into_iter().partition(|(_, var)| ids.contains(&var.id()));
            *map = left;
            self.frozen.extend(frozen);
        }
    }

    /// Number of learned values, frozen ones included.
    pub fn count(&self) -> usize {
        let frozen = self.frozen.iter().filter(|(name, _)| !self.frozen_buffers.contains(*name));
        self.vars.iter().chain(frozen).map(|(_, v)| v.elem_count()).sum()
    }

    /// Number of values that training moves.
    pub fn trainable(&self) -> usize {
        self.vars.values().map(|v| v.elem_count()).sum()
    }

    /// All of them: parameters, buffers, frozen ones.
    pub fn all(&self) -> impl Iterator<Item = (&String, &Var)> {
        self.vars.iter().chain(&self.buffers).chain(&self.frozen)
    }

    /// What training moves: parameters and buffers that are not frozen.
    pub fn moving(&self) -> impl Iterator<Item = (&String, &Var)> {
        self.vars.iter().chain(&self.buffers)
    }

    /// A deep copy of what training moves.
    pub fn snapshot(&self) -> Result<Snapshot> {
        copies(self.moving())
    }

    /// Writes a snapshot's values back; names and shapes must be those of what training moves.
    pub fn restore(&self, snapshot: &Snapshot) -> std::result::Result<(), ParamsError> {
        self.write(&self.moving().collect(), snapshot)
    }

    /// All parameters and buffers as a safetensors file, frozen ones included.
    pub fn to_bytes(&self) -> std::result::Result<Vec<u8>, ParamsError> {
        to_safetensors(&copies(self.all()).map_err(ParamsError::Tensor)?, None)
    }

    /// Reads what [`Params::to_bytes`] wrote for the same network; on an error nothing has changed.
    pub fn load(&self, bytes: &[u8]) -> std::result::Result<(), ParamsError> {
        self.write(&self.all().collect(), &from_safetensors(bytes)?)
    }

    /// Writes `values` to `vars`, all of them or none.
    fn write(
        &self,
        vars: &BTreeMap<&String, &Var>,
        values: &Snapshot,
    ) -> std::result::Result<(), ParamsError> {
        if let Some(name) = values.keys().find(|name| !vars.contains_key(name)) {
            return Err(ParamsError::Unknown { name: name.clone() });
        }
        for (name, var) in vars {
            let tensor = values.get(*name).ok_or_else(|| ParamsError::Missing { name: (*name).clone() })?;
            if tensor.dims() != var.dims() {
                let (found, wanted) = (format!("{:?}", tensor.dims()), var.dims().to_vec());
                return Err(ParamsError::Shape { name: (*name).clone(), found, wanted });
            }
        }
        for (name, var) in vars {
            self.place.take(&values[*name]).and_then(|t| var.set(&t)).map_err(ParamsError::Tensor)?;
        }
        Ok(())
    }
}

fn copies<'a>(vars: impl Iterator<Item = (&'a String, &'a Var)>) -> Result<Snapshot> {
    vars.map(|(name, var)| Ok((name.clone(), var.as_detached_tensor().copy()?))).collect()
}

/// Tensors as a safetensors file, with optional named text beside them.
pub fn to_safetensors(
    tensors: &BTreeMap<String, Tensor>,
    text: Option<(String, String)>,
) -> std::result::Result<Vec<u8>, ParamsError> {
    let bytes = |t: &Tensor| -> Result<Vec<u8>> {
        Ok(t.flatten_all()?
            .to_dtype(DType::F32)?
            .to_vec1::<f32>()?
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect())
    };
    let mut data = Vec::new();
    for (name, tensor) in tensors {
        data.push((name, tensor.dims().to_vec(), bytes(tensor).map_err(ParamsError::Tensor)?));
    }
    let views: std::result::Result<Vec<_>, _> = data
        .iter()
        .map(|(name, dims, bytes)| Ok((name.as_str(), TensorView::new(Dtype::F32, dims.clone(), bytes)?)))
        .collect();
    views
        .and_then(|views| safetensors::serialize(views, text.map(|entry| HashMap::from([entry]))))
        .map_err(ParamsError::Format)
}

/// All tensors of a safetensors file; only f32.
pub fn from_safetensors(bytes: &[u8]) -> std::result::Result<BTreeMap<String, Tensor>, ParamsError> {
    let file = SafeTensors::deserialize(bytes).map_err(ParamsError::Format)?;
    let mut tensors = BTreeMap::new();
    for (name, view) in file.iter() {
        if view.dtype() != Dtype::F32 {
            let (found, wanted) = (format!("{:?} {:?}", view.dtype(), view.shape()), view.shape().to_vec());
            return Err(ParamsError::Shape { name: name.into(), found, wanted });
        }
        let tensor = Tensor::from_raw_buffer(view.data(), DType::F32, view.shape(), &Device::Cpu);
        tensors.insert(name.to_string(), tensor.map_err(ParamsError::Tensor)?);
    }
    Ok(tensors)
}

/// Makes parameters while a network is put together.
pub struct Builder<'a> {
    params: &'a mut Params,
    rng: &'a mut ChaCha8Rng,
}

impl<'a> Builder<'a> {
    /// Adds to `params`, drawing initial weights from `rng`.
    pub fn new(params: &'a mut Params, rng: &'a mut ChaCha8Rng) -> Self {
        Self { params, rng }
    }

    /// A He-initialised parameter.
    pub fn he(&mut self, name: &str, shape: &[usize], fan_in: usize) -> Result<Var> {
        let data = he_normal(self.rng, shape.iter().product(), fan_in);
        self.add(name, data, shape, true)
    }

    /// A parameter of one axis, all `value`.
    pub fn constant(&mut self, name: &str, length: usize, value: f32) -> Result<Var> {
        self.add(name, vec![value; length], &[length], true)
    }

    /// A buffer, all `value`.
    pub fn buffer_of(&mut self, name: &str, shape: &[usize], value: f32) -> Result<Var> {
        self.add(name, vec![value; shape.iter().product()], shape, false)
    }

    /// A buffer of one axis, all `value`.
    pub fn buffer(&mut self, name: &str, length: usize, value: f32) -> Result<Var> {
        self.add(name, vec![value; length], &[length], false)
    }

    fn add(&mut self, name: &str, data: Vec<f32>, shape: &[usize], trainable: bool) -> Result<Var> {
        if self.params.vars.contains_key(name) || self.params.buffers.contains_key(name) {
            candle_core::bail!("two parameters are named {name}");
        }
        let tensor = Tensor::from_vec(data, shape, &Device::Cpu)?;
        let var = Var::from_tensor(&self.params.place.take(&tensor)?)?;
        let map = if trainable { &mut self.params.vars } else { &mut self.params.buffers };
        map.insert(name.to_string(), var.clone());
        Ok(var)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::seed::{Purpose, generator};

    fn params(seed: u64, width: usize) -> Params {
        let mut params = Params::default();
        let mut rng = generator(seed, Purpose::Weights, 0, 0);
        let mut builder = Builder::new(&mut params, &mut rng);
        builder.he("b.weight", &[2, width], 2).expect("weight");
        builder.constant("a.bias", 3, 0.5).expect("bias");
        builder.buffer("a.mean", 3, 0.0).expect("buffer");
        assert!(builder.constant("a.mean", 3, 0.0).is_err(), "a name twice");
        params
    }

    #[test]
    fn what_is_saved_is_loaded_bit_for_bit() {
        let (one, two) = (params(1, 3), params(2, 3));
        let bytes = one.to_bytes().expect("saved");
        assert_ne!(bytes, two.to_bytes().expect("saved"));
        two.load(&bytes).expect("loaded");
        assert_eq!(bytes, two.to_bytes().expect("saved"));
        assert_eq!(one.count(), 9);
        assert_eq!(one.vars().keys().collect::<Vec<_>>(), ["a.bias", "b.weight"]);
    }

    #[test]
    fn a_snapshot_is_apart_from_the_network() {
        let params = params(1, 3);
        let before = params.snapshot().expect("snapshot");
        params.buffers()["a.mean"]
            .set(&Tensor::new(&[1.0f32, 2.0, 3.0], &Device::Cpu).expect("t"))
            .expect("set");
        assert_eq!(before["a.mean"].to_vec1::<f32>().expect("values"), [0.0; 3]);
        params.restore(&before).expect("restored");
        assert_eq!(params.buffers()["a.mean"].to_vec1::<f32>().expect("values"), [0.0; 3]);
    }

    #[test]
    fn files_of_other_networks_and_damaged_files_are_refused() {
        let net = params(1, 3);
        let bytes = net.to_bytes().expect("saved");
        assert!(matches!(net.load(&bytes[..bytes.len() - 1]), Err(ParamsError::Format(_))));
        assert!(matches!(net.load(b"not a file"), Err(ParamsError::Format(_))));
        assert!(matches!(net.load(&params(1, 4).to_bytes().expect("saved")), Err(ParamsError::Shape { .. })));
        let mut snapshot = net.snapshot().expect("snapshot");
        let taken = snapshot.remove("a.mean").expect("there");
        assert!(matches!(net.restore(&snapshot), Err(ParamsError::Missing { name }) if name == "a.mean"));
        snapshot.insert("a.mean".into(), taken.clone());
        snapshot.insert("other".into(), taken);
        assert!(matches!(net.restore(&snapshot), Err(ParamsError::Unknown { name }) if name == "other"));
    }
}
