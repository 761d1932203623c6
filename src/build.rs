//! How the program is linked: cargo's build script, no part of the library.
//!
//! What it is for: fifty thousand addresses in the program file depend on where it is loaded. Set anew at each start
//! they cost a fifth of the time to the first frame, and a megabyte of memory that no two processes share. So the
//! program has one place where it is loaded, as programs in Go have; its stack, its heap and the C library still lie
//! anywhere. Where no such program can be linked the addresses are packed: listed one by one they take a megabyte more,
//! on disk too. And a client of AWS is the same few functions over and over again: a linker that can folds what is
//! alike.
//! What it must not do: build a program that this machine cannot start, or ask a linker for what it does not know.

// Cargo reads what a build script prints.
#![allow(clippy::print_stdout)]

use std::path::Path;
use std::process::{Command, Stdio};

const FIXED: &str = "-no-pie";
const FOLD: &str = "-Wl,--icf=all";

fn main() {
    println!("cargo::rerun-if-changed=src/build.rs");
    let here = set("HOST") == set("TARGET");
    let linux = set("CARGO_CFG_TARGET_OS") == "linux" && set("CARGO_CFG_TARGET_ENV") == "gnu";
    if here && linux && links(FIXED) {
        println!("cargo::rustc-link-arg-bin=switchtower={FIXED}");
    } else if here && linux && glibc().is_some_and(|version| version >= (2, 36)) {
        // glibc reads the packed list since then.
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
