//! How the program is linked: cargo's build script, no part of the library.
//!
//! What it is for: fifty thousand addresses in the program file depend on where it is loaded. Listed one by one they
//! take more than a megabyte, on disk and, read once at each start, in memory; packed, sixteen kilobytes.
//! What it must not do: build a program that this machine cannot start. glibc reads the packed list since 2.36.

// Cargo reads what a build script prints.
#![allow(clippy::print_stdout)]

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=src/build.rs");
    let set = |name: &str| std::env::var(name).unwrap_or_default();
    let here = set("HOST") == set("TARGET");
    let linux = set("CARGO_CFG_TARGET_OS") == "linux" && set("CARGO_CFG_TARGET_ENV") == "gnu";
    if here && linux && glibc().is_some_and(|version| version >= (2, 36)) {
        println!("cargo::rustc-link-arg-bin=switchtower=-Wl,-z,pack-relative-relocs");
    }
}

/// The version of this machine's C library: `glibc 2.36`.
fn glibc() -> Option<(u32, u32)> {
    let told = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let text = String::from_utf8(told.stdout).ok()?;
    let (major, minor) = text.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.split('.').next()?.parse().ok()?))
}
