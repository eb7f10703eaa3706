//! Rules of this house that no lint knows.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::{
    Attribute, ImplItemFn, ItemFn, Macro, TraitItemFn,
    visit::{self, Visit},
};

/// What a platform's part of a function would be told by. It is a whole file, or a whole item, instead.
const CONDITIONS: [&str; 5] = ["cfg", "cfg_attr", "cfg_if", "cfg_match", "cfg_select"];
/// Where functions may be of several platforms.
const ELSEWHERE: [&str; 2] = ["src/sys", "src/segment"];

#[test]
fn no_function_outside_of_sys_and_segment_has_a_condition_in_its_body() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for directory in ["src", "examples", "tests", "benches", "fuzz"] {
        sources(&root.join(directory), &mut files);
    }
    assert!(files.iter().any(|file| file.ends_with("tests/it/house.rs")), "this file is among {files:?}");
    let mut found = Vec::new();
    for file in files {
        let name = file.strip_prefix(root).unwrap();
        if ELSEWHERE.iter().any(|directory| name.starts_with(directory)) {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        found.extend(conditions(&text).into_iter().map(|line| format!("{}:{line}", name.display())));
    }
    assert!(found.is_empty(), "conditions in the bodies of functions:\n{}", found.join("\n"));
}

/// All Rust sources below a directory, but for what cargo builds; a directory that is not there has none.
fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name() != Some(OsStr::new("target")) {
            sources(&path, found);
        } else if path.extension() == Some(OsStr::new("rs")) {
            found.push(path);
        }
    }
}

/// The lines of a source in which a condition stands in the body of a function.
fn conditions(text: &str) -> Vec<usize> {
    let mut search = Search::default();
    search.visit_file(&syn::parse_file(text).unwrap());
    search.lines
}

#[derive(Default)]
struct Search {
    /// How many bodies it is in.
    depth: usize,
    lines: Vec<usize>,
}

impl Search {
    /// What stands before a body is not in it; unless that of another function is around both.
    fn function(&mut self, attributes: &[Attribute], body: Option<&syn::Block>) {
        attributes.iter().for_each(|attribute| self.visit_attribute(attribute));
        self.depth += 1;
        body.into_iter().for_each(|body| self.visit_block(body));
        self.depth -= 1;
    }

    fn condition(&mut self, name: &syn::Ident) {
        if self.depth > 0 && CONDITIONS.iter().any(|condition| name == condition) {
            self.lines.push(name.span().start().line);
        }
    }

    /// What a macro is given, or made of, has no form that is known, but that attributes, calls of macros, and functions
    /// look as they do elsewhere.
    fn tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<_> = tokens.into_iter().collect();
        let mut of_a_function = false;
        for (index, token) in tokens.iter().enumerate() {
            match token {
                TokenTree::Ident(name) => {
                    of_a_function |= name == "fn";
                    if matches!(tokens.get(index + 1), Some(TokenTree::Punct(mark)) if mark.as_char() == '!') {
                        self.condition(name);
                    }
                }
                TokenTree::Punct(mark) => of_a_function &= mark.as_char() != ';',
                TokenTree::Group(group) => {
                    if group.delimiter() == Delimiter::Bracket
                        && let Some(TokenTree::Ident(name)) = group.stream().into_iter().next()
                        && matches!(&tokens[..index], [.., TokenTree::Punct(mark)] if matches!(mark.as_char(), '#' | '!'))
                    {
                        self.condition(&name);
                    }
                    let body = of_a_function && group.delimiter() == Delimiter::Brace;
                    of_a_function &= !body;
                    self.depth += usize::from(body);
                    self.tokens(group.stream());
                    self.depth -= usize::from(body);
                }
                TokenTree::Literal(_) => {}
            }
        }
    }
}

impl<'ast> Visit<'ast> for Search {
    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.function(&item.attrs, Some(&item.block));
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.function(&item.attrs, Some(&item.block));
    }

    fn visit_trait_item_fn(&mut self, item: &'ast TraitItemFn) {
        self.function(&item.attrs, item.default.as_ref());
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if let Some(name) = attribute.path().get_ident() {
            self.condition(name);
        }
        visit::visit_attribute(self, attribute);
    }

    fn visit_macro(&mut self, called: &'ast Macro) {
        if let Some(name) = called.path.segments.last() {
            self.condition(&name.ident);
        }
        self.tokens(called.tokens.clone());
    }
}

#[test]
fn conditions_are_found_wherever_a_body_can_have_them() {
    let bodies = [
        "#[cfg(unix)] f();",
        "#[cfg_attr(unix, expect(unused))] let x = 1;",
        "if cfg!(unix) {}",
        "if a && std::cfg!(unix) {}",
        "match x { #[cfg(unix)] 1 => {} _ => {} }",
        "S { #[cfg(unix)] x: 1 };",
        "#[cfg(unix)] fn inner() {}",
        "let f = || cfg!(unix);",
        "assert!(cfg!(unix));",
        "assert_eq!(1, { #[cfg(unix)] { 1 } });",
        "cfg_select! { unix => {} }",
    ];
    for body in bodies {
        let all = [
            format!("fn f() {{\n{body}\n}}"),
            format!("impl S {{ fn f() {{\n{body}\n}} }}"),
            format!("trait T {{ fn f() {{\n{body}\n}} }}"),
            format!("mod m {{ const fn f() {{\n{body}\n}} }}"),
            format!("numbers! {{ pub fn f(x: [u8; 2]) -> u8 {{\n{body}\n}} }}"),
            format!("macro_rules! m {{ ($x:ident) => {{ impl $x {{ fn f() {{\n{body}\n}} }} }} }}"),
        ];
        for text in all {
            assert_eq!(conditions(&text), [2], "{text}");
        }
    }
}

#[test]
fn conditions_of_whole_items_are_none_in_a_body() {
    let items = [
        "#![cfg(unix)]\nfn f() {}",
        "#[cfg(unix)] fn f() { g(); }",
        "#[cfg(unix)] mod m;",
        "impl S { #[cfg(test)] fn f() {} #[cfg(unix)] const X: u8 = 1; }",
        "struct S { #[cfg(unix)] x: u8 }",
        "const UNIX: bool = cfg!(unix);",
        "const _: () = assert!(cfg!(target_endian = \"little\"));",
        "fn f() { let cfg = 1; g(cfg); h(\"#[cfg(unix)]\"); } // #[cfg(unix)]",
        "loads! { #[cfg(unix)] A b, }",
        "macro_rules! m { ($($x:ident)*) => { $(#[cfg(unix)] impl $x { fn f() {} } #[cfg(unix)] struct Y; )* } }",
    ];
    for text in items {
        assert!(conditions(text).is_empty(), "{text}");
    }
}
