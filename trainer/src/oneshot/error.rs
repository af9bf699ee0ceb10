//! What can go wrong with pictures of surfaces, and what to do about it.

use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// Why pictures could not be read, learned from or recognised.
#[derive(Debug, Error)]
pub enum OneShotError {
    /// A file or folder could not be opened or written.
    #[error("cannot {what} {}", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// Of what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The folder has no folders with pictures in them.
    #[error("{} has {found}: it must hold a folder for each class (two at least), with pictures (JPEG, PNG) in it", path.display())]
    NoClasses {
        /// The folder.
        path: PathBuf,
        /// What it has.
        found: String,
    },
    /// More pictures than are read.
    #[error("{} has more than {limit} files: that many pictures are not read at once", path.display())]
    TooMany {
        /// The folder.
        path: PathBuf,
        /// The limit.
        limit: usize,
    },
    /// A file larger than any picture is.
    #[error("{} has more than {limit} bytes: bring a smaller picture", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit, bytes.
        limit: u64,
    },
    /// No picture, a damaged one, or one of too many pixels.
    #[error("{} is no picture that can be read (JPEG or PNG, whole, at most {most} x {most} pixels): {why}", path.display())]
    Picture {
        /// The file.
        path: PathBuf,
        /// The largest side, pixels.
        most: usize,
        /// What the decoder said.
        why: String,
    },
    /// A picture of hardly any pixels.
    #[error("{} is {width} x {height} pixels: at least {least} x {least} are needed", path.display())]
    Small {
        /// The file.
        path: PathBuf,
        /// Pixels across.
        width: usize,
        /// Pixels down.
        height: usize,
        /// The smallest side, pixels.
        least: usize,
    },
    /// A class whose name cannot be kept.
    #[error(
        "{name:?} cannot be the name of a class: use 1 to {limit} letters, digits, '-', '_', '.' or blanks, beginning with a letter or digit"
    )]
    Name {
        /// The name.
        name: String,
        /// The longest.
        limit: usize,
    },
    /// Classes that are not there.
    #[error("there is no class {name:?}; there are {}", known.join(", "))]
    UnknownClass {
        /// The name.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// Fewer pictures than an episode needs.
    #[error("{ways}-way {shots}-shot episodes need {ways} classes of at least {} pictures; {found}", shots + 1)]
    Episodes {
        /// Classes of an episode.
        ways: usize,
        /// References of a class.
        shots: usize,
        /// What there is.
        found: String,
    },
    /// Numbers that an algorithm cannot go on with.
    #[error("{what}: {why}")]
    Numbers {
        /// What was computed.
        what: &'static str,
        /// Why it does not work.
        why: String,
    },
    /// A library of known classes that does not hold together.
    #[error("the library {} cannot be used: {why}", path.display())]
    Library {
        /// Its folder.
        path: PathBuf,
        /// What is wrong, and what to do.
        why: String,
    },
    /// The encoder failed.
    #[error("the encoder cannot be run")]
    Encoder(#[source] candle_core::Error),
}
