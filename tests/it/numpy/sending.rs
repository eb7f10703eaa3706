//! Arrays in `.npy` files go to other processes as any other array does, and stay where they are.

use std::io::BufReader;

use commonage::{
    Error, FileFault, SharedArray,
    file::npy::{self, Order},
};
use ndarray::{Axis, Ix2, Ix3};

use super::arrays::made;
use crate::support::{Directory, child, role, said};

const TOKEN: &str = "COMMONAGE_TEST_TOKEN";
const SHAPE: [usize; 3] = [7, 50, 40];

fn open(path: &str) -> SharedArray<u32, Ix3> {
    // SAFETY: nobody changes the files of these tests while they are mapped.
    unsafe { npy::open(path) }.unwrap()
}

fn is_all(array: &SharedArray<u32, Ix3>) {
    assert_eq!(array.as_view().into_dyn(), made::<u32>(&SHAPE, false));
}

#[test]
fn a_mapped_array_is_sent_and_the_receiver_maps_the_same_file() {
    const TEST: &str = "numpy::sending::a_mapped_array_is_sent_and_the_receiver_maps_the_same_file";
    if role().is_some() {
        let array = SharedArray::<u32, Ix3>::from_token(&std::env::var(TOKEN).unwrap()).unwrap();
        println!("mapped: {}", array.path().expect("it is in a file").display());
        println!("shape: {:?}", array.as_view().shape());
        println!("sum: {}", array.as_view().map(|&element| u64::from(element)).sum());
        return;
    }
    let directory = Directory::new();
    let path = format!("{}/sent.npy", directory.0);
    for fortran_order in [false, true] {
        npy::write(&path, &made::<u32>(&SHAPE, fortran_order)).unwrap();
        let array = open(&path);
        is_all(&array);
        let part = array.slice_axis(Axis(0), 2..5).slice_axis(Axis(2), 1..);
        for array in [array, part] {
            let received = child(TEST, "receiver").env(TOKEN, &array.clone().into_token().unwrap()).run_to_success();
            let sum = array.as_view().map(|&element| u64::from(element)).sum();
            let mut from = BufReader::new(&received.stdout[..]);
            assert_eq!(said(&mut from, "mapped: "), array.path().unwrap().display().to_string());
            assert_eq!(said(&mut from, "shape: "), format!("{:?}", array.as_view().shape()));
            assert_eq!(said(&mut from, "sum: "), sum.to_string());
        }
    }
}

#[test]
fn a_mapped_array_is_received_when_its_sender_is_gone() {
    const TEST: &str = "numpy::sending::a_mapped_array_is_received_when_its_sender_is_gone";
    if role().is_some() {
        let array = open(&std::env::var(TOKEN).unwrap());
        println!("part: {}", array.slice_axis(Axis(1), 10..).into_token().unwrap());
        println!("token: {}", array.into_token().unwrap());
        return;
    }
    let directory = Directory::new();
    let path = format!("{}/left.npy", directory.0);
    npy::write(&path, &made::<u32>(&SHAPE, true)).unwrap();
    let sent = child(TEST, "sender").env(TOKEN, &path).run_to_success();
    let mut from = BufReader::new(&sent.stdout[..]);
    let part = SharedArray::<u32, Ix3>::from_token(&said(&mut from, "part: ")).unwrap();
    let array = SharedArray::<u32, Ix3>::from_token(&said(&mut from, "token: ")).unwrap();
    is_all(&array);
    assert_eq!(part.as_view(), array.slice_axis(Axis(1), 10..).as_view());
    // One mapping.
    assert_eq!(array.as_view().as_ptr().wrapping_add(10 * SHAPE[0]), part.as_view().as_ptr());
}

#[test]
fn arrays_that_begin_anywhere_are_sent() {
    let directory = Directory::new();
    let path = format!("{}/anywhere.npy", directory.0);
    for data_offset in [80, 96, 192, 4100] {
        let text = "{'descr': '<u4', 'fortran_order': False, 'shape': (2, 2), }";
        let mut bytes = b"\x93NUMPY\x01\0".to_vec();
        bytes.extend((data_offset as u16 - 10).to_le_bytes());
        bytes.extend(format!("{text:<width$}\n", width = data_offset - 11).bytes());
        bytes.extend([1u32, 2, 3, 4].iter().flat_map(|number| number.to_le_bytes()));
        std::fs::write(&path, &bytes).unwrap();
        // SAFETY: nobody changes the file while it is mapped.
        let array: SharedArray<u32, Ix2> = unsafe { npy::open(&path) }.unwrap();
        let token = array.clone().into_token().unwrap();
        drop(array);
        let received = SharedArray::<u32, Ix2>::from_token(&token).unwrap();
        assert_eq!(received.as_view(), ndarray::array![[1, 2], [3, 4]]);
    }
}

#[test]
fn what_has_been_written_since_is_not_received() {
    let directory = Directory::new();
    let path = format!("{}/since.npy", directory.0);
    npy::write(&path, &made::<u32>(&SHAPE, false)).unwrap();
    let token = open(&path).into_token().unwrap();
    npy::draft::<u32, Ix3>(&path, SHAPE, Order::C).unwrap().publish().unwrap();
    let error = SharedArray::<u32, Ix3>::from_token(&token).unwrap_err();
    assert!(matches!(error, Error::File { fault: FileFault::Changed { .. }, .. }), "{error:?}");
}

#[test]
fn an_array_to_be_written_in_a_file_of_numpys_is_not_sent() {
    let directory = Directory::new();
    let path = format!("{}/mine.npy", directory.0);
    npy::write(&path, &made::<u32>(&SHAPE, false)).unwrap();
    // SAFETY: nobody changes the file but through this crate.
    let array = unsafe { npy::open_mut::<u32, Ix3>(&path) }.unwrap();
    let error = array.into_token().unwrap_err();
    assert!(matches!(error, Error::File { fault: FileFault::NotSent { .. }, .. }), "{error:?}");
}
