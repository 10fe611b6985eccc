//! Messages under way: each is sent once, whatever is changed meanwhile.

use crate::world::{World, me};
use octo_core::Cancel;
use octo_server::notify::Recipient;
use octo_server::notify::delivery::Delivery;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    (listener, url)
}

fn hook(url: &str) -> Recipient {
    Recipient { name: "hook".into(), webhook: Some(url.into()), ..Recipient::default() }
}

/// What is asked, up to its empty line.
fn head(stream: &TcpStream) -> String {
    let lines = BufReader::new(stream).lines().map(Result::unwrap);
    lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_letter_that_is_out_is_not_told_again_at_a_new_address() {
    let world = World::at("2026-08-01 20:00");
    let ((slow, old), (other, new)) = (listener(), listener());
    other.set_nonblocking(true).unwrap();
    world.service.set_recipient(&me(), &hook(&old)).unwrap();
    let message = world.service.test_recipient(&me(), "hook").unwrap();
    let delivery = Delivery::new(world.shared.clone());
    std::thread::scope(|threads| {
        let out = threads.spawn(|| delivery.activate(&Cancel::new()));
        let (mut stream, _) = slow.accept().unwrap();
        assert!(head(&stream).to_lowercase().contains(&format!("octobackup-delivery: {}", message.id)));
        // It is at the old address, which has not answered yet, and due at the new one.
        world.service.set_recipient(&me(), &hook(&new)).unwrap();
        delivery.activate(&Cancel::new()).unwrap();
        stream.write_all(b"HTTP/1.1 204 Taken\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
        out.join().unwrap().unwrap();
    });
    assert!(other.accept().is_err(), "it was sent twice");
    let message = world.service.message(message.id).unwrap();
    assert!(message.sent_at.is_some() && message.next_try_at.is_none() && message.tries == 1, "{message:?}");
}
