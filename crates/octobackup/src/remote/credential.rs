//! `octobackup credential`. The password goes to the server and is never shown again.

use super::answer::{Ended, client, every_row, rows, said, show, text, time_of};
use super::table::table;
use crate::args::server::{CredentialAllowArgs, CredentialCommand};
use crate::listeners::print;
use crate::{exit, settings};
use octo_api::ApiError;
use octo_client::escaped;
use serde_json::{Value, json};

/// Sets, lists, removes.
pub fn credential(command: &CredentialCommand) -> Ended {
    match command {
        CredentialCommand::Set(args) => {
            let secret = settings::password(&args.password.password_from()).read(&args.account)?;
            let body = json!({"account": args.account, "secret": secret.as_str()});
            client(&args.server)?.put::<Value>(&format!("/credentials/{}", escaped(&args.name)), &body)?;
            said(&args.server, &format!("Credential {} set.", args.name))
        }
        CredentialCommand::List(server) => {
            let answer = every_row(&client(server)?, "/credentials")?;
            show(server, &answer, |answer| {
                let cells = rows(answer).iter().map(|row| {
                    vec![text(&row["name"]), text(&row["account"]), time_of(&row["changed_at"]), used_for(row)]
                });
                table(&["NAME", "ACCOUNT", "@SET", "USED FOR"], &cells.collect::<Vec<_>>());
            })
        }
        CredentialCommand::Test(args) => {
            let path = format!("/credentials/{}/test", escaped(&args.name));
            let mut body = json!({"source": args.source});
            if args.password.is_given() {
                let secret = settings::password(&args.password.password_from()).read(&args.name)?;
                body["secret"] = secret.as_str().into();
            }
            let answer = client(&args.server)?.post::<Value>(&path, &body)?;
            let all_work = rows(&answer).iter().all(|tried| tried["works"] == true);
            show(&args.server, &answer, |answer| {
                for tried in rows(answer) {
                    let found = if tried["works"] == true { "works".to_owned() } else { text(&tried["detail"]) };
                    print(&format!("{}: {found}", text(&tried["source"])));
                }
            })?;
            Ok(if all_work { exit::COMPLETE } else { exit::FAILED })
        }
        CredentialCommand::Allow(args) => change_uses(args, true),
        CredentialCommand::Forbid(args) => change_uses(args, false),
        CredentialCommand::Remove(args) => {
            client(&args.server)?.delete(&format!("/credentials/{}", escaped(&args.name)))?;
            said(&args.server, &format!("Credential {} removed.", args.name))
        }
    }
}

/// For what, and where.
fn used_for(row: &Value) -> String {
    let words = rows(&row["uses"]).iter().map(|it| format!("{} at {}", text(&it["purpose"]), text(&it["host"])));
    words.collect::<Vec<_>>().join(", ")
}

fn change_uses(args: &CredentialAllowArgs, is_allowed: bool) -> Ended {
    let client = client(&args.server)?;
    let all = every_row(&client, "/credentials")?;
    let known = rows(&all).iter().find(|row| row["name"] == *args.name);
    let known = known.ok_or_else(|| ApiError::not_found("credential", &args.name))?;
    let named = |it: &Value| {
        let host = text(&it["host"]);
        it["purpose"] == *args.purpose && args.hosts.iter().any(|named| named.eq_ignore_ascii_case(&host))
    };
    let mut uses: Vec<Value> = rows(&known["uses"]).iter().filter(|it| !named(it)).cloned().collect();
    if is_allowed {
        uses.extend(args.hosts.iter().map(|host| json!({"purpose": args.purpose, "host": host})));
    }
    if uses.is_empty() {
        // An empty list would let the next use decide: that is not what "forbid" means.
        return Err(ApiError::field("host", "these are its only hosts; allow another first, or remove the credential"));
    }
    let path = format!("/credentials/{}/uses", escaped(&args.name));
    let answer = client.put::<Value>(&path, &json!({"uses": uses}))?;
    show(&args.server, &answer, |answer| {
        print(&format!("{} may be used for {}", args.name, used_for(&json!({"uses": answer}))))
    })
}
