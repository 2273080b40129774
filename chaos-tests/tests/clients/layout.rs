//! Images on disk for the clients to push: layers as real tar files, made with the system's tar.

use std::fs;
use std::path::{Path, PathBuf};

use chaos_tests::image::Blob;
use chaos_tests::pieces::{PIECE_BYTES, Pieces};
use chaos_tests::programs::Program;
use futures::StreamExt;
use std::io::Write;

/// A folder with a few small files and a large one, and its tar.
pub(crate) struct Layer {
    /// The tar.
    pub(crate) tar: PathBuf,
}

impl Layer {
    /// Makes one in `folder` whose large file has this many MiB.
    pub(crate) async fn make(folder: &Path, name: &str, seed: u64, mib: u64) -> Self {
        let root = folder.join(format!("{name}-root"));
        fs::create_dir_all(root.join("etc")).unwrap();
        fs::write(root.join("etc/name"), name).unwrap();
        fs::write(root.join("etc/random"), &Blob::random(seed, 3_000).bytes).unwrap();
        let mut large = fs::File::create(root.join("large")).unwrap();
        let mut pieces = std::pin::pin!(Pieces::new(seed, mib).stream());
        while let Some(piece) = pieces.next().await {
            large.write_all(&piece.unwrap()).unwrap();
        }
        drop(large);
        let tar = folder.join(format!("{name}.tar"));
        let program = Program::new("tar").expect("tar is on every machine");
        let (from, to) = (root.to_string_lossy(), tar.to_string_lossy());
        program.run(&["-C", &from, "-cf", &to, "etc", "large"]).await.unwrap();
        fs::remove_dir_all(root).unwrap();
        assert!(fs::metadata(&tar).unwrap().len() > mib * PIECE_BYTES as u64);
        Self { tar }
    }
}

/// The SHA-256 of a file, as `sha256:…`.
pub(crate) fn file_digest(path: &Path) -> String {
    let mut hasher = chaos_tests::image::Hasher::default();
    let mut file = fs::File::open(path).unwrap();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let count = std::io::Read::read(&mut file, &mut piece).unwrap();
        if count == 0 {
            return hasher.finish();
        }
        hasher.update(&piece[..count]);
    }
}

/// Every file below a folder with its digest, sorted: two folders are the same where these are.
pub(crate) fn folder_digests(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
                found.push((name, file_digest(&path)));
            }
        }
    }
    found.sort();
    found
}
