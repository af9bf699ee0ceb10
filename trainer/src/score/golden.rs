//! Golden numbers of this folder's tests; `golden/make.py` says what made them.

use serde_json::Value;

/// One case of a part of the file.
pub(super) struct Case(Value);

/// All cases of `part`.
pub(super) fn cases(part: &str) -> Vec<Case> {
    let all: Value = serde_json::from_str(include_str!("golden/golden.json")).unwrap();
    let cases: Vec<Case> = all[part].as_array().unwrap().iter().cloned().map(Case).collect();
    assert!(!cases.is_empty(), "no case of {part}");
    cases
}

/// To nine digits.
#[track_caller]
pub(super) fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() <= 1e-9 * expected.abs().max(1.0), "{found} instead of {expected}");
}

impl Case {
    pub fn number(&self, key: &str) -> f64 {
        self.0[key].as_f64().unwrap_or_else(|| panic!("no number {key}"))
    }

    pub fn text(&self, key: &str) -> String {
        self.0[key].as_str().unwrap_or_else(|| panic!("no text {key}")).to_owned()
    }

    /// Empty where the case has no such list.
    pub fn list(&self, key: &str) -> Vec<f64> {
        self.0[key].as_array().map(|l| l.iter().map(|v| v.as_f64().unwrap()).collect()).unwrap_or_default()
    }

    pub fn rows(&self, key: &str) -> Vec<Vec<f64>> {
        let row = |v: &Value| v.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
        self.0[key].as_array().unwrap().iter().map(row).collect()
    }

    /// Numbers as yes and no.
    pub fn flags(&self, key: &str) -> Vec<bool> {
        self.list(key).iter().map(|v| *v != 0.0).collect()
    }
}
