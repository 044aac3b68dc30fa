//! The lease: one holder, who shows that it lives, and from whom it can be taken.

use std::path::Path;
use std::time::Duration;

use backout_sqlite::{Lease, TakeOver, Taken};
use rustix::time::{ClockId, clock_gettime};

#[test]
fn a_lease_has_one_holder() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("lock");
    assert_eq!(Lease::holder(&path).expect("readable"), None);
    let lease = Lease::take(&path, "process 1 on here").expect("taken");
    assert!(
        matches!(Lease::take(&path, "another"), Err(Taken::By(who)) if who.id == "process 1 on here")
    );
    let holder = Lease::holder(&path).expect("readable").expect("a holder");
    assert_eq!(holder.id, "process 1 on here");
    assert!(holder.silent_for.is_some(), "it shows that it lives");
    drop(lease);
    assert_eq!(Lease::holder(&path).expect("readable"), None);
    Lease::take(&path, "another").expect("free again");
}

/// Writes that the holder was last seen to live so many seconds ago, in this boot or in another.
fn seen(path: &Path, seconds: i64, boot: Option<&str>) {
    let this = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("a boot");
    let now = clock_gettime(ClockId::Boottime);
    let at = (now.tv_sec - seconds) * 1000;
    let boot = boot.unwrap_or(this.trim());
    std::fs::write(path, format!("process 1 on here\n{at:020} {boot}\n")).expect("written");
}

#[test]
fn how_long_a_holder_is_silent_can_be_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("lock");
    let lease = Lease::take(&path, "process 1 on here").expect("taken");
    let silent_for = || Lease::holder(&path).expect("readable").expect("a holder").silent_for;
    seen(&path, 200, None);
    assert!(silent_for().is_some_and(|silent| silent >= Duration::from_secs(199)));
    lease.life().beat().expect("written");
    assert!(silent_for().is_some_and(|silent| silent < Duration::from_secs(199)));
}

/// Of another boot, ahead of the clock, of an earlier version, cut off: unknown, not alive.
#[test]
fn what_says_nothing_about_this_boot_is_unknown() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("lock");
    let _lease = Lease::take(&path, "process 1 on here").expect("taken");
    let holder = || Lease::holder(&path).expect("readable").expect("a holder");
    seen(&path, 200, Some("another boot"));
    assert_eq!(holder().silent_for, None);
    seen(&path, -3600, None);
    assert_eq!(holder().silent_for, None);
    for text in ["process 1 on here", "process 1 on here\n0000", "process 1 on here\nx y\n"] {
        std::fs::write(&path, text).expect("written");
        let holder = holder();
        assert_eq!((holder.id.as_str(), holder.silent_for), ("process 1 on here", None), "{text}");
    }
    std::fs::write(&path, "").expect("written");
    assert_eq!(holder().id, "another process");
}

#[test]
fn a_lease_is_taken_from_a_process_that_keeps_its_lock() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("lock");
    let old = Lease::take(&path, "the old one").expect("taken");
    let taking = TakeOver::prepare(&path).expect("alone");
    assert_eq!(taking.holder().map(|holder| holder.id.as_str()), Some("the old one"));
    assert!(matches!(TakeOver::prepare(&path), Err(Taken::By(_))), "one take-over at a time");
    let new = taking.take("the new one").expect("taken");
    let holder = || Lease::holder(&path).expect("readable").map(|holder| holder.id);
    // What the old one does to its lock changes nothing any more.
    old.life().beat().expect("written");
    assert_eq!(holder().as_deref(), Some("the new one"));
    drop(old);
    assert_eq!(holder().as_deref(), Some("the new one"));
    let taken = Lease::take(&path, "a third one");
    assert!(matches!(taken, Err(Taken::By(who)) if who.id == "the new one"));
    drop(new);
    assert_eq!(holder(), None);
    Lease::take(&path, "a third one").expect("free again");
}

/// A take-over that is refused where it is judged leaves everything as it was.
#[test]
fn a_take_over_that_is_given_up_takes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("lock");
    let _old = Lease::take(&path, "the old one").expect("taken");
    drop(TakeOver::prepare(&path).expect("alone"));
    let holder = Lease::holder(&path).expect("readable").map(|holder| holder.id);
    assert_eq!(holder.as_deref(), Some("the old one"));
    TakeOver::prepare(&path).expect("alone again");
}

#[test]
fn a_lease_that_is_dropped_is_free_although_its_life_is_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("lock");
    let lease = Lease::take(&path, "one").expect("taken");
    let _life = lease.life();
    drop(lease);
    Lease::take(&path, "another").expect("free");
}
