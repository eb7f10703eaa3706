//! What is counted, and what must be zero.

use std::fmt;

use commonage::Backing;

use crate::death::Death;

/// More errors than this, and more corruptions, are counted, but not shown.
pub(crate) const SHOWN: usize = 20;

#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) operations: u64,
    pub(crate) checked: u64,
    /// Messages that the supervisor was given to pass on, and those of them that it could not pass on to anybody.
    pub(crate) sent: u64,
    pub(crate) lost: u64,
    pub(crate) corruptions: usize,
    pub(crate) errors: usize,
    pub(crate) leftovers: usize,
    /// Who has died how.
    deaths: Vec<Departed>,
    /// Claims that found sender and owner gone.
    gone: Vec<(u32, u32)>,
}

struct Departed {
    process: u32,
    backing: Backing,
    how: Death,
}

impl Tally {
    pub(crate) fn corruption(&mut self, what: fmt::Arguments<'_>) {
        self.corruptions += 1;
        if self.corruptions <= SHOWN {
            eprintln!("storm: corrupt: {what}");
        }
    }

    pub(crate) fn error(&mut self, what: fmt::Arguments<'_>) {
        self.errors += 1;
        if self.errors <= SHOWN {
            eprintln!("storm: error: {what}");
        }
    }

    pub(crate) fn left(&mut self, number: usize, what: fmt::Arguments<'_>) {
        self.leftovers += number;
        if number > 0 {
            eprintln!("storm: left: {what}");
        }
    }

    pub(crate) fn death(&mut self, process: u32, backing: Backing, how: Death) {
        self.deaths.push(Departed { process, backing, how });
    }

    pub(crate) fn deaths(&self) -> usize {
        self.deaths.len()
    }

    pub(crate) fn gone(&mut self, sender: u32, owner: u32) {
        self.gone.push((sender, owner));
    }

    /// Only when all are dead is it known whether a claim was right to find nothing: memory without a name goes with a
    /// crash, of the sender or of the owner; a clean exit, and memory with a name, lose nothing.
    pub(crate) fn judge_gone(&mut self) {
        for (sender, owner) in std::mem::take(&mut self.gone) {
            let of = |process| self.deaths.iter().find(|departed| departed.process == process);
            let crashed = |process| of(process).is_some_and(|departed| departed.how.is_crash());
            let named = of(owner).is_some_and(|departed| departed.backing == Backing::Named);
            if named || !(crashed(sender) || crashed(owner)) {
                let how = |process| of(process).map_or("alive".to_owned(), |departed| departed.how.to_string());
                let (sent, owned) = (how(sender), how(owner));
                let memory = if named { "named" } else { "anonymous" };
                self.error(format_args!(
                    "a message was gone, in {memory} memory: sender {sender} ({sent}), owner {owner} ({owned})"
                ));
            } else {
                self.gone.push((sender, owner));
            }
        }
    }

    pub(crate) fn is_right(&self) -> bool {
        self.corruptions == 0 && self.errors == 0 && self.leftovers == 0
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = Death::ALL.map(|how| {
            let number = self.deaths.iter().filter(|departed| departed.how == how).count();
            format!("{how} {number}")
        });
        writeln!(f, "operations      {}", self.operations)?;
        writeln!(f, "values checked  {}", self.checked)?;
        writeln!(f, "messages        {} ({} to nobody)", self.sent, self.lost)?;
        writeln!(f, "deaths          {} ({})", self.deaths(), kinds.join(", "))?;
        writeln!(f, "gone in a crash {}", self.gone.len())?;
        writeln!(f, "corruptions     {}", self.corruptions)?;
        writeln!(f, "leftovers       {}", self.leftovers)?;
        writeln!(f, "errors          {}", self.errors)
    }
}
