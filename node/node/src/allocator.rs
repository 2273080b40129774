//! Where memory comes from, and how soon what is free goes back to the system.
//!
//! What a request needs for a moment (a password check of 19 MiB, a page of rows) lies beside
//! tables and indexes that live as long as the process. The C library's allocator put both side by
//! side: what was free lay scattered among what was not, and a third of the time of a page of tags
//! went into looking for a fit. jemalloc keeps sizes apart; docs/decisions/014 has the figures.

use std::ffi::c_char;

use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// Pages that are free go back after a second, by a thread of the allocator's own; a core or two
/// need no more than four arenas, each of which holds a little back.
const RULES: &[u8; 70] = b"narenas:4,dirty_decay_ms:1000,muzzy_decay_ms:0,background_thread:true\0";

/// Read by the allocator before `main`, under the name it looks for.
// SAFETY: it is the only one of this name, a thin pointer to text that ends with a zero byte, as
// the allocator's header declares it.
#[allow(unsafe_code)]
#[used]
#[unsafe(export_name = "_rjem_malloc_conf")]
static CONFIGURATION: Option<&'static c_char> = Some(unsafe { &*RULES.as_ptr().cast() });
