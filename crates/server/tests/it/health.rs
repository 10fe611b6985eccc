//! The server's own troubles, made for real: what it says of itself is true.

use crate::world::World;
use octo_core::Cancel;
use octo_job::Policy;
use octo_server::config::Config;
use octo_server::event_log::{EventLog, LogEvent};
use octo_server::store::settings;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};

/// Keeps what was noted.
#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl EventLog for Notes {
    fn record(&self, event: &LogEvent) {
        self.0.lock().unwrap().push(format!("{}: {}", event.event, event.message));
    }
}

fn finds(world: &World, about: &str) -> (bool, String) {
    let found = world.service.self_check().unwrap().into_iter().find(|it| it.about == about && !it.is_well);
    found.map_or((true, String::new()), |it| (false, it.detail))
}

#[test]
fn a_key_that_is_moved_away_while_the_server_works_is_told_everywhere() {
    let world = World::at("2026-08-01 20:00");
    let notes: Arc<Notes> = Arc::default();
    world.shared.journal.set(notes.clone()).map_err(drop).unwrap();
    world.waits_for_health(None);
    let (key, away) = (world.path("data/key"), world.path("away"));
    std::fs::rename(&key, &away).unwrap();
    world.waits_for_health(Some(&key.display().to_string()));
    assert!(finds(&world, "key").1.contains("Put it back"));
    assert!(world.service.metrics().unwrap().contains("octobackup_healthy{part=\"key\"} 0\n"));
    world.look_at("2026-08-01 20:01");
    // Another key is as bad as none.
    std::fs::write(&key, [7; 32]).unwrap();
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o600)).unwrap();
    world.waits_for_health(Some("replaced"));
    std::fs::rename(&away, &key).unwrap();
    world.waits_for_health(None);
    world.look_at("2026-08-01 20:02");
    let said = notes.0.lock().unwrap().join("\n");
    assert!(said.contains("unhealthy: key:") && said.contains("healthy: the server can do its work again"), "{said}");
}

#[test]
fn a_damaged_page_turns_health_red_and_names_the_file() {
    let world = World::at("2026-08-01 20:00");
    let value = "x".repeat(200);
    let store = &world.shared.store;
    store.change(|db| (0..500).try_for_each(|n| settings::put(db, &format!("setting-{n:03}"), &value))).unwrap();
    world.shared.store.read(|db| Ok(db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?)).unwrap();
    world.waits_for_health(None);
    let path = world.path("data/db");
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 4096].fill(0xa5);
    std::fs::write(&path, bytes).unwrap();
    world.waits_for_health(Some("is damaged"));
    assert!(world.service.is_healthy().unwrap_err().detail.contains(&path.display().to_string()));
    assert!(!finds(&world, "database").0);
    assert!(world.service.metrics().unwrap().contains("octobackup_healthy{part=\"database\"} 0\n"));
}

#[test]
fn a_database_that_is_moved_away_while_the_server_works_is_told() {
    let world = World::at("2026-08-01 20:00");
    std::fs::rename(world.path("data/db"), world.path("away")).unwrap();
    world.waits_for_health(Some("moved away"));
}

#[test]
fn a_full_data_directory_is_told_and_what_was_missed_meanwhile_is_recorded_afterwards() {
    let world = World::on_small_disk("2026-08-01 20:00");
    world.add("a", "daily 21:00", Policy { retries: Some(0), ..Policy::default() });
    world.waits_for_health(None);
    let ballast = world.path("data/ballast");
    // Until nothing fits any more.
    assert!(std::fs::write(&ballast, vec![1; 8 << 20]).is_err());
    world.waits_for_health(Some("make room on its disk"));
    assert!(!finds(&world, "data directory").0);
    for now in ["2026-08-01 21:00", "2026-08-02 21:05"] {
        world.tries_at(now);
    }
    std::fs::remove_file(&ballast).unwrap();
    world.waits_for_health(None);
    world.look_at("2026-08-02 22:00");
    let days: Vec<String> = world.slots("a").iter().map(|slot| slot[..11].to_owned()).collect();
    assert_eq!(days, ["08-01T21:00", "08-02T21:00"], "{:?}", world.slots("a"));
    world.unmount();
}

#[test]
fn a_server_that_lost_its_database_does_not_start_as_a_new_one() {
    let world = World::at("2026-08-01 20:00");
    let data = world.path("served");
    std::fs::create_dir(&data).unwrap();
    std::fs::set_permissions(&data, PermissionsExt::from_mode(0o700)).unwrap();
    let config = format!("data_dir = {data:?}\nsocket = {:?}\nhttp.listen = \"none\"", world.path("socket"));
    let config = Config::parse(&config).unwrap();
    // It is asked to stop before it begins.
    let serve = || {
        let stop = Cancel::new();
        stop.cancel();
        octo_server::serve::serve(&config, &stop, Arc::new(Notes::default()))
    };
    serve().unwrap();
    let (database, key) = (data.join("octobackup.db"), data.join("key"));
    serve().unwrap();
    let whole = std::fs::read(&database).unwrap();
    std::fs::remove_file(&database).unwrap();
    let why = serve().unwrap_err().detail;
    assert!(why.contains("missing or empty") && why.contains(&key.display().to_string()), "{why}");
    assert!(!database.exists(), "a new database was made");
    std::fs::write(&database, "").unwrap();
    assert!(serve().unwrap_err().detail.contains("missing or empty"));
    // A database of nobody: it has never had a key.
    drop(octo_server::store::Store::open(&database).unwrap());
    assert!(serve().unwrap_err().detail.contains("missing or empty"));
    for ending in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(data.join(format!("octobackup.db{ending}")));
    }
    std::fs::write(&database, whole).unwrap();
    serve().unwrap();
}
