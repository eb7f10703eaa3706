//! What is simulated.

use bytemuck::{Pod, Zeroable};

/// Cells of the plate, each way.
const SIDE: usize = 96;
/// How much of a difference passes to a neighbour in a step.
const FLOW: f64 = 0.2;

/// All there is to know for going on: a plate, and how many steps have made it what it is. Its edge stays cold.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Plate {
    pub(crate) step: u64,
    cells: [[f64; SIDE]; SIDE],
}

impl Plate {
    pub(crate) fn cold() -> Box<Self> {
        bytemuck::zeroed_box()
    }

    /// One step more. A flame wanders below the plate, so that no step is like another.
    pub(crate) fn heat(&mut self) {
        let angle = self.step as f64 * 0.01;
        let place = |part: f64| (SIDE as f64 * (0.5 + 0.35 * part)) as usize;
        self.cells[place(angle.sin())][place(angle.cos())] += 1.0;
        let before = self.cells;
        for row in 1..SIDE - 1 {
            for column in 1..SIDE - 1 {
                let around = before[row - 1][column]
                    + before[row + 1][column]
                    + before[row][column - 1]
                    + before[row][column + 1];
                self.cells[row][column] = before[row][column] + FLOW * (around - 4.0 * before[row][column]);
            }
        }
        self.step += 1;
    }

    /// How warm it is, all in all.
    pub(crate) fn warmth(&self) -> f64 {
        self.cells.iter().flatten().sum()
    }

    /// Whether they are the same, bit by bit.
    pub(crate) fn is(&self, other: &Self) -> bool {
        bytemuck::bytes_of(self) == bytemuck::bytes_of(other)
    }
}
