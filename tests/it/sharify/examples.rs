//! The examples of sharify's documentation, with the crate renamed.

use crate::support::on_both_backings;

/// The first example of the documentation, literally.
#[rustfmt::skip]
fn slice_example() -> Result<(), Box<dyn std::error::Error>> {
    use commonage::SharedMut;
    use std::{iter, sync::mpsc::channel, thread};

    // Create a slice backed by shared memory.
    let mut shared_slice: SharedMut<[u64]> = SharedMut::new(&(0, 1_000_000))?;
    // Write some data to it.
    for (src, dst) in
        iter::successors(Some(0), |&p| Some(p + 1))
        .zip(shared_slice.as_view_mut().iter_mut())
    {
        *dst = src;
    }
    // The shared slice can be sent between processes cheaply without copying the
    // data. What is shown here for threads works equally well for processes,
    // e.g. using the ipc_channel crate.
    let (tx, rx) = channel::<SharedMut<[u64]>>();
    let handle = thread::spawn(move || {
        let shared_slice = rx.recv().unwrap();
        // Get a view into the shared memory
        let view: &[u64] = shared_slice.as_view();
        assert_eq!(view.len(), 1_000_000);
        assert!(iter::successors(Some(0), |&p| Some(p + 1))
            .zip(view.iter())
            .all(|(a, &b)| a == b));
    });
    tx.send(shared_slice)?;
    handle.join().unwrap();
    Ok(())
}

/// The example of a custom type, literally.
#[rustfmt::skip]
#[allow(clippy::undocumented_unsafe_blocks)]
mod image_stack {
    use commonage::{Shared, ShmemBacked, ShmemView};
    use std::{sync::mpsc::channel, thread};

    // Holds a stack of images in contiguous memory.
    struct ImageStack {
        data: Vec<u8>,
        shape: [u16; 2],
    }

    // To back `ImageStack` with shared memory, it needs to implement `ShmemBacked`.
    unsafe impl ShmemBacked for ImageStack {
        // Constructor arguments, (shape, n_images, init value).
        type NewArg = ([u16; 2], usize, u8);
        // Information required to create a view of an `ImageStack` from raw memory.
        type MetaData = [u16; 2];

        fn required_memory_arg((shape, n_images, _init): &Self::NewArg) -> usize {
            shape.iter().product::<u16>() as usize * n_images
        }
        fn required_memory_src(src: &Self) -> usize {
            src.data.len()
        }
        fn new(data: &mut [u8], (shape, _n_images, init): &Self::NewArg) -> Self::MetaData {
            data.fill(*init);
            *shape
        }
        fn new_from_src(data: &mut [u8], src: &Self) -> Self::MetaData {
            data.copy_from_slice(&src.data);
            src.shape
        }
    }

    // Create a referential struct as a view into the memory.
    struct ImageStackView<'a> {
        data: &'a [u8],
        shape: [u16; 2],
    }

    // The view must implement `ShmemView`.
    impl<'a> ShmemView<'a> for ImageStack {
        type View = ImageStackView<'a>;
        fn view(data: &'a [u8], shape: &'a <Self as ShmemBacked>::MetaData) -> Self::View {
            ImageStackView {
                data,
                shape: *shape,
            }
        }
    }


    pub(super) fn main() -> Result<(), Box<dyn std::error::Error>> {
        // Existing stack with its data in a `Vec`.
        let stack = ImageStack {
            data: vec![0; 640 * 640 * 100],
            shape: [640, 640],
        };
        // Copy the stack into shared memory.
        let shared_stack: Shared<ImageStack> = Shared::new_from_inner(&stack)?;
        // The `data` field is now backed by shared memory so the stack can be sent
        // between processes cheaply. What is shown here for threads works equally
        // well for processes, e.g. using the ipc_channel crate.
        let (tx, rx) = channel::<Shared<ImageStack>>();
        let handle = thread::spawn(move || {
            let shared_stack = rx.recv().unwrap();
            // Get a view into the shared memory.
            let view: ImageStackView = shared_stack.as_view();
            assert!(view.data.iter().all(|&x| x == 0));
            assert_eq!(view.shape, [640, 640]);
        });
        tx.send(shared_stack)?;
        handle.join().unwrap();
        Ok(())
    }

    /// Not in the documentation: a stack that is made in place travels as bytes.
    pub(super) fn travels() {
        let stack: Shared<ImageStack> = Shared::new(&([30, 20], 7, 5)).unwrap();
        let stack = super::super::serialization_roundtrip_shared(stack);
        let view = stack.as_view();
        assert_eq!((view.data, view.shape), (&[5; 30 * 20 * 7][..], [30, 20]));
        let bytes = super::super::serialize_shared(stack);
        assert!(super::super::deserialize::<Shared<[u8]>>(&bytes).is_err());
        super::super::deserialize::<Shared<ImageStack>>(&bytes).unwrap();
    }
}

#[test]
fn the_examples_of_the_documentation_run() {
    on_both_backings("sharify::examples::the_examples_of_the_documentation_run", || {
        slice_example().unwrap();
        image_stack::main().unwrap();
        image_stack::travels();
    });
}
