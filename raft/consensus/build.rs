//! Compiles the protocol between replicas without protoc.

/// Messages with a join token's secret or the sealing key in them.
const SECRET: [&str; 3] =
    [".holdfast.peer.v1.JoinRequest", ".holdfast.peer.v1.JoinResponse", ".holdfast.peer.v1.Joined"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let files = protox::compile(["proto/peer.proto", "proto/records.proto"], ["proto"])?;
    tonic_prost_build::configure()
        .build_transport(false)
        .emit_rerun_if_changed(false)
        // Entries and snapshot parts are handed on as they came, without a copy.
        .bytes(".")
        // These bear secrets: nothing can print them.
        .skip_debug(SECRET)
        .compile_fds(files)?;
    Ok(())
}
