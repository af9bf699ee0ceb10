//! What goes wrong while training.

use crate::nn::params::ParamsError;
use std::path::PathBuf;

/// Why training could not start, go on or resume.
#[derive(Debug, thiserror::Error)]
pub enum FitError {
    /// A setting out of range.
    #[error("{what} is {value}; {rule}")]
    Setting {
        /// Which setting.
        what: &'static str,
        /// Its value.
        value: f64,
        /// What it must be.
        rule: &'static str,
    },
    /// A source without items, or whose shapes are not the network's.
    #[error("the {which} items do not suit: {why}")]
    Source {
        /// Training or validation.
        which: &'static str,
        /// What is wrong.
        why: String,
    },
    /// A label that the network has no class for.
    #[error("item {item} has label {label}; the network has {classes} classes, the first is 0")]
    Label {
        /// Index of the item.
        item: usize,
        /// Its label.
        label: usize,
        /// Classes of the network.
        classes: usize,
    },
    /// Balanced batches need items of both classes.
    #[error("a balanced sampler needs items of both classes, there are {ok} OK and {nok} NOK")]
    OneClass {
        /// Items of class OK.
        ok: usize,
        /// Items of class NOK.
        nok: usize,
    },
    /// The loss is no longer a number.
    #[error(
        "the loss became {loss} in epoch {epoch}, step {step}; lower the learning rate or look for values that are not numbers in the inputs"
    )]
    Diverged {
        /// The loss.
        loss: f32,
        /// Epoch, from 0.
        epoch: usize,
        /// Step within the epoch, from 0.
        step: usize,
    },
    /// A layer or a tensor operation failed.
    #[error("a network operation failed")]
    Tensor(#[from] candle_core::Error),
    /// The saved state belongs to another run.
    #[error(
        "the state in {path} was saved by a run with other settings; train into an empty folder or restore the settings"
    )]
    OtherRun {
        /// The state file.
        path: PathBuf,
    },
    /// The saved state cannot be understood.
    #[error("the state in {path} is damaged ({why}); remove it to start anew")]
    Damaged {
        /// The state file.
        path: PathBuf,
        /// What is missing or wrong.
        why: String,
    },
    /// The state's tensors cannot be read or do not fit the network.
    #[error("the tensors of the state in {path} cannot be used; remove it to start anew")]
    Params {
        /// The state file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: ParamsError,
    },
    /// The state file is larger than any we write.
    #[error("the state in {path} has {bytes} bytes, more than {most}; it is not one of ours")]
    TooLarge {
        /// The state file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The limit.
        most: u64,
    },
    /// Reading or writing the state failed.
    #[error("the training state could not be read from or written to {path}")]
    Io {
        /// File or folder.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// Restoring a snapshot failed.
    #[error("the network does not take back its own snapshot")]
    Snapshot(#[source] ParamsError),
}
