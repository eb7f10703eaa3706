//! What runs where nothing may wait: no system call, no memory.

use commonage::ring;

use crate::{
    allocations::allocations,
    containers::filters::allow_only,
    forked::{End, Forked},
};

#[test]
fn a_callback_makes_no_system_call_and_asks_for_no_memory() {
    const FRAME: usize = 480;
    Forked::new(End::UnderscoreExit, || {
        let (mut sender, mut receiver) = ring::channel::<f32>(4 * FRAME).unwrap();
        let (sent, mut heard) = ([0.5; FRAME], [0.0; FRAME]);
        // Any other call ends this process.
        allow_only(libc::SYS_exit_group).unwrap();
        let before = allocations();
        let mut right = true;
        for _ in 0..100 {
            let mut chunk = sender.write_chunk(FRAME).unwrap();
            chunk.copy_from_slice(&sent);
            chunk.commit_quietly(FRAME);
            let mut chunk = sender.write_chunk(FRAME).unwrap();
            (0..FRAME).for_each(|at| chunk.set(at, sent[at]));
            chunk.commit_all(); // nobody sleeps
            let chunk = receiver.read_chunk(FRAME).unwrap();
            chunk.copy_to_slice(&mut heard);
            right &= heard == sent && chunk.iter().eq(sent);
            chunk.commit_quietly(FRAME);
            right &= receiver.try_pop_slice(&mut heard) == Ok(FRAME) && heard == sent;
            right &= sender.try_push(1.0).is_ok() && receiver.try_pop() == Ok(1.0);
            right &= sender.try_push_slice(&sent) == Ok(FRAME) && receiver.slots() == Ok(FRAME);
            while receiver.try_pop().is_ok() {} // it is empty, and that is found out
        }
        right &= allocations() == before;
        // SAFETY: ends the process, and nothing else: a panic would make other calls.
        unsafe { libc::_exit(i32::from(!right)) };
    })
    .success();
}
