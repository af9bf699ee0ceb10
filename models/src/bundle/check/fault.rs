//! What can be wrong with a manifest that is well-formed.

use crate::bundle::manifest::{FORMAT, SURFACES_FORMAT};
use crate::bundle::name::{FileName, Id};
use crate::bundle::trust::TrustFault;
use crate::prepare::BadSpec;
use crate::verdict::BadPolicy;

/// What makes no sense in a manifest.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ManifestFault {
    /// A format that this program does not write.
    #[error("its format is {0}: a library of surfaces has {SURFACES_FORMAT}, everything else {FORMAT}")]
    Format(u32),
    /// References of surfaces that are not as many as stated, or too many.
    #[error(
        "its surface references are {values} values, at most 4194304, and their file has {length} bytes, 4 for each"
    )]
    SurfaceReferences {
        /// By the manifest.
        values: u64,
        /// Of the file, bytes.
        length: u64,
    },
    /// Release 0, or one that not every JSON reader can hold.
    #[error("its release is {0}, it counts from 1 to 9007199254740991")]
    Release(u64),
    /// A floor above the release: not even this one could be gone back to.
    #[error("its floor is {floor}, above its release {release}")]
    Floor {
        /// The lowest release that may be gone back to.
        floor: u64,
        /// Its own.
        release: u64,
    },
    /// It ends before it begins.
    #[error("it is built at {created_at} and meant to be used until {not_after}, which is not later")]
    Dates {
        /// When it was built.
        created_at: jiff::Timestamp,
        /// Until when it may be used.
        not_after: jiff::Timestamp,
    },
    /// Keys and roles.
    #[error("its trust document makes no sense")]
    Trust(#[source] TrustFault),
    /// Two counters for one thing.
    #[error("its trust document has version {version}, its release is {release}: they must be the same")]
    TrustVersion {
        /// The document's version.
        version: u64,
        /// The manifest's release.
        release: u64,
    },
    /// No lines, too many, one twice, or `*` among others.
    #[error("its lines are not 1 to 64 different names, or * alone")]
    Lines,
    /// Too few or too many of something.
    #[error("it has {found} {what}, {least} to {most} are allowed")]
    Count {
        /// Of what.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there must be.
        least: usize,
        /// How many there may be.
        most: usize,
    },
    /// The same name twice.
    #[error("it names the {what} {name} twice")]
    Twice {
        /// What kind of thing.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// A text that is empty, too long, or holds control characters.
    #[error("{what} is empty, longer than 1024 bytes or holds control characters")]
    Text {
        /// Which text.
        what: &'static str,
    },
    /// Something is named that is not there, or, for a part, not before its use.
    #[error("{user} uses {used}, which is not there (for a part: not before it)")]
    Unknown {
        /// Who.
        user: String,
        /// What.
        used: String,
    },
    /// Something is there that nothing uses.
    #[error("nothing uses {0}")]
    Unused(String),
    /// A file that is two things at once.
    #[error("the file {0} is used as two different things")]
    FileRoles(FileName),
    /// A number that cannot be meant.
    #[error("{what} is {value}: {rule}")]
    Number {
        /// Which number.
        what: String,
        /// Its value.
        value: f64,
        /// What it must be.
        rule: &'static str,
    },
    /// A reference whose file has not four bytes for each value of its shape.
    #[error(
        "the shape of the reference {0} does not fit the length of its file (or has no or over 4194304 values)"
    )]
    Shape(Id),
    /// The tensor contract.
    #[error("its way {id} to prepare a coil cannot be fulfilled here")]
    Prepare {
        /// Which.
        id: Id,
        /// Why.
        source: BadSpec,
    },
    /// References that are no mean and directions of one feature space.
    #[error(
        "its novelty has a centre of shape {centre:?} and a whitening of {whitening:?}, not [F] and [R, F] with R \
         from 1 to 64 and no more than F"
    )]
    NoveltyShapes {
        /// Of the centre.
        centre: Vec<u64>,
        /// Of the whitening.
        whitening: Vec<u64>,
    },
    /// The thresholds.
    #[error("its policy makes no sense")]
    Policy(#[source] BadPolicy),
    /// More NOK coils than coils.
    #[error("its provenance counts {nok} NOK coils among {coils}")]
    Provenance {
        /// All coils.
        coils: u64,
        /// NOK coils.
        nok: u64,
    },
    /// It could not be written as JSON.
    #[error("it cannot be written as JSON")]
    Unwritable,
}
