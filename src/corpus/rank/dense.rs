//! The little linear algebra that the model of meaning needs: sparse times dense, and an orthonormal basis. Deterministic:
//! the same input gives the same bits, whatever the number of threads. An error of a `beat` ends the work that calls it.

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

    /// An orthonormal basis of the columns, by the Cholesky decomposition of their products (Golub and Van Loan, Matrix
    /// Computations, section 5.2).
    pub(super) fn orthonormal(&self, faint: Faint, beat: Beat<'_>) -> Result<Dense, CorpusError> {
        let by = inverse_root(&self.gram(beat)?, self.width, faint);
        let mut out = Dense::zero(self.rows(), self.width);
        in_rows(&mut out, beat, |at, target| {
            for (k, value) in self.row(at).iter().enumerate() {
                add(&mut target[k..], &by.row(k)[k..], *value);
            }
        })?;
        Ok(out)
    }

    /// The `count` combinations of columns that come out shortest, a row of factors for each.
    pub(super) fn faintest(&self, count: usize, beat: Beat<'_>) -> Result<Dense, CorpusError> {
        let (width, mut gram) = (self.width, self.gram(beat)?);
        for (i, j) in (0..width).flat_map(|i| (0..i).map(move |j| (i, j))) {
            gram[i * width + j] = gram[j * width + i];
        }
        eigenvectors(gram, width, count, beat)
    }

    /// Each row without its part in the directions that the rows of `out` name, which are orthonormal.
    pub(super) fn without(&mut self, out: &Dense, beat: Beat<'_>) -> Result<(), CorpusError> {
        let count = out.rows();
        let turned: Vec<f32> = (0..self.width).flat_map(|k| (0..count).map(move |at| out.row(at)[k])).collect();
        in_rows(self, beat, |_, row| {
            let mut parts = vec![0.0; count];
            for (value, turned) in row.iter().zip(turned.chunks(count.max(1))) {
                add(&mut parts, turned, *value);
            }
            for (at, part) in parts.iter().enumerate() {
                add(row, out.row(at), -part);
            }
        })
    }

    /// The transpose of `self` times `self`, `width` by `width`; what lies below the diagonal is left out.
    fn gram(&self, beat: Beat<'_>) -> Result<Vec<f64>, CorpusError> {
        let width = self.width;
        let mut gram = vec![0.0_f64; width * width];
        for part in self.values.chunks(width.max(1) * BLOCK * STRIPES) {
            beat()?;
            // How the rows are shared out does not depend on the number of threads, nor does the order of the sum.
            let stripes = thread::scope(|scope| {
                let stripe = |rows| scope.spawn(move || upper_products(rows, width));
                let stripes: Vec<_> = part.chunks(width.max(1) * BLOCK).map(stripe).collect();
                stripes.into_iter().map(|stripe| stripe.join()).collect::<Vec<_>>()
            });
            for stripe in stripes {
                let stripe = stripe.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                gram.iter_mut().zip(&stripe).for_each(|(sum, value)| *sum += value);
            }
        }
        Ok(gram)
    }
}

/// So many threads work on the products of columns.
const STRIPES: usize = 4;

fn upper_products(rows: &[f32], width: usize) -> Vec<f64> {
    let mut products = vec![0.0_f64; width * width];
    // Blocks of rows are summed in f32, which is quick, and the blocks in f64, which is exact enough.
    for block in rows.chunks(width.max(1) * 64) {
        let mut partial = vec![0.0_f32; width * width];
        for row in block.chunks(width) {
            for (i, value) in row.iter().enumerate() {
                add(&mut partial[i * width + i..(i + 1) * width], &row[i..], *value);
            }
        }
        products.iter_mut().zip(&partial).for_each(|(sum, value)| *sum += f64::from(*value));
    }
    products
}

/// What becomes of a column that the columns before it almost make up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Faint {
    /// It stays, and shorter than the others: a later round may find what is new in it.
    Kept,
    /// It becomes zero.
    Dropped,
}

/// Of a column's square what must be new in it, so that it is more than the errors of the sums: while a basis is still
/// looked for, and in the end.
const NEW: [f64; 2] = [1e-7, 1e-5];

/// The upper triangular matrix by which columns with these products become orthonormal: the inverse of the Cholesky factor.
fn inverse_root(gram: &[f64], size: usize, faint: Faint) -> Dense {
    let mut root = vec![0.0_f64; size * size];
    for i in 0..size {
        let before = |i: usize, j: usize| (0..i).map(|k| root[k * size + i] * root[k * size + j]).sum::<f64>();
        let (square, new) = (gram[i * size + i], gram[i * size + i] - before(i, i));
        let least = match faint {
            Faint::Kept => new.max(square * NEW[0]),
            Faint::Dropped if new < square * NEW[1] => 0.0,
            Faint::Dropped => new,
        };
        if least <= f64::MIN_POSITIVE {
            continue;
        }
        let pivot = least.sqrt();
        // What is left of a faint column is mostly error: those behind it are not turned by it, or errors would grow.
        let share = if least > new { 0.0 } else { 1.0 / pivot };
        let row: Vec<f64> = (i..size).map(|j| (gram[i * size + j] - before(i, j)) * share).collect();
        root[i * size + i..(i + 1) * size].copy_from_slice(&row);
        root[i * size + i] = pivot;
    }
    // Column by column from the left: column `j` of the inverse needs those before it.
    let mut inverse = vec![0.0_f64; size * size];
    for j in (0..size).filter(|j| root[j * size + j] > 0.0) {
        let pivot = root[j * size + j];
        inverse[j * size + j] = 1.0 / pivot;
        for i in 0..j {
            let sum: f64 = (i..j).map(|k| inverse[i * size + k] * root[k * size + j]).sum();
            inverse[i * size + j] = -sum / pivot;
        }
    }
    Dense { width: size, values: inverse.into_iter().map(|value| value as f32).collect() }
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

/// The eigenvectors of the `count` least eigenvalues of the symmetric `a`, a row for each: the cyclic Jacobi method (Golub
/// and Van Loan, section 8.5).
fn eigenvectors(mut a: Vec<f64>, size: usize, count: usize, beat: Beat<'_>) -> Result<Dense, CorpusError> {
    // Row `i` of `v` becomes eigenvector `i`.
    let mut v = vec![0.0_f64; size * size];
    for i in 0..size {
        v[i * size + i] = 1.0;
    }
    let scale: f64 = a.iter().map(|x| x * x).sum();
    for _ in 0..MAX_SWEEPS {
        let off: f64 = (0..size).flat_map(|i| (0..i).map(move |j| (i, j))).map(|(i, j)| a[i * size + j].powi(2)).sum();
        if off <= scale * 1e-14 {
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
    order.sort_by(|i, j| a[i * size + i].total_cmp(&a[j * size + j]));
    let least = order.iter().take(count).flat_map(|i| &v[i * size..(i + 1) * size]);
    Ok(Dense { width: size, values: least.map(|value| *value as f32).collect() })
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

    fn product(dense: &Dense, i: usize, j: usize) -> f32 {
        (0..dense.rows()).map(|at| dense.row(at)[i] * dense.row(at)[j]).sum()
    }

    #[test]
    fn a_basis_is_orthonormal() {
        let size = 12;
        let random = Dense::random(9 * BLOCK, size, 7);
        let basis = random.orthonormal(Faint::Dropped, &mut || Ok(())).expect("nothing breaks it off");
        for (i, j) in (0..size).flat_map(|i| (0..size).map(move |j| (i, j))) {
            let expected = if i == j { 1.0 } else { 0.0 };
            assert!((product(&basis, i, j) - expected).abs() < 1e-4, "{i} {j}");
        }
    }

    #[test]
    fn a_column_that_others_make_up_is_no_direction_in_the_end() {
        let mut rows = Dense::random(100, 4, 7);
        for row in rows.values.chunks_mut(4) {
            row[2] = 2.0 * row[0] - row[1];
        }
        let kept = rows.orthonormal(Faint::Kept, &mut || Ok(())).expect("nothing breaks it off");
        assert!(kept.values.iter().all(|value| value.abs() <= 1.0));
        let basis = rows.orthonormal(Faint::Dropped, &mut || Ok(())).expect("nothing breaks it off");
        assert!((0..4).all(|i| (product(&basis, i, i) - f32::from(u8::from(i != 2))).abs() < 1e-4));
        assert!(product(&basis, 1, 3).abs() < 1e-4);
    }

    #[test]
    fn the_faintest_directions_can_be_left_out() {
        let mut rows = Dense::random(300, 6, 7);
        for row in rows.values.chunks_mut(6) {
            row[4] = 0.5 * (row[0] + row[1]) + 0.001 * row[4];
        }
        let faint = rows.faintest(1, &mut || Ok(())).expect("nothing breaks it off");
        let expected = [1.0, 1.0, 0.0, 0.0, -2.0, 0.0].map(|value: f32| value / 6.0_f32.sqrt());
        let sign = faint.values[0].signum();
        assert!(faint.values.iter().zip(expected).all(|(value, expected)| (value * sign - expected).abs() < 1e-2));
        let before = rows.clone();
        rows.without(&faint, &mut || Ok(())).expect("nothing breaks it off");
        assert!(rows.values.iter().zip(&before.values).all(|(value, before)| (value - before).abs() < 1e-2));
        let parts = rows.values.chunks(6).map(|row| row.iter().zip(&faint.values).map(|(a, b)| a * b).sum::<f32>());
        assert!(parts.into_iter().all(|part| part.abs() < 1e-5));
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
