//! The little linear algebra that the model of meaning needs: sparse times dense, and the eigenvectors of a small
//! symmetric matrix. Deterministic: the same input gives the same bits, whatever the number of threads. An error of a `beat`
//! ends the work that calls it.

use std::thread;

use crate::corpus::CorpusError;
use crate::corpus::progress::Beat;

/// So many rows are worked on by each thread before the next beat: some ten milliseconds.
const BLOCK: usize = 512;

/// A dense matrix, row by row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Dense {
    /// The length of a row.
    pub(super) width: usize,
    /// `rows * width` values.
    pub(super) values: Vec<f32>,
}

impl Dense {
    pub(super) fn zero(rows: usize, width: usize) -> Self {
        Self { width, values: vec![0.0; rows * width] }
    }

    /// Values between -1 and 1 from a fixed sequence (splitmix64).
    pub(super) fn random(rows: usize, width: usize, seed: u64) -> Self {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((z ^ (z >> 31)) >> 40) as f32 / (1_u32 << 23) as f32 - 1.0
        };
        Self { width, values: (0..rows * width).map(|_| next()).collect() }
    }

    pub(super) fn row(&self, at: usize) -> &[f32] {
        &self.values[at * self.width..(at + 1) * self.width]
    }

    pub(super) fn rows(&self) -> usize {
        self.values.len().checked_div(self.width).unwrap_or(0)
    }

    /// `self` times the small matrix `by`, of which only the first `keep` columns are taken.
    pub(super) fn times(&self, by: &Dense, keep: usize, beat: Beat<'_>) -> Result<Dense, CorpusError> {
        let mut out = Dense::zero(self.rows(), keep);
        in_rows(&mut out, beat, |at, target| {
            for (k, value) in self.row(at).iter().enumerate() {
                add(target, &by.row(k)[..keep], *value);
            }
        })?;
        Ok(out)
    }

    /// The transpose of `self` times `self`: `width` by `width`.
    pub(super) fn gram(&self, beat: Beat<'_>) -> Result<Vec<f64>, CorpusError> {
        let width = self.width;
        let mut gram = vec![0.0_f64; width * width];
        // Blocks of rows are summed in f32, which is quick, and the blocks in f64, which is exact enough.
        for (number, block) in self.values.chunks(width.max(1) * 64).enumerate() {
            if number % 8 == 0 {
                beat()?;
            }
            let mut partial = vec![0.0_f32; width * width];
            for row in block.chunks(width) {
                for (i, value) in row.iter().enumerate() {
                    add(&mut partial[i * width..(i + 1) * width], row, *value);
                }
            }
            for (sum, value) in gram.iter_mut().zip(&partial) {
                *sum += f64::from(*value);
            }
        }
        Ok(gram)
    }
}

/// A sparse matrix, row by row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sparse {
    /// Where each row begins in the two lists below; one more than there are rows.
    pub(super) starts: Vec<usize>,
    /// The columns of the values.
    pub(super) columns: Vec<u32>,
    /// The values.
    pub(super) values: Vec<f32>,
}

impl Sparse {
    pub(super) fn rows(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// `self` times `x`.
    pub(super) fn times(&self, x: &Dense, beat: Beat<'_>) -> Result<Dense, CorpusError> {
        let mut out = Dense::zero(self.rows(), x.width);
        in_rows(&mut out, beat, |at, target| {
            for k in self.starts[at]..self.starts[at + 1] {
                add(target, x.row(self.columns[k] as usize), self.values[k]);
            }
        })?;
        Ok(out)
    }

    /// Rows become columns; there are `columns` of the latter.
    pub(super) fn transposed(&self, columns: usize) -> Sparse {
        let mut starts = vec![0_usize; columns + 1];
        for column in &self.columns {
            starts[*column as usize + 1] += 1;
        }
        for at in 0..columns {
            starts[at + 1] += starts[at];
        }
        let mut next = starts.clone();
        let mut out = Sparse { starts, columns: vec![0; self.columns.len()], values: vec![0.0; self.values.len()] };
        for row in 0..self.rows() {
            for k in self.starts[row]..self.starts[row + 1] {
                let place = &mut next[self.columns[k] as usize];
                out.columns[*place] = row as u32;
                out.values[*place] = self.values[k];
                *place += 1;
            }
        }
        out
    }
}

fn add(target: &mut [f32], row: &[f32], factor: f32) {
    for (sum, value) in target.iter_mut().zip(row) {
        *sum += factor * value;
    }
}

/// Fills each row of `out` with `fill(row number, row)`, on a few threads.
fn in_rows(out: &mut Dense, beat: Beat<'_>, fill: impl Fn(usize, &mut [f32]) + Sync) -> Result<(), CorpusError> {
    let (rows, width) = (out.rows(), out.width.max(1));
    let threads = thread::available_parallelism().map_or(1, usize::from).clamp(1, 4);
    let share = rows.div_ceil(threads).clamp(1, BLOCK);
    for (block, values) in out.values.chunks_mut(threads * share * width).enumerate() {
        beat()?;
        thread::scope(|scope| {
            for (part, values) in values.chunks_mut(share * width).enumerate() {
                let (fill, first) = (&fill, (block * threads + part) * share);
                scope.spawn(move || {
                    for (at, row) in values.chunks_mut(width).enumerate() {
                        fill(first + at, row);
                    }
                });
            }
        });
    }
    Ok(())
}

/// How often the rotations below pass over the matrix at the most; ten passes are plenty for a few hundred rows.
const MAX_SWEEPS: usize = 16;

/// Eigenvalues, greatest first, and eigenvectors (the columns of the matrix) of the symmetric `a`, `size` by `size`: the
/// cyclic Jacobi method (Golub and Van Loan, Matrix Computations, section 8.5).
pub(super) fn eigen(mut a: Vec<f64>, size: usize, beat: Beat<'_>) -> Result<(Vec<f64>, Dense), CorpusError> {
    // Row `i` of `v` becomes eigenvector `i`.
    let mut v = vec![0.0_f64; size * size];
    for i in 0..size {
        v[i * size + i] = 1.0;
    }
    let scale: f64 = a.iter().map(|x| x * x).sum();
    for _ in 0..MAX_SWEEPS {
        let off: f64 = (0..size).flat_map(|i| (0..i).map(move |j| (i, j))).map(|(i, j)| a[i * size + j].powi(2)).sum();
        if off <= scale * 1e-16 {
            break;
        }
        for p in 0..size {
            if p % 16 == 0 {
                beat()?;
            }
            for q in p + 1..size {
                rotate(&mut a, &mut v, size, p, q);
            }
        }
    }
    let mut order: Vec<usize> = (0..size).collect();
    order.sort_by(|i, j| a[j * size + j].total_cmp(&a[i * size + i]));
    let values = order.iter().map(|i| a[i * size + i]).collect();
    let mut vectors = Dense::zero(size, size);
    for (to, from) in order.iter().enumerate() {
        for k in 0..size {
            vectors.values[k * size + to] = v[from * size + k] as f32;
        }
    }
    Ok((values, vectors))
}

/// One Jacobi rotation that makes `a[p][q]` zero.
fn rotate(a: &mut [f64], v: &mut [f64], size: usize, p: usize, q: usize) {
    let apq = a[p * size + q];
    if apq.abs() < f64::MIN_POSITIVE {
        return;
    }
    let theta = (a[q * size + q] - a[p * size + p]) / (2.0 * apq);
    let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
    let t = if theta == 0.0 { 1.0 } else { t };
    let c = 1.0 / (t * t + 1.0).sqrt();
    let s = t * c;
    for k in 0..size {
        let (x, y) = (a[k * size + p], a[k * size + q]);
        a[k * size + p] = c * x - s * y;
        a[k * size + q] = s * x + c * y;
    }
    let turn = |m: &mut [f64]| {
        let (head, tail) = m.split_at_mut(q * size);
        for (x, y) in head[p * size..(p + 1) * size].iter_mut().zip(&mut tail[..size]) {
            (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
        }
    };
    turn(a);
    turn(v);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eigenvectors_diagonalise() {
        let size = 12;
        let random = Dense::random(40, size, 7);
        let gram = random.gram(&mut || Ok(())).expect("nothing breaks it off");
        let (values, vectors) = eigen(gram.clone(), size, &mut || Ok(())).expect("nothing breaks it off");
        assert!(values.windows(2).all(|pair| pair[0] >= pair[1]));
        for to in 0..size {
            for i in 0..size {
                let left: f64 = (0..size).map(|k| gram[i * size + k] * f64::from(vectors.row(k)[to])).sum();
                let right = values[to] * f64::from(vectors.row(i)[to]);
                assert!((left - right).abs() < 1e-4 * values[0], "{left} {right}");
            }
        }
    }

    #[test]
    fn a_transpose_turns_products_around() {
        // [[1, 0, 2], [0, 3, 0]]
        let a = Sparse { starts: vec![0, 2, 3], columns: vec![0, 2, 1], values: vec![1.0, 2.0, 3.0] };
        let x = Dense { width: 1, values: vec![1.0, 10.0, 100.0] };
        let times = |matrix: &Sparse, x: &Dense| matrix.times(x, &mut || Ok(())).expect("nothing breaks it off").values;
        assert_eq!(times(&a, &x), [201.0, 30.0]);
        let y = Dense { width: 1, values: vec![1.0, 10.0] };
        assert_eq!(times(&a.transposed(3), &y), [1.0, 30.0, 2.0]);
    }

    #[test]
    fn a_product_of_many_rows_is_the_same_row_by_row() {
        let rows = 4 * BLOCK * 3 + 5;
        let matrix = Sparse {
            starts: (0..=rows).collect(),
            columns: vec![0; rows],
            values: (0..rows).map(|n| n as f32).collect(),
        };
        let mut beats = 0;
        let product = matrix.times(&Dense { width: 1, values: vec![2.0] }, &mut || {
            beats += 1;
            Ok(())
        });
        let product = product.expect("nothing breaks it off").values;
        assert!((0..rows).all(|n| product[n] == 2.0 * n as f32), "each row is at its place");
        assert!(beats >= 4, "{beats}");
    }
}
