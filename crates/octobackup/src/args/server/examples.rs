//! What --help shows of each command: examples, and exit codes of its own.

/// How jobs are kept in a file.
pub const APPLY_EXAMPLES: &str = "\
Examples:
  Keep the jobs in a file, beside your other settings:
    octobackup export > jobs.toml
    octobackup apply -f jobs.toml --dry-run
    octobackup apply -f jobs.toml

A jobs file:
    [defaults]
    time_zone = \"Europe/Berlin\"

    [[job]]
    name = \"fs1\"
    source = \"//fs1/d$\"
    target = \"/srv/mirrors/fs1\"
    credential = \"corp\"
    schedule = \"mon..fri 20:00\"
    [job.policy]
    bandwidth = \"10M\"";

/// Notifications.
pub const NOTIFY_EXAMPLES: &str = "\
Examples:
  Mail to the administrators when something went wrong:
    octobackup credential set smtp backup@example.com
    octobackup notify mail-server mail.example.com --from backup@example.com --credential smtp
    octobackup notify set ops --mail ops@example.com --when problems
    octobackup notify test ops
  Have an external monitor alert you when a job stops running:
    octobackup notify set alive --heartbeat 'https://hc.example.com/ping/KEY/{job}'";

/// How tokens are used.
pub const TOKEN_EXAMPLES: &str = "\
Examples:
  Let a monitoring system look, for a year:
    octobackup token add grafana grafana.token --role viewer
  Work from another machine (its own certificate has to be copied from the server, an official one need not):
    octobackup runs --url https://backup.example.com:8734 --token-file grafana.token --ca-file certificate.pem";

/// How the server's own data is kept and brought back.
pub const BACKUP_EXAMPLES: &str = "\
Examples:
  Each night, from a timer, to a disk that leaves the building:
    octobackup backup /media/usb/octobackup-$(date +%F)
  On a new machine, before its server is started for the first time:
    cp -a /media/usb/octobackup-2026-08-04 /var/lib/octobackup
    chown -R octobackup: /var/lib/octobackup

The folder contains the key: anyone who has it can read the stored passwords. Protect it accordingly.";
