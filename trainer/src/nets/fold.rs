//! From a trained network to plain numbers. Comes with the folded form as a graph.

use super::Network;
use crate::export::folded::FoldedNet;
use candle_core::Result;

impl Network {
    /// The network as it evaluates (running statistics, no dropout).
    pub fn fold(&self) -> Result<FoldedNet> {
        candle_core::bail!("folding comes with the graph form of the export")
    }
}
