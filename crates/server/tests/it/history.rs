//! The past of a job's mirror: pages, one after the other, are the whole.

use crate::world::{World, me};
use octo_core::Cancel;
use octo_job::Policy;
use octo_server::RunOverrides;
use octo_server::service::{DiffAsked, FindNames};
use octo_server::service_error::Kind;

/// Three states: `a` and 40 files in a folder; half of them changed; half of those gone.
pub fn with_states() -> World {
    let world = World::at("2026-08-01 20:00");
    world.add("a", "", Policy { max_delete: Some("100%".into()), ..Policy::default() });
    std::fs::create_dir_all(world.path("src/many/deep")).unwrap();
    let file = |n: u32| world.path(&format!("src/many/{n}%\u{1f419}"));
    (0..40).for_each(|n| std::fs::write(file(n), n.to_string()).unwrap());
    std::fs::write(world.path("src/many/deep/7%"), "below").unwrap();
    let run = |at: &str| {
        world.service.start_run(&me(), "a", &RunOverrides::default()).unwrap();
        world.look_at(at);
    };
    run("2026-08-01 20:01");
    (0..20).for_each(|n| std::fs::write(file(n), "changed").unwrap());
    run("2026-08-01 20:02");
    (0..10).for_each(|n| std::fs::remove_file(file(n)).unwrap());
    run("2026-08-01 20:03");
    world
}

#[test]
fn pages_one_after_the_other_are_the_whole_folder_search_and_difference() {
    let world = with_states();
    let (service, cancel) = (&world.service, Cancel::new());
    let states = |before, limit| -> Vec<u64> {
        service.states("a", before, limit).unwrap().iter().map(|state| state.state).collect()
    };
    assert_eq!((states(None, 500), states(None, 2), states(Some(2), 2)), (vec![3, 2, 1], vec![3, 2], vec![1]));

    let folder = |limit: u32| {
        let (mut all, mut after, mut pages) = (Vec::new(), None::<String>, 0);
        loop {
            let page = service.state_folder("a", "1", "many", (after.as_deref(), limit)).unwrap();
            assert!(page.state == 1 && page.entries.len() <= limit as usize && page.problems.is_empty());
            (pages, after) = (pages + 1, page.next);
            all.extend(page.entries.into_iter().map(|entry| entry.name));
            if after.is_none() {
                return (all, pages);
            }
        }
    };
    let (whole, pages) = folder(500);
    assert_eq!((whole.len(), pages), (41, 1));
    assert!(whole.is_sorted(), "{whole:?}");
    for limit in [1, 7, 40, 41] {
        let (paged, pages) = folder(limit);
        assert_eq!((paged, pages), (whole.clone(), 41_u32.div_ceil(limit)), "limit {limit}");
    }

    let find = |limit: u32| {
        let (mut all, mut after) = (Vec::new(), None::<String>);
        loop {
            let asked = FindNames { pattern: "*7%25*".into(), after, limit, ..FindNames::default() };
            let page = service.find_names("a", &asked, &cancel).unwrap();
            all.extend(page.versions.iter().map(|it| (it.path.clone(), it.first_state, it.last_state)));
            after = page.next;
            if after.is_none() {
                return all;
            }
        }
    };
    let whole = find(500);
    // 7 and 17 have two versions each; 27 and 37 one, and that of the folder below.
    assert_eq!(whole.len(), 7, "{whole:?}");
    assert_eq!(whole[0], ("many/17%25\u{1f419}".into(), 2, 3));
    (1..4).for_each(|limit| assert_eq!(find(limit), whole, "limit {limit}"));

    let diff = |limit: u32| {
        let (mut all, mut after) = (Vec::new(), 0);
        loop {
            let asked = DiffAsked { from: "1".into(), to: "now".into(), after, limit, ..DiffAsked::default() };
            let page = service.differences("a", &asked, &cancel).unwrap();
            assert!((page.earlier, page.later) == (1, 3) && page.differences.len() <= limit as usize);
            all.extend(page.differences);
            let Some(next) = page.next else { return all };
            after = next;
        }
    };
    let whole = diff(500);
    let gone = whole.iter().filter(|it| it.later.is_none()).count();
    assert_eq!((whole.len(), gone), (20, 10));
    [1, 7, 20].iter().for_each(|limit| assert_eq!(diff(*limit), whole, "limit {limit}"));
}

#[test]
fn what_cannot_be_meant_is_refused_and_who_goes_away_is_not_waited_for() {
    let world = with_states();
    let service = &world.service;
    let folder = |state: &str, path: &str| service.state_folder("a", state, path, (None, 9)).map(|it| it.state);
    for (state, path, kind, word) in [
        ("4", "", Kind::NotFound, "the newest is 3"),
        ("yesterday", "", Kind::Invalid, "allowed are now"),
        ("2000-01-01T00:00:00Z", "", Kind::NotFound, "the oldest is state 1"),
        ("now", "mnay", Kind::NotFound, "did you mean many?"),
        ("now", "../x", Kind::Invalid, "not a path on the source"),
        ("now", "%zz", Kind::Invalid, "not a path on the source"),
        ("now", "a", Kind::Invalid, "not a folder in state 3"),
    ] {
        let error = folder(state, path).unwrap_err();
        assert!(error.kind == kind && error.detail.contains(word), "{state} {path}: {error:?}");
    }
    assert_eq!(folder("2999-01-01T00:00:00+02:00", "/many/"), Ok(3));
    assert_eq!(service.states("b", None, 9).unwrap_err().kind, Kind::NotFound);
    let gone = Cancel::new();
    gone.cancel();
    let asked = FindNames { pattern: "*".into(), limit: 500, ..FindNames::default() };
    assert!(service.find_names("a", &asked, &gone).is_err());
    let asked = DiffAsked { from: "1".into(), to: "2".into(), limit: 500, ..DiffAsked::default() };
    assert!(service.differences("a", &asked, &gone).is_err());
}
