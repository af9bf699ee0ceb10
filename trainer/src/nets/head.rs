//! From features and the side vector to logits, or to an embedding.

use crate::export::folded::GlobalPool;
use crate::nn::Pass;
use crate::nn::activation::Activation;
use crate::nn::batch_norm::{BatchNorm, NormConfig};
use crate::nn::dropout::dropout;
use crate::nn::linear::Linear;
use crate::nn::params::Builder;
use candle_core::{Result, Tensor};
use serde::{Deserialize, Serialize};

/// Settings of a head over pooled features.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HeadConfig {
    /// The stages whose maps are pooled, counted from 0; the last one when empty.
    pub stages: Vec<usize>,
    /// Global pools of each map, concatenated in this order.
    pub features: Vec<GlobalPool>,
    /// Whether pooled features pass a batch norm before they meet the side vector.
    pub feature_norm: bool,
    /// Share of pooled features dropped in training; the side vector never is.
    pub feature_dropout: f32,
    /// Units of a hidden layer; none when absent.
    pub hidden: Option<usize>,
    /// Share of hidden units dropped in training.
    pub dropout: f32,
    /// Whether the side vector also passes by the hidden layer, by weights that begin at zero.
    pub side_skip: bool,
}

impl Default for HeadConfig {
    fn default() -> Self {
        Self {
            stages: Vec::new(),
            features: vec![GlobalPool::Avg],
            feature_norm: false,
            feature_dropout: 0.0,
            hidden: None,
            dropout: 0.0,
            side_skip: false,
        }
    }
}

/// Dense layers after the trunk.
#[derive(Debug)]
pub struct Head {
    /// Of the features, before the side vector joins them.
    pub norm: Option<BatchNorm>,
    /// Share of features dropped.
    pub feature_dropout: f32,
    /// Dense layers with ReLU, in order.
    pub hidden: Vec<Linear>,
    /// Share of the last hidden units dropped.
    pub dropout: f32,
    /// The last layer, which gives the outputs.
    pub outputs: Linear,
    /// Straight from the side vector to the outputs.
    pub skip: Option<Linear>,
}

/// How a head's layers are called, and how many values meet in it.
#[derive(Debug, Clone, Copy)]
pub struct Plan<'a> {
    /// The last layer's name.
    pub last: &'a str,
    /// Values from the trunk.
    pub features: usize,
    /// Values of the side vector.
    pub side: usize,
    /// Values given.
    pub outputs: usize,
}

impl Head {
    /// Over pooled features: `features.norm`, `hidden`, `skip` and the last layer.
    pub fn new(builder: &mut Builder, config: &HeadConfig, plan: Plan) -> Result<Self> {
        let Plan { last, features, side, outputs } = plan;
        let norm = |b: &mut Builder| {
            BatchNorm::new(b, "features.norm", features, NormConfig::default(), Activation::Identity)
        };
        let norm = config.feature_norm.then(|| norm(builder)).transpose()?;
        let hidden: Vec<Linear> = config
            .hidden
            .map(|units| Linear::new(builder, "hidden", features + side, units))
            .transpose()?
            .into_iter()
            .collect();
        let inputs = config.hidden.unwrap_or(features + side);
        let outputs_layer = Linear::new(builder, last, inputs, outputs)?;
        let skip = (config.side_skip && side > 0)
            .then(|| Linear::zeroed(builder, "skip", side, outputs))
            .transpose()?;
        let (feature_dropout, dropout) = (config.feature_dropout, config.dropout);
        Ok(Self { norm, feature_dropout, hidden, dropout, outputs: outputs_layer, skip })
    }

    /// Plain dense layers `NAME.0`, `NAME.1` and so on, of the given widths.
    pub fn dense(builder: &mut Builder, name: &str, widths: &[usize], plan: Plan) -> Result<Self> {
        let mut inputs = plan.features + plan.side;
        let mut hidden = Vec::new();
        for (i, width) in widths.iter().enumerate() {
            hidden.push(Linear::new(builder, &format!("{name}.{i}"), inputs, *width)?);
            inputs = *width;
        }
        let outputs = Linear::new(builder, plan.last, inputs, plan.outputs)?;
        Ok(Self { norm: None, feature_dropout: 0.0, hidden, dropout: 0.0, outputs, skip: None })
    }

    /// `features` `[batch, features]`, `side` `[batch, side]` or nothing; gives `[batch, outputs]`.
    pub fn forward(&self, features: &Tensor, side: Option<&Tensor>, pass: &mut Pass) -> Result<Tensor> {
        let mut x = match &self.norm {
            Some(norm) => norm.forward(features, pass)?,
            None => features.clone(),
        };
        // Order data are few and each is needed: they are not dropped.
        x = dropout(&x, self.feature_dropout, pass)?;
        if let Some(side) = side {
            x = Tensor::cat(&[&x, side], 1)?;
        }
        for layer in &self.hidden {
            x = Activation::Relu.apply(&layer.forward(&x, pass)?)?;
        }
        if !self.hidden.is_empty() {
            x = dropout(&x, self.dropout, pass)?;
        }
        let outputs = self.outputs.forward(&x, pass)?;
        match (&self.skip, side) {
            (Some(skip), Some(side)) => outputs + skip.forward(side, pass)?,
            _ => Ok(outputs),
        }
    }
}
