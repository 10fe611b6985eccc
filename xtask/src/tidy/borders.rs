//! Who may lean on whom: asserted from what cargo knows, not from what a document hopes.

use anyhow::{Context, Result};
use serde_json::Value;

/// Each crate of ours and the crates of ours it may depend on. A crate that is not listed has no place yet.
const MAY_LEAN_ON: &[(&str, &[&str])] = &[
    ("octo-core", &[]),
    ("octo-disk", &["octo-core"]),
    ("octo-smb", &["octo-core"]),
    // The agent's program reads local folders.
    ("octo-agent", &["octo-core", "octo-disk"]),
    // What goes over the wire: the words of the core, and moments as reports show them.
    ("octo-api", &["octo-core", "octo-report"]),
    ("octo-client", &["octo-api"]),
    // Words and decisions; what a job's run needs of a disk or a share is looked at by the server.
    ("octo-job", &["octo-api", "octo-core"]),
    ("octo-mirror", &["octo-core"]),
    ("octo-testkit", &["octo-core"]),
    ("octo-report", &["octo-core"]),
    (
        "octo-server",
        &["octo-agent", "octo-api", "octo-core", "octo-disk", "octo-job", "octo-mirror", "octo-report", "octo-smb"],
    ),
    (
        "octobackup",
        &[
            "octo-api",
            "octo-client",
            "octo-core",
            "octo-disk",
            "octo-job",
            "octo-mirror",
            "octo-report",
            "octo-server",
            "octo-smb",
        ],
    ),
    ("xtask", &[]),
];

/// What a crate's tests may lean on besides the testkit: the engine is tested on the real disk, and the testkit's own
/// fixtures are proven with both.
const TESTS_MAY_LEAN_ON: &[(&str, &[&str])] = &[
    ("octo-mirror", &["octo-disk"]),
    ("octo-agent", &["octo-mirror"]),
    // The API is asked by the client that people use.
    ("octo-server", &["octo-client"]),
    // Whole runs from a server that lies.
    ("octo-smb", &["octo-disk", "octo-mirror"]),
    ("octo-testkit", &["octo-disk", "octo-mirror"]),
];

/// Crates that do nothing but compute, and everything else that they may use: what other people do does not enter the
/// vocabulary by accident, nor does a report reach for a database or a clock.
const MAY_USE: &[(&str, &[&str])] = &[
    ("octo-core", &["blake3", "ignore", "serde"]),
    ("octo-job", &["clap", "croner", "jiff", "serde", "serde_json", "toml"]),
    ("octo-report", &["askama", "jiff"]),
];

/// Complaints about dependencies and descriptions.
pub fn check(metadata: &Value) -> Result<Vec<String>> {
    let packages = metadata["packages"].as_array().context("cargo metadata without packages")?;
    let ours: Vec<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    let mut complaints = Vec::new();
    for package in packages {
        let name = package["name"].as_str().context("a package without a name")?;
        if package["description"].as_str().is_none_or(|text| text.trim().is_empty()) {
            complaints.push(format!("{name}: Cargo.toml has no description"));
        }
        let Some(allowed) = lookup(MAY_LEAN_ON, name) else {
            complaints.push(format!("{name}: not listed in xtask/src/tidy/borders.rs, so nobody knows its border"));
            continue;
        };
        for dependency in package["dependencies"].as_array().context("a package without dependencies")? {
            let on = dependency["name"].as_str().unwrap_or_default();
            // A crate's feature `fuzzing` is for tests, and so is what only it asks for.
            let for_tests = dependency["kind"] == "dev" || (dependency["optional"] == true && on == "octo-testkit");
            if ours.contains(&on) && !may_lean(name, allowed, on, for_tests) {
                complaints.push(format!("{name} must not lean on {on}"));
            } else if !ours.contains(&on)
                && !for_tests
                && lookup(MAY_USE, name).is_some_and(|allowed| !allowed.contains(&on))
            {
                complaints.push(format!("{name} must not use {on}: it has an allow-list"));
            }
        }
    }
    Ok(complaints)
}

fn may_lean(name: &str, allowed: &[&str], on: &str, for_tests: bool) -> bool {
    allowed.contains(&on)
        || for_tests && on == "octo-testkit"
        || for_tests && lookup(TESTS_MAY_LEAN_ON, name).is_some_and(|more| more.contains(&on))
}

fn lookup(table: &[(&str, &'static [&'static str])], name: &str) -> Option<&'static [&'static str]> {
    table.iter().find(|(crate_name, _)| *crate_name == name).map(|(_, list)| *list)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn package(name: &str, dependencies: &[(&str, Option<&str>)]) -> Value {
        let dependencies: Vec<Value> =
            dependencies.iter().map(|(on, kind)| json!({"name": on, "kind": kind})).collect();
        json!({"name": name, "description": "x", "dependencies": dependencies})
    }

    #[test]
    fn adapters_that_see_each_other_are_found() {
        let packages = [package("octo-smb", &[("octo-disk", None)]), package("octo-disk", &[])];
        let complaints = check(&json!({"packages": packages})).unwrap();
        assert_eq!(complaints, ["octo-smb must not lean on octo-disk"]);
    }

    #[test]
    fn the_testkit_is_for_tests_only() {
        let mut packages = vec![package("octo-mirror", &[("octo-testkit", Some("dev"))]), package("octo-testkit", &[])];
        assert!(check(&json!({"packages": packages})).unwrap().is_empty());
        packages[0] = package("octo-mirror", &[("octo-testkit", None)]);
        assert_eq!(check(&json!({"packages": packages})).unwrap().len(), 1);
        packages[0]["dependencies"][0]["optional"] = json!(true);
        assert!(check(&json!({"packages": packages})).unwrap().is_empty());
    }

    #[test]
    fn a_crate_without_border_or_description_and_a_new_dependency_of_a_pure_one_are_found() {
        let pure =
            ["octo-core", "octo-report"].map(|name| package(name, &[("tokio", None), ("tempfile", Some("dev"))]));
        let packages = [&[json!({"name": "new", "dependencies": []})][..], &pure].concat();
        let complaints = check(&json!({"packages": packages})).unwrap();
        assert_eq!(complaints.len(), 4, "{complaints:?}");
    }
}
