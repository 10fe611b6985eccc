//! `octobackup user`, `token` and `setup-link`. Passwords go to the server; a token's secret goes to a private file.

use super::answer::{CommandResult, client, every, plain, said, show, time};
use super::table::table;
#[cfg(unix)]
use crate::args::server::ServeArgs;
use crate::args::server::{TokenAddArgs, TokenCommand, UserAddArgs, UserCommand, UserPasswordArgs};
use crate::listeners::print;
use crate::{exit, settings};
use octo_api::ApiError;
use octo_api::access::{AddToken, NewToken, SetUser, Token, User};
use octo_api::error::Kind;
use octo_client::{Client, escaped};
use std::io::Write;

/// Adds, lists, changes, removes.
pub fn user(command: &UserCommand) -> CommandResult {
    match command {
        UserCommand::Add(args) => add_user(args),
        UserCommand::List(server) => show(server, users(&client(server)?)?.as_slice(), |users| {
            let cells = users.iter().map(|it| vec![plain(&it.name), it.role.to_string(), time(it.changed_at)]);
            table(&["USER", "ROLE", "@SET"], &cells.collect::<Vec<_>>());
        }),
        UserCommand::Role(args) => {
            let client = client(&args.server)?;
            known(&client, &args.name)?;
            client.put::<User>(&user_path(&args.name), &SetUser { role: args.role, password: None })?;
            said(&args.server, &format!("User {} is {} now.", args.name, args.role))
        }
        UserCommand::Password(args) => set_password(args),
        UserCommand::Remove(args) => {
            client(&args.server)?.delete(&user_path(&args.name))?;
            said(&args.server, &format!("User {} removed.", args.name))
        }
    }
}

fn user_path(name: &str) -> String {
    format!("/users/{}", escaped(name))
}

fn add_user(args: &UserAddArgs) -> CommandResult {
    let client = client(&args.server)?;
    if users(&client)?.iter().any(|user| user.name == args.name) {
        let why = format!("there is a user {} already; see: octobackup user --help", args.name);
        return Err(ApiError::new(Kind::Conflict, why));
    }
    let password = settings::password(&args.password.password_from()).read(&args.name)?;
    client.put::<User>(&user_path(&args.name), &SetUser { role: args.role, password: Some(password) })?;
    said(&args.server, &format!("User {} added as {}.", args.name, args.role))
}

fn set_password(args: &UserPasswordArgs) -> CommandResult {
    let client = client(&args.server)?;
    let role = known(&client, &args.name)?.role;
    let password = settings::password(&args.password.password_from()).read(&args.name)?;
    client.put::<User>(&user_path(&args.name), &SetUser { role, password: Some(password) })?;
    said(&args.server, &format!("Password of {} set; sessions of before have ended.", args.name))
}

fn users(client: &Client) -> Result<Vec<User>, ApiError> {
    every(client, "/users")
}

fn known(client: &Client, name: &str) -> Result<User, ApiError> {
    users(client)?.into_iter().find(|user| user.name == name).ok_or_else(|| ApiError::not_found("user", name))
}

/// Makes, lists, removes.
pub fn token(command: &TokenCommand) -> CommandResult {
    match command {
        TokenCommand::Add(args) => add_token(args),
        TokenCommand::List(server) => {
            let all: Vec<Token> = every(&client(server)?, "/tokens")?;
            show(server, all.as_slice(), |all| {
                let cells = all
                    .iter()
                    .map(|it| vec![plain(&it.name), it.role.to_string(), time(it.expires_at), plain(&it.made_by)]);
                table(&["TOKEN", "ROLE", "@WORKS UNTIL", "MADE BY"], &cells.collect::<Vec<_>>());
            })
        }
        TokenCommand::Remove(args) => {
            client(&args.server)?.delete(&format!("/tokens/{}", escaped(&args.name)))?;
            said(&args.server, &format!("Token {} removed.", args.name))
        }
    }
}

/// The file first: a secret that cannot be written is better never made.
#[expect(clippy::disallowed_methods, reason = "a small file of its own, not one of a mirror")]
fn add_token(args: &TokenAddArgs) -> CommandResult {
    let client = client(&args.server)?;
    let failed = |e: std::io::Error| ApiError::field("FILE", format!("{}: {e}", args.file.display()));
    let mut file = private_file(&args.file).map_err(failed)?;
    let body = AddToken { name: args.name.clone(), role: args.role, days: Some(args.days) };
    let written = client.post::<NewToken>("/tokens", &body).and_then(|made| {
        writeln!(file, "{}", made.secret.as_str()).and_then(|()| file.sync_all()).map_err(failed).map(|()| made)
    });
    let made = written.inspect_err(|_| drop(std::fs::remove_file(&args.file)))?;
    print(&format!("{} works until {}", args.file.display(), time(made.token.expires_at)));
    Ok(exit::COMPLETE)
}

/// A new file that only its owner may read. On Windows its folder says who may.
fn private_file(path: &std::path::Path) -> std::io::Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.write(true).create_new(true).open(path)
}

/// Shows the link for the first administrator, to those who may read it.
#[cfg(unix)]
pub fn setup_link(args: &ServeArgs) -> CommandResult {
    let config = octo_server::config::Config::read(&args.config)?;
    let file = config.setup_link();
    match std::fs::read_to_string(&file) {
        Ok(link) => print(link.trim_end()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let why = "there is none: the server was not started yet, does not listen ([http] in its settings), or has users \
                       already (octobackup user list)";
            return Err(ApiError::new(Kind::NotFound, why));
        }
        Err(e) => return Err(ApiError::new(Kind::Internal, format!("{}: {e}", file.display()))),
    }
    Ok(exit::COMPLETE)
}
