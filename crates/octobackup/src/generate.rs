//! What is made from the command line's own description: completions for shells, and manual pages.
//!
//! It must never know a command or an option by name: all of them come from [`Cli`].

use crate::args::{Cli, CompletionsArgs, ManPagesArgs};
use crate::exit;
use clap::CommandFactory;
use octo_core::{Code, Error};
use std::io::Write;
use std::path::Path;

/// `octobackup completions`.
pub fn completions(args: &CompletionsArgs) -> Result<u8, Error> {
    // Into memory first: the generator panics when a pipe is closed early.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "octobackup", &mut script);
    match std::io::stdout().lock().write_all(&script) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::new(Code::Usage, format!("writing to standard output: {error}")))
        }
        _ => Ok(exit::COMPLETE),
    }
}

/// `octobackup man-pages`: one page for the program and one for each command.
pub fn man_pages(args: &ManPagesArgs) -> Result<u8, Error> {
    let cannot = |path: &Path, error: std::io::Error| Error::new(Code::Usage, format!("{}: {error}", path.display()));
    std::fs::create_dir_all(&args.folder).map_err(|error| cannot(&args.folder, error))?;
    clap_mangen::generate_to(Cli::command().disable_help_subcommand(true), &args.folder)
        .map_err(|error| cannot(&args.folder, error))?;
    Ok(exit::COMPLETE)
}
