//! The figures on the first page are those of the last comparison.

use std::{fs, path::Path};

const RESULTS: &str = "benches/results/results.csv";

/// Of one contender in one row of the comparison.
struct Measured {
    contender: String,
    /// The median, in nanoseconds.
    time: f64,
    /// This crate's median in the same row, as so many times this one; none where this crate is not in the row.
    beside: Option<f64>,
}

#[test]
fn each_figure_in_a_table_of_the_first_page_was_measured_in_the_last_comparison() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let measured = measured(&root.join(RESULTS));
    let page = fs::read_to_string(root.join("README.md")).unwrap();
    let mut figures = 0;
    let mut strange = Vec::new();
    let mut heads: Vec<String> = Vec::new();
    for (number, line) in page.lines().enumerate() {
        let cells: Vec<String> = line.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect();
        if !line.starts_with('|') {
            heads.clear();
        } else if heads.is_empty() {
            heads = cells;
        } else {
            for (cell, head) in cells.iter().zip(&heads).skip(1) {
                let Some(figure) = Figure::read(cell) else { continue };
                figures += 1;
                if !measured.iter().any(|measured| figure.is(measured, head)) {
                    strange.push(format!("README.md:{}: {cell} ({head})", number + 1));
                }
            }
        }
    }
    assert!(figures > 100, "{figures} figures are all that the first page has");
    assert!(strange.is_empty(), "not in {RESULTS}:\n{}", strange.join("\n"));
}

fn measured(results: &Path) -> Vec<Measured> {
    let mut results = csv::Reader::from_path(results).unwrap();
    let heads = results.headers().unwrap().clone();
    let column =
        |name: &str| heads.iter().position(|head| head == name).unwrap_or_else(|| panic!("{name} is a column"));
    let (contender, time, ratio) = (column("contender"), column("median_ns"), column("ratio_to_commonage_median"));
    // What is no time, as that nothing is left, has none.
    let row = |row: csv::StringRecord| {
        let beside = row[ratio].parse().ok().map(f64::recip);
        Some(Measured { contender: row[contender].to_owned(), time: row[time].parse().ok()?, beside })
    };
    results.records().filter_map(|found| row(found.unwrap())).collect()
}

/// What a cell begins with.
#[derive(Debug)]
enum Figure<'a> {
    /// In nanoseconds, from and to; how much is lost by its rounding; and what the cell says after it.
    Time { from: f64, to: f64, rounding: f64, whose: &'a str },
    /// This crate's time is so many times as long as another's.
    Ratio { times: f64, rounding: f64 },
}

impl Figure<'_> {
    fn read(cell: &str) -> Option<Figure<'_>> {
        let (number, rest) = cell.split_once(' ')?;
        let (from, to) = number.split_once('–').unwrap_or((number, number));
        let digits = to.split_once('.').map_or(0, |(_, digits)| digits.len());
        let rounding = 0.5 * 0.1f64.powi(digits as i32);
        let (from, to): (f64, f64) = (from.parse().ok()?, to.parse().ok()?);
        if rest.starts_with('×') {
            return Some(Figure::Ratio { times: to, rounding });
        }
        let unit = rest.split([' ', ',']).next()?;
        let nanoseconds = [("ns", 1.0), ("µs", 1e3), ("ms", 1e6)].into_iter().find(|(name, _)| *name == unit)?.1;
        let whose = rest.split_once(", ").map_or("", |(_, whose)| whose);
        Some(Figure::Time { from: from * nanoseconds, to: to * nanoseconds, rounding: rounding * nanoseconds, whose })
    }

    /// Is it this one's, as the column is headed, or as the cell itself says?
    fn is(&self, measured: &Measured, head: &str) -> bool {
        // What lies in the middle of two may have been rounded to either.
        let near = |shown: f64, rounding: f64, is: f64| (is - shown).abs() <= rounding * 1.001;
        match self {
            Figure::Ratio { times, rounding } => measured.beside.is_some_and(|beside| near(*times, *rounding, beside)),
            Figure::Time { from, to, rounding, whose } => {
                let name = measured.contender.as_str();
                let named = [head, whose]
                    .into_iter()
                    .any(|said| !said.is_empty() && (said.contains(name) || name.contains(said)));
                named && (near(*from, *rounding, measured.time) || near(*to, *rounding, measured.time))
            }
        }
    }
}
