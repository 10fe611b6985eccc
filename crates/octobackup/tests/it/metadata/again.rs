//! `--metadata refresh`.

use super::{assert_served_alike, counts, prepare, samba, smbcacls, sync};
use crate::world::World;

#[test]
fn permissions_that_no_time_tells_of_are_read_again_when_a_person_wants_it() {
    let (samba, world) = (samba(), World::new());
    prepare(&samba, "data", b"a stream");
    let mirror = samba.share_path("mirror");
    sync(&world, &samba, "data", &mirror, &[]).ends(0);
    for path in ["a.txt", "sub"] {
        smbcacls(&samba, "data", path, &["-a", "ACL:OCTOTEST\\admin:ALLOWED/0x0/READ"]);
    }
    let wanted = ["metadata_refreshed", "created", "replaced", "copied_bytes", "metadata_lost"];
    let ran = sync(&world, &samba, "data", &mirror, &[]).ends(0);
    assert_eq!(counts(&ran, &wanted), [0; 5], "Samba tells the last write time for the change time: {}", ran.stdout);
    let ran = sync(&world, &samba, "data", &mirror, &["--metadata", "refresh"]).ends(0);
    assert_eq!(counts(&ran, &wanted), [2, 0, 0, 0, 0], "{}", ran.stdout);
    assert_served_alike(&samba, "data", "mirror");
    let ran = sync(&world, &samba, "data", &mirror, &["--metadata", "refresh"]).ends(0);
    assert_eq!(counts(&ran, &wanted), [0; 5], "what is there already is not newer: {}", ran.stdout);
}
