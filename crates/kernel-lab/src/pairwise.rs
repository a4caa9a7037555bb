//! A small set of cells in which each pair of values meets.
//!
//! A cell is a value for each dimension. Not all cells exist: the caller says which do. The set is made greedily, and is
//! the same every time.

use std::collections::BTreeSet;

/// Two dimensions, and a value of each.
type Pair = (usize, usize, usize, usize);

/// All cells that exist, with `sizes[d]` values in dimension `d`, in the order of their numbers.
pub(crate) fn all_cells(sizes: &[usize], exists: impl Fn(&[usize]) -> bool) -> Vec<Vec<usize>> {
    let mut cells = vec![Vec::new()];
    for size in sizes {
        cells = cells
            .iter()
            .flat_map(|cell: &Vec<usize>| (0..*size).map(|value| [cell.as_slice(), &[value]].concat()))
            .collect();
    }
    cells.retain(|cell| exists(cell));
    cells
}

/// Cells out of `cells` that cover every pair of values which any of them covers.
pub(crate) fn cover(cells: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut missing: BTreeSet<Pair> = cells.iter().flat_map(|cell| pairs(cell)).collect();
    let mut chosen = Vec::new();
    while !missing.is_empty() {
        let gain = |cell: &&Vec<usize>| pairs(cell).filter(|pair| missing.contains(pair)).count();
        // The first of the best.
        let Some(best) = cells.iter().rev().max_by_key(gain) else {
            break;
        };
        for pair in pairs(best) {
            missing.remove(&pair);
        }
        chosen.push(best.clone());
    }
    chosen
}

fn pairs(cell: &[usize]) -> impl Iterator<Item = Pair> + '_ {
    cell.iter().enumerate().flat_map(move |(first, value)| {
        let later = cell.iter().enumerate().skip(first + 1);
        later.map(move |(second, other)| (first, *value, second, *other))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_pairs_of_three_dimensions_with_three_values_take_few_more_than_nine_cells() {
        let cells = all_cells(&[3, 3, 3], |_| true);
        assert_eq!(cells.len(), 27);
        let chosen = cover(&cells);
        let covered: BTreeSet<Pair> = chosen.iter().flat_map(|cell| pairs(cell)).collect();
        assert_eq!(covered.len(), 27);
        assert!((9..=12).contains(&chosen.len()), "{}", chosen.len());
    }

    #[test]
    fn cells_that_do_not_exist_are_not_chosen() {
        let exists = |cell: &[usize]| cell != [0, 0] && cell != [1, 1];
        let chosen = cover(&all_cells(&[2, 2], exists));
        assert_eq!(chosen, [[0, 1], [1, 0]]);
    }
}
