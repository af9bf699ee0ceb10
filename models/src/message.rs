//! Everything on the wire: what the plant says ([`inbound`]), what it hears ([`assessment`],
//! [`disposition`], [`notification`], [`status`]), how a bundle comes from the trainer ([`model`]), and how decisions and
//! words go to the plant's record ([`upload`]).

pub mod assessment;
pub mod disposition;
pub mod inbound;
pub mod model;
pub mod notification;
pub mod status;
pub mod upload;
pub mod wire;
pub mod word;

use serde::{Deserialize, Serialize};

/// What `coilsight-agent doctor` publishes to learn whether it may: nothing to whoever hears it.
pub const DOCTORS_TEST: &[u8] =
    br#"{"version":1,"test":"coilsight-agent doctor asks whether it may publish here; nothing to do"}"#;

/// The topics of a line. Prefix and every topic are configuration; these are the plant's defaults.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Topics {
    /// The line's name, before every topic.
    pub prefix: String,
    /// A coil begins.
    pub start: String,
    /// A batch of rows across the strip.
    pub gauge: String,
    /// A coil ends, with its length.
    pub end: String,
    /// A whole coil, chunked by the gateway.
    pub matrix: String,
    /// An inspector's word.
    pub feedback: String,
    /// Pictures of the strip, followed by `/coil/side/position`.
    pub surface: String,
    /// Decisions go here.
    pub assessment: String,
    /// What people made of them.
    pub disposition: String,
    /// What a person must act on.
    pub notification: String,
    /// How the agent is, retained.
    pub status: String,
    /// Bundles from the trainer, and what became of them: followed by `/offer`, `/want`, `/piece`, `/answer`
    /// and `/state`.
    pub model: String,
    /// Decisions and words to the plant's record: followed by `/batch`, `/stored` and `/report`.
    pub upload: String,
}

impl Default for Topics {
    fn default() -> Self {
        let s = str::to_string;
        Self {
            prefix: s("plant/gl2"),
            start: s("coil/start"),
            gauge: s("gauge"),
            end: s("coil/end"),
            matrix: s("coil/matrix"),
            feedback: s("feedback"),
            surface: s("surface"),
            assessment: s("assessment"),
            disposition: s("disposition"),
            notification: s("notification"),
            status: s("status"),
            model: s("model"),
            upload: s("upload"),
        }
    }
}

/// What a topic carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// [`inbound::Start`].
    Start,
    /// [`inbound::Rows`].
    Gauge,
    /// [`inbound::End`].
    End,
    /// [`inbound::WholeCoil`].
    Matrix,
    /// [`inbound::Feedback`].
    Feedback,
    /// A picture of the strip.
    Surface,
}

impl Kind {
    /// The most bytes a payload of this kind may have: several times what the plant sends.
    pub fn max_bytes(self) -> usize {
        match self {
            Self::Start | Self::End | Self::Feedback => 16 << 10,
            Self::Gauge => 256 << 10,
            Self::Matrix => 1 << 20,
            Self::Surface => 2 << 20,
        }
    }
}

impl Topics {
    /// A topic of this line in full.
    pub fn full(&self, topic: &str) -> String {
        format!("{}/{topic}", self.prefix)
    }

    /// A topic of a bundle's way to the line, in full.
    pub fn model(&self, way: model::Way) -> String {
        format!("{}/{}/{}", self.prefix, self.model, way.name())
    }

    /// Which topic of a bundle's way `topic` is, if it is one.
    pub fn model_way(&self, topic: &str) -> Option<model::Way> {
        model::Way::ALL.into_iter().find(|way| topic == self.model(*way))
    }

    /// A topic of the way to the plant's record, in full.
    pub fn upload(&self, way: upload::Way) -> String {
        format!("{}/{}/{}", self.prefix, self.upload, way.name())
    }

    /// What `topic` carries, or `None` if the line does not listen to it.
    pub fn kind(&self, topic: &str) -> Option<Kind> {
        let rest = topic.strip_prefix(self.prefix.as_str())?.strip_prefix('/')?;
        let exact = [
            (&self.start, Kind::Start),
            (&self.gauge, Kind::Gauge),
            (&self.end, Kind::End),
            (&self.matrix, Kind::Matrix),
            (&self.feedback, Kind::Feedback),
        ];
        if let Some((_, kind)) = exact.into_iter().find(|(name, _)| rest == name.as_str()) {
            return Some(kind);
        }
        let picture = rest.strip_prefix(self.surface.as_str())?.strip_prefix('/')?;
        (picture.split('/').count() == 3).then_some(Kind::Surface)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_told_apart() {
        let topics = Topics::default();
        assert_eq!(topics.kind("plant/gl2/gauge"), Some(Kind::Gauge));
        assert_eq!(topics.kind("plant/gl2/surface/X/top/12.5"), Some(Kind::Surface));
        assert_eq!(topics.kind("plant/gl2/assessment"), None);
        assert_eq!(topics.kind("plant/gl22/gauge"), None);
        assert_eq!(topics.kind("gauge"), None);
        assert_eq!(topics.kind("plant/gl2/model/offer"), None);
        assert_eq!(topics.model(model::Way::Piece), "plant/gl2/model/piece");
        for way in model::Way::ALL {
            assert_eq!(topics.model_way(&topics.model(way)), Some(way));
        }
        assert_eq!(topics.model_way("plant/gl2/model"), None);
        assert_eq!(topics.model_way("plant/gl22/model/offer"), None);
    }
}
