//! The layers of a policy, and what each refuses.

use super::*;

#[test]
fn the_layers_are_over_each_other_and_say_where_a_value_came_from() {
    let defaults = Policy { bandwidth: Some("10M".into()), retries: Some(1), ..Policy::default() };
    let job = Policy { retries: Some(0), ..Policy::default() };
    let holds = job.over(&defaults.over(&Policy::built_in()));
    assert_eq!((holds.bandwidth.as_deref(), holds.retries, holds.no_delete), (Some("10M"), Some(0), Some(false)));
    let explained = job.explained(&defaults).unwrap();
    let from = |name: &str| explained[name].from;
    assert_eq!((from("bandwidth"), from("retries"), from("mode")), (From::Defaults, From::Job, From::BuiltIn));
}

#[test]
fn what_is_built_in_is_what_the_engine_and_the_command_line_take_where_nobody_says_anything() {
    let local = Origin::local(std::path::Path::new("/srv"));
    let built_in = Policy::built_in();
    built_in.check().unwrap();
    assert_eq!(Policy::default().resolve().unwrap().mirror_spec(local.clone()), MirrorSpec::new(local));
    let fields = serde_json::to_value(&built_in).unwrap();
    let names: Vec<_> = fields.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names.len(), Policy::NAMES.len());
    assert!(Policy::NAMES.iter().all(|name| names.contains(name)));
}

#[test]
fn every_setting_is_in_the_manual() {
    let manual = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/manual/server.md");
    let manual = std::fs::read_to_string(manual).unwrap();
    let missing: Vec<_> = Policy::NAMES.iter().filter(|name| !manual.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "docs/manual/server.md does not have {missing:?}");
}

#[test]
fn bad_input_names_the_field_and_what_is_allowed() {
    for (text, field, word) in [
        (r#"{"bandwidth":"fast"}"#, "policy.bandwidth", "KiB"),
        (r#"{"keep_versions":"30"}"#, "policy.keep_versions", "30d"),
        (r#"{"max_delete":"110%"}"#, "policy.max_delete", "100%"),
        (r#"{"mode":"777"}"#, "policy.mode", "0640"),
        (r#"{"time_zone":"Mars"}"#, "policy.time_zone", "Europe/Berlin"),
        (r#"{"bandwidth_hours":["08:00-18:00"]}"#, "policy.bandwidth_hours", "mon..fri 08:00-18:00 2M"),
        (r#"{"blackouts":["always"]}"#, "policy.blackouts", "mon..fri 08:00-18:00"),
        (r#"{"random_delay":"1y"}"#, "policy.random_delay", "a week"),
        (r#"{"retries":100}"#, "policy.retries", "0 to 20"),
        (r#"{"max_age":"old"}"#, "policy.max_age", "auto"),
        (r#"{"max_duration":"long"}"#, "policy.max_duration", "unlimited"),
        (r#"{"max_folder_entries":0}"#, "policy.max_folder_entries", "more than 0"),
        (r#"{"max_folder_bytes":"much"}"#, "policy.max_folder_bytes", "GiB"),
        (r#"{"max_answer":"0s"}"#, "policy.max_answer", "more than 0"),
        (r#"{"max_idle":"0s"}"#, "policy.max_idle", "unlimited"),
        (r#"{"acknowledged":["/"]}"#, "policy.acknowledged", "projects/old"),
        (r#"{"acknowledged":["a/../b"]}"#, "policy.acknowledged", "projects/old"),
    ] {
        let error = serde_json::from_str::<Policy>(text).unwrap().check().unwrap_err();
        assert_eq!(error.field.as_deref(), Some(field), "{error}");
        assert!(error.detail.contains(word), "{text}: {error}");
    }
    assert!(serde_json::from_str::<Policy>(r#"{"bandwith":"1M"}"#).unwrap_err().to_string().contains("bandwith"));
}
