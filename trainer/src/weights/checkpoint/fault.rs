//! Why a file cannot be read as a checkpoint.

/// What is wrong with a checkpoint; the file's name stands beside it.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointFault {
    /// None of the formats.
    #[error(
        "it is no checkpoint that is read here: neither PyTorch's (zip or old form) nor safetensors; save a state \
         dict with torch.save, or a safetensors file"
    )]
    Unknown,
    /// More of something than any genuine checkpoint has.
    #[error("it has too many {what}: {limit} are read at most; no network here needs as many")]
    Limit {
        /// Of what.
        what: &'static str,
        /// How many are read.
        limit: u64,
    },
    /// The zip container.
    #[error("as a zip file it is damaged or unusual: {what}; get it again, or save it anew with torch.save")]
    Zip {
        /// How.
        what: &'static str,
    },
    /// The description of the tensors.
    #[error(
        "its description of the tensors (a pickle) cannot be read at byte {at}: {why}; get the file again, or save \
         it anew with torch.save"
    )]
    Pickle {
        /// Where, from the pickle's beginning.
        at: usize,
        /// What is wrong there.
        why: &'static str,
    },
    /// It has no tensors where they are looked for.
    #[error(
        "no weights were found in it, neither as a state dict (plain, or under ema, model or state_dict) nor as \
         modules; save model.state_dict() with torch.save"
    )]
    Empty,
    /// A tensor's description is not PyTorch's.
    #[error("tensor {name} is described in a way that is not read here; save the file anew with torch.save")]
    Described {
        /// The tensor.
        name: String,
    },
    /// A tensor reaches outside what is stored for it.
    #[error("tensor {name} does not lie within the numbers that are stored for it; the file is damaged")]
    View {
        /// The tensor.
        name: String,
    },
    /// The numbers of a tensor are not in the file.
    #[error("the numbers of tensor {name} are not in it; the file is damaged or cut short")]
    Missing {
        /// The tensor.
        name: String,
    },
    /// Bytes end before the numbers do.
    #[error("its numbers are cut short or not where they should be; get the file again")]
    Cut,
    /// Numbers in the other byte order.
    #[error("its numbers are big-endian; save it anew on a little-endian machine")]
    BigEndian,
    /// A name that no network has.
    #[error("a tensor's name in it is longer than {max} bytes, not printable or given twice: {name:?}")]
    Name {
        /// Its beginning.
        name: String,
        /// How long names may be.
        max: usize,
    },
    /// The safetensors header.
    #[error("it begins as a safetensors file but cannot be read as one; it may be damaged or cut short")]
    Safetensors(#[source] safetensors::SafeTensorError),
    /// A tensor operation failed.
    #[error("tensor {name} could not be taken over")]
    Tensor {
        /// The tensor.
        name: String,
        /// Why.
        #[source]
        source: candle_core::Error,
    },
}
