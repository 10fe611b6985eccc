//! The program `octobackup-agent`: its command line, its configuration, its log. No rule about data lives here.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program speaks to people")]

use clap::{Parser, Subcommand};
use octo_agent::{AllowedRoots, Event, Token};
use octo_core::advice::{Place, advice};
use octo_core::{Cancel, Code, Error};
use serde::Deserialize;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

const CONFIG: &str =
    if cfg!(windows) { r"C:\ProgramData\octobackup-agent\agent.toml" } else { "/etc/octobackup-agent.toml" };
const STATE: &str = if cfg!(windows) { r"C:\ProgramData\octobackup-agent" } else { "/var/lib/octobackup-agent" };
/// A token file is one line.
const TOKEN_BYTES_MAX: u64 = 4096;

/// Lets an octoBackup server read the folders named in the configuration, and nothing else.
///
/// The agent dials the server, so no port has to be opened on this machine. It only reads.
///
/// First: on the server, `octobackup host add NAME` prints a token. Here, put the folders that may be backed up into the
/// configuration, run `octobackup-agent enroll --server SERVER` and paste the token; then start the service, which runs
/// `octobackup-agent run`.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Args {
    /// The configuration file.
    #[arg(long, global = true, default_value = CONFIG)]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Pair this machine with a server, once. The token works for an hour and for one machine.
    Enroll {
        /// The server's name or address, with a port if it is not the usual one (8735).
        #[arg(long)]
        server: String,
        /// A file that holds the token; without it the token is read from standard input.
        #[arg(long)]
        token_file: Option<PathBuf>,
    },
    /// Serve the server this machine is paired with, until stopped.
    Run,
}

/// The configuration file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Folders that may be read, with all that is below them.
    roots: Vec<PathBuf>,
    /// Where key and certificate are kept.
    #[serde(default = "default_state")]
    state: PathBuf,
}

fn default_state() -> PathBuf {
    STATE.into()
}

fn usage(what: impl Into<String>) -> Error {
    Error::new(Code::Usage, what)
}

fn config(path: &Path) -> Result<Config, Error> {
    let example = "roots = [\"/srv\", \"/home\"]";
    let text = std::fs::read_to_string(path)
        .map_err(|error| usage(format!("{}: {error}. It holds, for example: {example}", path.display())))?;
    let config: Config = toml::from_str(&text).map_err(|error| usage(format!("{}: {error}", path.display())))?;
    if let Some(odd) = config.roots.iter().find(|root| !root.is_absolute()) {
        return Err(usage(format!("{}: {} is not an absolute path", path.display(), odd.display())));
    }
    Ok(config)
}

fn token(file: Option<&Path>) -> Result<Token, Error> {
    let mut text = String::new();
    let read = match file {
        Some(path) => std::fs::File::open(path).and_then(|file| file.take(TOKEN_BYTES_MAX).read_to_string(&mut text)),
        None => std::io::stdin().take(TOKEN_BYTES_MAX).read_to_string(&mut text),
    };
    read.map_err(|error| usage(format!("reading the token: {error}")))?;
    Token::parse(&text)
}

fn log(event: Event) {
    match event {
        Event::Connected(server) => println!("connected to {server}"),
        Event::Away(error, pause) => println!("{error}; trying again in {:.0} s", pause.as_secs_f64().ceil()),
        Event::Renewed => println!("the certificate was renewed"),
    }
}

fn work(args: &Args) -> Result<(), Error> {
    let config = config(&args.config)?;
    let identity = config.state.join("identity.json");
    match &args.command {
        Command::Enroll { server, token_file } => {
            let server = octo_agent::with_port(server);
            octo_agent::enroll(&server, &token(token_file.as_deref())?, &identity)?;
            println!("paired with {server}; now start the service: octobackup-agent run");
            Ok(())
        }
        Command::Run => {
            let roots = Arc::new(AllowedRoots::new(config.roots).keeping_out_of(config.state));
            octo_agent::run(&identity, roots, &Cancel::new(), &log)
        }
    }
}

/// What went wrong and what to do, for those who sit at this machine.
fn in_words(error: &Error) -> String {
    let todo = advice(error.code, "agent://", Place::AgentMachine);
    match error.code {
        Code::Usage => format!("{}\n  {todo}", error.detail),
        // The code's own words are about a user and a password, and an agent has neither.
        Code::LogonFailed => format!("the server refused: {}\n  {todo}", error.detail),
        _ => format!("{error}\n  {todo}"),
    }
}

fn main() -> ExitCode {
    match work(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("octobackup-agent: {}", in_words(&error));
            ExitCode::from(if error.code == Code::Usage { 2 } else { 1 })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_is_for_this_program() {
        let words = in_words(&usage("this machine is not paired"));
        assert_eq!(words, "this machine is not paired\n  See octobackup-agent --help.");
        let words = in_words(&Error::new(Code::Unreachable, "backup:8735"));
        assert!(words.contains("8735 of the server") && !words.contains("445"), "{words}");
        let words = in_words(&Error::new(Code::LogonFailed, "the token is unknown or was used already"));
        assert!(words.contains("host add NAME") && !words.contains("password"), "{words}");
    }
}
