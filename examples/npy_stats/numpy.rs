//! The same by NumPy, where it is there.

use std::{
    env,
    path::Path,
    process::{Command, Stdio},
};

use crate::{Failure, summary::Summary};

/// The same four numbers in double precision, of the file mapped, and how long that has taken; without a word about what
/// overflows.
const SCRIPT: &str = r#"
import sys, time, warnings
try:
    import numpy
except ImportError:
    sys.exit(3)
warnings.simplefilter("ignore")
array = numpy.load(sys.argv[1], mmap_mode="r")
begin = time.perf_counter()
found = array.mean(dtype="f8"), array.std(dtype="f8"), array.min(), array.max()
print(numpy.__version__, time.perf_counter() - begin)
for name, number in zip(("mean", "standard deviation", "min", "max"), found):
    number = number.item()
    print(f"{name:<20}" + (f"{number:.6f}" if isinstance(number, float) else f"{int(number)}.000000"))
"#;
/// The status with which the script says that there is no NumPy.
const NO_NUMPY: i32 = 3;

/// What NumPy has to say.
pub(crate) enum Beside {
    /// It has found the same.
    Same { version: String, seconds: f64 },
    /// It has found this.
    Other { version: String, seconds: f64, found: String },
    /// It is not there, for this reason.
    Absent(String),
}

pub(crate) fn summarize(path: &Path, found: &Summary) -> Result<Beside, Failure> {
    let python = env::var_os("COMMONAGE_PYTHON").unwrap_or_else(|| "python3".into());
    let mut command = Command::new(&python);
    let output = match command.arg("-c").arg(SCRIPT).arg(path).stdin(Stdio::null()).output() {
        Ok(output) => output,
        Err(error) => return Ok(Beside::Absent(format!("{} can't be started: {error}", python.display()))),
    };
    if output.status.code() == Some(NO_NUMPY) {
        return Ok(Beside::Absent(format!("{} has no NumPy", python.display())));
    }
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().last().unwrap_or("it says nothing").to_owned();
        return Ok(Beside::Absent(format!("{} has failed: {last}", python.display())));
    }
    let text = String::from_utf8(output.stdout)?.replace('\r', "");
    let (first, rest) = text.split_once('\n').ok_or("NumPy has said nothing")?;
    let (version, seconds) = first.split_once(' ').ok_or("NumPy has not said how long it took")?;
    let (version, seconds) = (version.to_owned(), seconds.parse()?);
    Ok(match rest.trim_end() == found.to_string() {
        true => Beside::Same { version, seconds },
        false => Beside::Other { version, seconds, found: rest.trim_end().to_owned() },
    })
}
