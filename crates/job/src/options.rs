//! The settings of a job on a command line: names, help and defaults come from [the table](crate::settings), as everything about
//! settings does.

use crate::kept::words;
use crate::settings::Policy;
use crate::units::DEFAULT;
use clap::{ArgMatches, Args, Command, FromArgMatches};

/// The settings that have an option of their own, as they were typed; [`Policy`] has them.
#[derive(Debug, Clone)]
pub struct SettingArgs(pub Policy);

impl FromArgMatches for SettingArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<SettingArgs, clap::Error> {
        Ok(SettingArgs(Policy::typed(matches)))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0 = Policy::typed(matches);
        Ok(())
    }
}

impl Args for SettingArgs {
    fn augment_args(command: Command) -> Command {
        command.args(Policy::options())
    }

    fn augment_args_for_update(command: Command) -> Command {
        SettingArgs::augment_args(command)
    }
}

/// All settings, for the help of a command that takes `NAME=VALUE`.
pub fn list_of_settings() -> String {
    let line = |(name, _): &(&str, _)| format!("  {name}\n          {}", described(name));
    format!("Settings:\n{}", Policy::HELP.iter().map(line).collect::<Vec<_>>().join("\n"))
}

/// The help of a setting, and what is built in.
pub fn described(setting: &str) -> String {
    let built_in = serde_json::to_value(Policy::built_in()).unwrap_or_default();
    let value = match &built_in[setting] {
        // That of the server's machine, which is not known here.
        _ if setting == "time_zone" => None,
        serde_json::Value::String(text) => Some(text.clone()).filter(|text| text != DEFAULT),
        serde_json::Value::Array(_) => None,
        other => Some(other.to_string()),
    };
    let value = value.map(|value| format!(" [default: {value}]")).unwrap_or_default();
    format!("{}{value}", help(setting))
}

/// The option of a setting: its name, unless the table gives another one.
pub fn option_of(setting: &str) -> String {
    let named = Policy::options().into_iter().find(|arg| arg.get_id() == setting);
    let named = named.and_then(|arg| arg.get_long().map(str::to_owned));
    named.unwrap_or_else(|| setting.replace('_', "-"))
}

fn help(setting: &str) -> String {
    words(Policy::help(setting))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mirror_spec::CompareBy;

    fn typed(args: &[&str]) -> Policy {
        let command = SettingArgs::augment_args(Command::new("test"));
        let matches = command.try_get_matches_from([&["test"], args].concat()).unwrap();
        SettingArgs::from_arg_matches(&matches).unwrap().0
    }

    #[test]
    fn what_is_not_typed_is_what_is_built_in() {
        let plain = typed(&[]).over(&Policy::built_in());
        assert_eq!(plain, Policy::built_in());
    }

    #[test]
    fn an_option_is_the_setting_of_its_name() {
        let policy = typed(&["--no-default-excludes", "--no-delete", "--mode", "0640,0750", "--compare", "content"]);
        assert_eq!((policy.default_excludes, policy.no_delete), (Some(false), Some(true)));
        assert_eq!((policy.mode.as_deref(), policy.compare), (Some("0640,0750"), Some(CompareBy::Content)));
        assert_eq!(typed(&["--acknowledge", "a", "--acknowledge", "b"]).acknowledged.unwrap(), ["a", "b"]);
        assert_eq!((option_of("acknowledged"), option_of("max_age")), ("acknowledge".into(), "max-age".into()));
    }

    #[test]
    fn every_setting_has_help() {
        let list = list_of_settings();
        for (name, help) in Policy::HELP {
            assert!(!words(help).is_empty() && list.contains(&format!("  {name}\n")), "{name}");
        }
        assert!(list.contains("How long the older versions of files are kept, or none [default: 30d]"), "{list}");
    }
}
