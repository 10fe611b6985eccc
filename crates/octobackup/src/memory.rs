//! How the C library's allocator treats the large buffers that arrive from the network, set once before any is asked for.

/// Buffers up to this size, in bytes, come from memory that the process has already; the allocator takes no larger.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const FROM_HEAP_BYTES_MAX: i32 = 4 << 20;
/// So many unused bytes are kept rather than given back.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT_BYTES: i32 = 16 << 20;

/// Keeps freed buffers for the next answer. By default each megabyte that arrives is given back to the system and asked
/// for again, and the system hands it out page by page, cleared: that was half of the processor time of a large file.
pub fn keep_freed_buffers() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[expect(unsafe_code, reason = "two numbers for the allocator, before there is a second thread")]
    // mallopt takes any numbers. One that it does not like leaves the default, which is only slower.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, FROM_HEAP_BYTES_MAX);
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT_BYTES);
    }
}
