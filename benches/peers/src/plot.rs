//! The picture: size against time, both logarithmic, one line a contender, a panel for each work that has one.

use std::path::Path;

use plotters::prelude::*;

use crate::{
    Outcome,
    peers::{
        ByHand, COMMONAGE, D_BUS, IN_PLACE, Iceoryx2, IpcShared, LIMITS, MappedFile, Peer, Sent, Sharify, UNIX_SOCKET,
        WriteOnce,
    },
    report::{Measured, bytes},
    stats::Spread,
};

const PANEL: (u32, u32) = (520, 400);
/// A line of what stands above all panels, and how many contenders it names.
const LEGEND: u32 = 28;
const ENTRIES: usize = 5;
const COLUMNS: usize = 2;
/// Whose lines are drawn, in which colours, in the legend's order.
const COLOURS: [(&str, RGBColor); 11] = [
    (COMMONAGE, RGBColor(0, 90, 170)),
    (IN_PLACE, RGBColor(125, 70, 190)),
    (Sharify::NAME, RGBColor(213, 94, 0)),
    (ByHand::NAME, RGBColor(0, 158, 115)),
    (IpcShared::NAME, RGBColor(204, 121, 167)),
    (WriteOnce::NAME, RGBColor(230, 159, 0)),
    (Iceoryx2::NAME, RGBColor(40, 40, 40)),
    (MappedFile::NAME, RGBColor(86, 180, 233)),
    (Sent::NAME, RGBColor(150, 110, 60)),
    (UNIX_SOCKET, RGBColor(190, 30, 45)),
    (D_BUS, RGBColor(140, 150, 20)),
];
const LIMIT_COLOUR: RGBColor = RGBColor(120, 120, 120);

/// Draws all works that are drawn, side by side.
pub(crate) fn draw(measured: &[Measured], path: &Path) -> Outcome {
    let panels: Vec<&Measured> = measured.iter().filter(|measured| measured.work.drawn).collect();
    if panels.is_empty() {
        return Ok(());
    }
    let columns = COLUMNS.min(panels.len());
    let lines = panels.len().div_ceil(columns);
    let drawn: Vec<_> =
        contenders().filter(|(name, colour)| colour.is_none() || panels.iter().any(|panel| panel.has(name))).collect();
    let legend = LEGEND * (1 + drawn.len().div_ceil(ENTRIES) as u32);
    let size = (PANEL.0 * columns as u32, legend + PANEL.1 * lines as u32);
    let root = SVGBackend::new(path, size).into_drawing_area();
    root.fill(&WHITE)?;
    let (above, below) = root.split_vertically(legend);
    draw_legend(&above, &drawn)?;
    for (area, measured) in below.split_evenly((lines, columns)).iter().zip(panels) {
        draw_panel(area, measured)?;
    }
    root.present()?;
    Ok(())
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// Who is drawn in which colour; `None` is a limit.
fn contenders() -> impl Iterator<Item = (&'static str, Option<RGBColor>)> {
    COLOURS.into_iter().map(|(name, colour)| (name, Some(colour))).chain([(FLOOR, None)])
}

/// The one word in the legend for the limits: each panel has one, and names it.
const FLOOR: &str = "limit";

fn style(contender: &str, colour: Option<RGBColor>) -> ShapeStyle {
    colour.unwrap_or(LIMIT_COLOUR).stroke_width(if contender == COMMONAGE { 4 } else { 2 })
}

fn draw_legend(area: &Area<'_>, drawn: &[(&str, Option<RGBColor>)]) -> Outcome {
    let width = area.dim_in_pixel().0 as i32 / ENTRIES as i32;
    for (number, &(name, colour)) in drawn.iter().enumerate() {
        let (x, y) = (24 + (number % ENTRIES) as i32 * width, 26 + (number / ENTRIES) as i32 * LEGEND as i32);
        let style = style(name, colour);
        match colour {
            Some(_) => area.draw(&PathElement::new([(x, y), (x + 26, y)], style))?,
            None => {
                for from in [x, x + 10, x + 20] {
                    area.draw(&PathElement::new([(from, y), (from + 6, y)], style))?;
                }
            }
        }
        area.draw(&Text::new(name, (x + 34, y - 8), ("sans-serif", 17)))?;
    }
    Ok(())
}

fn draw_panel(area: &Area<'_>, measured: &Measured) -> Outcome {
    let limit = LIMITS.into_iter().find(|limit| measured.has(limit));
    let lines: Vec<_> = contenders()
        .map(|(name, colour)| {
            (name, colour, medians(measured, if name == FLOOR { limit.unwrap_or_default() } else { name }))
        })
        .filter(|(_, _, points)| !points.is_empty())
        .collect();
    let points = || lines.iter().flat_map(|(_, _, points)| points);
    let (sizes, times) = (Spread::of(points().map(|point| point.0)), Spread::of(points().map(|point| point.1)));

    // The marks of the first axis, and how many at most.
    let (base, marks) = if is_power_of_four(sizes.min) { (4.0, 11) } else { (2.0, 20) };
    let mut chart = ChartBuilder::on(area)
        .caption(measured.work.name, ("sans-serif", 19))
        .margin(12)
        .margin_right(34)
        .x_label_area_size(48)
        .y_label_area_size(62)
        .build_cartesian_2d(
            (sizes.min..sizes.max).log_scale().base(base),
            (decade(times.min, f64::floor)..decade(times.max, f64::ceil)).log_scale(),
        )?;
    // The axis has more marks than there is room for words.
    let measured_at = |size: f64| measured.work.rows.iter().any(|row| row.size == size.round() as usize);
    let limit = limit.map(|limit| format!("; limit: {limit}")).unwrap_or_default();
    chart
        .configure_mesh()
        .x_desc(format!("size of the payload{limit}"))
        .axis_desc_style(("sans-serif", 15))
        .label_style(("sans-serif", 15))
        .x_labels(marks)
        .x_label_formatter(&|size| if measured_at(*size) { bytes(*size as usize) } else { String::new() })
        .y_label_formatter(&|nanoseconds| round_time(*nanoseconds))
        .max_light_lines(1)
        .draw()?;
    // commonage last: on top.
    for (name, colour, points) in lines.into_iter().rev() {
        let style = style(name, colour);
        match colour {
            Some(colour) => {
                chart.draw_series(LineSeries::new(points.iter().copied(), style))?;
                chart.draw_series(points.iter().map(|&point| Circle::new(point, 3, colour.filled())))?;
            }
            None => {
                chart.draw_series(DashedLineSeries::new(points.iter().copied(), 6, 4, style))?;
            }
        }
    }
    Ok(())
}

/// Bytes and nanoseconds, size by size.
fn medians(measured: &Measured, contender: &str) -> Vec<(f64, f64)> {
    let rows = measured.work.rows.iter().enumerate();
    rows.filter_map(|(at, row)| Some((row.size as f64, measured.median(contender, at)?))).collect()
}

/// Whether an axis of the powers of four has a mark at this size.
fn is_power_of_four(size: f64) -> bool {
    (size as u64).is_power_of_two() && (size as u64).trailing_zeros().is_multiple_of(2)
}

/// The power of ten next to `value`, down or up.
fn decade(value: f64, round: fn(f64) -> f64) -> f64 {
    10_f64.powf(round(value.log10()))
}

/// A time in whole units, for an axis.
fn round_time(nanoseconds: f64) -> String {
    match nanoseconds {
        ns if ns < 1e3 => format!("{ns:.0} ns"),
        ns if ns < 1e6 => format!("{:.0} µs", ns / 1e3),
        ns => format!("{:.0} ms", ns / 1e6),
    }
}
