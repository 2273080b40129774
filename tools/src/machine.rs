//! What this machine says of itself: its name and its identity.

use std::path::Path;

/// The machine's host name; `localhost` where it has none.
pub fn host_name() -> String {
    let name = rustix::system::uname();
    let name = name.nodename().to_string_lossy();
    if name.is_empty() { "localhost".into() } else { name.into_owned() }
}

/// What two replicas on one machine have in common, and no other machine has.
///
/// The machine's own id; in a container without one, the id of the running boot, which all
/// containers of a machine share.
pub fn machine_id() -> String {
    ["/etc/machine-id", "/var/lib/dbus/machine-id", "/proc/sys/kernel/random/boot_id"]
        .into_iter()
        .find_map(|file| {
            let text = std::fs::read_to_string(Path::new(file)).ok()?;
            let text = text.trim().to_owned();
            (!text.is_empty() && text != "uninitialized").then_some(text)
        })
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_machine_has_a_name_and_stays_itself() {
        assert!(!super::host_name().is_empty());
        assert_eq!(super::machine_id(), super::machine_id());
    }
}
