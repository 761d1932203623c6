//! How the program is linked: cargo's build script, no part of the library.
//!
//! What it is for: fifty thousand addresses in the program file depend on where it is loaded. Listed one by one they
//! take more than a megabyte, on disk and, read once at each start, in memory; packed, sixteen kilobytes. And a client
//! of AWS is the same few functions over and over again: a linker that can folds what is alike.
//! What it must not do: build a program that this machine cannot start, or ask a linker for what it does not know.

// Cargo reads what a build script prints.
#![allow(clippy::print_stdout)]

use std::path::Path;
use std::process::{Command, Stdio};

const FOLD: &str = "-Wl,--icf=all";

fn main() {
    println!("cargo::rerun-if-changed=src/build.rs");
    let here = set("HOST") == set("TARGET");
    let linux = set("CARGO_CFG_TARGET_OS") == "linux" && set("CARGO_CFG_TARGET_ENV") == "gnu";
    // glibc reads the packed list since 2.36.
    if here && linux && glibc().is_some_and(|version| version >= (2, 36)) {
        println!("cargo::rustc-link-arg-bin=switchtower=-Wl,-z,pack-relative-relocs");
    }
    if here && linux && set("PROFILE") == "release" && links(FOLD) {
        println!("cargo::rustc-link-arg-bin=switchtower={FOLD}");
    }
}

fn set(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

/// This machine's C library: `glibc 2.36`.
fn glibc() -> Option<(u32, u32)> {
    let told = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let text = String::from_utf8(told.stdout).ok()?;
    let (major, minor) = text.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.split('.').next()?.parse().ok()?))
}

/// Whether the linker that is set up here takes an argument: a program of nothing is linked with it. LLD folds, GNU ld
/// does not know how.
fn links(argument: &str) -> bool {
    let folder = set("OUT_DIR");
    let source = Path::new(&folder).join("nothing.rs");
    if std::fs::write(&source, "fn main() {}\n").is_err() {
        return false;
    }
    let flags = set("CARGO_ENCODED_RUSTFLAGS");
    let flags = flags.split('\u{1f}').filter(|flag| !flag.is_empty());
    let linked = Command::new(set("RUSTC"))
        .args(flags)
        .args(["--edition=2024", "--crate-type=bin", "-C"])
        .arg(format!("link-arg={argument}"))
        .arg("-o")
        .arg(Path::new(&folder).join("nothing"))
        .arg(&source)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    linked.is_ok_and(|status| status.success())
}
