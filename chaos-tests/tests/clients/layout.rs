//! Images on disk for the clients to push: layers as real tar files, made with the system's tar.

use std::fs;
use std::path::{Path, PathBuf};

use chaos_tests::image::{Blob, INDEX, Image};
use chaos_tests::pieces::{PIECE_BYTES, Pieces};
use chaos_tests::programs::Program;
use futures::StreamExt;
use serde_json::json;
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

/// Writes an image as skopeo's `dir:` form: the manifest, and each blob under its hash.
pub(crate) fn write_dir(folder: &Path, image: &Image) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("version"), "Directory Transport Version: 1.1\n").unwrap();
    fs::write(folder.join("manifest.json"), &image.manifest.bytes).unwrap();
    for blob in &image.blobs {
        fs::write(folder.join(blob.digest.trim_start_matches("sha256:")), &blob.bytes).unwrap();
    }
}

/// Writes images and an index of them as an OCI layout, which names the index `multi`.
pub(crate) fn write_layout(folder: &Path, images: &[Image], index: &Blob) {
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    let all = images.iter().flat_map(|image| image.blobs.iter().chain([&image.manifest]));
    for blob in all.chain([index]) {
        fs::write(blobs.join(blob.digest.trim_start_matches("sha256:")), &blob.bytes).unwrap();
    }
    fs::write(folder.join("oci-layout"), "{\"imageLayoutVersion\":\"1.0.0\"}").unwrap();
    let top = json!({"schemaVersion": 2, "manifests": [{
        "mediaType": INDEX, "digest": index.digest, "size": index.bytes.len(),
        "annotations": {"org.opencontainers.image.ref.name": "multi"}}]});
    fs::write(folder.join("index.json"), top.to_string()).unwrap();
}

/// Unpacks a tar into a new folder.
pub(crate) async fn unpack(tar: &Path, folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    let program = Program::new("tar").expect("tar is on every machine");
    let (from, to) = (tar.to_string_lossy(), folder.to_string_lossy());
    program.run(&["-C", &to, "-xf", &from]).await.unwrap();
}

/// Packs everything in a folder into a tar.
pub(crate) async fn pack(folder: &Path, tar: &Path) {
    let program = Program::new("tar").expect("tar is on every machine");
    let (from, to) = (folder.to_string_lossy(), tar.to_string_lossy());
    program.run(&["-C", &from, "-cf", &to, "."]).await.unwrap();
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
