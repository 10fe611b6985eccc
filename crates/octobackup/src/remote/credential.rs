//! `octobackup credential`. The password goes to the server and is never shown again.

use super::answer::{CommandResult, client, every, plain, said, show, time};
use super::table::table;
use crate::args::server::{CredentialAllowArgs, CredentialCommand};
use crate::listeners::print;
use crate::{exit, settings};
use octo_api::ApiError;
use octo_api::credential::{Credential, CredentialUse, SetCredential, SetCredentialUses, Tested, TryCredential};
use octo_client::escaped;

/// Sets, lists, removes.
pub fn credential(command: &CredentialCommand) -> CommandResult {
    match command {
        CredentialCommand::Set(args) => {
            let secret = settings::password(&args.password.password_from()).read(&args.account)?;
            let body = SetCredential { account: args.account.clone(), secret };
            client(&args.server)?.put::<Credential>(&format!("/credentials/{}", escaped(&args.name)), &body)?;
            said(&args.server, &format!("Credential {} set.", args.name))
        }
        CredentialCommand::List(server) => {
            let all: Vec<Credential> = every(&client(server)?, "/credentials")?;
            show(server, all.as_slice(), |all| {
                let cells = all
                    .iter()
                    .map(|it| vec![plain(&it.name), plain(&it.account), time(it.changed_at), used_for(&it.uses)]);
                table(&["NAME", "ACCOUNT", "@SET", "USED FOR"], &cells.collect::<Vec<_>>());
            })
        }
        CredentialCommand::Test(args) => {
            let path = format!("/credentials/{}/test", escaped(&args.name));
            let mut body = TryCredential { source: args.source.clone(), secret: None };
            if args.password.is_given() {
                body.secret = Some(settings::password(&args.password.password_from()).read(&args.name)?);
            }
            let tested: Vec<Tested> = client(&args.server)?.post(&path, &body)?;
            show(&args.server, tested.as_slice(), |tested| {
                for one in tested {
                    let found = if one.works { "works".to_owned() } else { plain(&one.detail) };
                    print(&format!("{}: {found}", plain(&one.source)));
                }
            })?;
            let all_work = tested.iter().all(|one| one.works);
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
fn used_for(uses: &[CredentialUse]) -> String {
    plain(&uses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
}

fn change_uses(args: &CredentialAllowArgs, is_allowed: bool) -> CommandResult {
    let client = client(&args.server)?;
    let all: Vec<Credential> = every(&client, "/credentials")?;
    let known = all.into_iter().find(|it| it.name == args.name);
    let mut uses = known.ok_or_else(|| ApiError::not_found("credential", &args.name))?.uses;
    let is_named = |host: &str| args.hosts.iter().any(|named| named.eq_ignore_ascii_case(host));
    uses.retain(|it| it.purpose != args.purpose || !is_named(&it.host));
    if is_allowed {
        uses.extend(args.hosts.iter().map(|host| CredentialUse { purpose: args.purpose, host: host.clone() }));
    }
    if uses.is_empty() {
        // An empty list would let the next use decide: that is not what "forbid" means.
        return Err(ApiError::field("host", "these are its only hosts; allow another first, or remove the credential"));
    }
    let path = format!("/credentials/{}/uses", escaped(&args.name));
    let uses: Vec<CredentialUse> = client.put(&path, &SetCredentialUses { uses })?;
    show(&args.server, uses.as_slice(), |uses| print(&format!("{} may be used for {}", args.name, used_for(uses))))
}
