//! Lists are given in pages, and the pages are the list: also over the API, for each list by name.

use crate::world::{World, me};
use octo_client::Client;
use octo_job::Policy;
use octo_server::access::Role;
use octo_server::api::{Http, openapi};
use serde_json::Value;

const NAMES: [&str; 5] = ["a", "a-b", "c", "d.e", "f"];

fn name(row: &Value) -> String {
    let name = if row["name"].is_null() { &row["spec"]["name"] } else { &row["name"] };
    name.as_str().unwrap().to_owned()
}

fn page(client: &Client, path: &str, query: &str) -> Vec<String> {
    client.get::<Value>(&format!("{path}?{query}")).unwrap().as_array().unwrap().iter().map(name).collect()
}

#[test]
fn every_list_by_name_is_given_in_pages() {
    let world = World::at("2026-08-04 12:00");
    for name in NAMES.iter().rev() {
        world.add(name, "daily 21:00", Policy::default());
        world.service.set_credential(&me(), name, "CORP\\b", "pw").unwrap();
        world.service.set_user(&me(), name, Role::Viewer, Some("correct horse battery")).unwrap();
        world.service.add_token(&me(), name, Role::Viewer, 1).unwrap();
        let recipient = serde_json::json!({"name": name, "webhook": "http://127.0.0.1:9/"});
        world.service.set_recipient(&me(), &serde_json::from_value(recipient).unwrap()).unwrap();
    }
    let socket = world.path("socket");
    let http = Http::start(world.service.clone(), &socket, None).unwrap();
    let client = Client::local(&socket).unwrap();
    let mut lists = 0;
    for (path, methods) in openapi()["paths"].as_object().unwrap() {
        let is_by_name = methods["get"]["summary"].as_str().is_some_and(|summary| summary.contains(", by name"));
        // Machines need a server that listens for them, and a list below one thing needs that thing; the same code cuts their pages.
        let is_whole = |path: &&str| is_by_name && *path != "/hosts" && !path.contains('{');
        let Some(path) = path.strip_prefix("/api/v1").filter(is_whole) else { continue };
        assert_eq!(page(&client, path, ""), NAMES, "{path}");
        assert_eq!(page(&client, path, "limit=2"), NAMES[..2], "{path}");
        assert_eq!(page(&client, path, "limit=2&after=a-b"), NAMES[2..4], "{path}");
        assert_eq!(page(&client, path, "after=d"), NAMES[3..], "{path}: a name that is gone is as good");
        assert!(page(&client, path, "after=f").is_empty(), "{path}");
        lists += 1;
    }
    assert_eq!(lists, 5);
    http.stop();
}

#[test]
fn recipients_have_a_limit_and_one_that_exists_is_still_changed_at_it() {
    let world = World::at("2026-08-04 12:00");
    let set = |number: usize| {
        let recipient = serde_json::json!({"name": format!("r{number}"), "webhook": "http://127.0.0.1:9/"});
        world.service.set_recipient(&me(), &serde_json::from_value(recipient).unwrap())
    };
    let limit = (0..1000).find(|number| set(*number).is_err()).expect("a limit");
    assert!(set(0).is_ok() && set(limit - 1).is_ok(), "{limit}");
    assert!(set(limit).unwrap_err().to_string().contains("recipients already"));
}
