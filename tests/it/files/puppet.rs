//! A process that does with files what it is told, line by line, and says what came of it.

use std::{
    env,
    fmt::Display,
    io::stdin,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    time::Duration,
};

use commonage::{Error, SharedSlice, SharedSliceMut, file};

use crate::{
    puppet::{ANSWER, Puppet},
    support::child,
};

const PATH: &str = "COMMONAGE_TEST_FILE";

/// Another process, for a file.
pub(super) struct Peer(Puppet);

impl Peer {
    pub(super) fn new(test: &str, path: &Path) -> Self {
        Peer(Puppet::start(child(test, "peer").env(PATH, path.to_str().expect("the tests' paths are text"))))
    }

    pub(super) fn pid(&self) -> u32 {
        self.0.pid
    }

    #[track_caller]
    pub(super) fn get(&mut self, command: impl Display) -> String {
        self.0.get(command)
    }

    /// What goes wrong.
    #[track_caller]
    pub(super) fn error(&mut self, command: impl Display) -> String {
        let command = command.to_string();
        match self.0.ask(&command) {
            Err(error) => error,
            Ok(answer) => panic!("`{command}`: an error expected, found {answer}"),
        }
    }

    /// Tells it, and does not wait.
    pub(super) fn tell(&mut self, command: impl Display) {
        self.0.tell(command);
    }

    pub(super) fn hear(&mut self, command: &str) -> Result<String, String> {
        self.0.hear(command)
    }

    pub(super) fn kill(self) {
        self.0.kill();
    }

    #[track_caller]
    pub(super) fn leave(self) {
        self.0.leave();
    }
}

enum Item {
    None,
    Shared(SharedSlice<u64>),
    Mut(SharedSliceMut<u64>),
    Draft(file::Draft<[u64]>),
}

/// Does what it is told until its input ends. It has one value at a time, of numbers.
pub(super) fn obey() {
    let path = env::var(PATH).expect("the parent sets it");
    let mut item = Item::None;
    for line in stdin().lines() {
        let line = line.expect("what a parent writes is text");
        let words: Vec<&str> = line.split(' ').collect();
        let did = catch_unwind(AssertUnwindSafe(|| done(&mut item, Path::new(&path), words[0], &words[1..])));
        match did {
            Ok(Ok(answer)) => println!("\n{ANSWER}ok {answer}"),
            Ok(Err(error)) => println!("\n{ANSWER}error {error}"),
            Err(_) => println!("\n{ANSWER}ok it has panicked"),
        }
    }
}

fn seen(numbers: &[u64]) -> String {
    format!("{numbers:?}")
}

fn done(item: &mut Item, path: &Path, command: &str, words: &[&str]) -> Result<String, Error> {
    let number = |at: usize| words[at].parse::<u64>().expect("a number");
    let options = || {
        let options = file::options::<[u64]>();
        match words.first() {
            Some(&"wait") => options.lock_timeout(Duration::from_secs(30)),
            Some(&"unfinished") => options.unfinished(),
            _ => options,
        }
    };
    // SAFETY: nobody changes the tests' files but through the crate, here and below.
    let open = || unsafe { options().open(path) };
    // SAFETY: as above.
    let open_mut = || unsafe { options().open_mut(path) };
    // SAFETY: as above.
    let open_private = || unsafe { options().open_private(path) };
    match command {
        "open" => *item = Item::Shared(open()?),
        "open_mut" => *item = Item::Mut(open_mut()?),
        "open_private" => *item = Item::Mut(open_private()?),
        "read" => *item = Item::Shared(options().read(path)?),
        "write" => file::write(path, &[number(0); 1000][..])?,
        // SAFETY: as above.
        "create" => *item = Item::Mut(unsafe { file::create(path, &(number(0), 1000)) }?),
        "draft" => *item = Item::Draft(file::draft(path, &(number(0), 1000))?),
        "publish" => match std::mem::replace(item, Item::None) {
            Item::Draft(draft) => draft.publish()?,
            _ => panic!("there is no draft"),
        },
        "see" => {
            return Ok(match item {
                Item::None => "nothing".to_owned(),
                Item::Shared(numbers) => seen(&numbers[..3]),
                Item::Mut(numbers) => seen(&numbers[..3]),
                Item::Draft(draft) => seen(&draft.as_view()[..3]),
            });
        }
        "fill" => match item {
            Item::Mut(numbers) => numbers.fill(number(0)),
            Item::Draft(draft) => draft.as_view_mut().fill(number(0)),
            _ => panic!("there is nothing to be written to"),
        },
        "flush" => match item {
            Item::Mut(numbers) => numbers.flush()?,
            _ => panic!("there is nothing to be flushed"),
        },
        "freeze" => match std::mem::replace(item, Item::None) {
            Item::Mut(numbers) => *item = Item::Shared(numbers.freeze()?),
            _ => panic!("there is nothing to be frozen"),
        },
        "thaw" => match std::mem::replace(item, Item::None) {
            Item::Shared(numbers) => match numbers.try_into_mut() {
                Ok(numbers) => *item = Item::Mut(numbers),
                Err(refused) => {
                    *item = Item::Shared(refused.handle);
                    return Err(refused.reason);
                }
            },
            _ => panic!("there is nothing to be thawed"),
        },
        "token" => {
            return match std::mem::replace(item, Item::None) {
                Item::Shared(numbers) => numbers.into_token(),
                Item::Mut(numbers) => numbers.into_token(),
                _ => panic!("there is nothing to be sent"),
            };
        }
        "claim" => *item = Item::Shared(SharedSlice::from_token(words[0])?),
        "claim_mut" => *item = Item::Mut(SharedSliceMut::from_token(words[0])?),
        "drop" => *item = Item::None,
        // With what it has.
        "panic" => {
            let _had = std::mem::replace(item, Item::None);
            panic!("as it was told");
        }
        other => panic!("`{other}` is no command"),
    }
    Ok(String::new())
}
