//! `octobackup user`, `token` and `setup-link`. Passwords go to the server; a token's secret goes to a private file.

use super::answer::{Ended, client, every_row, rows, said, show, text, time_of};
use super::table::table;
#[cfg(unix)]
use crate::args::server::ServeArgs;
use crate::args::server::{TokenAddArgs, TokenCommand, UserAddArgs, UserCommand, UserPasswordArgs};
use crate::listeners::print;
use crate::{exit, settings};
use octo_api::ApiError;
use octo_api::error::Kind;
use octo_client::escaped;
use serde_json::{Value, json};
use std::io::Write;

/// Adds, lists, changes, removes.
pub fn user(command: &UserCommand) -> Ended {
    match command {
        UserCommand::Add(args) => add_user(args),
        UserCommand::List(server) => show(server, &every_row(&client(server)?, "/users")?, |answer| {
            let cells = rows(answer)
                .iter()
                .map(|row| vec![text(&row["name"]), text(&row["role"]), time_of(&row["changed_at"])]);
            table(&["USER", "ROLE", "@SET"], &cells.collect::<Vec<_>>());
        }),
        UserCommand::Role(args) => {
            let client = client(&args.server)?;
            find(&every_row(&client, "/users")?, &args.name).ok_or_else(|| ApiError::not_found("user", &args.name))?;
            client.put::<Value>(&user_path(&args.name), &json!({"role": args.role}))?;
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

fn add_user(args: &UserAddArgs) -> Ended {
    let client = client(&args.server)?;
    if find(&every_row(&client, "/users")?, &args.name).is_some() {
        let why = format!("there is a user {} already; see: octobackup user --help", args.name);
        return Err(ApiError::new(Kind::Conflict, why));
    }
    let password = settings::password(&args.password.password_from()).read(&args.name)?;
    client.put::<Value>(&user_path(&args.name), &json!({"role": args.role, "password": password.as_str()}))?;
    said(&args.server, &format!("User {} added as {}.", args.name, args.role))
}

fn set_password(args: &UserPasswordArgs) -> Ended {
    let client = client(&args.server)?;
    let users = every_row(&client, "/users")?;
    let user = find(&users, &args.name).ok_or_else(|| ApiError::not_found("user", &args.name))?;
    let password = settings::password(&args.password.password_from()).read(&args.name)?;
    client.put::<Value>(&user_path(&args.name), &json!({"role": user["role"], "password": password.as_str()}))?;
    said(&args.server, &format!("Password of {} set; sessions of before have ended.", args.name))
}

fn find<'a>(users: &'a Value, name: &str) -> Option<&'a Value> {
    rows(users).iter().find(|user| user["name"] == name)
}

/// Makes, lists, removes.
pub fn token(command: &TokenCommand) -> Ended {
    match command {
        TokenCommand::Add(args) => add_token(args),
        TokenCommand::List(server) => show(server, &every_row(&client(server)?, "/tokens")?, |answer| {
            let cells = rows(answer).iter().map(|row| {
                vec![text(&row["name"]), text(&row["role"]), time_of(&row["expires_at"]), text(&row["made_by"])]
            });
            table(&["TOKEN", "ROLE", "@WORKS UNTIL", "MADE BY"], &cells.collect::<Vec<_>>());
        }),
        TokenCommand::Remove(args) => {
            client(&args.server)?.delete(&format!("/tokens/{}", escaped(&args.name)))?;
            said(&args.server, &format!("Token {} removed.", args.name))
        }
    }
}

/// The file first: a secret that cannot be written is better never made.
#[expect(clippy::disallowed_methods, reason = "a small file of its own, not one of a mirror")]
fn add_token(args: &TokenAddArgs) -> Ended {
    let client = client(&args.server)?;
    let failed = |e: std::io::Error| ApiError::field("FILE", format!("{}: {e}", args.file.display()));
    let mut file = private_file(&args.file).map_err(failed)?;
    let body = json!({"name": args.name, "role": args.role, "days": args.days});
    let written = client.post::<Value>("/tokens", &body).and_then(|made| {
        writeln!(file, "{}", made["secret"].as_str().unwrap_or_default())
            .and_then(|()| file.sync_all())
            .map_err(failed)
            .map(|()| made)
    });
    let made = written.inspect_err(|_| drop(std::fs::remove_file(&args.file)))?;
    print(&format!("{} works until {}", args.file.display(), time_of(&made["expires_at"])));
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
pub fn setup_link(args: &ServeArgs) -> Ended {
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
