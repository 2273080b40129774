//! What is counted, when reading pauses, and that it goes on.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, advance, timeout};

use super::{COST_MAX, Inflow, Intake, PAUSE_MAX, Unread};
use crate::frames::PREFACE;

const MIB: usize = 1024 * 1024;

fn intake(all: &Arc<Unread>) -> (Intake, Arc<Inflow>) {
    let inflow = Arc::new(Inflow::new(Arc::clone(all), u32::try_from(MIB).unwrap()));
    let mut intake = Intake::new(Arc::clone(&inflow));
    intake.came(PREFACE).unwrap();
    (intake, inflow)
}

fn frame(kind: u8, length: usize) -> Vec<u8> {
    let mut bytes = u32::try_from(length).unwrap().to_be_bytes()[1..].to_vec();
    bytes.extend_from_slice(&[kind, 0, 0, 0, 0, 1]);
    bytes.resize(bytes.len() + length, 0);
    bytes
}

async fn has_room(intake: &mut Intake) -> bool {
    let room = poll_fn(|task| intake.poll_room(task));
    timeout(Duration::from_millis(1), room).await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn beyond_the_bound_of_all_those_pause_who_have_something_unread() {
    let all = Arc::new(Unread::new(20_000));
    let (mut greedy, greedys) = intake(&all);
    let (mut modest, modests) = intake(&all);
    greedys.body_begins();
    greedy.came(&frame(0, 15_000)).unwrap();
    assert!(has_room(&mut greedy).await);
    greedy.came(&frame(0, 15_000)).unwrap();
    assert_eq!(all.bytes(), 30_000);
    assert!(!has_room(&mut greedy).await);
    assert!(has_room(&mut modest).await, "who holds nothing may begin");
    modests.body_begins();
    modest.came(&frame(0, 100)).unwrap();
    assert!(!has_room(&mut modest).await);

    greedys.consumed(15_000);
    assert!(has_room(&mut greedy).await);
    advance(Duration::from_millis(25)).await;
    assert!(has_room(&mut modest).await, "it looks again by itself");
    greedys.body_ends();
    assert_eq!(all.bytes(), 100, "what nobody will read is not counted any more");
    drop((modest, modests));
    assert_eq!(all.bytes(), 0, "nor is what a connection leaves");
}

#[tokio::test(start_paused = true)]
async fn tiny_frames_pause_a_connection_until_they_are_read() {
    let all = Arc::new(Unread::new(u64::MAX));
    let (mut intake, inflow) = intake(&all);
    inflow.body_begins();
    let mut sent = 0;
    while has_room(&mut intake).await {
        intake.came(&frame(0, 1)).unwrap();
        sent += 1;
    }
    assert!(i64::from(sent) * 255 > COST_MAX && sent < 400, "{sent} frames");
    for _ in 0..sent {
        inflow.consumed(1);
    }
    assert!(has_room(&mut intake).await);
    for _ in 0..10_000 {
        intake.came(&frame(0, 1)).unwrap();
        inflow.consumed(1);
        assert!(has_room(&mut intake).await, "a slow client whose bytes are read never waits");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pause_has_an_end() {
    let all = Arc::new(Unread::new(1));
    let (mut intake, inflow) = intake(&all);
    inflow.body_begins();
    intake.came(&frame(0, 10)).unwrap();
    let begun = Instant::now();
    poll_fn(|task| intake.poll_room(task)).await;
    assert!(begun.elapsed() >= PAUSE_MAX);
    assert!(!has_room(&mut intake).await, "and the next one begins");
}

#[tokio::test(start_paused = true)]
async fn more_resets_or_pings_than_anybody_needs_end_the_connection() {
    // Kind of the frame, and how many come at once before it is too much.
    for (kind, count_max) in [(3, 400), (6, 2_000), (4, 2_000), (2, 2_000)] {
        let (mut intake, _inflow) = intake(&Arc::new(Unread::new(u64::MAX)));
        let frame = frame(kind, 8);
        for number in 0..count_max {
            assert!(intake.came(&frame).is_ok(), "kind {kind}, number {number}");
        }
        assert!(intake.came(&frame).is_err(), "kind {kind}");
    }
    let (mut intake, _inflow) = intake(&Arc::new(Unread::new(u64::MAX)));
    for _ in 0..10_000 {
        advance(Duration::from_millis(25)).await;
        assert!(intake.came(&frame(3, 4)).is_ok(), "forty a second, for ever");
    }
}

#[tokio::test(start_paused = true)]
async fn one_connection_counts_no_more_than_its_window() {
    let all = Arc::new(Unread::new(u64::MAX));
    let (mut intake, inflow) = intake(&all);
    inflow.body_begins();
    inflow.body_begins();
    for _ in 0..1_000 {
        intake.came(&frame(0, 16_000)).unwrap();
    }
    assert_eq!(all.bytes(), MIB as u64);
    inflow.body_ends();
    inflow.consumed(2 * MIB);
    assert_eq!(all.bytes(), 0);
}
