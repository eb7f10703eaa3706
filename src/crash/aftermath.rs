//! What survivors do when the victim is dead, and what they must find.

use super::{
    model::{
        Model,
        Who::{self, Far, Late, Near, Owner},
    },
    scenes::Role,
    world::{Answer, World},
};

/// Errors that say that there is nothing to be had for a token any more.
const NOTHING: [&str; 3] = ["AlreadyClaimed", "Expired", "Gone"];

/// What a survivor holds: by this name, these bytes.
struct Held {
    who: Who,
    name: String,
    seed: u64,
}

/// The survivors of a play. Each thing that they find must be as one of the models says, and always the same.
struct Survivors<'w, 'a> {
    world: &'w mut World<'a>,
    models: Vec<Model>,
    /// The owner, if it lives, or else who sweeps.
    first: Who,
    second: Who,
    held: Vec<Held>,
}

/// Goes through all of it.
pub(super) fn follows(world: &mut World<'_>, role: Role, mut models: Vec<Model>) -> Result<(), String> {
    let (first, second) = if role.owner_lives() { (Owner, Near) } else { (Near, Far) };
    for who in world.kill_all_but(&[first, second]) {
        models.iter_mut().for_each(|model| model.dies(who));
    }
    let mut held = Vec::new();
    for who in [first, second] {
        let of = |name| Held { who, name: slug(name), seed: models[0].value(name).seed };
        held.extend(models[0].held_by(who).into_iter().map(of));
    }
    let mut all = Survivors { world, models, first, second, held };
    all.sweep_while_others_work()?;
    all.still_hold()?;
    all.can_allocate()?;
    all.claim_what_can_be_claimed()?;
    all.count("after the sweep")?;
    all.still_hold()?;
    all.take_back_what_nobody_claims()?;
    all.let_others_in()?;
    all.let_go()
}

fn slug(name: &str) -> String {
    name.replace(' ', "_")
}

impl Survivors<'_, '_> {
    fn owner_lives(&self) -> bool {
        self.first == Owner
    }

    /// Whoever says something that no model says is wrong.
    fn believe(&mut self, what: &str, says: impl Fn(&Model) -> bool) -> Result<(), String> {
        let believed: Vec<Model> = self.models.iter().filter(|model| says(model)).cloned().collect();
        if believed.is_empty() {
            let (number, first) = (self.models.len(), self.models.first());
            return Err(format!("{what}; but as one of {number} models says: {first:?}"));
        }
        self.models = believed;
        Ok(())
    }

    /// They take, give and issue on a block that the victim had, too.
    fn sweep_while_others_work(&mut self) -> Result<(), String> {
        let churning: Vec<Who> = self.held.iter().filter(|held| held.name == "c").map(|held| held.who).collect();
        for who in &churning {
            self.world.expect(*who, "churn c")?;
        }
        self.world.expect(self.first, "sweep")?;
        if !self.owner_lives() {
            self.world.expect(self.second, "sweep")?;
        }
        for who in &churning {
            self.world.expect(*who, "still c")?;
        }
        for who in [self.first, self.second] {
            self.models.iter_mut().for_each(|model| model.sweeps(who));
        }
        Ok(())
    }

    fn still_hold(&mut self) -> Result<(), String> {
        for Held { who, name, seed } in &self.held {
            self.world.expect(*who, &format!("check {name} {seed}"))?;
        }
        Ok(())
    }

    /// New values do not show through in what is held, nor it in them.
    fn can_allocate(&mut self) -> Result<(), String> {
        self.world.expect(self.first, "fill")?;
        self.still_hold()?;
        self.world.expect(self.first, "unfill")?;
        Ok(())
    }

    fn claim_what_can_be_claimed(&mut self) -> Result<(), String> {
        let tokens: Vec<&'static str> = self.world.texts.keys().copied().collect();
        for token in tokens {
            let name = slug(token);
            let line = self.world.texts[token].claim(&name);
            match self.world.tell(Near, &line) {
                Answer::Done(_) => {
                    self.believe(&format!("{token:?} can be claimed"), |model| {
                        model.can_claim(Near, token) != Some(false)
                    })?;
                    let seed = self.models[0].value(self.models[0].tokens[token].value).seed;
                    self.models.iter_mut().for_each(|model| model.apply(Near, super::model::Op::Claim(token)));
                    self.held.push(Held { who: Near, name, seed });
                    if self.world.texts[token].mutable {
                        self.is_claimed_once(token, &line)?;
                    }
                }
                Answer::Refused(error, said) => {
                    let cant = format!("{token:?} can't be claimed: {said}");
                    self.believe(&cant, |model| model.can_claim(Near, token) != Some(true))?;
                    if !NOTHING.contains(&error.as_str()) {
                        return Err(cant);
                    }
                }
                Answer::Died(status) => return Err(format!("who claims {token:?} has ended: {status}")),
            }
        }
        self.world.expect(self.first, "sweep")?;
        self.still_hold()
    }

    /// Neither a ticket nor a will is left of what has been claimed to write.
    fn is_claimed_once(&mut self, token: &str, line: &str) -> Result<(), String> {
        match self.world.tell(Near, line) {
            Answer::Refused(error, _) if NOTHING.contains(&error.as_str()) => Ok(()),
            Answer::Refused(_, said) => Err(format!("{token:?} can't be claimed twice, but not so: {said}")),
            _ => Err(format!("{token:?} can be claimed twice")),
        }
    }

    /// What the pool says is there is there, and nothing else.
    fn count(&mut self, when: &str) -> Result<(), String> {
        let (first, owner_lives) = (self.first, self.owner_lives());
        let whose = if owner_lives { "own" } else { "others" };
        let census = self.world.expect(self.first, &format!("census {whose}"))?;
        let counts: Vec<usize> = census.split(' ').map(|count| count.parse().unwrap()).collect();
        let [blocks, tickets, participants, _] = counts[..] else { return Err(format!("a census says {census}")) };
        let found = format!("{when}: {blocks} blocks, {tickets} tickets, {participants} participants");
        self.believe(&found, |model| model.counts(first) == [blocks, tickets, participants])?;
        if owner_lives {
            let stats = self.world.expect(self.first, "stats")?;
            if stats != format!("{blocks} {tickets} {participants}") {
                return Err(format!("{found}, but stats say {stats}"));
            }
        }
        Ok(())
    }

    fn take_back_what_nobody_claims(&mut self) -> Result<(), String> {
        self.world.expect(self.first, "reclaim")?;
        self.models.iter_mut().for_each(Model::reclaim);
        self.count("after the reclaim")?;
        self.still_hold()
    }

    /// As long as somebody has a value, it can be sent to a process that comes later.
    fn let_others_in(&mut self) -> Result<(), String> {
        let Some(seed) = self.held.iter().find(|held| held.who == self.first && held.name == "c").map(|held| held.seed)
        else {
            return Ok(());
        };
        for who in [self.first, self.second] {
            self.world.expect(who, "sweep")?;
        }
        let token = self.world.expect(self.first, "ticket c")?;
        self.world.expect(Late, &format!("claim c {token}"))?;
        self.world.expect(Late, &format!("check c {seed}"))?;
        self.world.ends(Late)
    }

    /// One value after the other goes, and takes nothing with it; the last one leaves nothing.
    fn let_go(&mut self) -> Result<(), String> {
        while let Some(Held { who, name, .. }) = self.held.pop() {
            self.world.expect(who, &format!("drop {name}"))?;
            self.still_hold()?;
        }
        for who in [self.first, self.second] {
            self.world.expect(who, "clear")?;
        }
        for who in [self.second, self.first] {
            self.world.expect(who, "sweep")?;
            self.world.expect(who, "reclaim")?;
            let stats = self.world.expect(who, "stats")?;
            if !stats.starts_with("0 0 ") {
                return Err(format!("when all is dropped {who:?} has: {stats}"));
            }
        }
        for who in [self.second, self.first] {
            self.world.ends(who)?;
        }
        Ok(())
    }
}
