//! The program: the command line, and the place where source, target and engine meet.
//!
//! It decides nothing about files. It must never print a password or take one as an argument (DESIGN rule 7). See
//! ARCHITECTURE.md.

mod args;
mod doctor;
mod exit;
mod generate;
mod held;
mod history;
mod known_mirrors;
mod listeners;
mod ls;
mod memory;
mod password;
mod progress;
mod remote;
mod report_file;
mod settings;
mod shares;
mod stop;
mod sync;
mod typed;
mod verify;
mod zone;

use args::{Cli, Command};
use clap::{ArgMatches, CommandFactory, FromArgMatches};
use octo_core::Error;
use std::process::ExitCode;

fn main() -> ExitCode {
    memory::keep_freed_buffers();
    // Wrong usage ends here with code 2, help and version with 0.
    let matches = Cli::command().get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    if cli.utc {
        zone::show_utc();
    }
    let source = source(&cli.command);
    ExitCode::from(run(cli, &matches).unwrap_or_else(|error| exit::of_error(&error, &source)))
}

/// The source that a command names, as reports call it: advice differs.
fn source(command: &Command) -> String {
    let typed = match command {
        Command::Sync(args) => &args.source,
        Command::Ls(args) => &args.source,
        Command::Doctor(args) => &args.source,
        Command::Shares(args) => return format!("//{}", args.host),
        _ => return String::new(),
    };
    let typed = typed.to_string_lossy();
    // Here `\\HOST\SHARE` is a share that octoBackup opens by itself.
    if cfg!(unix) && typed.starts_with(r"\\") { typed.replace('\\', "/") } else { typed.into_owned() }
}

fn run(cli: Cli, matches: &ArgMatches) -> Result<u8, Error> {
    match (cli.command, matches.subcommand()) {
        (Command::Sync(args), Some((_, typed))) => sync::run(&settings::Settings::sync(*args, typed)?),
        (Command::Sync(_), None) => Ok(exit::USAGE),
        (Command::Held(args), _) => held::run(args),
        (Command::Verify(args), _) => verify::run(&args),
        (Command::Ls(args), _) => match &args.at.at {
            Some(at) => history::ended(history::list::run(&args, at)),
            None => ls::run(&args),
        },
        (Command::States(args), _) => history::ended(history::states::run(&args)),
        (Command::Retention(args), _) => history::retention::run(&args),
        (Command::Pin(args), _) => history::retention::pin(&args),
        (Command::Unpin(args), _) => history::retention::unpin(&args),
        (Command::Versions(args), _) => history::ended(history::versions::run(&args)),
        (Command::Find(args), _) => history::ended(history::find::run(&args)),
        (Command::Diff(args), _) => history::ended(history::diff::run(&args)),
        (Command::Restore(args), _) => history::ended(history::restore::run(&args)),
        (Command::Shares(args), _) => shares::run(&args),
        (Command::Doctor(args), _) => doctor::run(&args),
        (Command::Completions(args), _) => generate::completions(&args),
        (Command::ManPages(args), _) => generate::man_pages(&args),
        (Command::Server(command), _) => Ok(remote::run_command(&command)),
        #[cfg(not(unix))]
        (Command::NotHere(_), _) => {
            let what = "a server does not run on Windows yet; its jobs are managed from here with --url, and \"octobackup sync\" runs here: Task Scheduler can start it";
            Err(Error::new(octo_core::Code::Usage, what))
        }
    }
}
