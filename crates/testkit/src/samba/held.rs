//! A file that another client has open and does not share.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// Samba's own client, as its Python binding has it (a part of the package `samba`). Opens, says so, and ends with its
/// input.
pub(super) const PROGRAM: &str = r#"
import sys
from samba import credentials, param
from samba.samba3 import libsmb_samba_internal as libsmb
from samba.samba3 import param as s3param

conf, address, share, user, password, path = sys.argv[1:]
settings = s3param.get_context()
settings.load(conf)
who = credentials.Credentials()
who.guess(param.LoadParm(filename_for_non_global_lp=conf))
who.set_username(user)
who.set_password(password)
server = libsmb.Conn(address, share, lp=settings, creds=who)
handle = server.create(path.replace("/", chr(92)), DesiredAccess=0x12019F, ShareAccess=0)
print("held", flush=True)
sys.stdin.read()
"#;

/// Dropping it ends the client, and waits until the server has let the file go.
pub struct Held(Child);

impl Held {
    pub(super) fn start(command: &mut Command) -> Held {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut client = command.spawn().expect("/usr/bin/python3, of the package samba");
        let mut line = String::new();
        let output = client.stdout.take().expect("a pipe");
        BufReader::new(output).read_line(&mut line).expect("the client speaks");
        let held = Held(client);
        assert_eq!(line.trim(), "held", "the file could not be held open: see above");
        held
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
