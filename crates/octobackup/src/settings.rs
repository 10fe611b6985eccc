//! From raw arguments to settings that make sense. Every error names the option, the value and what is allowed.

use crate::args::account::AccountArgs;
use crate::args::{HeldArgs, OutputArgs, SyncArgs};
use crate::password::PasswordFrom;
use clap::ArgMatches;
use octo_api::ApiError;
use octo_api::run_overrides::RunOverrides;
use octo_core::Account;
use octo_core::SmbAddress;
use octo_core::address::is_share_address;
use octo_core::{Code, Error};
use octo_job::Policy;
use octo_job::mirror_spec::{Connection, LogonBy, MetadataKept, MirrorSpec, Origin, Rule};
use octo_job::options::option_of;
use octo_job::settings::NO_VERSIONS;
use octo_job::units;
use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A file of patterns that is larger was not written by hand.
const PATTERN_FILE_BYTES_MAX: u64 = 4 << 20;

/// One run, ready to begin.
#[derive(Debug)]
pub struct Settings {
    /// What lasts from run to run.
    pub mirror_spec: MirrorSpec,
    /// The mirror, absolute.
    pub target: PathBuf,
    /// What is for this run only.
    pub once: RunOverrides,
    /// Where the password comes from.
    pub password: PasswordFrom,
    /// What is said, and where.
    pub output: OutputArgs,
}

fn usage(detail: impl Into<String>) -> Error {
    Error::new(Code::Usage, detail)
}

impl Settings {
    /// For `octobackup sync`. `matches` tells the order of the arguments.
    pub fn sync(args: SyncArgs, matches: &ArgMatches) -> Result<Settings, Error> {
        let typed = mirror_spec(&args.source, &args.account)?;
        let policy = policy(&args, rules(&args, matches)?).resolve().map_err(of_option)?;
        let mut mirror_spec = policy.mirror_spec(typed.origin);
        mirror_spec.connection = typed.connection;
        mirror_spec.connection.reconnect_secs = option("--reconnect", args.reconnect.as_deref(), units::duration_secs)?;
        mirror_spec.connection.check(&mirror_spec.origin)?;
        mirror_spec.limits = policy.limits(mirror_spec.connection.reconnect_secs);
        let refresh_metadata = args.settings.0.metadata == Some(MetadataKept::Refresh);
        let once = RunOverrides { refresh_metadata, ..args.once.read()? };
        let target = target(&args.target)?;
        Ok(Settings { mirror_spec, target, once, password: password(&args.account), output: args.output })
    }

    /// For `octobackup held` with `--approve` or `--release-brake`: the job is the one that the mirror keeps.
    pub fn held(args: HeldArgs, mut mirror_spec: MirrorSpec) -> Result<Settings, Error> {
        if let (Origin::Smb { account, .. }, Some(text)) = (&mut mirror_spec.origin, args.account.user.as_deref()) {
            *account = self::account(text)?;
        }
        update(&mut mirror_spec.connection, &args.account);
        mirror_spec.connection.check(&mirror_spec.origin)?;
        let once = RunOverrides { approve: args.approve, release_brake: args.release_brake, ..RunOverrides::default() };
        let target = target(&args.target)?;
        Ok(Settings { mirror_spec, target, once, password: password(&args.account), output: args.output })
    }
}

/// What was typed, as a job's settings say it: both are read by one table.
fn policy(args: &SyncArgs, rules: Vec<Rule>) -> Policy {
    let mut policy = Policy { rules: Some(rules), ..args.settings.0.clone() };
    // To read all of it again is for one run.
    policy.metadata = policy.metadata.map(|kept| if kept == MetadataKept::Refresh { MetadataKept::Full } else { kept });
    if args.no_versions {
        policy.keep_versions = Some(NO_VERSIONS.to_owned());
    }
    policy
}

/// The error of a setting names the option that was typed.
fn of_option(error: ApiError) -> Error {
    let setting = error.field.as_deref().and_then(|field| field.strip_prefix("policy.")).unwrap_or_default();
    let option = option_of(setting);
    usage(format!("--{option} {}", error.detail))
}

fn option<T>(name: &str, given: Option<&str>, parse: impl Fn(&str) -> Result<T, String>) -> Result<Option<T>, Error> {
    given.map(|text| parse(text).map_err(|why| usage(format!("{name} {text:?}: {why}")))).transpose()
}

/// Takes over what was typed; the rest stays as it was.
fn update(connection: &mut Connection, args: &AccountArgs) {
    connection.min_dialect = args.min_dialect.unwrap_or(connection.min_dialect);
    connection.encrypt = args.encrypt.unwrap_or(connection.encrypt);
    if args.kerberos {
        connection.logon = LogonBy::Kerberos;
    } else if args.guest {
        connection.logon = LogonBy::Guest;
    }
    if args.kdc.is_some() {
        connection.kdc.clone_from(&args.kdc);
    }
}

/// Where the password comes from.
pub fn password(args: &AccountArgs) -> PasswordFrom {
    match &args.password_file {
        Some(path) => PasswordFrom::File(path.clone()),
        None if args.password_stdin => PasswordFrom::Stdin,
        None => PasswordFrom::EnvironmentOrTerminal,
    }
}

/// A plain job, as SRC and the options of the account say.
pub fn mirror_spec(source: &OsStr, account: &AccountArgs) -> Result<MirrorSpec, Error> {
    named(source, account, "SRC")
}

/// The share that `--to` names, and how to log on to it: what a job says of such a source. `None` if it is a folder.
pub fn share_to_restore_to(to: &OsStr, account: &AccountArgs) -> Result<Option<MirrorSpec>, Error> {
    let text = to.to_string_lossy();
    if is_share_address(&text) && !is_for_windows(&text, account, cfg!(windows)) {
        return named(to, account, "--to").map(Some);
    }
    if octo_core::address::is_agent_address(&text) {
        return Err(usage("--to: a restore to an agent's machine is not possible; restore to a folder or a share"));
    }
    if let Some((scheme, _)) = text.split_once("://") {
        return Err(usage(format!(
            "--to: {scheme:?} is no kind of place; allowed are a folder, smb://... and //HOST/SHARE"
        )));
    }
    if account.user.is_some() || account.password_file.is_some() || account.password_stdin || account.kerberos {
        return Err(usage("--user: only a share needs an account, and --to is a folder of this machine"));
    }
    Ok(None)
}

fn named(source: &OsStr, account: &AccountArgs, what: &str) -> Result<MirrorSpec, Error> {
    if account.kdc.is_some() && !account.kerberos {
        return Err(usage("--kdc: only with --kerberos"));
    }
    let origin = if is_for_windows(&source.to_string_lossy(), account, cfg!(windows)) {
        Origin::local(Path::new(source))
    } else {
        origin(source, account.user.as_deref(), what)?
    };
    let mut mirror_spec = MirrorSpec::new(origin);
    update(&mut mirror_spec.connection, account);
    mirror_spec.connection.check(&mirror_spec.origin)?;
    Ok(mirror_spec)
}

/// On Windows a share without an account is a folder that Windows itself opens, with the account that the program runs
/// as. With an account, a password or a way to log on, it is ours to connect to; so is an address that begins with `smb:`.
fn is_for_windows(source: &str, account: &AccountArgs, on_windows: bool) -> bool {
    let is_share = source.starts_with(r"\\") || source.starts_with("//");
    let has_password = account.password_file.is_some() || account.password_stdin;
    let says_who = account.user.is_some() || has_password || account.kerberos || account.guest;
    on_windows && is_share && !says_who
}

fn origin(source: &OsStr, user: Option<&str>, what: &str) -> Result<Origin, Error> {
    let text = source.to_string_lossy();
    if !is_share_address(&text) {
        if octo_core::address::is_agent_address(&text) {
            return Err(usage("SRC: agents are connected to the server: make a job of it (octobackup job add)"));
        }
        if let Some((scheme, _)) = text.split_once("://") {
            return Err(usage(format!(
                "SRC: {scheme:?} is not a kind of source; allowed are a folder, smb://... and //HOST/SHARE"
            )));
        }
        if user.is_some() {
            return Err(usage("--user: only a share needs an account, and SRC is a folder of this machine"));
        }
        return Ok(Origin::local(&absolute("SRC", Path::new(source))?));
    }
    let text = source.to_str().ok_or_else(|| usage(format!("{what}: an address must be UTF-8 text")))?;
    let (address, named) = SmbAddress::parse(text).map_err(|error| error.within(what))?;
    let account = match (named, user) {
        (Some(_), Some(_)) => {
            return Err(usage(format!("--user: the address in {what} names a user already; give one of them")));
        }
        (Some(named), None) => named,
        (None, Some(user)) => account(user)?,
        (None, None) => Account::default(),
    };
    Ok(Origin::Smb { address: address.to_string(), account })
}

fn account(user: &str) -> Result<Account, Error> {
    Account::parse(user).map_err(|error| error.within("--user"))
}

/// The mirror's path, absolute.
pub fn target(path: &Path) -> Result<PathBuf, Error> {
    if is_share_address(&path.to_string_lossy()) {
        return Err(usage("DST: the mirror must be a folder of this machine, not a share"));
    }
    absolute("DST", path)
}

fn absolute(what: &str, path: &Path) -> Result<PathBuf, Error> {
    std::path::absolute(path).map_err(|e| usage(format!("{what} {}: {e}", path.display())))
}

/// `--exclude`, `--include` and `--exclude-from` in the order in which they were typed.
fn rules(args: &SyncArgs, matches: &ArgMatches) -> Result<Vec<Rule>, Error> {
    let places = |name: &str| matches.indices_of(name).into_iter().flatten().collect::<Vec<_>>();
    let mut placed = Vec::new();
    for (place, pattern) in places("exclude").into_iter().zip(&args.exclude) {
        placed.push((place, vec![checked("--exclude", Rule::Exclude(typed("--exclude", pattern)?))?]));
    }
    for (place, pattern) in places("include").into_iter().zip(&args.include) {
        placed.push((place, vec![checked("--include", Rule::Include(typed("--include", pattern)?))?]));
    }
    for (place, file) in places("exclude_from").into_iter().zip(&args.exclude_from) {
        placed.push((place, patterns_in(file)?));
    }
    placed.sort_by_key(|(place, _)| *place);
    Ok(placed.into_iter().flat_map(|(_, rules)| rules).collect())
}

/// Only a file has comments: a typed pattern that begins with # means a name that does, as `#recycle` on many servers.
fn typed(option: &str, pattern: &str) -> Result<String, Error> {
    match pattern.strip_prefix('#') {
        Some(rest) => Ok(format!("\\#{rest}")),
        None if pattern.trim().is_empty() => {
            Err(usage(format!("{option} {pattern:?}: an empty pattern matches nothing")))
        }
        None => Ok(pattern.to_owned()),
    }
}

/// A pattern that cannot be one is refused with the option it came from.
fn checked(option: &str, rule: Rule) -> Result<Rule, Error> {
    let builder = octo_core::FilterBuilder::new();
    match &rule {
        Rule::Exclude(pattern) => builder.exclude(pattern).map(drop),
        Rule::Include(pattern) => builder.include(pattern).map(drop),
    }
    .map_err(|error| error.within(option))?;
    Ok(rule)
}

fn patterns_in(path: &Path) -> Result<Vec<Rule>, Error> {
    let name = format!("--exclude-from {}", path.display());
    let failed = |why: String| usage(format!("{name}: {why}"));
    let file = std::fs::File::open(path).map_err(|e| failed(e.to_string()))?;
    let mut text = String::new();
    file.take(PATTERN_FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(|e| failed(e.to_string()))?;
    if text.len() as u64 > PATTERN_FILE_BYTES_MAX {
        return Err(failed("it is larger than 4 MiB".into()));
    }
    let lines = text.strip_prefix('\u{feff}').unwrap_or(&text).lines().enumerate();
    let meant = lines.filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    meant.map(|(at, line)| checked(&format!("{name}, line {}", at + 1), Rule::Exclude(line.to_owned()))).collect()
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
