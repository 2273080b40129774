//! What a data folder allows and refuses.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::{Folder, FolderError, file_system};

#[test]
fn a_new_folder_is_private_and_opens_again_once_it_is_let_go() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("a/b");
    let folder = Folder::create(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::read_to_string(path.join("VERSION")).unwrap(), "1\n");
    let error = Folder::open(&path).unwrap_err();
    assert!(matches!(error, FolderError::InUse { .. }), "{error}");
    assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
    drop(folder);
    Folder::open(&path).unwrap();
}

#[test]
fn a_folder_that_holds_anything_of_value_is_refused_and_left_alone() {
    let cases = [
        ("holdfast.toml", true),
        ("tls.pem", true),
        ("serve.log", true),
        ("notes.txt", false),
        ("blobs", false),
        ("LOCK", false),
    ];
    for (name, taken) in cases {
        let parent = tempfile::tempdir().unwrap();
        fs::write(parent.path().join(name), b"x").unwrap();
        let made = Folder::create(parent.path());
        assert_eq!(made.is_ok(), taken, "{name}");
        assert_eq!(fs::read(parent.path().join(name)).unwrap(), b"x", "{name}");
        assert_eq!(parent.path().join("VERSION").exists(), taken, "{name}");
    }
}

#[test]
fn a_folder_of_another_format_is_refused_in_words() {
    for (text, words) in [("2\n", "newer version"), ("", "damaged"), ("one", "damaged")] {
        let parent = tempfile::tempdir().unwrap();
        fs::write(parent.path().join("VERSION"), text).unwrap();
        let error = Folder::open(parent.path()).unwrap_err().to_string();
        assert!(error.contains(words), "{text:?}: {error}");
    }
    let nothing = tempfile::tempdir().unwrap();
    let error = Folder::open(nothing.path()).unwrap_err();
    assert!(matches!(error, FolderError::NotInstalled { .. }), "{error}");
}

#[test]
fn files_are_replaced_whole_and_are_their_owners_only() {
    let parent = tempfile::tempdir().unwrap();
    let folder = Folder::create(parent.path()).unwrap();
    assert_eq!(folder.read("keys/a").unwrap(), None);
    folder.write("keys/a", b"one").unwrap();
    folder.write("keys/a", b"two").unwrap();
    assert_eq!(folder.read("keys/a").unwrap().unwrap(), b"two");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder.join("keys/a")), 0o600);
    assert_eq!(mode(&folder.join("keys")), 0o700);
    assert_eq!(fs::read_dir(folder.join("keys")).unwrap().count(), 1);
    folder.remove("keys/a").unwrap();
    folder.remove("keys/a").unwrap();
    assert_eq!(folder.read("keys/a").unwrap(), None);
}

#[test]
fn memory_is_no_disk_unless_somebody_says_so() {
    let memory = Path::new("/dev/shm/holdfast-not-there/data");
    if !Path::new("/dev/shm").exists() {
        return;
    }
    let error = file_system::check(memory, false).unwrap_err().to_string();
    assert!(error.contains("tmpfs"), "{error}");
    file_system::check(memory, true).unwrap();
}
