//! Which voters should hold a blob, by rendezvous hashing: the same list on every replica, and
//! little moves when one joins or leaves.

use crate::replica::ReplicaId;

/// The candidates in the order in which they are to be chosen for `seed` (an upload's id, a
/// digest).
pub fn order(seed: &[u8], candidates: &[ReplicaId]) -> Vec<ReplicaId> {
    let mut scored: Vec<(u64, ReplicaId)> =
        candidates.iter().map(|candidate| (score(seed, *candidate), *candidate)).collect();
    scored.sort_unstable_by(|left, right| right.cmp(left));
    scored.dedup();
    scored.into_iter().map(|(_, candidate)| candidate).collect()
}

/// FNV-1a over seed and candidate, then the finalizer of splitmix64, since FNV alone mixes its last
/// bytes too little. Fixed for ever: replicas of different versions must agree.
fn score(seed: &[u8], candidate: ReplicaId) -> u64 {
    let id = candidate.as_u64().to_be_bytes();
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in seed.iter().chain(&id) {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(count: u64) -> Vec<ReplicaId> {
        (0..count).filter_map(|n| ReplicaId::from_u64(n * 0x0101_0101)).collect()
    }

    #[test]
    fn first_places_are_spread_and_a_leaver_moves_only_what_it_held() {
        let five = ids(5);
        let mut firsts = [0_usize; 5];
        for seed in 0..5_000_u32 {
            let order_of_five = order(&seed.to_be_bytes(), &five);
            let place = five.iter().position(|id| *id == order_of_five[0]).unwrap();
            firsts[place] += 1;
            let order_of_four = order(&seed.to_be_bytes(), &five[..4]);
            let without: Vec<_> = order_of_five.into_iter().filter(|id| *id != five[4]).collect();
            assert_eq!(order_of_four, without);
        }
        for count in firsts {
            assert!((850..1150).contains(&count), "{firsts:?}");
        }
    }
}
