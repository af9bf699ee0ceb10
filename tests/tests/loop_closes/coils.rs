//! What comes over the line: simulated coils as recordings, with what an inspector who looks well says of them; and a network that
//! is small enough to be trained while one waits.

use crate::works::{text, trainer};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Coils that come one after the other.
pub struct Coils {
    /// As a plant's gateway sends them.
    pub recording: PathBuf,
    /// Whether each is NOK, by its id.
    pub labels: BTreeMap<String, bool>,
}

/// A shift, or a year.
#[derive(Clone, Copy)]
pub struct Period {
    /// What its files and coils are called.
    pub name: &'static str,
    pub coils: usize,
    pub seed: u64,
    /// Whether the line makes a defect that it did not make when the first set was trained.
    pub new_defect: bool,
}

/// What the first set is trained on.
pub const BEFORE: Period = Period { name: "before", coils: 400, seed: 11, new_defect: false };

/// Defects of whole stretches of strip: what the line makes at first.
const KNOWN: [&str; 4] = ["weld_transient", "pressure_step", "one_sided", "flutter"];
/// What it does not make, at first or ever. `check_mark` does not occur unless it is asked for.
const OTHERS: [&str; 8] = [
    "edge_overcoat",
    "clogged_nozzle",
    "knife_nick",
    "bare_spot",
    "chatter",
    "dross",
    "sag_lines",
    "roll_mark",
];
/// The defect that comes: beads along the edges, twenty times as often as usual.
const NEW: (&str, u32) = ("edge_overcoat", 20);

impl Period {
    fn plan(&self, folder: &Path) -> PathBuf {
        // Far enough that what happens does not hang on which coils are drawn by lot.
        let nok_share = if self.new_defect { 0.6 } else { 0.33 };
        let mut flaws: BTreeMap<&str, u32> = OTHERS.map(|kind| (kind, 0)).into();
        flaws.extend(KNOWN.map(|kind| (kind, 1)));
        if self.new_defect {
            flaws.extend([NEW]);
        }
        let plan = json!({
            "seed": self.seed, "short": true, "line_stop": false, "id_prefix": self.name.to_uppercase(),
            "feedback": {"of_nok": 0, "of_ok": 0},
            "periods": [{"coils": self.coils, "nok_share": nok_share, "flaws_per_coil": 1.0, "flaws": flaws}],
        });
        let path = folder.join(format!("{}-{}.json", self.name, self.seed));
        std::fs::write(&path, plan.to_string()).expect("a folder to write to");
        path
    }

    /// As a data set to train on, in `folder`.
    pub fn data_set(&self, folder: &Path) {
        let plan = self.plan(folder);
        trainer(["simulate", "coils", "--plan", text(&plan), "--out", text(folder), "--name", self.name]);
    }

    /// As they come over the line.
    pub fn on_the_line(&self, folder: &Path) -> Coils {
        let plan = self.plan(folder);
        trainer(["simulate", "recording", "--plan", text(&plan), "--out", text(folder), "--name", self.name]);
        let mut labels = BTreeMap::new();
        let mut table = csv::Reader::from_path(folder.join(format!("{}.csv", self.name))).expect("a table");
        for row in table.deserialize::<BTreeMap<String, String>>() {
            let row = row.expect("a row");
            labels.insert(row["coil_id"].clone(), row["label"] == "NOK");
        }
        assert_eq!(labels.len(), self.coils);
        Coils { recording: folder.join(format!("{}.jsonl", self.name)), labels }
    }
}

/// The settings of the networks, first and later.
pub fn settings(folder: &Path) -> PathBuf {
    let path = folder.join("loop.yaml");
    std::fs::write(&path, include_str!("loop.yaml")).expect("a folder to write to");
    path
}
