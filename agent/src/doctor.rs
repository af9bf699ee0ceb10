//! `coilsight-agent doctor`: looks at everything that the agent needs, and says what was found and what to do.
//!
//! It changes nothing, takes nothing from a running agent, and is another client at the broker than the agent.

mod broker;
mod bundle;
mod clock;
mod files;
mod models;
mod publish;
mod record;
mod state;

use crate::config::Loaded;
use anyhow::ensure;
use serde::Serialize;
use std::io::Write;
use std::path::Path;

/// How good it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// As it should be.
    Ok,
    /// Worth a look; the agent works.
    Warning,
    /// The agent does not do its work, or not for long.
    Fault,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub check: &'static str,
    /// How good it is.
    pub grade: Grade,
    /// What was found.
    pub found: String,
    /// What to do; empty where nothing need be done.
    pub to_do: String,
}

/// What was found so far; on paper as it comes, unless it is wanted as JSON at the end.
#[derive(Debug, Default)]
struct Report {
    json: bool,
    findings: Vec<Finding>,
}

impl Report {
    fn tell(
        &mut self,
        check: &'static str,
        grade: Grade,
        found: impl Into<String>,
        to_do: impl Into<String>,
    ) {
        let finding = Finding { check, grade, found: found.into(), to_do: to_do.into() };
        if !self.json {
            let mark = match grade {
                Grade::Ok => "ok",
                Grade::Warning => "WARNING",
                Grade::Fault => "FAULT",
            };
            let mut out = std::io::stdout().lock();
            // A reader that has gone away hears the rest no more; the exit code still counts.
            let _ = writeln!(out, "{mark:<8} {:<14} {}", finding.check, finding.found);
            if !finding.to_do.is_empty() {
                let _ = writeln!(out, "{:<8} {:<14} -> {}", "", "", finding.to_do);
            }
        }
        self.findings.push(finding);
    }

    fn ok(&mut self, check: &'static str, found: impl Into<String>) {
        self.tell(check, Grade::Ok, found, "");
    }

    fn warn(&mut self, check: &'static str, found: impl Into<String>, to_do: impl Into<String>) {
        self.tell(check, Grade::Warning, found, to_do);
    }

    fn fault(&mut self, check: &'static str, found: impl Into<String>, to_do: impl Into<String>) {
        self.tell(check, Grade::Fault, found, to_do);
    }

    fn count(&self, grade: Grade) -> usize {
        self.findings.iter().filter(|finding| finding.grade == grade).count()
    }
}

/// Looks at everything and prints it; an error if there is a fault.
pub fn run(config: &Path, json: bool, publish: bool) -> anyhow::Result<()> {
    let mut report = Report { json, ..Report::default() };
    look(config, publish, &mut report)?;
    let (faults, warnings) = (report.count(Grade::Fault), report.count(Grade::Warning));
    if json {
        let all = serde_json::json!({
            "version": 1, "faults": faults, "warnings": warnings, "findings": report.findings,
        });
        println!("{all}");
    }
    let what = if faults == 1 { "1 fault".to_owned() } else { format!("{faults} faults") };
    ensure!(faults == 0, "{what}");
    Ok(())
}

fn look(config: &Path, publish: bool, report: &mut Report) -> anyhow::Result<()> {
    let check = "configuration";
    let settings = match Loaded::read(config) {
        Ok(loaded) => {
            let set = loaded.origins().iter().filter(|origin| origin.from != "default").count();
            report
                .ok(check, format!("{} is understood; {set} settings are not the default", config.display()));
            loaded.settings
        }
        Err(fault) => {
            let to_do = "correct it; `coilsight-agent config` then shows what is in force. Nothing else was looked at";
            report.fault(check, crate::say::chain(&fault), to_do);
            return Ok(());
        }
    };
    state::look(&settings, report);
    bundle::look(&settings, report);
    clock::look(report);
    files::look(&settings.broker, report);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(broker::look(&settings, publish, report));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_that_is_not_understood_is_the_only_finding() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("agent.toml");
        let mut report = Report { json: true, ..Report::default() };
        look(&file, false, &mut report).unwrap();
        std::fs::write(&file, "[broker]\nhots = 1\n").unwrap();
        look(&file, false, &mut report).unwrap();
        assert_eq!((report.findings.len(), report.count(Grade::Fault)), (2, 2));
        assert!(report.findings[0].found.contains("--config"), "{:?}", report.findings);
        assert!(report.findings[1].found.contains("hots"), "{:?}", report.findings);
    }
}
