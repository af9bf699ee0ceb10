//! What people made of a decision: an inspector's word on a pass. Version 1.

use super::inbound::Label;
use crate::coil::CoilId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Version of the disposition's form.
pub const VERSION: u32 = 1;

/// An inspector's final word on a decision. REVIEW ends here, and only here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disposition {
    /// [`VERSION`].
    pub version: u32,
    /// Its own name: the same word always has the same.
    pub disposition_id: String,
    /// The decision it is about.
    pub decision_id: String,
    /// The line.
    pub line: String,
    /// The coil.
    pub coil_id: CoilId,
    /// What the coil is; `null` if a word was taken back and nobody's stands: then it is open again.
    pub label: Option<Label>,
    /// Who says so.
    pub by: String,
    /// When it was said.
    pub at: Timestamp,
    /// Anything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
    /// The disposition that this one corrects (the latest before it, if that said otherwise) or takes back.
    pub supersedes: Option<String>,
    /// A later word on the same decision, said after this one but heard before it: that one stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<String>,
}
