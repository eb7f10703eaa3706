//! The picture: size against time, both logarithmic, one line a contender, a panel for each work that has one.

use std::path::Path;

use plotters::prelude::*;

use crate::{
    Outcome,
    peers::{COMMONAGE, LIMITS, PEERS},
    report::{Measured, bytes},
    stats::Spread,
};

const PANEL: (u32, u32) = (560, 420);
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];
/// The room above the lines where the legend stands, as a factor.
const LEGEND: f64 = 4.0;
const LIMIT_COLOUR: RGBColor = RGBColor(110, 110, 110);

/// Draws all works that are drawn, side by side.
pub(crate) fn draw(measured: &[Measured], path: &Path) -> Outcome {
    let panels: Vec<&Measured> = measured.iter().filter(|group| group.work.drawn).collect();
    let root = SVGBackend::new(path, (PANEL.0 * panels.len() as u32, PANEL.1)).into_drawing_area();
    root.fill(&WHITE)?;
    for (area, group) in root.split_evenly((1, panels.len())).iter().zip(panels) {
        draw_panel(area, group)?;
    }
    root.present()?;
    Ok(())
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn draw_panel(area: &Area<'_>, group: &Measured) -> Outcome {
    let lines: Vec<(&str, Vec<(f64, f64)>)> = [COMMONAGE]
        .into_iter()
        .chain(PEERS)
        .chain(LIMITS)
        .map(|contender| (contender, medians(group, contender)))
        .filter(|(_, points)| !points.is_empty())
        .collect();
    let points = || lines.iter().flat_map(|(_, points)| points);
    let (sizes, times) = (Spread::of(points().map(|point| point.0)), Spread::of(points().map(|point| point.1)));

    let mut chart = ChartBuilder::on(area)
        .caption(group.work.name, ("sans-serif", 17))
        .margin(14)
        .margin_right(32)
        .x_label_area_size(40)
        .y_label_area_size(64)
        .build_cartesian_2d(
            (sizes.min..sizes.max).log_scale().base(4.0),
            (decade(times.min, f64::floor)..decade(LEGEND * times.max, f64::ceil)).log_scale(),
        )?;
    chart
        .configure_mesh()
        .x_desc("size of the payload")
        .y_desc("time")
        .x_label_formatter(&|size| bytes(*size as usize))
        .y_label_formatter(&|nanoseconds| round_time(*nanoseconds))
        .light_line_style(WHITE)
        .draw()?;
    let mut colours = COLOURS.into_iter().cycle();
    for (contender, points) in lines {
        let limit = LIMITS.contains(&contender);
        let colour = if limit { LIMIT_COLOUR } else { colours.next().unwrap_or(BLACK) };
        let style = colour.stroke_width(if contender == COMMONAGE { 3 } else { 2 });
        let legend = move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style);
        if limit {
            let dashes = DashedLineSeries::new(points.iter().copied(), 6, 4, style);
            chart.draw_series(dashes)?.label(contender).legend(legend);
        } else {
            chart.draw_series(LineSeries::new(points.iter().copied(), style))?.label(contender).legend(legend);
            chart.draw_series(points.iter().map(|&point| Circle::new(point, 3, colour.filled())))?;
        }
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.85))
        .border_style(RGBColor(200, 200, 200))
        .label_font(("sans-serif", 14))
        .draw()?;
    Ok(())
}

/// Bytes and nanoseconds, size by size.
fn medians(group: &Measured, contender: &str) -> Vec<(f64, f64)> {
    let point = |size: usize| {
        let samples = group.at(contender, size)?;
        Some((size as f64, Spread::of(samples.iter().copied()).median))
    };
    group.rows.iter().filter_map(|row| point(row.size)).collect()
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
