//! A TCP proxy in front of the server that cuts, bends or records what the server says, and may alter the first
//! message, the negotiation, in either direction.

use octo_testkit::proxy::interim;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// What to do with the server's bytes, counted over a connection.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    Nothing,
    /// Hang up after this many.
    CutAt(usize),
    /// Flip a bit in this one.
    FlipAt(usize),
    /// Hang up when the client says this name.
    CutOn(&'static str),
    /// Never say a word again when the client has said this name.
    SilentOn(&'static str),
    /// Alter the client's first message.
    AlterQuestion(fn(&mut [u8])),
    /// Alter the server's first message.
    AlterAnswer(fn(&mut [u8])),
    /// Alter each of the server's messages.
    AlterAnswers(fn(&mut [u8])),
    /// Before the server answers a read, say ten times a second for this long that it is still at work.
    Pending(Duration),
}

/// A running proxy; its threads end with the connections.
pub struct Proxy {
    pub addr: SocketAddr,
    fault: Arc<Mutex<(Fault, usize)>>,
    seen: Arc<Mutex<Vec<u8>>>,
}

impl Proxy {
    pub fn start(server: String) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let fault = Arc::new(Mutex::new((Fault::Nothing, 0_usize)));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (faults, seens) = (Arc::clone(&fault), Arc::clone(&seen));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(&server) else { continue };
                let fault = {
                    let (fault, left) = &mut *faults.lock().unwrap();
                    let now = if *left > 0 { *fault } else { Fault::Nothing };
                    *left = left.saturating_sub(1);
                    now
                };
                let seen = Arc::clone(&seens);
                let (from, to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                thread::spawn(move || answers(from, to, fault, &seen));
                thread::spawn(move || questions(client, server, fault));
            }
        });
        Proxy { addr, fault, seen }
    }

    /// For the connections to come.
    pub fn set(&self, fault: Fault) {
        self.set_for(fault, usize::MAX);
    }

    /// For so many connections to come; the others are good.
    pub fn set_for(&self, fault: Fault, connections: usize) {
        *self.fault.lock().unwrap() = (fault, connections);
        self.seen.lock().unwrap().clear();
    }

    /// What the server has said since the last [`Proxy::set`]; of [`Fault::Pending`] only that it is at work.
    pub fn seen(&self) -> Vec<u8> {
        self.seen.lock().unwrap().clone()
    }
}

/// Passes one message on, its header of four bytes included, altered.
fn alter(from: &mut TcpStream, to: &mut TcpStream, how: fn(&mut [u8])) -> std::io::Result<()> {
    let mut header = [0; 4];
    from.read_exact(&mut header)?;
    let mut message = vec![0; u32::from_be_bytes(header) as usize];
    from.read_exact(&mut message)?;
    how(&mut message);
    to.write_all(&[&header[..], &message].concat())
}

fn questions(mut from: TcpStream, mut to: TcpStream, fault: Fault) {
    if let Fault::AlterQuestion(how) = fault {
        let _ = alter(&mut from, &mut to, how);
    }
    if let Fault::CutOn(name) | Fault::SilentOn(name) = fault {
        let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            if buffer[..read].windows(name.len()).any(|part| part == name) {
                if let Fault::SilentOn(_) = fault {
                    // Until the client gives up.
                    while let Ok(1..) = from.read(&mut buffer) {}
                }
                break;
            }
            if to.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        let _ = from.shutdown(Shutdown::Both);
    } else {
        let _ = std::io::copy(&mut from, &mut to);
    }
    let _ = to.shutdown(Shutdown::Both);
}

/// Passes everything on, each read's answer late and announced.
fn pending(from: &mut TcpStream, to: &mut TcpStream, time: Duration, seen: &Mutex<Vec<u8>>) -> std::io::Result<()> {
    loop {
        let mut header = [0; 4];
        from.read_exact(&mut header)?;
        let mut message = vec![0; u32::from_be_bytes(header) as usize];
        from.read_exact(&mut message)?;
        let begun = Instant::now();
        while message[12] == 8 && begun.elapsed() < time {
            let interim = interim(&message);
            seen.lock().unwrap().extend_from_slice(&interim);
            to.write_all(&[&(interim.len() as u32).to_be_bytes()[..], &interim].concat())?;
            thread::sleep(Duration::from_millis(100));
        }
        to.write_all(&[&header[..], &message].concat())?;
    }
}

fn answers(mut from: TcpStream, mut to: TcpStream, fault: Fault, seen: &Mutex<Vec<u8>>) {
    match fault {
        Fault::AlterAnswers(how) => while alter(&mut from, &mut to, how).is_ok() {},
        Fault::Pending(time) => drop(pending(&mut from, &mut to, time, seen)),
        _ => {}
    }
    if let Fault::AlterAnswer(how) = fault {
        let _ = alter(&mut from, &mut to, how);
    }
    let mut buffer = vec![0; 64 * 1024];
    let mut before = 0;
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let mut bytes = &mut buffer[..read];
        let mut cut = false;
        match fault {
            Fault::CutAt(at) if at < before + read => {
                bytes = &mut bytes[..at.saturating_sub(before)];
                cut = true;
            }
            Fault::FlipAt(at) if (before..before + read).contains(&at) => bytes[at - before] ^= 1,
            _ => {}
        }
        before += read;
        seen.lock().unwrap().extend_from_slice(bytes);
        if to.write_all(bytes).is_err() || cut {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
