//! The nemesis: kills replicas and starts them again, the leader in half of the cases.

use std::time::{Duration, Instant};

use anyhow::Result;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::time::sleep;

use crate::cluster::Cluster;
use crate::history::{Call, Outcome, Recorder};

/// The number under which the nemesis writes into the history.
const CLIENT: u32 = u32::MAX - 1;
/// A replica that comes back at once is back before anyone elected another leader.
const AT_ONCE_MS_MAX: u64 = 300;
/// Between two kills clients must get something done, and the next one must not meet an election.
const CALM_MS: std::ops::Range<u64> = 1_000..3_000;

/// Kills and restarts, one replica at a time.
#[derive(Debug)]
pub struct Nemesis {
    random: StdRng,
    history: Recorder,
    kills: u64,
}

/// What a kill was like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strike {
    /// Who was killed.
    pub place: usize,
    /// Whether it led.
    pub leader: bool,
    /// After how long it was started again.
    pub back_ms: u64,
}

impl Nemesis {
    /// One that draws from this seed and writes down what it does.
    pub fn new(seed: u64, history: Recorder) -> Self {
        Self { random: StdRng::seed_from_u64(seed), history, kills: 0 }
    }

    /// Kills replicas until there were this many kills and this moment has come.
    pub async fn strike_until(
        &mut self,
        cluster: &mut Cluster,
        kills: u64,
        until: Instant,
    ) -> Result<Vec<Strike>> {
        let mut strikes = Vec::new();
        while self.kills < kills || Instant::now() < until {
            strikes.push(self.strike(cluster).await?);
            cluster.wait_healthy().await?;
            let calm = self.random.random_range(CALM_MS);
            sleep(Duration::from_millis(calm)).await;
        }
        Ok(strikes)
    }

    /// Kills one: the leader in every second kill, back at once in half of those and of the others.
    pub async fn strike(&mut self, cluster: &mut Cluster) -> Result<Strike> {
        let leader = cluster.leader().await?;
        let wants_leader = self.kills.is_multiple_of(2);
        let at_once = self.kills % 4 < 2;
        self.kills += 1;
        let others: Vec<usize> = cluster.running().into_iter().filter(|it| *it != leader).collect();
        let other = others[self.random.random_range(0..others.len())];
        let place = if wants_leader { leader } else { other };
        let back_ms = if at_once {
            self.random.random_range(0..AT_ONCE_MS_MAX)
        } else {
            self.random.random_range(3_000..7_000)
        };
        let start_us = self.history.now_us();
        cluster.kill(place).await?;
        let call = Call::Kill { leader: place == leader };
        self.history.add((CLIENT, place), start_us, call, Outcome::Done);
        sleep(Duration::from_millis(back_ms)).await;
        let start_us = self.history.now_us();
        cluster.restart(place)?;
        self.history.add((CLIENT, place), start_us, Call::Start, Outcome::Done);
        Ok(Strike { place, leader: place == leader, back_ms })
    }
}
