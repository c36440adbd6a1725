//! How are several rankings made into one? By reciprocal ranks (Cormack, Clarke and Büttcher 2009): scores of different
//! origin cannot be compared, ranks can.

use std::collections::HashMap;
use std::hash::Hash;

/// Softens the lead of the first ranks. The authors' 60 suits long lists from strangers; ours are short and related.
const SOFTENER: f32 = 20.0;

/// One ranking, best first, and how much it counts.
pub(crate) struct Ranking<T> {
    /// Its weight among the others.
    pub(crate) weight: f32,
    /// Best first, each once.
    pub(crate) order: Vec<T>,
}

/// Every item of every ranking with its fused score, best first; equal scores in the order of the items.
pub(crate) fn fuse<T: Copy + Eq + Hash + Ord>(rankings: &[Ranking<T>]) -> Vec<(T, f32)> {
    let mut scores: HashMap<T, f32> = HashMap::new();
    for ranking in rankings {
        for (rank, item) in ranking.order.iter().enumerate() {
            *scores.entry(*item).or_default() += ranking.weight / (SOFTENER + rank as f32 + 1.0);
        }
    }
    let mut fused: Vec<(T, f32)> = scores.into_iter().collect();
    fused.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    fused
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(rankings: &[(f32, &[u32])]) -> Vec<u32> {
        let rankings: Vec<_> =
            rankings.iter().map(|(weight, order)| Ranking { weight: *weight, order: order.to_vec() }).collect();
        fuse(&rankings).into_iter().map(|(item, _)| item).collect()
    }

    #[test]
    fn agreement_wins_over_a_single_first_place() {
        assert_eq!(order(&[(1.0, &[1, 2, 3]), (1.0, &[4, 2, 5])])[0], 2);
    }

    #[test]
    fn weight_counts_and_ties_are_stable() {
        assert_eq!(order(&[(1.0, &[1]), (0.5, &[2])]), [1, 2]);
        assert_eq!(order(&[(1.0, &[7]), (1.0, &[3])]), [3, 7]);
        assert!(order(&[]).is_empty());
    }
}
