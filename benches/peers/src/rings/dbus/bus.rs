use std::{cell::RefCell, collections::VecDeque, env, rc::Rc, sync::Once, time::Duration};

use dbus::{Message, blocking::LocalConnection, channel::Sender as _, message::MatchRule};

use super::MANNER;
use crate::{
    Outcome,
    measure::{self, Cell},
    peers::{D_BUS, sum},
    rings::{Across, Ends, Lent, Payloads, cells, other::Told},
    sync::new_name,
};

/// Signals with an array each, as `shmem-ipc`'s benchmark sends them.
struct Signals;

/// Two connections to one bus.
struct Sending {
    connection: LocalConnection,
    interface: String,
}

struct Receiving {
    connection: LocalConnection,
    interface: String,
    /// Of the payloads that have come: their lengths and sums.
    come: Rc<RefCell<VecDeque<(usize, u64)>>>,
}

impl Receiving {
    fn of(interface: &str) -> Outcome<Self> {
        let connection = LocalConnection::new_session()?;
        let come = Rc::new(RefCell::new(VecDeque::new()));
        let coming = Rc::clone(&come);
        let rule = MatchRule::new_signal(interface.to_owned(), "Payload");
        connection.add_match(rule, move |_: (), _, message| {
            let payload: &[u64] = message.read1().unwrap_or_default();
            coming.borrow_mut().push_back((payload.len(), sum(payload)));
            true
        })?;
        Ok(Receiving { connection, interface: interface.to_owned(), come })
    }
}

fn send(connection: &LocalConnection, interface: &str, payload: &[u64]) -> Outcome {
    let message = Message::new_signal("/peers", interface, "Payload")?.append1(payload);
    connection.send(message).map_err(|()| "the bus takes no message")?;
    Ok(())
}

impl Ends for Signals {
    const NAME: &'static str = D_BUS;
    type In = Sending;
    type Out = Receiving;

    fn ends(_: usize) -> Outcome<(Sending, Receiving)> {
        let interface = format!("commonage.{}", new_name().replace('-', "_"));
        let receiving = Receiving::of(&interface)?;
        Ok((Sending { connection: LocalConnection::new_session()?, interface }, receiving))
    }
}

impl Payloads for Signals {
    fn give(end: &mut Sending, payload: &[u64]) -> Outcome {
        send(&end.connection, &end.interface, payload)?;
        end.connection.channel().flush();
        Ok(())
    }

    fn take(end: &mut Receiving, buffer: &mut [u64]) -> Outcome<u64> {
        loop {
            let come = end.come.borrow_mut().pop_front();
            match come {
                Some((words, total)) if words == buffer.len() => return Ok(total),
                Some(_) => return Err("a payload of another length has come".into()),
                None => measure::go_on()?,
            }
            end.connection.process(Duration::from_secs(1))?;
        }
    }

    /// To oneself, over one connection.
    fn pass((_, end): &mut (Sending, Receiving), payload: &[u64], buffer: &mut [u64]) -> Outcome<u64> {
        send(&end.connection, &end.interface, payload)?;
        Self::take(end, buffer)
    }
}

impl Across for Signals {
    const MANNER: &'static str = MANNER;

    fn lend_out(end: Receiving) -> Outcome<Lent> {
        Ok(Lent::word(end.interface))
    }

    fn adopt_out(lent: &str, _: usize) -> Outcome<Receiving> {
        Receiving::of(lent)
    }
}

pub(crate) fn one_thread(payload: &Rc<[u64]>) -> Outcome<Option<Cell>> {
    if_there(|| cells::one_thread::<Signals>(payload))
}

pub(crate) fn two_processes(payload: &Rc<[u64]>) -> Outcome<Option<Cell>> {
    if_there(|| cells::payloads_across::<Signals>(payload))
}

pub(in crate::rings) fn obey(told: &Told<'_>) -> Outcome {
    told.payloads::<Signals>()
}

fn if_there(cell: impl FnOnce() -> Outcome<Cell>) -> Outcome<Option<Cell>> {
    static SAID: Once = Once::new();
    // Without this the library would try to start a bus.
    let address = env::var_os("DBUS_SESSION_BUS_ADDRESS");
    if address.is_some() && LocalConnection::new_session().is_ok() {
        return cell().map(Some);
    }
    SAID.call_once(|| eprintln!("peers: there is no session bus: D-Bus is not measured"));
    Ok(None)
}
