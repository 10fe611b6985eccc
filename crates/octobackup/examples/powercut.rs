//! `cargo xtask powercut`: cuts the power of the real program on real filesystems, thousands of times.

#![expect(clippy::print_stdout, reason = "a chore for a terminal")]

fn main() -> std::process::ExitCode {
    #[cfg(target_os = "linux")]
    return linux::main();
    #[cfg(not(target_os = "linux"))]
    std::process::ExitCode::FAILURE
}

#[cfg(target_os = "linux")]
mod linux {
    use octo_testkit::powercut::{Amount, CutsAt, Filesystem, prove};
    use std::path::{Path, PathBuf};
    use std::process::ExitCode;
    use std::time::Instant;

    const USAGE: &str = "usage: cargo xtask powercut [--filesystem ext4|xfs|btrfs|ext4-writeback|ext4-nojournal] [--cuts N | --each N] [--files N] [--seed N] [--keep FOLDER]";

    struct Asked {
        filesystems: Vec<Filesystem>,
        amount: Amount,
        keep: Option<PathBuf>,
    }

    fn parse(args: &[String]) -> Option<Asked> {
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        let amount = Amount { files: 2000, cuts: CutsAt::Spread(10_000), workers, seed: u64::from(std::process::id()) };
        let mut asked = Asked { filesystems: Filesystem::ALL.to_vec(), amount, keep: None };
        for pair in args.chunks(2) {
            let [option, value] = pair else { return None };
            match option.as_str() {
                "--filesystem" => {
                    asked.filesystems = Filesystem::KNOWN.into_iter().filter(|it| it.name() == value).collect();
                }
                "--cuts" => asked.amount.cuts = CutsAt::Spread(value.parse().ok()?),
                "--each" => asked.amount.cuts = CutsAt::Each(value.parse().ok()?),
                "--files" => asked.amount.files = value.parse().ok()?,
                "--seed" => asked.amount.seed = value.parse().ok()?,
                "--keep" => asked.keep = Some(value.into()),
                _ => return None,
            }
        }
        (!asked.filesystems.is_empty()).then_some(asked)
    }

    pub fn main() -> ExitCode {
        let args: Vec<String> = std::env::args().skip(1).collect();
        let Some((program, args)) = args.split_first() else { return ExitCode::from(2) };
        let Some(asked) = parse(args) else {
            println!("{USAGE}");
            return ExitCode::from(2);
        };
        let mut failures = 0;
        println!("seed {}", asked.amount.seed);
        for filesystem in asked.filesystems {
            let begun = Instant::now();
            let tell = |line: &str| println!("  {line}");
            let proof = prove(Path::new(program), filesystem, asked.amount, asked.keep.as_deref(), &tell);
            let (entries, cuts, seconds) = (proof.entries, proof.cuts, begun.elapsed().as_secs());
            println!(
                "{}: {entries} entries, {cuts} cuts, {} failures, {seconds} s",
                filesystem.name(),
                proof.failures.len()
            );
            failures += proof.failures.len();
        }
        if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
