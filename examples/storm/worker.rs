//! One of the processes that exchange values, and its end.

use std::{
    io::{self, BufRead},
    panic, process,
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver},
    },
    thread,
    time::{Duration, Instant},
};

use commonage::Config;

use crate::{
    Failure,
    args::Role,
    death::{self, Death},
    message::Message,
    random::Random,
    report,
    stock::Stock,
    value::Wrong,
};

/// How long a worker that is to die lives at most.
const LONGEST_LIFE: usize = 2_000;
/// How often a worker says what it is doing.
const BEAT: Duration = Duration::from_millis(200);

/// The time has come to panic, or to return.
static DUE: AtomicBool = AtomicBool::new(false);
/// Another thread has called `process::exit`.
static EXITING: AtomicBool = AtomicBool::new(false);

/// What a worker is told.
enum Order {
    /// Claim this.
    Take(Message),
    /// Drop everything.
    Finish,
    /// Only to a keeper: sweep, and say what is left.
    Settle,
}

pub(crate) fn work(role: Role) -> Result<(), Failure> {
    death::leave_no_core();
    Config::new().backing(role.backing).install()?;
    panic::set_hook(Box::new(|panic| report::say(format_args!("wrong {panic}"))));

    let mut stock = Stock::new(role.seed, role.number);
    let death = (!role.keeper).then(|| {
        // A stream of its own: it is drawn whatever the worker does.
        let mut random = Random::new(!role.seed, role.number);
        let life = Duration::from_millis(1 + random.below(LONGEST_LIFE) as u64);
        (Death::draw(&mut random), Instant::now() + life)
    });
    if let Some((death, _)) = death {
        report::say(format_args!("doomed {death}"));
    }
    let orders = listen();
    thread::spawn(move || await_death(death));

    loop {
        if DUE.load(Ordering::Relaxed) {
            if let Some((Death::Panic, _)) = death {
                // Without the hook: it is not one of those that should not be.
                panic::resume_unwind(Box::new("the end"));
            }
            return Ok(());
        }
        let done = match stock.random.one_in(2).then(|| orders.try_recv().ok()).flatten() {
            Some(Order::Take(message)) => stock.receive(&message),
            Some(Order::Finish) => break,
            Some(Order::Settle) | None => stock.act(),
        };
        judge(done);
    }
    judge(stock.clear());
    if role.keeper {
        report::begin("idle");
        report::say(format_args!("idle"));
        while !matches!(orders.recv()?, Order::Settle) {}
        settle();
    }
    Ok(())
}

fn judge(done: Result<(), Wrong>) {
    match done {
        // What can't be sent now is dropped.
        Ok(()) | Err(Wrong::Full) => {}
        Err(Wrong::Corrupt(what)) => report::say(format_args!("corrupt {what}")),
        // Serde has made a text of the error, or it is that.
        Err(_) if EXITING.load(Ordering::Relaxed) => loop {
            thread::park();
        },
        Err(Wrong::Exiting) => {
            report::say(format_args!("wrong an operation found the process exiting, which it is not"));
        }
        Err(Wrong::Unexpected(what)) => report::say(format_args!("wrong {what}")),
    }
}

/// All others are gone, but for other keepers: what is left in this process's pool?
fn settle() {
    report::begin("settle");
    let reclaimed = commonage::reclaim(Duration::ZERO);
    let swept = commonage::sweep();
    let stats = commonage::stats();
    report::say(format_args!(
        "left {} {} {} {} {stats:?} after {reclaimed:?} and {swept:?}",
        stats.segments, stats.blocks, stats.tickets, stats.participants
    ));
}

/// The orders from the supervisor, read by a thread, so that its pipe never fills.
fn listen() -> Receiver<Order> {
    let (sender, orders) = mpsc::channel();
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            let order = match &*line {
                "finish" => Order::Finish,
                "settle" => Order::Settle,
                line => match line.parse() {
                    Ok(message) => Order::Take(message),
                    Err(garbled) => {
                        report::say(format_args!("wrong {garbled:?} message: {line}"));
                        continue;
                    }
                },
            };
            if sender.send(order).is_err() {
                return;
            }
        }
        // The supervisor is gone.
        process::exit(1);
    });
    orders
}

/// Says what the worker does until its time has come, then ends it, whatever its other thread is doing.
fn await_death(death: Option<(Death, Instant)>) {
    loop {
        let left = death.map_or(BEAT, |(_, due)| due.saturating_duration_since(Instant::now()));
        if let (Some((death, _)), true) = (death, left.is_zero()) {
            match death {
                Death::Kill => death::kill(),
                Death::Abort => process::abort(),
                Death::Exit => {
                    EXITING.store(true, Ordering::Relaxed);
                    process::exit(0);
                }
                Death::Return | Death::Panic => DUE.store(true, Ordering::Relaxed),
            }
            return;
        }
        thread::sleep(left.min(BEAT));
        report::beat();
    }
}
