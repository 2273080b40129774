//! The library that is preloaded into a writer, compiled when a test needs it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

const SOURCE: &str = include_str!("shim.c");

/// Compiles the library into `folder`. `None` where this machine has no C compiler.
pub fn compile(folder: &Path) -> Result<Option<PathBuf>> {
    let has = |compiler: &&str| Command::new(compiler).arg("--version").output().is_ok();
    let Some(compiler) = ["cc", "gcc", "clang"].into_iter().find(has) else { return Ok(None) };
    let (source, library) = (folder.join("shim.c"), folder.join("shim.so"));
    fs::write(&source, SOURCE)?;
    let output = Command::new(compiler)
        .args(["-shared", "-fPIC", "-O2", "-Wall", "-o"])
        .args([&library, &source])
        .output()
        .with_context(|| format!("{compiler} does not start"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{compiler} does not compile the shim: {said}");
    Ok(Some(library))
}
