//! `oneshot`: surfaces that are recognised from one picture.

mod bundle;
mod episodes;
mod library;
mod paper;

/// Recognise surface flaws from one picture of each: the paper's protocol, episodes, and a library that is taught.
///
/// Pictures (JPEG or PNG) lie in a folder for each class. They are made grey; of one that is not 200 x 200 pixels the middle square
/// is taken and brought to that size.
#[derive(Debug, clap::Subcommand)]
#[allow(missing_docs, reason = "told by the arguments of each")]
pub enum OneshotCommand {
    Paper(paper::PaperArgs),
    Episodes(episodes::EpisodesArgs),
    Library(library::LibraryArgs),
    Add(library::AddArgs),
    Bundle(bundle::BundleArgs),
    Recognise(library::RecogniseArgs),
}

/// Carries the subcommand out.
pub fn run(command: &OneshotCommand) -> anyhow::Result<()> {
    match command {
        OneshotCommand::Paper(args) => paper::run(args),
        OneshotCommand::Episodes(args) => episodes::run(args),
        OneshotCommand::Library(args) => library::make(args),
        OneshotCommand::Add(args) => library::add(args),
        OneshotCommand::Bundle(args) => bundle::run(args),
        OneshotCommand::Recognise(args) => library::recognise(args),
    }
}
