//! What must not compile, and what the compiler says about it.
//!
//! The programs are compiled with the crate alone: what it is developed with would take minutes to check once more. Each
//! compiler has its own words, so they are compared where it is the one that said them first.

use std::{env, fs, path::Path, process::Command, time::Duration};

use crate::support::{ChildCommand, child, role};

/// The compiler that said what is written beside the programs.
const COMPILER: &str = "rustc 1.95.";
/// A package that depends on the crate and on nothing else.
const MANIFEST: &str = "\
[package]
name = \"compile_fail\"
version = \"0.0.0\"
edition = \"2024\"

[dependencies]
commonage = { path = ";

#[test]
fn what_leads_out_of_the_memory_or_stores_to_what_is_read_only_does_not_compile() {
    const TEST: &str = "compile_fail::what_leads_out_of_the_memory_or_stores_to_what_is_read_only_does_not_compile";
    let package = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compile_fail");
    if role().is_some() {
        let programs = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/compile_fail/*.rs");
        return trybuild::TestCases::new().compile_fail(programs);
    }
    let compiler = Command::new(env::var_os("RUSTC").unwrap_or("rustc".into())).arg("--version").output();
    let compiler = compiler.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    if !compiler.starts_with(COMPILER) {
        println!("skipped: the words are those of {COMPILER}x, this is {compiler}");
        return;
    }
    fs::create_dir_all(package.join("src")).unwrap();
    fs::write(package.join("src/lib.rs"), "").unwrap();
    fs::write(package.join("Cargo.toml"), format!("{MANIFEST}{:?} }}\n", env!("CARGO_MANIFEST_DIR"))).unwrap();
    // trybuild looks at the package that this names.
    let child: ChildCommand = child(TEST, "compiler").env("CARGO_MANIFEST_DIR", &package.to_string_lossy());
    // On a new machine all that the crate depends on is compiled once more.
    child.within(Duration::from_secs(900)).run_to_success();
}
