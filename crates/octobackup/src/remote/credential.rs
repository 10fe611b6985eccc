//! `octobackup credential`. The password goes to the server and is never shown again.

use super::args::CredentialCommand;
use super::table::table;
use super::{Ended, client, every, rows, show, text, time};
use crate::listeners::print;
use crate::{exit, settings};
use octo_server::api::escaped;
use serde_json::json;

/// Sets, lists, removes.
pub fn credential(command: &CredentialCommand) -> Ended {
    match command {
        CredentialCommand::Set(args) => {
            let secret = settings::password(&args.password_from()).read(&args.account)?;
            let body = json!({"account": args.account, "secret": secret.as_str()});
            client(&args.server)?.put(&format!("/credentials/{}", escaped(&args.name)), &body)?;
            Ok(exit::COMPLETE)
        }
        CredentialCommand::List(server) => {
            let answer = every(&client(server)?, "/credentials")?;
            show(server, &answer, |answer| {
                let cells = rows(answer)
                    .iter()
                    .map(|row| vec![text(&row["name"]), text(&row["account"]), time(&row["changed_at"])]);
                table(&["NAME", "ACCOUNT", "SET"], &cells.collect::<Vec<_>>());
            })
        }
        CredentialCommand::Test(args) => {
            let path = format!("/credentials/{}/test", escaped(&args.name));
            let answer = client(&args.server)?.post(&path, &json!({"source": args.source}))?;
            let all_work = rows(&answer).iter().all(|tried| tried["works"] == true);
            show(&args.server, &answer, |answer| {
                for tried in rows(answer) {
                    let said = if tried["works"] == true { "works".to_owned() } else { text(&tried["detail"]) };
                    print(&format!("{}: {said}", text(&tried["source"])));
                }
            })?;
            Ok(if all_work { exit::COMPLETE } else { exit::FAILED })
        }
        CredentialCommand::Remove(args) => {
            client(&args.server)?.delete(&format!("/credentials/{}", escaped(&args.name)))?;
            Ok(exit::COMPLETE)
        }
    }
}
