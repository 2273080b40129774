//! What the C library's allocator may keep for itself.
//!
//! By its own rules it learns from the memory of one password check, 19 MiB, that such blocks are
//! usual: every thread's arena may then hold back twice that. An idle replica would cost what its
//! busiest moment took.

/// Arenas that threads share; by its own rules there are eight for each core.
#[cfg(target_env = "gnu")]
const ARENAS_MAX: i32 = 4;
/// A larger block is given back as soon as it is freed, and so much is held back by an arena.
#[cfg(target_env = "gnu")]
const KEPT_BYTES_MAX: i32 = 4 * 1024 * 1024;

/// Bounds what is held back; called before other threads begin. Elsewhere than on glibc nothing
/// needs to be done.
pub fn bound() {
    #[cfg(target_env = "gnu")]
    for (rule, value) in [
        (libc::M_ARENA_MAX, ARENAS_MAX),
        (libc::M_MMAP_THRESHOLD, KEPT_BYTES_MAX),
        (libc::M_TRIM_THRESHOLD, KEPT_BYTES_MAX),
    ] {
        // SAFETY: it sets a number under the allocator's own lock; whatever the number is, blocks
        // that were given out stay as they are.
        #[allow(unsafe_code)]
        let is_taken = unsafe { libc::mallopt(rule, value) } == 1;
        if !is_taken {
            tracing::debug!(rule, value, "the allocator does not take this bound");
        }
    }
}

/// Gives pages that hold nothing any more back to the system. What lives long lies scattered among
/// what a request needed for a moment, so the allocator by itself gives back the end of its memory
/// only.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    {
        // SAFETY: it looks through free blocks under the allocator's own locks and changes no block
        // that was given out.
        #[allow(unsafe_code)]
        let gave = unsafe { libc::malloc_trim(0) } == 1;
        tracing::trace!(gave, "free memory was looked through");
    }
}
