//! Which states are kept, and how much is to be free, as people write it: `all=14d,daily=30` where it is typed, a table in a file.

use crate::units;
use octo_core::retention::{KeepFree, KeepPolicy};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

/// What may be said, for who said something else.
const ALLOWED: &str =
    "allowed are all=TIME, last=N, daily=N, weekly=N, monthly=N and yearly=N, such as all=14d,daily=30,monthly=12";
/// More periods than any mirror has.
const COUNT_MAX: u32 = 100_000;

/// Which states are kept, as a person said it. Empty: as another setting says.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Keep {
    #[serde(skip_serializing_if = "Option::is_none")]
    all: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    daily: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weekly: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    monthly: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    yearly: Option<u32>,
}

impl Keep {
    /// Takes apart `all=14d,daily=30`.
    fn split(text: &str) -> Result<Keep, String> {
        let mut keep = Keep::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').ok_or_else(|| format!("{part:?}: {ALLOWED}"))?;
            let count = || value.parse().map_err(|_| format!("{part:?}: it must be a whole number; {ALLOWED}"));
            let twice = match name {
                "all" => keep.all.replace(value.to_owned()).is_some(),
                "last" => keep.last.replace(count()?).is_some(),
                "daily" => keep.daily.replace(count()?).is_some(),
                "weekly" => keep.weekly.replace(count()?).is_some(),
                "monthly" => keep.monthly.replace(count()?).is_some(),
                "yearly" => keep.yearly.replace(count()?).is_some(),
                _ => return Err(format!("{part:?}: {ALLOWED}")),
            };
            if twice {
                return Err(format!("{name} is given twice"));
            }
        }
        Ok(keep)
    }

    /// Takes apart what was typed, and refuses what cannot be.
    pub fn parse(text: &str) -> Result<Keep, String> {
        let keep = Keep::split(text)?;
        keep.read().map(|_| keep)
    }

    /// As it is used.
    pub fn read(&self) -> Result<KeepPolicy, String> {
        let all =
            self.all.as_deref().map(|text| units::duration_secs(text).map_err(|why| format!("all={text}: {why}")));
        let count = |count: Option<u32>| match count.unwrap_or(0) {
            count if count > COUNT_MAX => Err(format!("allowed are at most {COUNT_MAX}")),
            count => Ok(count),
        };
        Ok(KeepPolicy {
            all_secs: all.transpose()?,
            last: count(self.last)?,
            daily: count(self.daily)?,
            weekly: count(self.weekly)?,
            monthly: count(self.monthly)?,
            yearly: count(self.yearly)?,
        })
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        *self == Keep::default()
    }
}

/// As it is in a file.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Table {
    all: Option<String>,
    last: Option<u32>,
    daily: Option<u32>,
    weekly: Option<u32>,
    monthly: Option<u32>,
    yearly: Option<u32>,
}

impl<'de> Deserialize<'de> for Keep {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Keep, D::Error> {
        struct Both;
        impl<'de> Visitor<'de> for Both {
            type Value = Keep;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table such as { all = \"14d\", daily = 30 }, or the same as text: \"all=14d,daily=30\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Keep, E> {
                Keep::split(text).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Keep, A::Error> {
                let Table { all, last, daily, weekly, monthly, yearly } =
                    Table::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Keep { all, last, daily, weekly, monthly, yearly })
            }
        }
        deserializer.deserialize_any(Both)
    }
}

/// `10%` of the disk, or a size.
pub fn keep_free(text: &str) -> Result<KeepFree, String> {
    let percent = |text: &str| text.parse().ok().filter(|percent| (1..=90).contains(percent));
    match text.strip_suffix('%') {
        Some(text) => percent(text)
            .map(KeepFree::Percent)
            .ok_or_else(|| "allowed are 1% to 90%, or a size such as 500G".to_owned()),
        None => units::bytes(text).map(KeepFree::Bytes).map_err(|why| format!("{why}; or hundredths of the disk: 10%")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_policy_is_read_as_text_and_as_a_table() {
        let text = Keep::parse("all=2w, daily=30,weekly=12,monthly=12,yearly=3,last=5").unwrap();
        let table = r#"{"all":"2w","last":5,"daily":30,"weekly":12,"monthly":12,"yearly":3}"#;
        assert_eq!(serde_json::from_str::<Keep>(table).unwrap(), text);
        assert_eq!(serde_json::to_string(&text).unwrap(), table);
        assert_eq!(text.read().unwrap().to_string(), "all=14d,last=5,daily=30,weekly=12,monthly=12,yearly=3");
        assert_eq!(serde_json::from_str::<Keep>("\"daily=2\"").unwrap().daily, Some(2));
        assert!(Keep::parse("").unwrap().is_empty());
        for (wrong, word) in [
            ("daily", "such as"),
            ("hourly=3", "such as"),
            ("daily=x", "whole number"),
            ("all=14", "30d"),
            ("daily=1,daily=2", "twice"),
            ("daily=1000000", "at most"),
        ] {
            let why = Keep::parse(wrong).unwrap_err();
            assert!(why.contains(word), "{wrong}: {why}");
        }
        assert!(serde_json::from_str::<Keep>(r#"{"hourly":1}"#).is_err());
    }

    #[test]
    fn room_is_a_size_or_a_percentage() {
        assert_eq!(keep_free("10%"), Ok(KeepFree::Percent(10)));
        assert_eq!(keep_free("2G"), Ok(KeepFree::Bytes(2_000_000_000)));
        for wrong in ["0%", "91%", "%", "much", ""] {
            assert!(keep_free(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn a_policy_is_read_as_it_is_shown(
            all_secs in proptest::option::of(0u64..1 << 40), last in 0u32..9, daily in 0u32..9, weekly in 0u32..9,
            monthly in 0u32..9, yearly in 0u32..9,
        ) {
            let policy = KeepPolicy { all_secs, last, daily, weekly, monthly, yearly };
            let keep = Keep::parse(&policy.to_string()).unwrap();
            prop_assert_eq!(keep.read(), Ok(policy));
            let json = serde_json::to_string(&keep).unwrap();
            prop_assert_eq!(serde_json::from_str::<Keep>(&json).unwrap(), keep);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,20}") {
            let _ = (Keep::parse(&text), keep_free(&text));
        }
    }
}
