//! A replica that comes back under another address is reached there.

use super::harness::{Town, has_user, id_of, put_user, until};
use crate::cluster::Freshness;

/// Ends a replica and starts it at `address`.
async fn move_to(town: &mut Town, number: usize, address: &str) {
    town.kill(number).await;
    address.clone_into(&mut town.replicas[number].address);
    town.start(number).await;
}

/// Waits until every replica has it in its rows that replica `number` is at `address`.
async fn until_entered(town: &Town, number: usize, address: &str) {
    let moved = id_of(town, number);
    until("the new address is entered", async || {
        let knows = |members: &[metadata::members::MemberRow]| {
            members.iter().any(|row| row.replica_id == moved && row.address == address)
        };
        town.up().all(|(_, cluster)| knows(&cluster.members())).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_moved_is_dialled_where_it_is_now() {
    let mut town = Town::of(3).await;
    for (round, address) in ["moved.example:7200", "moved-again.example:7300"].iter().enumerate() {
        move_to(&mut town, 2, address).await;
        until_entered(&town, 2, address).await;
        let name = format!("user-{round}");
        put_user(&town.cluster(0), &name).await.unwrap();
        assert!(has_user(&town.cluster(2), Freshness::Linearizable, &name).await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_moved_is_found_even_where_nothing_is_agreed_on_without_it() {
    let mut town = Town::of(2).await;
    put_user(&town.cluster(0), "before").await.unwrap();
    let follower = town.follower().await;
    let leader = 1 - follower;
    move_to(&mut town, follower, "moved.example:7200").await;
    put_user(&town.cluster(leader), "after").await.unwrap();
    until_entered(&town, follower, "moved.example:7200").await;
}
