//! What stays f32 in an int8 export, and why.

use super::folded::{Activation, Op};
use super::quantise::QuantisedNet;
use std::fmt;

/// Nodes of one kind that stay f32.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptFloat {
    /// What they are.
    pub what: &'static str,
    /// Why.
    pub why: &'static str,
    /// Their names.
    pub nodes: Vec<String>,
}

impl fmt::Display for KeptFloat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.what, self.nodes.len(), self.why)
    }
}

impl QuantisedNet {
    /// Every node whose arithmetic is f32, by kind, in the order in which the kinds first appear.
    pub fn kept_float(&self) -> Vec<KeptFloat> {
        let mut kept: Vec<KeptFloat> = Vec::new();
        for (node, conv) in self.net.nodes.iter().zip(&self.convs) {
            let Some((what, why)) = reason(&node.op, conv.is_some()) else { continue };
            match kept.iter_mut().find(|k| k.what == what) {
                Some(kind) => kind.nodes.push(node.name.clone()),
                None => kept.push(KeptFloat { what, why, nodes: vec![node.name.clone()] }),
            }
        }
        kept
    }
}

fn reason(op: &Op, quantised: bool) -> Option<(&'static str, &'static str)> {
    Some(match op {
        Op::Conv(conv) => {
            let silu = conv.activation == Activation::Silu;
            match (quantised, conv.groups) {
                (true, 1) if silu => {
                    ("SiLU after convolutions", "the line's runtime has no quantised sigmoid")
                }
                (true, 1) => return None,
                (true, _) => (
                    "depthwise and grouped convolutions",
                    "on whole numbers, exactly; the line's runtime takes many times as long for them in int8",
                ),
                (false, _) => ("grouped convolutions with SiLU", "they have no form on whole numbers"),
            }
        }
        Op::Add => ("sums", "the line's runtime has no quantised sum"),
        // They only move values.
        Op::Concat | Op::Channels { .. } | Op::Flatten => return None,
        Op::AvgPool { .. } | Op::MaxPool { .. } | Op::GlobalPool(_) | Op::GreaterSide | Op::MeanSide => {
            ("pools", "the line's runtime has no quantised pool")
        }
        Op::Dense(_) => ("dense layers", "they are small, and P(NOK) is sensitive to their rounding"),
        Op::References(_) => ("similarity to references", "it takes exponentials and logarithms"),
    })
}
