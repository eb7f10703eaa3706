//! The scenes: what actors do until the victim dies.

use super::model::{
    Op::{self, *},
    Who::{self, *},
};

/// As what the victim dies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Role {
    /// The owner of the pool, in which others hold values.
    Owner,
    /// A peer, in the pool of a living owner.
    Holder,
    /// An owner that sweeps what peers have left that died before.
    SweepingOwner,
    /// A peer that sweeps when owner and other peers are dead.
    SweepingHeir,
    /// Whoever is the last, in another's pool and in its own.
    Last,
}

/// What is done, and by whom.
pub(super) enum Act {
    /// The steps of the victim count from here on.
    Arm,
    Do(Who, Op),
    /// The actor dies at a step of its own while it does this.
    DieAt(Who, &'static str, Op),
    /// The actor is killed, in the middle of nothing.
    Kill(Who),
    /// From here on the actor takes, gives and issues this value all the time.
    Churn(Who, &'static str),
    /// It stops.
    Still(Who, &'static str),
}

use Act::{Arm, Churn, DieAt, Do, Kill, Still};

const SMALL: usize = 500;
const MIDDLE: usize = 3000;
/// 24 pages, as the pool rounds them: the next one begins where it ends.
const LARGE: usize = 98_000;
/// More than the first segment has.
const HUGE: usize = 17 << 20;

impl Role {
    pub(super) const ALL: [Role; 5] = [Role::Owner, Role::Holder, Role::SweepingOwner, Role::SweepingHeir, Role::Last];

    pub(super) fn scene(self) -> Vec<Act> {
        match self {
            Role::Owner => owner(),
            Role::Holder => holder(),
            Role::SweepingOwner => sweeping_owner(),
            Role::SweepingHeir => sweeping_heir(),
            Role::Last => last(),
        }
    }

    /// The owner survives the victim.
    pub(super) fn owner_lives(self) -> bool {
        self == Role::Holder
    }
}

fn all(of: &[(Who, Op)]) -> impl Iterator<Item = Act> + '_ {
    of.iter().map(|(who, op)| Do(*who, *op))
}

fn owner() -> Vec<Act> {
    let mut acts = vec![Arm];
    acts.extend(all(&[
        (Victim, Make("c", SMALL)),
        (Victim, Ticket("c", "c to near")),
        (Near, Claim("c to near")),
        (Victim, Ticket("c", "c to far")),
        (Far, Claim("c to far")),
    ]));
    acts.push(Churn(Far, "c"));
    acts.extend(all(&[
        (Victim, Make("beside c", SMALL)),
        (Victim, Send("beside c", "beside c to near")),
        (Near, Claim("beside c to near")),
        (Victim, Make("big", LARGE)),
        (Victim, Ticket("big", "big to near")),
        (Near, Claim("big to near")),
        (Victim, Make("beside big", LARGE)),
        (Victim, Send("beside big", "beside big to near")),
        (Near, Claim("beside big to near")),
        (Victim, Clone("big")),
        // Serialized, armed by the drop, and back again.
        (Victim, MakeMut("m", MIDDLE)),
        (Victim, Hold("m", "m to near")),
        (Victim, Drop("m")),
        (Near, Claim("m to near")),
        (Near, Write("m")),
        (Near, Send("m", "m back")),
        (Victim, Claim("m back")),
        (Victim, Freeze("m")),
        (Victim, Ticket("m", "m taken back")),
        (Victim, Revoke("m taken back")),
        (Victim, Thaw("m")),
        (Victim, Drop("m")),
        // To itself, and joined.
        (Victim, Make("own", SMALL)),
        (Victim, Ticket("own", "own to own")),
        (Victim, Claim("own to own")),
        (Victim, Claim("own to own")),
        (Victim, Claim("c to near")),
        (Victim, Drop("c")),
        (Victim, Claim("c to far")),
        (Victim, Drop("own")),
        // The last handles come back by the stack.
        (Victim, Make("away", LARGE)),
        (Victim, Send("away", "away to far")),
        (Far, Claim("away to far")),
        (Far, Drop("away")),
        (Victim, Make("away too", SMALL)),
        (Victim, Send("away too", "away too to near")),
        (Near, Claim("away too to near")),
        (Near, Drop("away too")),
        (Victim, Stats),
        (Victim, Make("unsent", SMALL)),
        (Victim, Send("unsent", "unsent to nobody")),
        (Victim, Revoke("unsent to nobody")),
        (Victim, Huge("huge", HUGE)),
        (Victim, Drop("huge")),
        (Victim, Trim),
        (Victim, Sweep),
    ]));
    // What an owner that exits finds on its way, it moves: which of a peer's messages that are, nobody could foretell.
    acts.push(Still(Far, "c"));
    acts.extend(all(&[
        (Victim, Ticket("c", "c last")),
        (Victim, MakeMut("last", MIDDLE)),
        (Victim, Send("last", "last by token")),
        (Victim, MakeMut("held", LARGE)),
        (Victim, Hold("held", "held by the dead")),
        (Victim, Exit),
    ]));
    acts
}

fn holder() -> Vec<Act> {
    let mut acts: Vec<Act> = all(&[
        (Giver, Make("w", SMALL)),
        (Giver, Send("w", "w from the dead")),
        (Giver, MakeMut("w too", LARGE)),
        (Giver, Send("w too", "w too from the dead")),
        (Giver, Make("w left", MIDDLE)),
        (Giver, Send("w left", "w left by the dead")),
        (Giver, Exit),
        (Owner, Make("c", SMALL)),
        (Owner, Ticket("c", "c to near")),
        (Near, Claim("c to near")),
        (Owner, Ticket("c", "c to victim")),
        (Owner, Make("big", LARGE)),
        (Owner, Ticket("big", "big to near")),
        (Near, Claim("big to near")),
        (Owner, Ticket("big", "big to victim")),
        (Owner, Make("small", SMALL)),
        (Owner, Send("small", "small to victim")),
        (Owner, Make("large", LARGE)),
        (Owner, Send("large", "large to victim")),
        (Owner, Make("revoked", SMALL)),
        (Owner, Send("revoked", "revoked by victim")),
        (Owner, MakeMut("m", MIDDLE)),
        (Owner, Send("m", "m to victim")),
        (Owner, MakeMut("n", LARGE)),
        (Owner, Send("n", "n to victim")),
        (Owner, MakeMut("held", SMALL)),
        (Owner, Send("held", "held to victim")),
        (Owner, MakeMut("held too", LARGE)),
        (Owner, Send("held too", "held too to victim")),
    ])
    .collect();
    acts.extend([Churn(Near, "c"), Arm]);
    acts.extend(all(&[
        (Victim, Claim("c to victim")),
        (Victim, Claim("c to victim")),
        (Victim, Clone("c")),
        (Victim, Drop("c")),
        (Victim, Claim("c to near")),
        (Victim, Claim("big to near")),
        (Victim, Claim("big to victim")),
        (Victim, Drop("big")),
        (Victim, Claim("small to victim")),
        (Victim, Drop("small")),
        (Victim, Claim("large to victim")),
        (Victim, Ticket("large", "large taken back")),
        (Victim, Revoke("large taken back")),
        (Victim, Ticket("large", "large to near")),
        (Near, Claim("large to near")),
        (Victim, Send("large", "large to whom it may concern")),
        (Near, Drop("large")),
        (Victim, Revoke("revoked by victim")),
        (Victim, Claim("m to victim")),
        (Victim, Write("m")),
        (Victim, Hold("m", "m from victim")),
        (Victim, Drop("m")),
        (Victim, Claim("n to victim")),
        (Victim, Freeze("n")),
        (Victim, Thaw("n")),
        (Victim, Send("n", "n from victim")),
        (Victim, Ticket("c", "c from victim")),
        (Victim, Claim("w from the dead")),
        (Victim, Claim("w too from the dead")),
        (Victim, Drop("w too")),
        (Victim, Sweep),
        (Victim, Claim("held to victim")),
        (Victim, Hold("held", "held from victim")),
        (Victim, Claim("held too to victim")),
        (Victim, Hold("held too", "held too from victim")),
        (Victim, Exit),
    ]));
    acts
}

/// Peers of `owner` die in the middle of things; `near` and `far` hold what the dead have had.
fn deaths_of_peers(owner: Who, peers: &[Who]) -> Vec<Act> {
    let mut acts: Vec<Act> = all(&[
        (owner, Make("c", SMALL)),
        (owner, Ticket("c", "c to many")),
        (Near, Claim("c to many")),
        (Far, Claim("c to many")),
        (Dead, Claim("c to many")),
        (DeadToo, Claim("c to many")),
        (owner, Make("beside c", SMALL)),
        (owner, Send("beside c", "beside c to near")),
        (Near, Claim("beside c to near")),
        (owner, Make("big", LARGE)),
        (owner, Send("big", "big to many")),
        (Near, Claim("big to many")),
        (owner, Make("beside big", LARGE)),
        (owner, Send("beside big", "beside big to near")),
        (Near, Claim("beside big to near")),
        (Dead, Claim("big to many")),
        (owner, Make("alone", LARGE)),
        (owner, Send("alone", "alone to dead")),
        (Dead, Claim("alone to dead")),
        (owner, Make("alone too", SMALL)),
        (owner, Send("alone too", "alone too to dead")),
        (DeadToo, Claim("alone too to dead")),
        (owner, Make("half", LARGE)),
        (owner, Send("half", "half to dead")),
        (DeadToo, Claim("half to dead")),
        (owner, MakeMut("held", MIDDLE)),
        (owner, Send("held", "held to dead")),
        (Dead, Claim("held to dead")),
        (Dead, Hold("held", "held by the dead")),
        (owner, MakeMut("held too", SMALL)),
        (owner, Send("held too", "held too to dead")),
        (DeadToo, Claim("held too to dead")),
        (DeadToo, Hold("held too", "held too by the dead")),
        (owner, Make("waiting", MIDDLE)),
        (owner, Send("waiting", "waiting for anybody")),
        (owner, Ticket("c", "c for anybody")),
    ])
    .collect();
    acts.extend(peers.iter().map(|peer| Do(*peer, Claim("c to many"))));
    // One with a ticket that is counted and is none, one with a hold that is counted and is none.
    acts.push(DieAt(Dead, "IssueWord", Ticket("c", "c from dead")));
    acts.push(DieAt(DeadToo, "GiveBit", Drop("half")));
    acts
}

fn sweeping_owner() -> Vec<Act> {
    let mut acts = deaths_of_peers(Victim, &[]);
    acts.extend([Arm, Do(Victim, Sweep), Do(Victim, Trim), Do(Victim, Exit)]);
    acts
}

fn sweeping_heir() -> Vec<Act> {
    let mut acts = deaths_of_peers(Owner, &[Victim]);
    // Somebody who has left a name, and nothing else.
    acts.push(Do(Giver, Make("left", SMALL)));
    acts.extend([Kill(Giver), Kill(Owner), Arm, Do(Victim, Sweep), Do(Victim, Drop("c")), Do(Victim, Exit)]);
    acts
}

fn last() -> Vec<Act> {
    let mut acts: Vec<Act> = all(&[
        (Giver, Make("left", LARGE)),
        (Giver, Ticket("left", "left to victim")),
        (Giver, Ticket("left", "left to dead")),
        (Dead, Claim("left to dead")),
    ])
    .collect();
    acts.push(Arm);
    acts.extend(all(&[
        (Victim, Claim("left to victim")),
        (Victim, Make("own", SMALL)),
        (Victim, Ticket("own", "own to dead")),
        (Dead, Claim("own to dead")),
    ]));
    acts.extend([Kill(Giver), Kill(Dead)]);
    acts.extend(all(&[
        (Victim, Sweep),
        // Nobody needs it any more: it is unmapped, and its name goes.
        (Victim, Drop("left")),
        (Victim, Drop("own")),
        (Victim, Exit),
    ]));
    acts
}
