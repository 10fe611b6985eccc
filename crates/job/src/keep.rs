//! Which states are kept, and how much is to be free, as people write it: `all=14d,daily=30` where it is typed, a table in a file.

use crate::settings::{NO_VERSIONS, Policy};
use crate::units;
use octo_api::error::ApiError;
use octo_core::retention::{KeepFree, KeepPolicy, short_age};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// What may be said, for whoever said something else.
const ALLOWED: &str = "allowed are all=TIME, last=N, daily=N, weekly=N, monthly=N and yearly=N, such as all=14d,daily=30,monthly=12";
/// More periods than any mirror has.
const COUNT_MAX: u32 = 100_000;

/// Which states are kept. Empty: as another setting says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Keep(pub KeepPolicy);

impl Keep {
    /// Reads `all=14d,daily=30`.
    pub fn parse(text: &str) -> Result<Keep, String> {
        let mut table = Table::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').ok_or_else(|| format!("{part:?}: {ALLOWED}"))?;
            let count = || value.parse().map(Some).map_err(|_| format!("{part:?}: it must be a whole number; {ALLOWED}"));
            let twice = match name {
                "all" => table.all.replace(value.to_owned()).is_some(),
                "last" => std::mem::replace(&mut table.last, count()?).is_some(),
                "daily" => std::mem::replace(&mut table.daily, count()?).is_some(),
                "weekly" => std::mem::replace(&mut table.weekly, count()?).is_some(),
                "monthly" => std::mem::replace(&mut table.monthly, count()?).is_some(),
                "yearly" => std::mem::replace(&mut table.yearly, count()?).is_some(),
                _ => return Err(format!("{part:?}: {ALLOWED}")),
            };
            if twice {
                return Err(format!("{name} is given twice"));
            }
        }
        Keep::try_from(table)
    }
}

/// As it is in a file.
#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Table {
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

impl TryFrom<Table> for Keep {
    type Error = String;

    fn try_from(table: Table) -> Result<Keep, String> {
        let all = table.all.map(|text| units::duration_secs(&text).map_err(|why| format!("all={text}: {why}")));
        let count = |count: Option<u32>| match count.unwrap_or(0) {
            count if count > COUNT_MAX => Err(format!("allowed are at most {COUNT_MAX}")),
            count => Ok(count),
        };
        Ok(Keep(KeepPolicy {
            all_secs: all.transpose()?,
            last: count(table.last)?,
            daily: count(table.daily)?,
            weekly: count(table.weekly)?,
            monthly: count(table.monthly)?,
            yearly: count(table.yearly)?,
        }))
    }
}

impl Serialize for Keep {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let count = |count: u32| Some(count).filter(|count| *count > 0);
        let KeepPolicy { all_secs, last, daily, weekly, monthly, yearly } = self.0;
        let table = Table {
            all: all_secs.map(short_age),
            last: count(last),
            daily: count(daily),
            weekly: count(weekly),
            monthly: count(monthly),
            yearly: count(yearly),
        };
        table.serialize(serializer)
    }
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
                Keep::parse(text).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Keep, A::Error> {
                let table = Table::deserialize(MapAccessDeserializer::new(map))?;
                Keep::try_from(table).map_err(de::Error::custom)
            }
        }
        deserializer.deserialize_any(Both)
    }
}

/// `keep_versions = "30d"` is a short form of `keep = { all = "30d" }`: a layer says one of both, and with it replaces what the layer
/// below says of either.
impl Policy {
    fn keeps(&self) -> Option<KeepPolicy> {
        self.keep.map(|keep| keep.0).filter(|keep| !keep.is_empty())
    }

    /// A layer without what this one says in the other form.
    pub(crate) fn without_its_other_form(&self, below: &Policy) -> Policy {
        match (self.keeps(), &self.keep_versions) {
            (Some(_), _) => Policy { keep_versions: None, ..below.clone() },
            (None, Some(_)) => Policy { keep: None, ..below.clone() },
            (None, None) => below.clone(),
        }
    }

    /// Refuses a layer that says both.
    pub(crate) fn check_one_form(&self) -> Result<(), ApiError> {
        let (Some(keep), Some(versions)) = (self.keeps(), &self.keep_versions) else { return Ok(()) };
        let why = match versions.as_str() {
            NO_VERSIONS => format!("{keep}: with keep_versions={NO_VERSIONS} there is nothing to keep: give one of both"),
            time => format!("{keep}: keep_versions={time} is the same as keep=all={time}: give one of both"),
        };
        Err(ApiError::field("policy.keep", why))
    }
}

/// `10%` of the disk, or a size.
pub fn keep_free(text: &str) -> Result<KeepFree, String> {
    let percent = |text: &str| text.parse().ok().filter(|percent| (1..=90).contains(percent));
    match text.strip_suffix('%') {
        Some(text) => {
            percent(text).map(KeepFree::Percent).ok_or_else(|| "allowed are 1% to 90%, or a size such as 500G".to_owned())
        }
        None => units::bytes(text).map(KeepFree::Bytes).map_err(|why| format!("{why}; or hundredths of the disk: 10%")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_policy_is_read_as_text_and_as_a_table() {
        let text = Keep::parse("all=14d, daily=30,weekly=12,monthly=12,yearly=3,last=5").unwrap();
        let table: Keep = serde_json::from_str(
            r#"{"all":"2w","last":5,"daily":30,"weekly":12,"monthly":12,"yearly":3}"#,
        )
        .unwrap();
        assert_eq!(text, table);
        assert_eq!(text.0.to_string(), "all=14d,last=5,daily=30,weekly=12,monthly=12,yearly=3");
        assert_eq!(serde_json::from_str::<Keep>("\"daily=2\"").unwrap().0.daily, 2);
        assert!(Keep::parse("").unwrap().0.is_empty());
        for (wrong, word) in [("daily", "such as"), ("hourly=3", "such as"), ("daily=x", "whole number"),
            ("all=14", "30d"), ("daily=1,daily=2", "twice"), ("daily=1000000", "at most")] {
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
            let keep = Keep(KeepPolicy { all_secs, last, daily, weekly, monthly, yearly });
            prop_assert_eq!(Keep::parse(&keep.0.to_string()), Ok(keep));
            let json = serde_json::to_string(&keep).unwrap();
            prop_assert_eq!(serde_json::from_str::<Keep>(&json).unwrap(), keep);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,20}") {
            let _ = (Keep::parse(&text), keep_free(&text));
        }
    }
}
