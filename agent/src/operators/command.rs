//! `coilsight-agent operator`: who may say what a coil is.

use super::{Roster, fresh_code, is_hard_enough};
use crate::config::Settings;
use clap::Subcommand;
use std::os::unix::fs::MetadataExt;

/// What is done with the roster.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Add an operator and show the code to log in with.
    ///
    /// Words over the broker count, too, if they bear exactly this name. The agent sees the change at once.
    Add {
        /// As it stands in dispositions, and in words over the broker.
        name: String,
        /// What the badge's scanner types. Default: eight digits, made here. Digits alone must be six or more.
        #[arg(long)]
        code: Option<String>,
    },
    /// Add a program that may write over REST, and show its token: once.
    Token {
        /// As it stands in dispositions.
        name: String,
    },
    /// Remove an operator or a program; whoever is logged in is out at once.
    Remove {
        /// As it was added.
        name: String,
    },
    /// Show who is in the roster.
    List {
        /// As JSON, one object.
        #[arg(long)]
        json: bool,
    },
}

/// Carries it out and says what came of it.
pub fn run(settings: &Settings, command: &Command) -> anyhow::Result<String> {
    let file = &settings.web.operators;
    let mut roster = Roster::load(file)?;
    let said = match command {
        Command::Add { name, code } => {
            let made = code.is_none();
            let code = code.clone().unwrap_or_else(fresh_code);
            is_hard_enough(&code)?;
            roster.add(name, &code)?;
            let code = if made { format!("; the code is {code}") } else { String::new() };
            format!("{name} may say what a coil is{code}")
        }
        Command::Token { name } => {
            let token = roster.add_program(name)?;
            format!("{name} may write with this token, which is not shown again:\n{token}")
        }
        Command::Remove { name } => {
            roster.remove(name)?;
            format!("{name} has no say any more")
        }
        Command::List { json: true } => {
            let operators: Vec<&str> = roster.operators().collect();
            let programs: Vec<&str> = roster.programs().collect();
            return Ok(serde_json::json!({ "operators": operators, "programs": programs }).to_string());
        }
        Command::List { json: false } => {
            let mut lines: Vec<String> = roster.operators().map(str::to_owned).collect();
            lines.extend(roster.programs().map(|name| format!("{name} (program)")));
            return Ok(if lines.is_empty() { "nobody yet".into() } else { lines.join("\n") });
        }
    };
    // The agent is of the group that owns its state.
    let agent = std::fs::metadata(&settings.state).ok().map(|state| state.gid());
    roster.save_for(file, agent)?;
    Ok(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_comes_and_goes() {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = Settings { state: folder.path().to_owned(), ..Settings::default() };
        settings.web.operators = folder.path().join("operators.json");
        let run = |command: Command| run(&settings, &command);
        assert_eq!(run(Command::List { json: false }).unwrap(), "nobody yet");
        let said = run(Command::Add { name: "Ada".into(), code: None }).unwrap();
        let code = said.rsplit(' ').next().unwrap();
        let roster = Roster::load(&settings.web.operators).unwrap();
        assert_eq!(roster.who(code).map(|(name, _)| name), Some("Ada"));
        let said = run(Command::Token { name: "historian".into() }).unwrap();
        let roster = Roster::load(&settings.web.operators).unwrap();
        assert_eq!(roster.bearer(said.lines().last().unwrap()), Some("historian"));
        assert_eq!(run(Command::List { json: false }).unwrap(), "Ada\nhistorian (program)");
        assert!(run(Command::Add { name: "Ben".into(), code: Some("12345".into()) }).is_err());
        run(Command::Remove { name: "Ada".into() }).unwrap();
        assert!(run(Command::Remove { name: "Ada".into() }).is_err());
        assert!(run(Command::List { json: true }).unwrap().contains("\"operators\":[]"));
    }
}
