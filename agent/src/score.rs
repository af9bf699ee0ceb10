//! How the models do, from what inspectors say. Pure: no clock, no archive, no thread; coils and times are passed in.
//!
//! [`Judged`] is what is needed of a decision. [`scores()`] says how the ensemble, the line and every model did on a
//! window of them, [`Triggers::evaluate`] when that is too bad, and [`agreement()`] how far the inspectors agree,
//! which bounds what a model can agree with them. All of it is computed afresh from the list of coils, so a word that is superseded or withdrawn
//! leaves no trace.
//!
//! The paper (4.6, "Feedback Loop and Real-World Use") says of this: "The Model Score Workflow continuously monitors
//! AI model performance by incorporating feedback from human operators. Operator feedback on coil classifications is
//! stored in the 'feedback' table, and the workflow uses these data to assess model performance, recording results in
//! the 'mperformance' table. This process identifies underperforming models, triggering re-training when necessary.
//! The Model Re-Training Workflow is activated periodically (e.g., weekly) to check for models that have evaluated
//! more than 10 coils with a score below 75%. When identified, these models are re-trained using normalized data and
//! operator feedback, ensuring they adapt to new defect patterns or production changes." It does not define the score.
//! Here it is what fits these sentences best: of the coils with feedback, the share that the model classified as the
//! operator did ([`Figures::score`]). On a line where NOK coils are all labelled and OK coils are drawn, that share
//! says little of all coils: [`Figures::accuracy`] is the same share of all coils, as labelled ones stand for them.

mod agreement;
mod config;
mod confusion;
mod estimated;
mod evidence;
mod fold;
mod interval;
mod judged;
mod kappa;
mod random;
mod scores;
mod strata;
mod trigger;
mod window;

pub use agreement::{Agreement, Among, Answer, JudgeSaid, Pair, Summary, agreement};
pub use config::{BadKey, Config, CoolDown, Draws, Paper, Sequential};
pub use confusion::Confusion;
pub use fold::{Course, Fold, Score};
pub use interval::{Estimate, clopper_pearson, wilson};
pub use judged::{Facts, Judged, MAX_MODELS, Panel, Panels};
pub use kappa::Agreed;
pub use random::Random;
pub use scores::{ClassFigures, Drawn, Figures, Judge, Reviews, Scores, Who, ensemble, scores};
pub use trigger::{Rule, Standing, Trigger, Triggers};
pub use window::{BadWindow, Window};

#[cfg(test)]
mod tests;
