//! What the line says of an offered file.

use super::super::wire::{WireFault, read};
use super::Way;
use crate::bundle::Sha256;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

/// Most bytes of a text for people.
pub const MAX_TEXT: usize = 3 << 10;

/// How far a file has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Its pieces are asked for.
    Receiving,
    /// It is not taken now: another is on its way, or there is no room. Offer it again later.
    Waiting,
    /// All of it is there, and is what was offered; it is being verified.
    Received,
    /// Verified, and kept for its turn.
    Staged,
    /// It judges beside the active set, without effect.
    Shadow,
    /// It decides.
    Active,
    /// It decided, and the line went back to the set before.
    RolledBack,
    /// It is not taken.
    Refused,
}

impl Stage {
    /// Whether the line has verified and kept it, whatever came then.
    pub fn is_staged(self) -> bool {
        matches!(self, Self::Staged | Self::Shadow | Self::Active | Self::RolledBack)
    }
}

/// The line's word on an offered file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// [`super::VERSION`].
    pub version: u32,
    /// SHA-256 of the file.
    pub offer: Sha256,
    /// How far it has come.
    pub state: Stage,
    /// Pieces that are stored.
    pub have: u32,
    /// Pieces in all.
    pub pieces: u32,
    /// The bundle's fingerprint, once its manifest is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Sha256>,
    /// The release that it bears, once its manifest is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<u64>,
    /// What happened.
    #[serde(deserialize_with = "plain_text")]
    pub text: String,
    /// What to do; empty if nothing is.
    #[serde(deserialize_with = "plain_text")]
    pub to_do: String,
    /// By the line's clock, if it is set.
    pub at: Option<Timestamp>,
}

impl Answer {
    /// Reads one. Texts come back fit for a terminal.
    pub fn parse(payload: &[u8]) -> Result<Self, WireFault> {
        read(Way::Answer, payload)
    }

    /// The message that carries it, within its limit.
    pub fn payload(&self) -> Vec<u8> {
        super::payload(&Self { text: plain(&self.text), to_do: plain(&self.to_do), ..self.clone() })
    }
}

/// A text on one line, without what could steer a terminal, of at most [`MAX_TEXT`] bytes.
pub fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len().min(MAX_TEXT));
    for c in text.chars() {
        // A control character takes up to six bytes in JSON; what is left takes at most two for each of its own.
        let c = if c.is_control() { ' ' } else { c };
        if plain.len() + c.len_utf8() > MAX_TEXT {
            break;
        }
        plain.push(c);
    }
    plain
}

fn plain_text<'de, D: Deserializer<'de>>(text: D) -> Result<String, D::Error> {
    Ok(plain(&String::deserialize(text)?))
}
