//! Channels: rings between processes that need not trust each other.

use std::{os::unix::net::UnixStream, thread, time::Duration};

use commonage::ring::{self, Receiver, RingError, Sender};

#[test]
fn an_end_that_was_sent_goes_on_where_it_was() {
    let (sender, mut receiver) = ring::channel::<u64>(1000).unwrap();
    let (here, there) = UnixStream::pair().unwrap();
    sender.send_over(&here).unwrap();
    let other = thread::spawn(move || {
        let mut sender = Sender::<u64>::receive_over(&there).unwrap();
        for number in 0..10_000 {
            sender.push(number).unwrap();
        }
    });
    for number in 0..10_000 {
        match receiver.pop() {
            Ok(n) => assert_eq!(n, number),
            Err(e) => {
                other.join().unwrap();
                panic!("{e}")
            }
        };
    }
    assert_eq!(receiver.pop(), Err(RingError::Closed));
    other.join().unwrap();
}
