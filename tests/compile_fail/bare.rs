//! What is not shareable by itself.

fn share<T: commonage::Shareable>() {}

fn main() {
    share::<&'static u32>();
    share::<Box<u32>>();
    share::<Vec<u32>>();
    share::<Option<u32>>();
    share::<String>();
    share::<*const u32>();
    share::<fn()>();
    share::<(u32, u32)>();
    share::<std::sync::atomic::AtomicPtr<u32>>();
    share::<std::sync::Mutex<u32>>();
}
