//! A stored password goes only where it was used first, or where an administrator let it go.

use crate::world::{World, me};
use octo_api::credential::{CredentialUse, Purpose};
use octo_job::{JobSpec, Policy};
use octo_server::notify::{MailServer, Recipient, Security};
use octo_server::service::ByName;
use octo_server::service_error::Kind;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};

fn share(world: &World, name: &str, source: &str) -> JobSpec {
    JobSpec { source: source.into(), credential: Some("corp".into()), ..world.spec(name, "", Policy::default()) }
}

fn mail_server(host: &str, port: Option<u16>) -> MailServer {
    MailServer {
        host: host.into(),
        port,
        security: Security::Tls,
        credential: Some("corp".into()),
        from: "a@example.org".into(),
    }
}

fn webhook(url: &str) -> Recipient {
    let credential = Some("corp".into());
    Recipient { name: "hook".into(), webhook: Some(url.into()), credential, ..Recipient::default() }
}

#[test]
fn a_password_is_used_where_it_was_used_first_and_elsewhere_only_when_allowed() {
    let world = World::at("2026-08-04 12:00");
    let service = &world.service;
    service.set_credential(&me(), "corp", "CORP\\b", "Hunter2").unwrap();
    service.add_job(&me(), &share(&world, "one", "//FS1/d$")).unwrap();
    let evil = TcpListener::bind("127.0.0.1:0").unwrap();
    evil.set_nonblocking(true).unwrap();
    let there = format!("//{}/d$", evil.local_addr().unwrap());
    let refusals = [
        service.add_job(&me(), &share(&world, "two", &there)).err(),
        service.test_credential(&me(), "corp", Some(&there), None).err(),
        service.set_mail_server(&me(), &mail_server("127.0.0.1", None)).err(),
        service.set_mail_server(&me(), &mail_server("fs1", None)).err(),
        service.set_recipient(&me(), &webhook("https://evil.example/")).err(),
    ];
    for error in refusals {
        let error = error.unwrap();
        assert_eq!((error.kind, error.field.as_deref()), (Kind::Conflict, Some("credential")), "{error}");
        assert!(error.detail.contains("smb at fs1") && error.detail.contains("credential allow corp"), "{error}");
    }
    let job = service.job("one").unwrap().job;
    assert!(service.change_job(&me(), "one", job.revision, &share(&world, "one", &there)).is_err());
    assert!(evil.accept().is_err(), "nobody may have been asked");
    let uses = [CredentialUse::new(Purpose::Smb, "FS1"), CredentialUse::new(Purpose::Smb, "127.0.0.1")];
    service.set_credential_uses(&me(), "corp", &uses).unwrap();
    service.add_job(&me(), &share(&world, "two", &there)).unwrap();
    let seen = service.credentials(&ByName::default()).unwrap();
    assert_eq!(seen[0].uses.iter().map(ToString::to_string).collect::<Vec<_>>(), ["smb at 127.0.0.1", "smb at fs1"]);
    // What is taken away holds for what was there before, too.
    service.set_credential_uses(&me(), "corp", &uses[..1]).unwrap();
    let run = service.start_run(&me(), "two", &octo_server::RunOverrides::default()).unwrap();
    world.look_at("2026-08-04 12:01");
    let report = service.report(run.id).unwrap();
    assert!(serde_json::to_string(&report).unwrap().contains("credential allow corp"), "{report:?}");
    assert!(evil.accept().is_err(), "nobody may have been asked");
    let log: Vec<_> = service.audit(None, 50).unwrap().into_iter().map(|row| (row.what, row.detail)).collect();
    assert!(log.contains(&("credential.first-use".into(), "smb at fs1".into())), "{log:?}");
    assert!(log.contains(&("credential.allow".into(), "smb at 127.0.0.1, smb at fs1".into())), "{log:?}");
    assert!(!format!("{log:?}").contains("Hunter2"));
}

#[test]
fn a_test_elsewhere_takes_the_password_that_is_given_for_it() {
    let world = World::at("2026-08-04 12:00");
    world.service.set_credential(&me(), "corp", "b", "Hunter2").unwrap();
    world.service.add_job(&me(), &share(&world, "one", "//fs1/d$")).unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let tested = world.service.test_credential(&me(), "corp", Some(&format!("//{closed}/d$")), Some("again")).unwrap();
    assert!(!tested[0].works && !tested[0].detail.contains("may be used"), "{tested:?}");
    assert_eq!(world.service.credentials(&ByName::default()).unwrap()[0].uses.len(), 1, "it is not noted as a use");
}

#[test]
fn a_mail_server_that_hangs_keeps_no_other_letter_waiting() {
    let world = World::at("2026-08-04 12:00");
    let service = &world.service;
    let hangs = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = MailServer {
        security: Security::None,
        credential: None,
        ..mail_server("127.0.0.1", Some(hangs.local_addr().unwrap().port()))
    };
    service.set_mail_server(&me(), &server).unwrap();
    let mail = Some(vec!["b@example.org".to_owned()]);
    service.set_recipient(&me(), &Recipient { name: "ops".into(), mail, ..Recipient::default() }).unwrap();
    let hook = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/in", hook.local_addr().unwrap());
    service.set_recipient(&me(), &Recipient { credential: None, ..webhook(&url) }).unwrap();
    let mail = service.test_recipient(&me(), "ops").unwrap().id;
    let called = service.test_recipient(&me(), "hook").unwrap().id;
    let is_over = AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            octo_server::notify::delivery::Delivery::new(world.shared.clone())
                .activate(&octo_core::Cancel::new())
                .unwrap();
            is_over.store(true, Ordering::SeqCst);
        });
        // The mail is under way, and nobody answers it.
        let _held = hangs.accept().unwrap();
        let (mut stream, _) = hook.accept().unwrap();
        let mut read = [0; 4096];
        assert!(stream.read(&mut read).unwrap() > 0);
        stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").unwrap();
        while service.message(called).unwrap().sent_at.is_none() {
            assert!(!is_over.load(Ordering::SeqCst), "the webhook was not told");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        assert!(service.message(mail).unwrap().sent_at.is_none());
        // Until the delivery gives up the mail: what it says then is for people.
        while !is_over.load(Ordering::SeqCst) {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    });
    let why = service.message(mail).unwrap().last_error.unwrap();
    assert!(why.contains("did not answer within 30 s") && !why.contains("os error"), "{why}");
}

#[test]
fn slots_to_come_are_as_many_as_were_asked_for() {
    let world = World::at("2026-08-04 12:00");
    world.add("j", "daily 22:00", Policy::default());
    assert_eq!(world.service.upcoming(400).unwrap().len(), 400);
    assert!(
        world.service.upcoming(100_000).is_err() && world.service.upcoming(0).is_err(),
        "a wish is not cut in silence"
    );
}
