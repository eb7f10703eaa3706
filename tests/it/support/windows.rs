//! Windows: a file of the directory for temporary files stands behind each name.

use std::{
    ffi::c_void,
    fmt::Debug,
    fs,
    ops::RangeBounds,
    os::windows::io::{AsHandle, AsRawHandle, FromRawHandle, OwnedHandle},
    path::PathBuf,
    process::{Child, ExitStatus},
    ptr,
};

use windows_sys::Win32::{
    Foundation::{HANDLE, STATUS_ACCESS_VIOLATION, STILL_ACTIVE},
    System::{
        Diagnostics::Debug::{EXCEPTION_POINTERS, SetUnhandledExceptionFilter},
        Memory::{MEM_MAPPED, MEMORY_BASIC_INFORMATION, VirtualQueryEx},
        ProcessStatus::{K32GetMappedFileNameW, K32GetProcessMemoryInfo, PROCESS_MEMORY_COUNTERS},
        Threading::{
            GetCurrentProcess, GetExitCodeProcess, OpenProcess, PROCESS_QUERY_INFORMATION, PROCESS_SUSPEND_RESUME,
            PROCESS_TERMINATE, PROCESS_VM_READ, TerminateProcess,
        },
    },
};

pub(crate) use super::apart::{BOTH, PUNCHES, can_be_alone, can_be_in, named_directory};
pub(super) use super::apart::{apart, apart_in, in_view};

/// How many times as long a test may take: processes start slowly, the more so under Wine.
pub(super) const SLOWNESS: u64 = 4;

/// Where a process is told of the directory for temporary files.
pub(super) const TEMPORARY: &[&str] = &["TEMP", "TMP"];

/// What a filter of exceptions says: the process ends, with the exception as its code.
const EXCEPTION_EXECUTE_HANDLER: i32 = 1;

#[link(name = "ntdll")]
// SAFETY: the system's functions, which debuggers call.
unsafe extern "system" {
    fn NtSuspendProcess(process: HANDLE) -> i32;
    fn NtResumeProcess(process: HANDLE) -> i32;
}

// SAFETY: the C runtime's functions, as the C standard, and its manual, have them.
unsafe extern "C" {
    fn atexit(then: extern "C" fn()) -> i32;
    fn _exit(code: i32) -> !;
}

fn objects() -> PathBuf {
    named_directory().join("shared_memory-rs")
}

/// The file behind the segment with this name.
pub(crate) fn named_file(name: &str) -> PathBuf {
    objects().join(name.trim_start_matches('/'))
}

/// What has been created with a name, by anybody.
pub(super) fn all_named() -> Vec<String> {
    let mut names = super::listing(named_directory());
    if objects().exists() {
        names.extend(super::listing(objects()));
    }
    names
}

/// Takes the name of a segment away.
pub(super) fn remove_named(name: &str) {
    let _ = fs::remove_file(named_file(name));
}

/// What ends a process, whoever waits for it.
pub(super) struct Killer(OwnedHandle);

impl Killer {
    pub(super) fn of(child: &Child) -> Self {
        Killer(child.as_handle().try_clone_to_owned().expect("another handle on a child"))
    }

    pub(super) fn kill(self) {
        // SAFETY: the handle is open, and was made with the process.
        unsafe { TerminateProcess(self.0.as_raw_handle(), 1) };
    }
}

fn open(pid: u32, access: u32) -> Option<OwnedHandle> {
    // SAFETY: asks for a handle.
    let handle = unsafe { OpenProcess(access, 0, pid) };
    // SAFETY: a new handle that is nobody else's.
    (!handle.is_null()).then(|| unsafe { OwnedHandle::from_raw_handle(handle) })
}

/// Ends a process at once.
pub(crate) fn kill(pid: u32) {
    if let Some(process) = open(pid, PROCESS_TERMINATE) {
        // SAFETY: the handle is open.
        unsafe { TerminateProcess(process.as_raw_handle(), 1) };
    }
}

/// Is there such a process?
pub(crate) fn lives(pid: u32) -> bool {
    let Some(process) = open(pid, PROCESS_QUERY_INFORMATION) else { return false };
    let mut code = 0;
    // SAFETY: the handle is open, and the number is this function's own.
    let asked = unsafe { GetExitCodeProcess(process.as_raw_handle(), &raw mut code) };
    asked != 0 && code == STILL_ACTIVE.cast_unsigned()
}

/// Stops a process, until it is resumed.
pub(crate) fn suspend(pid: u32) {
    let process = open(pid, PROCESS_SUSPEND_RESUME).expect("a process");
    // SAFETY: the handle is open.
    assert_eq!(unsafe { NtSuspendProcess(process.as_raw_handle()) }, 0);
}

/// Lets a process go on that has been stopped.
pub(crate) fn resume(pid: u32) {
    let process = open(pid, PROCESS_SUSPEND_RESUME).expect("a process");
    // SAFETY: the handle is open.
    assert_eq!(unsafe { NtResumeProcess(process.as_raw_handle()) }, 0);
}

/// Has it ended by `abort`?
pub(crate) fn has_aborted(status: ExitStatus) -> bool {
    status.code().is_some_and(|code| ![0, 1, 101].contains(&code))
}

/// This process is about to write where it may not: no debugger is to be asked, and nobody at the screen.
pub(crate) fn will_trap() {
    unsafe extern "system" fn end(_: *const EXCEPTION_POINTERS) -> i32 {
        EXCEPTION_EXECUTE_HANDLER
    }
    // SAFETY: sets what happens at the end of this process; the function is there as long as the program.
    unsafe { SetUnhandledExceptionFilter(Some(end)) };
}

/// Has it ended because it wrote where it may not?
pub(crate) fn has_trapped(status: ExitStatus) -> bool {
    status.code() == Some(STATUS_ACCESS_VIOLATION)
}

/// A process has one program here.
pub(crate) fn become_another_program() -> ! {
    panic!("a process can't become another program")
}

/// Has `then` called when `main` returns, before what has been registered already.
pub(crate) fn at_exit(then: extern "C" fn()) {
    // SAFETY: the function is there as long as the program.
    assert_eq!(unsafe { atexit(then) }, 0);
}

/// Ends this process; nothing more is called.
pub(crate) fn end_at_once(code: i32) -> ! {
    // SAFETY: nothing is left to be done.
    unsafe { _exit(code) }
}

fn counters() -> PROCESS_MEMORY_COUNTERS {
    let size = size_of::<PROCESS_MEMORY_COUNTERS>() as u32;
    let mut counters = PROCESS_MEMORY_COUNTERS { cb: size, ..Default::default() };
    // SAFETY: asks for a number.
    let this = unsafe { GetCurrentProcess() };
    // SAFETY: fills in the struct, whose size it is told.
    assert_ne!(unsafe { K32GetProcessMemoryInfo(this, &raw mut counters, size) }, 0);
    counters
}

/// Page faults of this process so far.
pub(crate) fn faults() -> u64 {
    counters().PageFaultCount.into()
}

/// Bytes that this process has touched and that are still there.
pub(crate) fn touched() -> u64 {
    counters().WorkingSetSize as u64
}

/// Segments that a process has mapped: the numbers in the names of the files behind them.
pub(crate) fn mapped(pid: u32) -> Vec<u64> {
    let process = open(pid, PROCESS_QUERY_INFORMATION | PROCESS_VM_READ).expect("a process");
    let process = process.as_raw_handle();
    let mut at = ptr::null::<c_void>();
    let mut found = Vec::new();
    loop {
        let mut region = MEMORY_BASIC_INFORMATION::default();
        // SAFETY: the handle is open; fills in the struct, whose size it is told.
        if unsafe { VirtualQueryEx(process, at, &raw mut region, size_of_val(&region)) } == 0 {
            break;
        }
        if region.Type == MEM_MAPPED {
            let mut name = [0; 1024];
            // SAFETY: the handle is open, and there is room for so many units.
            let len = unsafe { K32GetMappedFileNameW(process, at, name.as_mut_ptr(), name.len() as u32) };
            let name = String::from_utf16_lossy(&name[..len as usize]);
            let number = name.rsplit_once("commonage-").and_then(|(_, rest)| rest.get(..16));
            found.extend(number.and_then(|digits| u64::from_str_radix(digits, 16).ok()));
        }
        at = region.BaseAddress.wrapping_byte_add(region.RegionSize);
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// Has a process so many segments mapped?
pub(crate) fn maps(pid: u32, segments: usize) -> bool {
    mapped(pid).len() == segments
}

/// Nothing: no memory is taken out of a segment that is left.
pub(crate) fn assert_resident(_pid: u32, _expected: impl RangeBounds<u64> + Debug) {}
