//! The table: what each process has, and what has a name, at each moment.

use std::{collections::BTreeSet, fmt};

use crate::{
    Failure, Member,
    member::Holdings,
    names::{PLACE, bytes, names},
};

/// The columns, with their widths.
const HEAD: [(&str, usize); 9] = [
    ("", 14),
    (PLACE, 20),
    ("process", 9),
    ("values", 8),
    ("right", 7),
    ("blocks", 8),
    ("live", 10),
    ("tickets", 9),
    ("participants", 14),
];

pub(crate) struct Table {
    lines: Vec<String>,
    right: bool,
    /// What the processes had when the last rows were added.
    left: usize,
}

impl Table {
    pub(crate) fn new() -> Self {
        let head = HEAD.map(|(title, _)| title.to_owned());
        Table { lines: vec![line(&head)], right: true, left: 0 }
    }

    /// Asks all that are there what they have, and counts the names that were not in `before`.
    pub(crate) fn add(
        &mut self,
        moment: &str,
        members: &mut [Member],
        before: &BTreeSet<String>,
    ) -> Result<(), Failure> {
        let files: Vec<String> = names().difference(before).cloned().collect();
        let named = format!("{} files, {}", files.len(), mebibytes(bytes(&files)));
        let living = members.len();
        self.left = 0;
        for (at, member) in members.iter_mut().enumerate() {
            let report = member.ask("report")?;
            let has = Holdings::parse(&report).ok_or_else(|| format!("not a report: {report}"))?;
            self.right &= has.right == has.values;
            // A pool of this size is one segment: more participants in it than processes are dead ones.
            self.left += has.blocks + has.tickets + has.participants.saturating_sub(living);
            let first = |text: &str| if at == 0 { text.to_owned() } else { String::new() };
            self.lines.push(line(&[
                first(moment),
                first(&named),
                member.number.to_string(),
                has.values.to_string(),
                has.right.to_string(),
                has.blocks.to_string(),
                mebibytes(has.live),
                has.tickets.to_string(),
                has.participants.to_string(),
            ]));
        }
        self.lines.push(String::new());
        Ok(())
    }

    /// Whether all values were right whenever they were looked at, and nothing was left the last time.
    pub(crate) fn is_right(&self) -> bool {
        self.right && self.left == 0
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "{}", line.trim_end()))
    }
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

fn line(cells: &[String]) -> String {
    let mut cells = cells.iter().zip(HEAD);
    let first = cells.next().map_or(String::new(), |(cell, (_, width))| format!("{cell:<width$}"));
    cells.fold(first, |line, (cell, (_, width))| line + &format!("{cell:>width$}"))
}
