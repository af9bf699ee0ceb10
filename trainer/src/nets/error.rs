//! Why a network cannot be built.

/// Most stages or blocks of any network.
pub const MAX_LAYERS: usize = 64;
/// Most filters of a layer, values of an image row or column, hidden units, values of an embedding.
pub const MAX_WIDTH: usize = 4096;
/// Largest kernel, stride or pool in either direction.
pub const MAX_WINDOW: usize = 31;

/// Why a network cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// A size out of range.
    #[error("{what} is {value}; it must be between {least} and {most}")]
    Range {
        /// Which size.
        what: String,
        /// Its value.
        value: usize,
        /// The smallest allowed.
        least: usize,
        /// The largest allowed.
        most: usize,
    },
    /// An even kernel would shift the map by half a pixel.
    #[error("the kernel of convolution {layer} is {kernel:?}; both sizes must be odd")]
    EvenKernel {
        /// Which convolution, from 1.
        layer: usize,
        /// Height and width.
        kernel: [usize; 2],
    },
    /// A list whose length is not the depth.
    #[error("{what} lists {found} layers, but filters lists {wanted}; give one pair for all or one for each")]
    Count {
        /// Which list.
        what: &'static str,
        /// Its length.
        found: usize,
        /// The depth.
        wanted: usize,
    },
    /// A pool after a convolution that does not exist.
    #[error("a pool stands after convolution {after}, but there are {layers}")]
    Place {
        /// Where it should stand.
        after: usize,
        /// The depth.
        layers: usize,
    },
    /// Pools and strides leave nothing.
    #[error("stage {stage} leaves nothing of an image of {height}x{width}; use fewer or smaller pools")]
    Vanishes {
        /// Which stage.
        stage: String,
        /// Rows of the image.
        height: usize,
        /// Columns of the image.
        width: usize,
    },
    /// Two sides need an even number of columns.
    #[error("sides: shared cuts the image in two, but it has {width} columns, an odd number")]
    OddWidth {
        /// Columns.
        width: usize,
    },
    /// No global pool.
    #[error("features lists no global pool; name avg, max or both, each once")]
    Features,
    /// Stages to pool that are not there, or twice.
    #[error("head.stages is {found:?}; give stages from 0 to {last} in rising order")]
    Stages {
        /// What was given.
        found: Vec<usize>,
        /// The last stage.
        last: usize,
    },
    /// Not a share.
    #[error("{what} is {value}; it must be at least 0 and less than 1")]
    Share {
        /// Which setting.
        what: &'static str,
        /// Its value.
        value: f32,
    },
    /// A number out of range.
    #[error("{what} is {value}; it must be between {least} and {most}")]
    Number {
        /// Which setting.
        what: &'static str,
        /// Its value.
        value: f64,
        /// The least that it may be.
        least: f64,
        /// The most.
        most: f64,
    },
    /// The similarity is learned where the references are compared.
    #[error(
        "siamese.projection is given with the loss `similarity`, which learns the similarity that references are judged by; leave it out, or choose another loss"
    )]
    Projection,
    /// A tensor operation failed.
    #[error("the network could not be built")]
    Tensor(#[source] candle_core::Error),
}

/// Checks a size that is at least 1.
pub(super) fn range(what: &str, value: usize, most: usize) -> Result<(), NetworkError> {
    between(what, value, 1, most)
}

/// Checks a size.
pub(super) fn between(what: &str, value: usize, least: usize, most: usize) -> Result<(), NetworkError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(NetworkError::Range { what: what.into(), value, least, most })
}
