//! Products in blocks: which side becomes the lanes of the tiles, what is laid out anew, and which task computes what.
//!
//! The sum of every number of the result runs in one order, whatever the number of threads.

use std::ops::Range;

use rayon::prelude::*;

use super::packing::{LANES, ROWS, Room, copy, pack, with};
use super::tiles::{Kernel, Strip};
use super::{Mat, MatMut, Term, Threads};

/// Terms that one product may have.
pub(super) const TERMS: usize = 2;
/// With no more rows than these each task takes some lanes and all rows, else all lanes and some rows.
const FEW_ROWS: usize = 96;
/// Numbers of laid out lanes at a time, at most: 4 MB.
const MOST_LANES: usize = 1 << 20;
/// Numbers of rows at a time, at most: 256 kB, which leave room for a panel of lanes in a processor's second cache.
const MOST_ROWS: usize = 1 << 16;
/// Summands at a time with lanes that are laid out, at most, and at least where there are so many.
const DEPTH: Range<usize> = 256..700;
/// Summands at a time with lanes that are read where they lie.
const DEPTH_IN_PLACE: usize = 512;
/// Products of fewer multiplications are done before another thread has woken up.
const WORTH_SHARING: usize = 1 << 20;
/// Panels that are laid out together, at most.
const GROUP: usize = 8;
/// Rows are laid out anew only for so many panels or more.
const PANELS: usize = 8;

/// One term as the tiles see it.
#[derive(Clone, Copy)]
struct Sides<'a> {
    /// `[rows, depth]`
    rows: Mat<'a>,
    /// `[depth, lanes]`
    lanes: Mat<'a>,
    factor: f32,
    /// Its first summand within the whole sum.
    begin: usize,
}

/// Where the result goes.
#[derive(Clone, Copy)]
struct Place {
    start: *mut f32,
    row_step: usize,
    lane_step: usize,
    add: bool,
}

// SAFETY: it points into a result that the product borrows exclusively until all tasks are done, and these write disjoint tiles.
unsafe impl Send for Place {}
// SAFETY: as above.
unsafe impl Sync for Place {}

/// Rows of the result, and their numbers where these are laid out anew.
struct RowTile<'t> {
    rows: Range<usize>,
    height: usize,
    packed: Option<&'t [f32]>,
}

/// Laid out lanes of one panel, or nothing where they are read where they lie.
type Lanes<'l> = Option<&'l [f32]>;

struct Work<'a> {
    kernel: Kernel,
    terms: Vec<Sides<'a>>,
    depth: usize,
    rows: usize,
    lanes: usize,
    turned: bool,
    place: Place,
}

/// `y = Σ terms`, or that added to `y`. The sizes agree, `y` is not empty, and there are at most [`TERMS`] terms.
pub(super) fn product(kernel: Kernel, threads: Threads, y: &mut MatMut<'_>, add: bool, terms: &[Term<'_>]) {
    let turned = lanes_are_rows(y.rows, y.columns, terms);
    let mut depth = 0;
    let terms = terms.iter().map(|term| {
        let (rows, lanes) = if turned { (term.b.t(), term.a.t()) } else { (term.a, term.b) };
        let sides = Sides { rows, lanes, factor: term.factor, begin: depth };
        depth += lanes.rows;
        sides
    });
    let terms = terms.collect();
    if depth == 0 {
        if !add {
            y.values.chunks_mut(y.row_step).take(y.rows).for_each(|row| row[..y.columns].fill(0.0));
        }
        return;
    }
    let (rows, lanes) = if turned { (y.columns, y.rows) } else { (y.rows, y.columns) };
    let (row_step, lane_step) = if turned { (1, y.row_step) } else { (y.row_step, 1) };
    let place = Place { start: y.values.as_mut_ptr(), row_step, lane_step, add };
    let work = Work { kernel, terms, depth, rows, lanes, turned, place };
    let threads = match threads {
        Threads::All if rows * lanes * depth >= WORTH_SHARING => rayon::current_num_threads(),
        _ => 1,
    };
    if rows <= FEW_ROWS { work.by_lanes(threads) } else { work.by_rows(threads) }
}

/// Whether the rows of the result become lanes: what lies along the lanes in memory is only copied, else it has to be turned.
fn lanes_are_rows(rows: usize, columns: usize, terms: &[Term<'_>]) -> bool {
    match terms.first().map(|term| (term.a.row_step == 1 && rows > 1, term.b.column_step == 1)) {
        Some((true, true)) => rows > columns,
        Some((false, false)) => rows < columns,
        Some((copied, _)) => copied,
        None => false,
    }
}

/// Does all tasks, on all threads if there are several.
fn all(tasks: usize, threads: usize, task: impl Fn(usize) + Sync + Send) {
    if threads > 1 { (0..tasks).into_par_iter().for_each(task) } else { (0..tasks).for_each(task) }
}

impl Work<'_> {
    /// The lanes are laid out first, unless they lie well; then every task computes some rows of them.
    fn by_rows(&self, threads: usize) {
        let (width, height) = (self.kernel.width(), self.kernel.height());
        let (panels, tiles) = (self.lanes.div_ceil(width), self.rows.div_ceil(height));
        // Few tiles could not be shared evenly.
        let parts = (threads * 16).div_ceil(tiles).clamp(1, panels.min(4));
        let panel_step = panels.div_ceil(parts);
        let in_place = (0..panels).all(|panel| self.lies_well(panel));
        for depth in self.depths(in_place) {
            let room = width * depth.len();
            let most = (MOST_ROWS / (depth.len() * height)).max(1);
            // As many for each thread, and as equal as whole tiles can be.
            let blocks = tiles.div_ceil(most).max((threads * 4).min(tiles)).next_multiple_of(threads);
            let compute = |lanes: Option<&[f32]>| {
                all(blocks * parts, threads, |task| {
                    let (block, part) = (task / parts, task % parts);
                    let first_of = |block: usize| (block * tiles / blocks * height).min(self.rows);
                    let rows = first_of(block)..first_of(block + 1);
                    let panels = (part * panel_step).min(panels)..((part + 1) * panel_step).min(panels);
                    let packs = panels.len() >= PANELS && self.rows_lie_badly();
                    with(&ROWS, |packed| {
                        let tiles = self.tiles(&rows, &depth, packs, packed);
                        for panel in panels.clone() {
                            let lanes = lanes.map(|lanes| &lanes[panel * room..]);
                            self.panel(&tiles, panel, &depth, lanes, panel == panels.start);
                        }
                    });
                });
            };
            if in_place {
                compute(None);
                continue;
            }
            with(&LANES, |lanes| {
                let lanes = lanes.numbers(panels * room);
                let group = panels.div_ceil(threads * 2).clamp(1, GROUP);
                let fill = |(index, to): (usize, &mut [f32])| self.pack_lanes(index * group, &depth, to);
                if threads > 1 {
                    lanes.par_chunks_mut(group * room).enumerate().for_each(fill);
                } else {
                    lanes.chunks_mut(group * room).enumerate().for_each(fill);
                }
                compute(Some(lanes));
            });
        }
    }

    /// Every task computes all rows of some lanes.
    fn by_lanes(&self, threads: usize) {
        let width = self.kernel.width();
        let panels = self.lanes.div_ceil(width);
        let step = panels.div_ceil(threads * 2).clamp(1, GROUP);
        // One answer for all tasks: their panels depend on the threads, and the stretches of the sum must not.
        let in_place = (0..panels).all(|panel| self.lies_well(panel));
        all(panels.div_ceil(step), threads, |task| {
            let panels = task * step..((task + 1) * step).min(panels);
            for depth in self.depths(in_place) {
                let packs = panels.len() >= PANELS && self.rows_lie_badly();
                with(&ROWS, |packed| {
                    let tiles = self.tiles(&(0..self.rows), &depth, packs, packed);
                    if in_place {
                        panels.clone().for_each(|panel| self.panel(&tiles, panel, &depth, None, false));
                        return;
                    }
                    let room = width * depth.len();
                    with(&LANES, |lanes| {
                        let lanes = lanes.numbers(panels.len() * room);
                        self.pack_lanes(panels.start, &depth, lanes);
                        for (panel, lanes) in panels.clone().zip(lanes.chunks(room)) {
                            self.panel(&tiles, panel, &depth, Some(lanes), panel == panels.start);
                        }
                    });
                });
            }
        });
    }

    /// The sum in stretches whose lanes and rows stay in a processor's caches.
    fn depths(&self, in_place: bool) -> impl Iterator<Item = Range<usize>> + use<> {
        let (depth, lanes) = (self.depth, self.lanes.next_multiple_of(self.kernel.width()));
        let most = if in_place { DEPTH_IN_PLACE } else { (MOST_LANES / lanes).clamp(DEPTH.start, DEPTH.end) };
        let step = depth.div_ceil(depth.div_ceil(most));
        (0..depth).step_by(step).map(move |from| from..(from + step).min(depth))
    }

    /// The parts of a stretch of the sum that lie in one term each, and where they lie in it.
    fn parts(&self, depth: &Range<usize>) -> impl Iterator<Item = (&Sides<'_>, Range<usize>)> {
        let depth = depth.clone();
        self.terms.iter().filter_map(move |term| {
            let part = depth.start.max(term.begin)..depth.end.min(term.begin + term.lanes.rows);
            (!part.is_empty()).then(|| (term, part.start - term.begin..part.end - term.begin))
        })
    }

    /// The lanes of a panel, and how many they are with its last vector filled up.
    fn lanes(&self, panel: usize) -> (Range<usize>, usize) {
        let width = self.kernel.width();
        let lanes = panel * width..((panel + 1) * width).min(self.lanes);
        let full = lanes.len().next_multiple_of(self.kernel.vector());
        (lanes, full)
    }

    /// Whether a panel can be read where it lies.
    #[allow(clippy::float_cmp)] // exactly 1 leaves the numbers as they are
    fn lies_well(&self, panel: usize) -> bool {
        let (lanes, full) = self.lanes(panel);
        // Rows that begin at multiples of 2 kB fall on few places of the caches.
        let spread = |lanes: &Mat<'_>| lanes.rows <= 64 || !lanes.row_step.is_multiple_of(512);
        let lies = |term: &Sides<'_>| term.lanes.column_step == 1 && spread(&term.lanes) && term.factor == 1.0;
        full == lanes.len() && self.terms.iter().all(lies)
    }

    /// Whether reading the rows where they lie would leave most of each cache line unused, or fall on few places of the caches.
    fn rows_lie_badly(&self) -> bool {
        self.terms.iter().any(|term| term.rows.column_step != 1 || term.rows.row_step.is_multiple_of(512))
    }

    /// Lays out the lanes of as many panels from `first` on as `to` has room for, one after the other.
    fn pack_lanes(&self, first: usize, depth: &Range<usize>, to: &mut [f32]) {
        let room = self.kernel.width() * depth.len();
        let mut done = 0;
        for (term, part) in self.parts(depth) {
            if term.lanes.column_step == 1 {
                // Row by row of all panels, so that memory is read in long stretches.
                for (at, row) in part.clone().enumerate() {
                    let from = &term.lanes.values[row * term.lanes.row_step..];
                    for (panel, to) in to.chunks_mut(room).enumerate() {
                        let (lanes, width) = self.lanes(first + panel);
                        copy(&from[lanes], term.factor, &mut to[(done + at) * width..(done + at + 1) * width]);
                    }
                }
            } else {
                for (panel, to) in to.chunks_mut(room).enumerate() {
                    let (lanes, width) = self.lanes(first + panel);
                    let to = &mut to[done * width..(done + part.len()) * width];
                    pack(term.lanes, part.clone(), lanes, term.factor, width, to);
                }
            }
            done += part.len();
        }
    }

    /// Some rows as tiles. The last ones are laid out anew where they do not fill theirs, and all of them if `packs`.
    fn tiles<'t>(
        &self,
        rows: &Range<usize>,
        depth: &Range<usize>,
        packs: bool,
        room: &'t mut Room,
    ) -> Vec<RowTile<'t>> {
        let mut tiles = Vec::with_capacity(rows.len() / 4 + 2);
        let (mut first, mut length) = (rows.start, 0);
        while first < rows.end {
            let height = self.kernel.rows(rows.end - first);
            let tile = first..(first + height).min(rows.end);
            first = tile.end;
            let anew = packs || tile.len() < height;
            length += if anew { height * depth.len() } else { 0 };
            tiles.push(RowTile { rows: tile, height, packed: anew.then_some(&[]) });
        }
        let mut rest = room.numbers(length);
        for tile in tiles.iter_mut().filter(|tile| tile.packed.is_some()) {
            let (own, others) = rest.split_at_mut(tile.height * depth.len());
            rest = others;
            let mut to = &mut *own;
            for (term, part) in self.parts(depth) {
                let (now, later) = to.split_at_mut(part.len() * tile.height);
                pack(term.rows.t(), part, tile.rows.clone(), 1.0, tile.height, now);
                to = later;
            }
            tile.packed = Some(own);
        }
        tiles
    }

    /// One panel of all tiles. `fresh`: nobody has read their rows yet.
    fn panel(&self, tiles: &[RowTile<'_>], panel: usize, depth: &Range<usize>, packed: Lanes<'_>, fresh: bool) {
        let (lanes, width) = self.lanes(panel);
        let place = Place { add: self.place.add || depth.start > 0, ..self.place };
        let portion = width.div_ceil(tiles.len().max(1));
        for (number, tile) in tiles.iter().enumerate() {
            let mut strips = [Strip::EMPTY; TERMS];
            let (mut used, mut done) = (0, 0);
            for (term, part) in self.parts(depth) {
                let (rows, row_step, depth_step) = if let Some(packed) = tile.packed {
                    (&packed[done * tile.height..], 1, tile.height)
                } else {
                    let first = tile.rows.start * term.rows.row_step + part.start * term.rows.column_step;
                    (&term.rows.values[first..], term.rows.row_step, term.rows.column_step)
                };
                let (lanes, lane_step) = match packed {
                    Some(packed) => (&packed[done * width..], width),
                    None => (&term.lanes.values[part.start * term.lanes.row_step + lanes.start..], term.lanes.row_step),
                };
                let (rows, lanes) = (rows.as_ptr(), lanes.as_ptr());
                // What comes next: the rows of the tile below, while rows are read for the first time, else this tile's portion of the
                // panel to the right.
                let (ahead, ahead_step) = if fresh && depth_step == 1 {
                    (rows.wrapping_add(tile.height * row_step), tile.height)
                } else if packed.is_some() {
                    let next = (depth.len() - done) * width;
                    (lanes.wrapping_add(next + (number * depth.len() + done) * portion), portion)
                } else {
                    (lanes.wrapping_add(width + number % 2 * width / 2), lane_step)
                };
                strips[used] =
                    Strip { rows, row_step, depth_step, lanes, lane_step, depth: part.len(), ahead, ahead_step };
                used += 1;
                done += part.len();
            }
            let compute = self.kernel.tile(tile.height, width, self.turned);
            let strips = &strips[..used];
            // SAFETY: the caller has asked the processor for the kernel's features. A tile that is not laid out anew is full, and its
            // matrix reaches to its last row and column, as the matrix' constructor checked; so does the result, which this
            // task alone writes here. The spare tile has room for the largest.
            unsafe {
                let to = place.start.add(tile.rows.start * place.row_step + lanes.start * place.lane_step);
                if tile.rows.len() == tile.height && lanes.len() == width {
                    compute(strips, to, if self.turned { place.lane_step } else { place.row_step }, place.add);
                    continue;
                }
                let mut spare = [0.0f32; Kernel::LARGEST];
                compute(strips, spare.as_mut_ptr(), if self.turned { tile.height } else { width }, false);
                let (row_step, lane_step) = if self.turned { (1, tile.height) } else { (width, 1) };
                for row in 0..tile.rows.len() {
                    for lane in 0..lanes.len() {
                        let to = to.add(row * place.row_step + lane * place.lane_step);
                        let value = spare[row * row_step + lane * lane_step];
                        *to = if place.add { *to + value } else { value };
                    }
                }
            }
        }
    }
}
