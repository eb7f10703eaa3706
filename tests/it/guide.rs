//! The guide says which test shows what: each of them is there.

use std::{fs, io, path::Path};

const TRUST: &str = include_str!("../../src/guide/trust.md");
const PAGES: [&str; 7] = [
    include_str!("../../src/guide/containers.md"),
    include_str!("../../src/guide/files.md"),
    include_str!("../../src/guide/layout.md"),
    include_str!("../../src/guide/migrating.md"),
    include_str!("../../src/guide/platforms.md"),
    include_str!("../../src/guide/processes.md"),
    TRUST,
];

/// What is named as a test: a file and a function.
fn tests_in(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split('`').filter_map(|code| code.split_once(".rs::")).filter(|(file, _)| file.contains('/'))
}

/// Whether a module of the crate has a test of this name: in its file, or in one of its parts, which are in a directory of
/// its name.
fn has(module: &str, name: &str) -> io::Result<bool> {
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join(module);
    let mut files = vec![module.with_extension("rs")];
    if module.is_dir() {
        files.extend(fs::read_dir(module)?.flatten().map(|entry| entry.path()).filter(|path| path.is_file()));
    }
    for file in files.into_iter().filter(|file| file.extension().is_some_and(|extension| extension == "rs")) {
        if has_test(&fs::read_to_string(file)?, name) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn has_test(source: &str, name: &str) -> bool {
    let Some((before, _)) = source.split_once(&format!("fn {name}(")) else { return false };
    let is_attribute = |line: &&str| line.trim_start().starts_with("#[") || line.trim().is_empty();
    before.lines().rev().take_while(is_attribute).any(|line| line.trim() == "#[test]")
}

#[test]
fn every_test_that_the_guide_names_is_there() {
    for (file, name) in PAGES.into_iter().flat_map(tests_in) {
        assert!(has(file, name).unwrap_or_else(|error| panic!("{file}.rs: {error}")), "{file}.rs has no test {name}");
    }
}

#[test]
fn every_hazard_that_is_defended_has_a_test() {
    let (defended, not) = TRUST.split_once("# Not defended").unwrap();
    let rows = |text: &'static str| {
        text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| hazard")).collect::<Vec<_>>()
    };
    let shown: Vec<_> = rows(defended);
    for row in &shown {
        assert!(tests_in(row).next().is_some(), "no test is named in: {row}");
    }
    assert!(shown.len() >= 25 && !rows(not).is_empty(), "{} rows", shown.len());
}
