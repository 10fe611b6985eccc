//! Everything that talks to a server: turns arguments into requests, and answers into lines. It must know nothing that
//! another program could not ask the API for.

mod access;
mod answer;
mod apply;
mod backup;
mod credential;
mod download;
pub mod history;
mod host;
mod job;
mod notify;
mod run;
#[cfg(unix)]
mod serve;
mod table;

use crate::args::server::ServerCommand as Command;
use crate::exit;
use answer::CommandResult;
use octo_api::error::Kind;

#[cfg(unix)]
pub use job::target_of_job;

/// Does it; tells the exit code.
pub fn run_command(command: &Command) -> u8 {
    ended(command).unwrap_or_else(|error| refused(&error))
}

/// Says why the server did not do it; tells the exit code.
pub fn refused(error: &octo_api::ApiError) -> u8 {
    exit::complain(&error.to_string());
    match error.kind {
        Kind::Invalid | Kind::TooLarge => exit::USAGE,
        Kind::NotFound => exit::NOT_FOUND,
        Kind::Conflict => exit::CONFLICT,
        Kind::Unauthenticated | Kind::Forbidden | Kind::TooOften => exit::NOT_ALLOWED,
        Kind::NoSuchMethod | Kind::Internal => exit::FAILED,
    }
}

fn ended(command: &Command) -> CommandResult {
    match command {
        #[cfg(unix)]
        Command::Serve(args) => serve::serve(args),
        Command::Job(command) => job::job(command),
        Command::Download(args) => download::download(args),
        Command::Run(args) => run::run(args),
        Command::Runs(args) => run::runs(args),
        Command::Report(args) => run::report(args),
        Command::Log(args) => run::log(args),
        Command::Cancel(args) => run::cancel(args),
        Command::Schedule(args) => job::schedule(args),
        Command::Digest(args) => notify::digest(args),
        Command::Notify(command) => notify::notify(command),
        Command::Credential(command) => credential::credential(command),
        Command::Host(command) => host::host(command),
        Command::User(command) => access::user(command),
        Command::Token(command) => access::token(command),
        #[cfg(unix)]
        Command::SetupLink(args) => access::setup_link(args),
        Command::Apply(args) => apply::apply(args),
        Command::Export(server) => apply::export(server),
        Command::Defaults(args) => apply::defaults(args),
        Command::Audit(args) => apply::audit(args),
        Command::Backup(args) => backup::backup(args),
        Command::SelfCheck(server) => backup::self_check(server),
    }
}
