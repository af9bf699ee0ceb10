//! How sets of models do and did: figures, what asked for new ones, and everything about one set.

use super::Result;
use super::db::Record;
use super::read::{Happened, MOST, moment};
use super::retrainings::Retraining;
use jiff::Timestamp;
use serde::Serialize;
use sqlx::Row;

/// A set on a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Model {
    /// The line.
    pub line: String,
    /// The set's fingerprint.
    pub set: String,
    /// Its name.
    pub name: String,
    /// Decisions that it made.
    pub coils: i64,
    /// Of these with a label that stands.
    pub labelled: i64,
    /// The first one's moment.
    pub first: Option<Timestamp>,
    /// The last one's.
    pub last: Option<Timestamp>,
    /// `active` or `candidate`, if it stands in one of the line's slots; else it is not available there.
    pub slot: Option<&'static str>,
}

/// A row of the paper's mperformance: how a judge did on the coils of a window, when a line said so.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// When.
    pub at: Option<Timestamp>,
    /// The set's fingerprint; empty for the line as a whole.
    pub set: String,
    /// The model's name; `ensemble` for all together, `line` for what went out.
    pub judge: String,
    /// The tolerance class; empty for all.
    pub tolerance_class: String,
    /// Over which coils.
    pub window: String,
    /// Coils in the window.
    pub coils: i64,
    /// Of these with a label.
    pub labelled: i64,
    /// The share of all that it judges right.
    pub score: Option<f64>,
    /// Lower end of its 95 % interval.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// Mean of the shares right among OK and among NOK coils.
    pub balanced_accuracy: Option<f64>,
    /// Matthews correlation coefficient.
    pub mcc: Option<f64>,
}

/// What asked for new models.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Asked {
    /// When.
    pub at: Option<Timestamp>,
    /// The rule.
    pub rule: String,
    /// The model's name; empty for all together.
    pub judge: String,
    /// The set's fingerprint.
    pub set: String,
    /// Whether it still holds.
    pub holds: bool,
    /// What was seen.
    pub what: String,
    /// What people can do.
    pub to_do: String,
}

/// Everything about a set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct History {
    /// Where it judged.
    pub lines: Vec<Model>,
    /// Retrainings that led to it, or away from it, latest first.
    pub retrainings: Vec<Retraining>,
    /// How it did, latest first.
    pub performance: Vec<Figures>,
    /// What asked for another.
    pub triggers: Vec<Asked>,
    /// What happened, latest first.
    pub history: Vec<Happened>,
}

impl History {
    /// Whether nothing is known of it.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.retrainings.is_empty() && self.history.is_empty()
    }
}

/// Of which figures.
#[derive(Clone, Debug, Default)]
pub struct Which {
    /// Of this line.
    pub line: Option<String>,
    /// Of this set.
    pub set: Option<String>,
    /// Of this judge.
    pub judge: Option<String>,
}

impl Record {
    /// All sets that judged on a line, or on all; the last ones first.
    pub async fn models(&self, line: Option<&str>) -> Result<Vec<Model>> {
        let sql = "SELECT line, model_set, MAX(bundle), COUNT(*), COUNT(label), MIN(closed_us), MAX(closed_us) FROM coil \
            WHERE model_set IS NOT NULL AND ($1 = '' OR line = $1) GROUP BY line, model_set ORDER BY 7 DESC LIMIT $2";
        let rows = sqlx::query(sql).bind(line.unwrap_or_default()).bind(MOST).fetch_all(&self.pool).await?;
        let lines = self.lines().await?;
        let mut models: Vec<Model> = Vec::new();
        for row in rows {
            models.push(Model {
                line: row.get(0),
                set: row.get(1),
                name: row.get(2),
                coils: row.get(3),
                labelled: row.get(4),
                first: moment(row.get(5)),
                last: moment(row.get(6)),
                slot: None,
            });
        }
        for of in lines.iter().filter(|of| line.is_none_or(|line| line == of.line)) {
            for slot in ["active", "candidate"] {
                let Some(stands) = of.slots.as_ref().map(|slots| &slots[slot]) else { continue };
                let (Some(set), Some(name)) = (stands["fingerprint"].as_str(), stands["name"].as_str())
                else {
                    continue;
                };
                let known = models.iter_mut().find(|model| model.line == of.line && model.set == set);
                if let Some(model) = known {
                    model.slot = Some(slot);
                } else {
                    let (line, set, name) = (of.line.clone(), set.to_owned(), name.to_owned());
                    let slot = Some(slot);
                    models.push(Model {
                        line,
                        set,
                        name,
                        coils: 0,
                        labelled: 0,
                        first: None,
                        last: None,
                        slot,
                    });
                }
            }
        }
        Ok(models)
    }

    /// Figures, latest first.
    pub async fn performance(&self, which: &Which) -> Result<Vec<Figures>> {
        let sql = "SELECT at_us, model_set, judge, tolerance_class, span, coils, labelled, score, low, high, balanced_accuracy, mcc \
            FROM mperformance WHERE ($1 = '' OR line = $1) AND ($2 = '' OR model_set = $2) AND ($3 = '' OR judge = $3) \
            ORDER BY at_us DESC, judge, span, tolerance_class LIMIT $4";
        let rows = sqlx::query(sql)
            .bind(which.line.clone().unwrap_or_default())
            .bind(which.set.clone().unwrap_or_default())
            .bind(which.judge.clone().unwrap_or_default())
            .bind(MOST)
            .fetch_all(&self.pool)
            .await?;
        let read = rows.into_iter().map(|row| Figures {
            at: moment(Some(row.get(0))),
            set: row.get(1),
            judge: row.get(2),
            tolerance_class: row.get(3),
            window: row.get(4),
            coils: row.get(5),
            labelled: row.get(6),
            score: row.get(7),
            low: row.get(8),
            high: row.get(9),
            balanced_accuracy: row.get(10),
            mcc: row.get(11),
        });
        Ok(read.collect())
    }

    /// What asked for new models, latest first.
    pub async fn triggers(&self, which: &Which) -> Result<Vec<Asked>> {
        let sql = "SELECT at_us, rule, judge, model_set, holds, what, to_do FROM model_trigger \
            WHERE ($1 = '' OR line = $1) AND ($2 = '' OR model_set = $2) ORDER BY at_us DESC, rule, judge LIMIT $3";
        let rows = sqlx::query(sql)
            .bind(which.line.clone().unwrap_or_default())
            .bind(which.set.clone().unwrap_or_default())
            .bind(MOST)
            .fetch_all(&self.pool)
            .await?;
        let read = rows.into_iter().map(|row| Asked {
            at: moment(Some(row.get(0))),
            rule: row.get(1),
            judge: row.get(2),
            set: row.get(3),
            holds: row.get::<i64, _>(4) == 1,
            what: row.get(5),
            to_do: row.get(6),
        });
        Ok(read.collect())
    }

    /// Everything about a set, by its fingerprint.
    pub async fn model(&self, set: &str) -> Result<History> {
        let which = Which { set: Some(set.to_owned()), ..Which::default() };
        let lines: Vec<Model> =
            self.models(None).await?.into_iter().filter(|model| model.set == set).collect();
        let sql = "SELECT line FROM retraining WHERE model_set = $1 OR candidate = $1 GROUP BY line ORDER BY line LIMIT $2";
        let of: Vec<String> = sqlx::query_scalar(sql).bind(set).bind(MOST).fetch_all(&self.pool).await?;
        let mut retrainings = Vec::new();
        for line in of {
            let about =
                |one: &Retraining| [&one.set, &one.candidate].into_iter().flatten().any(|of| of == set);
            retrainings.extend(self.retrainings(&line).await?.into_iter().filter(about));
        }
        let mut history = self.history(None, Some(set)).await?;
        for retraining in &retrainings {
            history.extend(self.history(None, Some(&retraining.id)).await?);
        }
        history.sort_by_key(|one| std::cmp::Reverse(one.at));
        let (performance, triggers) = (self.performance(&which).await?, self.triggers(&which).await?);
        Ok(History { lines, retrainings, performance, triggers, history })
    }
}
