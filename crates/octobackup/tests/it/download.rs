//! Downloads of what is in a state: other programs read them, and nothing that is damaged or cut short looks whole.

use crate::server::Server;
use crate::world::{Ran, World, tree};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output};

/// Names that a program which unpacks could stumble over.
const ODD: [&[u8]; 5] = [b"..\\..\\up", b"two\nlines", b"not utf-8 \xff", b"-rf", "na\u{ef}ve \u{1f419}".as_bytes()];

/// A mirror with all sorts of entries, that of a job of the server.
fn world() -> World {
    let world = World::with_files();
    let at = |name: &str| world.src().join("docs").join(name);
    for name in ODD {
        fs::write(at("").join(OsStr::from_bytes(name)), name).unwrap();
    }
    let large: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
    fs::write(at("large"), large).unwrap();
    fs::set_permissions(at("large"), PermissionsExt::from_mode(0o640)).unwrap();
    fs::create_dir_all(at("deep").join("x".repeat(120))).unwrap();
    fs::write(at("deep").join("x".repeat(120)).join("file"), "deep").unwrap();
    symlink("../a.txt", at("link")).unwrap();
    world.sync(&[]).ends(0);
    world
}

fn server(world: &World) -> Server<'_> {
    let server = Server::start(world);
    server.ask(&["job", "add", "demo", world.src().to_str().unwrap(), world.dst().to_str().unwrap()]).ends(0);
    server
}

fn download(server: &Server<'_>, args: &[&str], to: &Path) -> Ran {
    server.ask(&[&["download", "demo"][..], args, &["-o", to.to_str().unwrap()]].concat())
}

fn run(program: &str, args: &[&OsStr]) -> Output {
    Command::new(program).args(args).output().expect(program)
}

fn good(program: &str, args: &[&str]) -> String {
    let args: Vec<_> = args.iter().map(OsStr::new).collect();
    let ran = run(program, &args);
    assert!(ran.status.success(), "{program} {args:?}: {ran:?}");
    String::from_utf8_lossy(&ran.stdout).into_owned()
}

/// The names of a zip's entries, and the first that is damaged.
fn zipped(zip: &Path) -> (Vec<String>, String) {
    let script = "import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1])\nprint(z.testzip())\n[print(ascii(n)) for n in z.namelist()]";
    let said = good("python3", &["-c", script, zip.to_str().unwrap()]);
    let (bad, names) = said.split_once('\n').unwrap();
    (names.lines().map(|name| name.trim_matches('\'').to_owned()).collect(), bad.to_owned())
}

#[test]
fn a_folder_comes_as_zip_or_tar_that_other_programs_read_and_a_file_as_it_is() {
    let world = world();
    let server = server(&world);
    let file = world.path("large");
    download(&server, &["docs/large", "--at", "1"], &file).ends(0);
    assert_eq!(fs::read(&file).unwrap(), fs::read(world.src().join("docs/large")).unwrap());
    download(&server, &["docs/large"], &file).ends(6).says("is there already");
    let zero = world.path("zero");
    download(&server, &["docs/zero"], &zero).ends(0);
    assert_eq!(fs::metadata(&zero).unwrap().len(), 0);

    let zip = world.path("docs.zip");
    download(&server, &["docs"], &zip).ends(0);
    let (names, bad) = zipped(&zip);
    assert_eq!(bad, "None");
    for name in [
        "docs/",
        "docs/b.txt",
        "docs/zero",
        "docs/empty/",
        "docs/..%5C..%5Cup",
        "docs/not utf-8 %FF",
        "docs/two%0Alines",
    ] {
        assert!(names.iter().any(|it| it == name), "{name}: {names:?}");
    }
    good("unzip", &["-tqq", zip.to_str().unwrap()]);
    let unpacked = world.path("unzipped");
    good("unzip", &["-qq", zip.to_str().unwrap(), "-d", unpacked.to_str().unwrap()]);
    assert_eq!(fs::read(unpacked.join("docs/large")).unwrap(), fs::read(&file).unwrap());
    assert_eq!(fs::read_link(unpacked.join("docs/link")).unwrap(), Path::new("../a.txt"));
    let time = |path: &Path| fs::metadata(path).unwrap().modified().unwrap();
    let whole = |time: std::time::SystemTime| time.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let src = world.src().join("docs/b.txt");
    assert_eq!(whole(time(&unpacked.join("docs/b.txt"))), whole(time(&src)));

    let tar = world.path("all.tar.zst");
    download(&server, &["--format", "tar.zst"], &tar).ends(0);
    let to = world.path("untarred");
    fs::create_dir(&to).unwrap();
    good("tar", &["--zstd", "-xpf", tar.to_str().unwrap(), "-C", to.to_str().unwrap()]);
    assert!(tree(&to.join("demo")) == world.mirror(), "names, contents and times are those of the state");
    let mode = fs::metadata(to.join("demo/docs/large")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    for (args, code, words) in [
        (&["dosc"][..], 5, "did you mean docs?"),
        (&["docs", "--at", "9"], 5, "the newest is 1"),
        (&["docs/link"], 5, "is a link"),
    ] {
        download(&server, args, &world.path("none")).ends(code).says(words);
        assert!(!world.path("none").exists());
    }
    server.ask(&["audit"]).ends(0).says("download");
}

#[test]
fn what_is_damaged_is_named_and_never_looks_whole() {
    let world = world();
    let server = server(&world);
    // One bit, far behind what has been sent by then.
    let damaged = fs::File::options().read(true).write(true).open(world.dst().join("docs/large")).unwrap();
    let time = damaged.metadata().unwrap().modified().unwrap();
    let mut byte = [0];
    damaged.read_exact_at(&mut byte, 2_999_999).unwrap();
    damaged.write_all_at(&[byte[0] ^ 1], 2_999_999).unwrap();
    damaged.set_modified(time).unwrap();

    let file = world.path("large");
    download(&server, &["docs/large"], &file).ends(3).says("not whole");
    assert!(!file.exists(), "no half file under a real name");

    let zip = world.path("docs.zip");
    download(&server, &["docs"], &zip).ends(1).says("octobackup-problems.txt");
    let (names, bad) = zipped(&zip);
    assert_eq!(bad, "docs/large");
    assert!(names.contains(&"docs/b.txt".to_owned()), "{names:?}");
    let problems = good("unzip", &["-p", zip.to_str().unwrap(), "octobackup-problems.txt"]);
    assert!(problems.contains("docs/large: "), "{problems}");

    let tar = world.path("docs.tar.zst");
    download(&server, &["docs", "--format", "tar.zst"], &tar).ends(1).says("octobackup-problems.txt");
    let to = world.path("untarred");
    fs::create_dir(&to).unwrap();
    let args: [OsString; 5] = ["--zstd".into(), "-xf".into(), tar.into(), "-C".into(), to.clone().into()];
    let ran = run("tar", &args.each_ref().map(OsString::as_os_str));
    assert!(!ran.status.success(), "a tar has no checksums: it must not look whole");
    assert_eq!(fs::read_to_string(to.join("docs/b.txt")).unwrap(), "two");
    assert!(fs::read_to_string(to.join("octobackup-problems.txt")).unwrap().contains("docs/large: "));
}
