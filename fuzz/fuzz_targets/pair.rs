//! An owner and a peer that work, die, and are disturbed.

use std::{hint::black_box, time::Duration};

use commonage::{
    SharedSlice, SharedSliceMut, Ticket,
    fuzzing::{Pair, Place, Side},
    reclaim, stats, sweep, trim,
};

use crate::script::{At, Dead, Script, Step, Value};

/// A process that is no more. Its slot's lock says so.
const GONE: u64 = 999_999;

enum Kind {
    Shared(SharedSlice<u8>),
    Exclusive(SharedSliceMut<u8>),
    /// Its bytes are another's soon.
    Serialized(SharedSliceMut<u8>),
}

struct Handle {
    kind: Kind,
    side: Side,
    /// Addresses, if the owner has made the value, and has not sent it.
    made: Option<(usize, usize)>,
}

struct World {
    handles: Vec<Handle>,
    tickets: Vec<Ticket<[u8]>>,
    /// Handles of the dead.
    buried: Vec<Handle>,
    /// Numbers of the blocks of values that were made.
    blocks: Vec<u32>,
    stores: Vec<(Place, u64)>,
    noisy: bool,
    // Last: nothing of it may be left when this is dropped.
    pair: Pair,
}

const HANDLES: usize = 40;

impl Script {
    pub fn run(&self) {
        let mut world = World {
            handles: Vec::new(),
            tickets: Vec::new(),
            buried: Vec::new(),
            blocks: Vec::new(),
            stores: Vec::new(),
            noisy: false,
            pair: Pair::new().expect("there is room"),
        };
        for step in &self.steps {
            if !self.quiet || !step.is_noise() {
                world.step(step);
            }
        }
        world.end();
    }
}

fn side(owner: bool) -> Side {
    if owner { Side::Owner } else { Side::Peer }
}

impl World {
    fn step(&mut self, step: &Step) {
        match *step {
            Step::Make { len, exclusive } => self.make(len, exclusive),
            Step::Clone(n) => {
                let Some(Handle { kind: Kind::Shared(shared), side, made }) = self.handle(n) else { return };
                let clone = Handle { kind: Kind::Shared(shared.clone()), side: *side, made: *made };
                self.keep(clone);
            }
            Step::Drop(n) => drop(self.take(n)),
            Step::Slice { handle, at } => self.slice(handle, at),
            Step::Freeze(n) => self.change(n, |kind| match kind {
                Kind::Exclusive(exclusive) => match exclusive.freeze() {
                    Ok(shared) => Kind::Shared(shared),
                    Err(refused) => Kind::Exclusive(refused.handle),
                },
                other => other,
            }),
            Step::Thaw(n) => self.change(n, |kind| match kind {
                Kind::Shared(shared) => match shared.try_into_mut() {
                    Ok(exclusive) => Kind::Exclusive(exclusive),
                    Err(refused) => Kind::Shared(refused.handle),
                },
                other => other,
            }),
            Step::Look(n) => {
                if let Some(handle) = self.handle(n) {
                    handle.look();
                }
            }
            Step::Serialize(n) => self.serialize(n),
            Step::IntoToken(n) => {
                let token = match self.take(n).map(|handle| handle.kind) {
                    Some(Kind::Shared(shared)) => shared.into_token(),
                    Some(Kind::Exclusive(exclusive)) => exclusive.into_token(),
                    Some(Kind::Serialized(serialized)) => return drop(serialized),
                    None => return,
                };
                self.sent(token.ok().map(|token| Ticket::from_token(&token).expect("an honest token")));
            }
            Step::Ticket(n) => {
                let ticket = match self.take(n) {
                    Some(Handle { kind: Kind::Shared(shared), side, made }) => {
                        let ticket = shared.ticket().ok();
                        self.keep(Handle { kind: Kind::Shared(shared), side, made });
                        ticket
                    }
                    Some(Handle { kind: Kind::Exclusive(exclusive), side, made }) => match exclusive.into_ticket() {
                        Ok(ticket) => Some(ticket),
                        Err(refused) => {
                            self.keep(Handle { kind: Kind::Exclusive(refused.handle), side, made });
                            None
                        }
                    },
                    _ => None,
                };
                self.sent(ticket);
            }
            Step::Claim { ticket, owner, as_it_is } => self.claim(ticket, side(owner), as_it_is),
            Step::Revoke { ticket, owner } => {
                if let Some(ticket) = self.ticket(ticket)
                    && self.pair.act_as(side(owner))
                {
                    let ticket = self.tickets.swap_remove(ticket);
                    let _ = ticket.revoke();
                }
            }
            Step::Forget { ticket } => {
                if let Some(ticket) = self.ticket(ticket) {
                    drop(self.tickets.swap_remove(ticket));
                }
            }
            Step::Sweep { owner } => {
                if self.pair.act_as(side(owner)) {
                    black_box(sweep());
                }
            }
            Step::Reclaim { owner, millis } => {
                if self.pair.act_as(side(owner)) {
                    black_box(reclaim(Duration::from_millis(millis.into())));
                }
            }
            Step::Trim => trim(),
            Step::Stats => drop(black_box(stats())),
            Step::PeerDies => self.die(Side::Peer),
            Step::OwnerDies => self.die(Side::Owner),
            Step::PeerComes => drop(self.pair.act_as(Side::Peer)),
            Step::Dead(dead) => self.dead(dead),
            Step::Returned { block, next, zero } => {
                let (block, next) = (self.block(block), self.block(next));
                if zero {
                    self.store(Place::Block { block, word: 0 }, 0);
                }
                self.store(Place::Block { block, word: 5 }, u64::from(next) + 1);
                self.store(Place::Header(128), u64::from(block) + 1);
            }
            Step::Store(at, value) => {
                let place = self.place(at);
                let value = self.value(place, value);
                self.store(place, value);
            }
            Step::Undo(count) => {
                for _ in 0..count {
                    let Some((place, before)) = self.stores.pop() else { break };
                    self.pair.store(place, before);
                }
            }
        }
    }

    /// Which of the handles, for whoever has it.
    fn index(&mut self, n: u8) -> Option<usize> {
        let index = usize::from(n).checked_rem(self.handles.len())?;
        self.pair.act_as(self.handles[index].side).then_some(index)
    }

    fn handle(&mut self, n: u8) -> Option<&Handle> {
        self.index(n).map(|index| &self.handles[index])
    }

    fn take(&mut self, n: u8) -> Option<Handle> {
        self.index(n).map(|index| self.handles.swap_remove(index))
    }

    fn keep(&mut self, handle: Handle) {
        self.handles.push(handle);
        if self.handles.len() > HANDLES {
            drop(self.take(0));
        }
    }

    fn ticket(&self, n: u8) -> Option<usize> {
        usize::from(n).checked_rem(self.tickets.len())
    }

    fn sent(&mut self, ticket: Option<Ticket<[u8]>>) {
        self.tickets.extend(ticket);
        if self.tickets.len() > HANDLES {
            drop(self.tickets.swap_remove(0));
        }
    }

    fn change(&mut self, n: u8, to: impl FnOnce(Kind) -> Kind) {
        if let Some(Handle { kind, side, made }) = self.take(n) {
            self.keep(Handle { kind: to(kind), side, made });
        }
    }

    fn make(&mut self, len: u16, exclusive: bool) {
        if !self.pair.act_as(Side::Owner) {
            return;
        }
        let arg = (len as u8, usize::from(len));
        let kind = match exclusive {
            false => SharedSlice::new(&arg).map(Kind::Shared),
            true => SharedSliceMut::new(&arg).map(Kind::Exclusive),
        };
        let Ok(kind) = kind else {
            assert!(self.noisy, "an owner that nobody disturbs can make a value");
            return;
        };
        let bytes = match &kind {
            Kind::Shared(shared) => &shared[..],
            Kind::Exclusive(exclusive) | Kind::Serialized(exclusive) => &exclusive[..],
        };
        assert!(*bytes == vec![arg.0; arg.1][..]);
        let (start, end) = (bytes.as_ptr().addr(), bytes.as_ptr().addr() + bytes.len());
        for (from, to) in self.handles.iter().filter_map(|handle| handle.made) {
            assert!(end <= from || to <= start, "handed out twice: {start:x}..{end:x} and {from:x}..{to:x}");
        }
        self.blocks.extend(self.pair.block_of(bytes.as_ptr()));
        self.keep(Handle { kind, side: Side::Owner, made: Some((start, end)) });
    }

    fn slice(&mut self, n: u8, at: u16) {
        let Some(Handle { kind: Kind::Shared(shared), side, made }) = self.handle(n) else { return };
        let at = usize::from(at) % (shared.len() + 1);
        let made = made.map(|(start, end)| (start + at, end));
        let slice = Handle { kind: Kind::Shared(shared.slice(at..)), side: *side, made };
        self.keep(slice);
    }

    fn serialize(&mut self, n: u8) {
        let Some(handle) = self.take(n) else { return };
        let Handle { kind, side, made } = handle;
        let (bytes, kind) = match kind {
            Kind::Shared(shared) => (postcard::to_stdvec(&shared), Kind::Shared(shared)),
            Kind::Exclusive(exclusive) | Kind::Serialized(exclusive) => {
                (postcard::to_stdvec(&exclusive), Kind::Serialized(exclusive))
            }
        };
        self.keep(Handle { kind, side, made });
        self.sent(bytes.ok().map(|bytes| postcard::from_bytes(&bytes).expect("an honest token")));
    }

    fn claim(&mut self, ticket: u8, side: Side, as_it_is: bool) {
        let Some(ticket) = self.ticket(ticket) else { return };
        if !self.pair.act_as(side) {
            return;
        }
        let ticket = &self.tickets[ticket];
        let kind = match (ticket.kind() == commonage::Kind::SharedMut) == as_it_is {
            false => ticket.claim().map(Kind::Shared),
            true => ticket.claim_mut().map(Kind::Exclusive),
        };
        if let Ok(kind) = kind {
            let handle = Handle { kind, side, made: None };
            handle.look();
            self.keep(handle);
        }
    }

    fn die(&mut self, side: Side) {
        let lives = self.pair.owner_lives();
        self.pair.die(side);
        if side == Side::Peer || lives != self.pair.owner_lives() {
            let (dead, alive) = self.handles.drain(..).partition(|handle| handle.side == side);
            self.handles = alive;
            self.buried.extend::<Vec<Handle>>(dead);
        }
    }

    fn dead(&mut self, dead: Dead) {
        let Dead { bit, counted, intent, alone, issued, .. } = dead;
        let (slot, block, ticket) = (u32::from(dead.slot % 16) + 2, self.block(dead.block), dead.ticket.into());
        if alone {
            for slot in [Side::Owner, Side::Peer].map(|side| self.pair.slot(side)) {
                let place = Place::Holds { slot, block };
                self.store(place, self.pair.load(place) & !(1 << (block % 64)));
            }
        }
        if bit {
            let place = Place::Holds { slot, block };
            self.store(place, self.pair.load(place) | 1 << (block % 64));
        }
        if counted {
            let place = Place::Block { block, word: 0 };
            self.store(place, self.pair.load(place).wrapping_add(1));
        }
        if intent {
            self.store(Place::Intent { slot, stripe: block % 64 }, u64::from(block) + 1);
        }
        if let Some(state) = issued {
            let place = Place::Ticket { ticket, field: 0 };
            let epoch = self.pair.load(place) >> 16;
            self.store(Place::Ticket { ticket, field: 1 }, self.pair.load(Place::Block { block, word: 1 }));
            self.store(Place::Ticket { ticket, field: 3 }, block.into());
            self.store(place, epoch << 16 | u64::from(slot) << 3 | u64::from(state % 8));
        }
        self.store(Place::Slot { slot, word: 0 }, GONE << 8 | 1);
    }

    fn store(&mut self, place: Place, value: u64) {
        self.noisy = true;
        let before = self.pair.store(place, value);
        self.stores.push((place, before));
    }

    /// One of the blocks that the script knows of, or any.
    fn block(&self, n: u8) -> u32 {
        match usize::from(n).checked_rem(self.blocks.len()) {
            Some(known) if n < 192 => self.blocks[known],
            _ => u32::from(n) * 5,
        }
    }

    /// That of one of both sides, or any.
    fn slot(&self, n: u8) -> u32 {
        match n % 4 {
            0 => self.pair.slot(Side::Owner),
            1 => self.pair.slot(Side::Peer),
            _ => (n / 4).into(),
        }
    }

    fn place(&self, at: At) -> Place {
        match at {
            At::Header(half) => Place::Header(half.into()),
            At::Slot(slot, word) => Place::Slot { slot: self.slot(slot), word: word.into() },
            At::Ticket(ticket, field) => Place::Ticket { ticket: ticket.into(), field: field.into() },
            At::Block(block, word) => Place::Block { block: self.block(block), word: word.into() },
            At::Intent(slot, block) => Place::Intent { slot: self.slot(slot), stripe: self.block(block) },
            At::Holds(slot, block) => Place::Holds { slot: self.slot(slot), block: self.block(block) },
            At::Any(word) => Place::Any(word),
        }
    }

    fn value(&self, place: Place, value: Value) -> u64 {
        let now = self.pair.load(place);
        match value {
            Value::Number(number) => number,
            Value::Small(number) => number.into(),
            Value::Bit(bit) => now ^ 1 << (bit % 64),
            Value::Add(by) => now.wrapping_add_signed(by.into()),
            Value::Line(lines, false) => u64::from(lines) * 128,
            Value::Line(lines, true) => self.pair.data_len() - u64::from(lines % 64) * 128,
            Value::From(at) => self.pair.load(self.place(at)),
            Value::Word { exclusive, in_flight, holders } => {
                let counts = u64::from(in_flight & 0x7fff) << 12 | u64::from(holders & 0xfff);
                u64::from(exclusive) << 63 | now & !(1 << 63 | 0x7ff_ffff) | counts
            }
            Value::TicketOf { slot, state } => now >> 16 << 16 | u64::from(self.slot(slot)) << 3 | u64::from(state % 8),
            Value::Mark { exited, swept } => GONE << 8 | u64::from(swept) << 2 | u64::from(exited) << 1 | 1,
        }
    }

    /// Everything goes; if nobody has disturbed, nothing is left.
    fn end(mut self) {
        if !self.noisy && self.pair.act_as(Side::Owner) {
            self.tickets.clear();
            while !self.handles.is_empty() {
                drop(self.take(0));
            }
            self.pair.act_as(Side::Peer);
            sweep();
            assert!(self.pair.act_as(Side::Owner));
            // A peer that has died in between has sent what nobody reclaims before it is swept.
            let swept = reclaim(Duration::ZERO);
            assert_eq!(swept.later, 0);
            let left = stats();
            assert_eq!((left.blocks, left.tickets, left.live), (0, 0, 0), "nothing is left");
        }
        // Whatever stands there, the owner goes on.
        let again: Vec<_> = self.handles.iter().filter_map(|handle| handle.made).take(12).collect();
        for len in again.iter().map(|(start, end)| end - start).chain([0, 100, 3000, 50_000]) {
            self.make(len as u16, len == 100);
        }
        self.tickets.clear();
        self.handles.clear();
    }
}

impl Handle {
    fn look(&self) {
        let bytes = match &self.kind {
            Kind::Shared(shared) => {
                black_box(shared.counts());
                &shared[..]
            }
            Kind::Exclusive(exclusive) => {
                black_box(exclusive.counts());
                &exclusive[..]
            }
            Kind::Serialized(serialized) => {
                black_box(serialized.counts());
                return;
            }
        };
        black_box((bytes.first(), bytes.last()));
    }
}
