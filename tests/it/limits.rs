//! More than there is: an error, and everything is as it was.

use commonage::{Error, Shared, SharedMut, SharedSlice, SharedSliceMut, Ticket, stats, trim};

use crate::support::{PUNCHES, assert_resident, on_both_backings};

#[test]
fn a_length_that_overflows_is_too_large() {
    on_both_backings("limits::a_length_that_overflows_is_too_large", || {
        let error = SharedSlice::<u64>::new(&(0, usize::MAX / 4)).unwrap_err();
        assert!(matches!(error, Error::TooLarge { requested: usize::MAX, .. }), "{error:?}");
        let error = SharedSliceMut::<u64>::zeroed(usize::MAX).unwrap_err();
        assert!(matches!(error, Error::TooLarge { .. }), "{error:?}");
    });
}

#[test]
fn a_request_larger_than_the_machine_is_refused_and_the_next_one_works() {
    on_both_backings("limits::a_request_larger_than_the_machine_is_refused_and_the_next_one_works", || {
        let error = SharedSliceMut::<u8>::zeroed(1 << 41).unwrap_err();
        assert!(matches!(error, Error::NoSpace { requested, available } if requested > available), "{error:?}");
        let value: SharedSlice<u8> = Shared::new(&(1, 100)).unwrap();
        assert_eq!(value[99], 1);
    });
}

#[test]
fn a_full_ticket_table_is_an_error_and_works_again_after_a_claim() {
    on_both_backings("limits::a_full_ticket_table_is_an_error_and_works_again_after_a_claim", || {
        let shared: SharedSlice<u8> = Shared::copy_from(&[7][..]).unwrap();
        let mut tickets: Vec<Ticket<[u8]>> = Vec::new();
        let error = loop {
            match shared.ticket() {
                Ok(ticket) => tickets.push(ticket),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, Error::TicketsFull { tickets: all, .. } if all as usize == tickets.len()), "{error:?}");
        assert_eq!(shared.counts().in_flight, tickets.len());
        assert!(postcard::to_stdvec(&shared).is_err());
        assert_eq!(*tickets[77].claim().unwrap(), [7]);
        let again = shared.ticket().unwrap();
        assert!(shared.ticket().is_err());
        drop((again, tickets));
        assert_eq!(shared.counts().in_flight, 0);
        assert!(shared.try_into_mut().is_ok());
    });
}

#[test]
fn an_exclusive_value_survives_a_full_ticket_table() {
    on_both_backings("limits::an_exclusive_value_survives_a_full_ticket_table", || {
        let shared: SharedSlice<u8> = Shared::copy_from(&[7][..]).unwrap();
        let exclusive: SharedSliceMut<u8> = SharedMut::copy_from(&[8][..]).unwrap();
        let tickets: Vec<Ticket<[u8]>> = std::iter::from_fn(|| shared.ticket().ok()).collect();
        assert!(postcard::to_stdvec(&exclusive).is_err());
        assert_eq!(*exclusive, [8], "nothing was sent, so nothing is lost");
        drop(tickets);
        let message = postcard::to_stdvec(&exclusive).unwrap();
        drop(exclusive);
        assert_eq!(*postcard::from_bytes::<SharedSliceMut<u8>>(&message).unwrap(), [8]);
    });
}

#[test]
fn more_small_values_than_a_segment_has_blocks_live_together() {
    on_both_backings("limits::more_small_values_than_a_segment_has_blocks_live_together", || {
        let values: Vec<SharedSlice<u32>> = (0..70_000).map(|i| Shared::new(&(i, 3)).unwrap()).collect();
        assert!(values.iter().enumerate().all(|(i, value)| **value == [i as u32; 3]));
    });
}

#[test]
fn dropped_memory_goes_back_to_the_system() {
    on_both_backings("limits::dropped_memory_goes_back_to_the_system", || {
        let this = std::process::id();
        let source = vec![1; 64 << 20];
        let values: Vec<SharedSlice<u8>> = (0..6).map(|_| Shared::copy_from(&source[..]).unwrap()).collect();
        assert_resident(this, (6 * 64) << 20..);
        drop(values);
        // The retain limit is 256 MiB.
        assert_resident(this, ..=300 << 20);
        trim();
        assert_resident(this, ..=8 << 20);
        assert!(stats().reserved == 0 || !PUNCHES && stats().segments == 1, "{:?}", stats());
        let value: SharedSlice<u8> = Shared::new(&(3, 1 << 20)).unwrap();
        assert!(value.iter().all(|b| *b == 3));
    });
}
