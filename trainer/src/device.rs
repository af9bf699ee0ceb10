//! Where a network is trained: the processor, or one of this machine's NVIDIA GPUs.

use candle_core::Device;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A device by its name in settings and on the command line: `cpu`, `cuda` (the first GPU), `cuda:1` (the second).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum DeviceKind {
    /// The processor.
    #[default]
    Cpu,
    /// A GPU, by the driver's number from 0, as `nvidia-smi` shows them where `CUDA_DEVICE_ORDER=PCI_BUS_ID`.
    Cuda(u8),
}

/// Why a device cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// No device's name.
    #[error("{given:?} is no device; give cpu, cuda (the first GPU) or cuda:N (GPU N, counted from 0)")]
    Name {
        /// What was given.
        given: String,
    },
    /// This program was built for the processor alone.
    #[error(
        "{kind} is asked for, but this program was built without CUDA; build it with deploy/cuda/build, or set the device to cpu"
    )]
    NotBuilt {
        /// What was asked for.
        kind: DeviceKind,
    },
    /// The driver's library is not on this machine.
    #[error(
        "{kind} is asked for, but there is no NVIDIA driver: libcuda.so.1 was not found; install the driver (deploy/cuda/README.md says which), or set the device to cpu"
    )]
    NoDriver {
        /// What was asked for.
        kind: DeviceKind,
    },
    /// The driver has fewer GPUs, or none.
    #[error(
        "{kind} is asked for, but the NVIDIA driver shows {count} GPUs here; see `nvidia-smi -L` and CUDA_VISIBLE_DEVICES, or set the device to cpu"
    )]
    NoGpu {
        /// What was asked for.
        kind: DeviceKind,
        /// How many there are.
        count: u8,
    },
    /// The driver is there and does not work.
    #[error("{kind} is asked for, but the NVIDIA driver does not start; `nvidia-smi` should say why")]
    Driver {
        /// What was asked for.
        kind: DeviceKind,
        /// What the driver said.
        #[source]
        source: candle_core::Error,
    },
    /// The GPU is there and cannot compute what this program was built for.
    #[error(
        "{kind} is there, but a first small computation on it failed; a driver before 580, a GPU of lower capability than the program was built for (CUDA_COMPUTE_CAP), or one without free memory does that: compare `nvidia-smi` with deploy/cuda/README.md"
    )]
    Unusable {
        /// What was asked for.
        kind: DeviceKind,
        /// What failed.
        #[source]
        source: candle_core::Error,
    },
    /// A first computation came out wrong.
    #[error(
        "{kind} computed {found} where {wanted} was due; do not train on it: try another GPU, or set the device to cpu"
    )]
    Wrong {
        /// What was asked for.
        kind: DeviceKind,
        /// What it gave.
        found: f32,
        /// What is right.
        wanted: f32,
    },
}

impl fmt::Display for DeviceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(0) => f.write_str("cuda"),
            Self::Cuda(ordinal) => write!(f, "cuda:{ordinal}"),
        }
    }
}

impl FromStr for DeviceKind {
    type Err = DeviceError;

    fn from_str(name: &str) -> Result<Self, DeviceError> {
        let number = match name {
            "cpu" => return Ok(Self::Cpu),
            "cuda" => "0",
            _ => name.strip_prefix("cuda:").unwrap_or_default(),
        };
        // The standard parser would also take a plus sign.
        let digits = number.bytes().all(|b| b.is_ascii_digit());
        let ordinal = number.parse().ok().filter(|_| digits);
        // Names come from outside: a long one is not repeated whole.
        let given = || name.chars().take(32).collect();
        ordinal.map(Self::Cuda).ok_or_else(|| DeviceError::Name { given: given() })
    }
}

impl TryFrom<String> for DeviceKind {
    type Error = DeviceError;

    fn try_from(name: String) -> Result<Self, DeviceError> {
        name.parse()
    }
}

impl From<DeviceKind> for String {
    fn from(kind: DeviceKind) -> Self {
        kind.to_string()
    }
}

/// Opens the device, and on a GPU computes something small, so that what is missing is said before training starts.
///
/// Open it once and hand it on: tensors of two openings of the same GPU do not go together.
pub fn open(kind: DeviceKind) -> Result<Device, DeviceError> {
    match kind {
        DeviceKind::Cpu => Ok(Device::Cpu),
        #[cfg(not(feature = "cuda"))]
        DeviceKind::Cuda(_) => Err(DeviceError::NotBuilt { kind }),
        #[cfg(feature = "cuda")]
        DeviceKind::Cuda(ordinal) => cuda::open(kind, ordinal),
    }
}

#[cfg(feature = "cuda")]
mod cuda {
    use super::{DeviceError, DeviceKind};
    use candle_core::cuda_backend::WrapErr;
    use candle_core::cuda_backend::cudarc::driver::result::{self, DriverError};
    use candle_core::cuda_backend::cudarc::driver::sys::CUresult;
    use candle_core::{DType, Device, Result, Tensor};

    pub fn open(kind: DeviceKind, ordinal: u8) -> std::result::Result<Device, DeviceError> {
        let count = match result::init().and_then(|()| result::device::get_count()) {
            Ok(count) => u8::try_from(count).unwrap_or(u8::MAX),
            Err(DriverError(CUresult::CUDA_ERROR_NO_DEVICE)) => 0,
            // What deploy/cuda/driver.c says for a driver that is not there.
            Err(DriverError(CUresult::CUDA_ERROR_STUB_LIBRARY)) => {
                return Err(DeviceError::NoDriver { kind });
            }
            failed => {
                let source = match failed.w() {
                    Err(error) => error,
                    Ok(count) => candle_core::Error::Msg(format!("{count} GPUs")),
                };
                return Err(DeviceError::Driver { kind, source });
            }
        };
        if ordinal >= count {
            return Err(DeviceError::NoGpu { kind, count });
        }
        let unusable = |source| DeviceError::Unusable { kind, source };
        // One stream for all threads. candle's usual choice, a stream per thread, lets a thread read what another
        // one's stream has not yet written.
        let device = Device::new_cuda_with_stream(ordinal.into()).map_err(unusable)?;
        let (found, wanted) = (first(&device).map_err(unusable)?, 128.0);
        if found == wanted { Ok(device) } else { Err(DeviceError::Wrong { kind, found, wanted }) }
    }

    /// A product of matrices, a product with a number and a sum: the matrix library and candle's kernels have to load.
    fn first(device: &Device) -> Result<f32> {
        let ones = Tensor::ones((8, 8), DType::F32, device)?;
        (ones.matmul(&ones)? * 0.25)?.sum_all()?.to_scalar()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for (name, kind) in [
            ("cpu", DeviceKind::Cpu),
            ("cuda", DeviceKind::Cuda(0)),
            ("cuda:1", DeviceKind::Cuda(1)),
            ("cuda:255", DeviceKind::Cuda(255)),
        ] {
            assert_eq!(name.parse::<DeviceKind>().expect("a device"), kind);
            assert_eq!(kind.to_string(), name);
            let json = serde_json::to_string(&kind).expect("written");
            assert_eq!(json, format!("{name:?}"));
            assert_eq!(serde_json::from_str::<DeviceKind>(&json).expect("read"), kind);
        }
        assert_eq!("cuda:0".parse::<DeviceKind>().expect("a device"), DeviceKind::Cuda(0));
        assert_eq!(DeviceKind::default(), DeviceKind::Cpu);
    }

    #[test]
    fn other_names_are_refused_with_what_could_be_said() {
        let long = "x".repeat(100_000);
        for name in
            ["", "CPU", "gpu", "cuda:", "cuda:+1", "cuda:-1", "cuda:1 ", "cuda:256", "cuda1", "1", &long]
        {
            let said = name.parse::<DeviceKind>().expect_err("no device").to_string();
            assert!(said.contains("cuda:N") && said.len() < 200, "{said}");
        }
    }

    #[test]
    fn the_processor_is_always_there() {
        assert!(open(DeviceKind::Cpu).expect("opened").is_cpu());
    }

    #[test]
    #[cfg(not(feature = "cuda"))]
    fn a_build_without_cuda_says_how_to_get_one() {
        let said = open(DeviceKind::Cuda(1)).expect_err("not built").to_string();
        assert!(said.contains("cuda:1") && said.contains("deploy/cuda/build"), "{said}");
    }

    /// Where `deploy/cuda/test` saw a GPU it must open; elsewhere the error must be one of those that say what is missing.
    #[test]
    #[cfg(feature = "cuda")]
    fn a_gpu_opens_or_what_is_missing_is_said() {
        let needed = std::env::var_os("COILSIGHT_NEEDS_GPU").is_some();
        match open(DeviceKind::Cuda(0)) {
            Ok(device) => assert!(device.is_cuda()),
            Err(error @ (DeviceError::NoDriver { .. } | DeviceError::NoGpu { .. })) if !needed => {
                assert!(error.to_string().contains("set the device to cpu"), "{error}");
                eprintln!("SKIPPED opening a GPU: {error}");
            }
            Err(error) => panic!("{error}: {:?}", std::error::Error::source(&error)),
        }
        let missing = open(DeviceKind::Cuda(255)).expect_err("no machine has 256 GPUs");
        assert!(matches!(missing, DeviceError::NoDriver { .. } | DeviceError::NoGpu { .. }), "{missing}");
    }
}
