//! Where a bundle may be used. It must be said: a signature that holds everywhere is nobody's default.

use clap::Args;
use coilsight_models::bundle::{BadPlace, Place};
use std::fmt;

/// Where a bundle may be used.
#[derive(Debug, Args)]
pub struct MeantFor {
    /// The plant it is for, as its lines call it (`bundle.plant`); `*` for every plant.
    #[arg(long, value_name = "PLANT", value_parser = place)]
    pub plant: Place,
    /// A line it is for; may be repeated; `*` for every line.
    #[arg(long = "line", value_name = "LINE", required = true, value_parser = place)]
    pub lines: Vec<Place>,
}

/// As it stands in a command.
pub(super) fn place(text: &str) -> Result<Place, BadPlace> {
    Place::try_from(text.to_owned())
}

impl fmt::Display for MeantFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.lines.contains(&Place::Any) {
            f.write_str("for EVERY line")?;
        } else {
            let lines: Vec<String> = self.lines.iter().map(Place::to_string).collect();
            write!(f, "for line {}", lines.join(", "))?;
        }
        match &self.plant {
            Place::Any => f.write_str(" of EVERY plant that believes its keys"),
            Place::Named(plant) => write!(f, " of plant {plant}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        meant: MeantFor,
    }

    fn said(arguments: &str) -> Result<String, String> {
        let words = std::iter::once("x").chain(arguments.split_whitespace());
        Program::try_parse_from(words).map(|p| p.meant.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn where_it_may_be_used_must_be_said() {
        for (left_out, wanted) in [("--plant works", "--line"), ("--line gl2", "--plant"), ("", "--plant")] {
            let told = said(left_out).unwrap_err();
            assert!(told.contains("required") && told.contains(wanted), "{left_out}: {told}");
        }
        let told = said("--plant works --line a/b").unwrap_err();
        assert!(told.contains("a plant or line is *"), "{told}");
    }

    #[test]
    fn everywhere_is_possible_and_told() {
        assert_eq!(said("--plant works --line gl2 --line gl3").unwrap(), "for line gl2, gl3 of plant works");
        assert_eq!(
            said("--plant * --line gl2").unwrap(),
            "for line gl2 of EVERY plant that believes its keys"
        );
        assert_eq!(said("--plant works --line *").unwrap(), "for EVERY line of plant works");
    }
}
