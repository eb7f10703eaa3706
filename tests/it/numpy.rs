//! Real NumPy: it reads what is here, and what it writes is read here. Where there is none, a line says `SKIPPED`.
//!
//! `COMMONAGE_PYTHON` names the interpreter; it is `python3` if nothing is said.

use std::{
    env, fmt,
    io::{BufReader, Write},
    process::{ChildStdout, Command, Stdio},
};

use commonage::NumPyElement;
use serde_json::Value as Json;

use crate::support::{ChildCommand, Running, said};

#[cfg(feature = "ndarray")]
mod arrays;
#[cfg(feature = "ndarray")]
mod files;
mod location;
#[cfg(feature = "ndarray")]
mod refused;
#[cfg(feature = "ndarray")]
mod sending;

const PYTHON: &str = "COMMONAGE_PYTHON";

fn python() -> Command {
    Command::new(env::var(PYTHON).unwrap_or_else(|_| "python3".into()))
}

/// `file` in the directory of `attach.py`.
fn attach_directory() -> String {
    format!("{}/python", env!("CARGO_MANIFEST_DIR"))
}

/// Whether there is NumPy.
fn is_there() -> bool {
    let mut command = python();
    command.args(["-c", "import numpy"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let is_there = command.status().is_ok_and(|status| status.success());
    if !is_there {
        println!("SKIPPED what needs NumPy: `{PYTHON}` names no interpreter that has it, nor has `python3`");
    }
    is_there
}

/// A process with NumPy, which does as it is told.
struct NumPy {
    running: Running,
    from: BufReader<ChildStdout>,
}

impl NumPy {
    fn start() -> Option<Self> {
        if !is_there() {
            return None;
        }
        let mut command = python();
        command.args(["-c", include_str!("numpy/peer.py"), &attach_directory()]);
        let mut running = ChildCommand::program(command, "NumPy").spawn();
        let mut from = BufReader::new(running.child().stdout.take().expect("it is piped"));
        said(&mut from, "ready:");
        Some(NumPy { running, from })
    }

    /// Has it do something, and waits until it has.
    fn does(&mut self, what: Json) {
        let to = self.running.child().stdin.as_mut().expect("it is piped");
        writeln!(to, "{what}").unwrap();
        let mut line = String::new();
        std::io::BufRead::read_line(&mut self.from, &mut line).unwrap();
        assert_eq!(line.trim(), "did: it", "NumPy has not done this: {what}\n{}", self.complaint());
    }

    /// What it has said before it ended.
    fn complaint(&mut self) -> String {
        use std::io::Read;
        let child = self.running.child();
        drop(child.stdin.take());
        let mut complaint = String::new();
        child.stderr.take().expect("it is piped").read_to_string(&mut complaint).unwrap();
        complaint
    }

    /// It is no longer needed, and was content.
    fn end(self) {
        self.running.success();
    }
}

/// Elements that both sides make of their numbers.
trait Made: NumPyElement + PartialEq + fmt::Debug {
    fn made(number: usize) -> Self;
}

macro_rules! made {
    ($($element:ty: $number:ident => $made:expr,)*) => {$(
        impl Made for $element {
            fn made($number: usize) -> Self {
                $made
            }
        }
    )*};
}

made! {
    bool: n => n % 3 == 1,
    i8: n => (3 * n as i64 - 7) as i8,
    i16: n => (3 * n as i64 - 7) as i16,
    i32: n => (3 * n as i64 - 7) as i32,
    i64: n => 3 * n as i64 - 7,
    u8: n => (3 * n as i64 - 7) as u8,
    u16: n => (3 * n as i64 - 7) as u16,
    u32: n => (3 * n as i64 - 7) as u32,
    u64: n => (3 * n as i64 - 7) as u64,
    f32: n => n as f32 / 4.0 - 3.0,
    f64: n => n as f64 / 4.0 - 3.0,
}

#[cfg(feature = "half")]
impl Made for half::f16 {
    fn made(number: usize) -> Self {
        half::f16::from_f32(f32::made(number))
    }
}

#[cfg(feature = "complex")]
impl Made for num_complex::Complex<f32> {
    fn made(number: usize) -> Self {
        num_complex::Complex::new(f32::made(number), number as f32 / 2.0)
    }
}

#[cfg(feature = "complex")]
impl Made for num_complex::Complex<f64> {
    fn made(number: usize) -> Self {
        num_complex::Complex::new(f64::made(number), number as f64 / 2.0)
    }
}

/// Does the same for each type of elements.
trait ForEach {
    fn with<E: Made>(&mut self);
}

fn for_each_type(to: &mut impl ForEach) {
    to.with::<bool>();
    to.with::<i8>();
    to.with::<i16>();
    to.with::<i32>();
    to.with::<i64>();
    to.with::<u8>();
    to.with::<u16>();
    to.with::<u32>();
    to.with::<u64>();
    to.with::<f32>();
    to.with::<f64>();
    for_each_type_of_features(to);
}

#[cfg(all(feature = "half", feature = "complex"))]
fn for_each_type_of_features(to: &mut impl ForEach) {
    to.with::<half::f16>();
    to.with::<num_complex::Complex<f32>>();
    to.with::<num_complex::Complex<f64>>();
}

#[cfg(not(all(feature = "half", feature = "complex")))]
fn for_each_type_of_features(_: &mut impl ForEach) {}

/// Numbers 0 to 4 of axes, with and without elements.
#[cfg(feature = "ndarray")]
const SHAPES: &[&[usize]] =
    &[&[], &[1], &[7], &[0], &[3, 4], &[1, 5], &[0, 3], &[2, 3, 4], &[2, 0, 4], &[2, 1, 3, 2], &[2, 3, 0, 1]];
