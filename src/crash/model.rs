//! What values and tokens there must be: kept by the world while it tells actors what to do. Where the victim dies there can
//! be more than one such model, and what the survivors find says which of them is right.

use std::collections::{BTreeMap, BTreeSet};

use crate::Backing;

/// An actor.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum Who {
    /// It dies at a step.
    Victim,
    /// It owns the pool, where that is not the victim.
    Owner,
    /// It survives.
    Near,
    /// It survives too.
    Far,
    /// It comes when all is over.
    Late,
    /// It sends, and exits.
    Giver,
    /// They die before the victim.
    Dead,
    DeadToo,
}

/// A thing to do. Values and tokens have names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Op {
    Make(&'static str, usize),
    MakeMut(&'static str, usize),
    /// Writable, not touched, never sent.
    Huge(&'static str, usize),
    Write(&'static str),
    /// Another handle, and part of the value, for a moment.
    Clone(&'static str),
    /// A token of a `Shared` that stays.
    Ticket(&'static str, &'static str),
    /// A `SharedMut` is serialized: the second name is its token's.
    Hold(&'static str, &'static str),
    /// The last handle becomes a token.
    Send(&'static str, &'static str),
    Revoke(&'static str),
    Claim(&'static str),
    Drop(&'static str),
    Freeze(&'static str),
    Thaw(&'static str),
    Trim,
    Stats,
    Sweep,
    Exit,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    Armed,
    /// The handle that was serialized is still there.
    Held(Who),
    /// In a will.
    Willed,
    /// Claimed or revoked: a `Shared` can be joined while it lives.
    Taken,
    /// Nobody gets anything for it any more.
    Spent,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Sent {
    pub(super) value: &'static str,
    pub(super) mutable: bool,
    pub(super) state: State,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Known {
    pub(super) seed: u64,
    mutable: bool,
    /// Whose pool it is in.
    home: Who,
    pub(super) holders: BTreeSet<Who>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Model {
    backing: Backing,
    pub(super) values: BTreeMap<&'static str, Known>,
    pub(super) tokens: BTreeMap<&'static str, Sent>,
    /// Who has a slot in whose pool: itself, and whoever has claimed there.
    attached: BTreeSet<(Who, Who)>,
    dead: BTreeSet<Who>,
    /// Whose pools have been swept since the last death.
    swept: BTreeSet<Who>,
}

impl Model {
    pub(super) fn new(backing: Backing) -> Self {
        Model {
            backing,
            values: BTreeMap::new(),
            tokens: BTreeMap::new(),
            attached: BTreeSet::new(),
            dead: BTreeSet::new(),
            swept: BTreeSet::new(),
        }
    }

    pub(super) fn value(&self, name: &str) -> &Known {
        &self.values[name]
    }

    /// Of the bytes of the next value.
    pub(super) fn next_seed(&self) -> u64 {
        1 + self.values.len() as u64
    }

    fn make(&mut self, who: Who, name: &'static str, mutable: bool) {
        let seed = self.next_seed();
        self.attached.insert((who, who));
        self.values.insert(name, Known { seed, mutable, home: who, holders: BTreeSet::from([who]) });
    }

    fn issue(&mut self, name: &'static str, token: &'static str, state: State) {
        let mutable = self.values[name].mutable;
        self.tokens.insert(token, Sent { value: name, mutable, state });
    }

    fn known(&mut self, name: &'static str) -> &mut Known {
        self.values.get_mut(name).expect("scenes name values that they have made")
    }

    /// `who` has done it.
    pub(super) fn apply(&mut self, who: Who, op: Op) {
        match op {
            Op::Make(name, _) => self.make(who, name, false),
            Op::MakeMut(name, _) | Op::Huge(name, _) => self.make(who, name, true),
            Op::Write(name) => self.known(name).seed += 1000,
            Op::Ticket(name, token) => self.issue(name, token, State::Armed),
            Op::Hold(name, token) => self.issue(name, token, State::Held(who)),
            Op::Send(name, token) => {
                self.issue(name, token, State::Armed);
                self.known(name).holders.remove(&who);
            }
            Op::Revoke(token) => self.set(token, State::Taken),
            Op::Claim(token) => self.claim(who, token),
            Op::Drop(name) => self.let_go(who, name),
            Op::Freeze(name) => self.known(name).mutable = false,
            Op::Thaw(name) => {
                self.known(name).mutable = true;
                self.tokens.values_mut().filter(|sent| sent.value == name).for_each(|sent| sent.state = State::Spent);
            }
            Op::Exit => {
                for token in self.moved_by(who) {
                    self.set(token, State::Willed);
                }
                self.dies(who);
            }
            Op::Clone(_) | Op::Trim | Op::Stats | Op::Sweep => {}
        }
    }

    pub(super) fn set(&mut self, token: &'static str, state: State) {
        self.tokens.get_mut(token).expect("scenes name tokens that they have made").state = state;
    }

    /// Whether `who` gets the value if it claims the token; none if that hangs on who has swept.
    pub(super) fn can_claim(&self, who: Who, token: &str) -> Option<bool> {
        let sent = &self.tokens[token];
        let home = self.values[sent.value].home;
        // A segment without a name can't be entered any more when its owner is dead.
        let inside = self.backing == Backing::Named || !self.dead.contains(&home) || self.holds_in(who, home);
        match sent.state {
            State::Armed => Some(inside),
            State::Held(_) | State::Spent => Some(false),
            State::Willed => Some(true),
            State::Taken if sent.mutable || !inside => Some(false),
            State::Taken if self.lives(sent.value) => Some(true),
            // What only the dead hold is there until somebody sweeps who is in the segment.
            State::Taken => self.swept.contains(&home).then_some(false),
        }
    }

    /// The survivor has swept: all segments that it is in.
    pub(super) fn sweeps(&mut self, who: Who) {
        self.swept.extend(self.attached.iter().filter(|(_, participant)| *participant == who).map(|(home, _)| *home));
    }

    fn holds_in(&self, who: Who, home: Who) -> bool {
        self.values.values().any(|value| value.home == home && value.holders.contains(&who))
    }

    fn claim(&mut self, who: Who, token: &'static str) {
        if self.can_claim(who, token) == Some(false) {
            return;
        }
        let Sent { value, state, .. } = self.tokens[token].clone();
        if state == State::Willed {
            // A copy in the claimer's own pool, which has the value's name if there is none other.
            let name = if self.lives(value) { token } else { value };
            let copy = Known { home: who, holders: BTreeSet::from([who]), ..self.values[value].clone() };
            self.values.insert(name, copy);
            self.attached.insert((who, who));
            return self.set(token, State::Spent);
        }
        self.set(token, State::Taken);
        let known = self.known(value);
        known.holders.insert(who);
        let home = known.home;
        self.attached.insert((home, who));
    }

    fn let_go(&mut self, who: Who, name: &'static str) {
        self.known(name).holders.remove(&who);
        for sent in self.tokens.values_mut().filter(|sent| sent.value == name && sent.state == State::Held(who)) {
            sent.state = State::Armed;
        }
    }

    /// It dies: nothing is in its hands any more, and what it held on its way can be claimed.
    pub(super) fn dies(&mut self, who: Who) {
        for name in self.values.keys().copied().collect::<Vec<_>>() {
            self.let_go(who, name);
        }
        self.attached.retain(|(_, participant)| *participant != who);
        self.dead.insert(who);
    }

    /// The tokens that a clean exit moves into wills.
    fn moved_by(&self, who: Who) -> Vec<&'static str> {
        let goes = |sent: &Sent| {
            let own = self.values[sent.value].home == who;
            sent.state == State::Held(who) || own && sent.state == State::Armed
        };
        let of = self.tokens.iter().filter(|(_, sent)| self.backing == Backing::Anonymous && goes(sent));
        of.map(|(token, _)| *token).collect()
    }

    /// What there can be if the actor dies in the middle of it.
    pub(super) fn after_death(&self, who: Who, op: Op) -> Vec<Model> {
        let mut before = self.clone();
        before.dies(who);
        if op != Op::Exit {
            let mut after = self.clone();
            after.apply(who, op);
            after.dies(who);
            return vec![before, after];
        }
        // Each message is in the segment or in a will, and one of them can be lost on its way.
        let moved = self.moved_by(who);
        let mut models = vec![(before, false)];
        for token in moved {
            models = models
                .into_iter()
                .flat_map(|(model, lost)| {
                    let (mut willed, mut gone) = (model.clone(), model.clone());
                    willed.set(token, State::Willed);
                    gone.set(token, State::Spent);
                    [Some((model, lost)), Some((willed, lost)), (!lost).then_some((gone, true))]
                })
                .flatten()
                .collect();
        }
        models.into_iter().map(|(model, _)| model).collect()
    }

    /// Somebody has it, or it is on its way in its segment.
    fn lives(&self, name: &str) -> bool {
        let sent = |sent: &Sent| sent.value == name && matches!(sent.state, State::Armed | State::Held(_));
        !self.values[name].holders.is_empty() || self.tokens.values().any(sent)
    }

    /// Values, tickets and participants in the segments of `home`.
    fn counts_in(&self, home: Who) -> [usize; 3] {
        let of = |name: &str| self.values[name].home == home;
        let blocks = self.values.keys().filter(|name| of(name) && self.lives(name)).count();
        let on_its_way = |sent: &&Sent| of(sent.value) && matches!(sent.state, State::Armed | State::Held(_));
        let tickets = self.tokens.values().filter(on_its_way).count();
        [blocks, tickets, self.attached.iter().filter(|(of, _)| *of == home).count()]
    }

    /// The same: of its own segments if it owns the pool, else of all others that it has mapped.
    pub(super) fn counts(&self, who: Who) -> [usize; 3] {
        if who == Who::Owner {
            return self.counts_in(who);
        }
        let homes = self.attached.iter().filter(|(home, guest)| *guest == who && home != guest);
        homes.fold([0; 3], |sum, (home, _)| {
            let more = self.counts_in(*home);
            std::array::from_fn(|i| sum[i] + more[i])
        })
    }

    pub(super) fn held_by(&self, who: Who) -> Vec<&'static str> {
        self.values.iter().filter(|(_, value)| value.holders.contains(&who)).map(|(name, _)| *name).collect()
    }

    /// All that is in flight in segments is taken back.
    pub(super) fn reclaim(&mut self) {
        self.tokens.values_mut().for_each(|sent| sent.state = State::Spent);
    }
}
