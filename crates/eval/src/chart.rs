//! The curves of a run as SVG, drawn by plotters.

use hone_job::StepMetrics;
use plotters::prelude::*;

use crate::error::{EvalError, Result};

const SIZE: (u32, u32) = (860, 300);
const STUDIED: RGBColor = RGBColor(11, 99, 128);
const UNSEEN: RGBColor = RGBColor(185, 117, 9);
const TITLE: &str = "loss";

/// Training loss (smoothed) and held-out loss over the steps of a run, as one SVG element; empty without metrics.
///
/// # Errors
/// [`EvalError::Chart`] when the drawing library refuses.
pub fn loss_curve(metrics: &[StepMetrics]) -> Result<String> {
    let (Some(last), highest) = (metrics.last(), highest(metrics)) else { return Ok(String::new()) };
    let mut svg = String::new();
    draw(metrics, last.step, highest, &mut svg)
        .map_err(|error| EvalError::Chart { curve: TITLE, problem: error.to_string() })?;
    Ok(svg)
}

fn highest(metrics: &[StepMetrics]) -> f64 {
    let all = metrics.iter().flat_map(|step| [Some(step.loss_ema), step.valid_loss].into_iter().flatten());
    all.filter(|loss| loss.is_finite()).fold(0.1, f64::max)
}

fn draw(
    metrics: &[StepMetrics],
    last: u32,
    highest: f64,
    svg: &mut String,
) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    let mut chart = ChartBuilder::on(&area)
        .margin(12)
        .x_label_area_size(34)
        .y_label_area_size(48)
        .build_cartesian_2d(0..last.max(1), 0.0..highest * 1.05)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.12))
        .x_desc("step")
        .y_desc("nats per token")
        .draw()?;
    chart
        .draw_series(LineSeries::new(metrics.iter().map(|step| (step.step, step.loss_ema)), STUDIED.stroke_width(2)))?
        .label("rows it studies")
        .legend(|(x, y)| PathElement::new([(x, y), (x + 18, y)], STUDIED.stroke_width(2)));
    let unseen: Vec<(u32, f64)> =
        metrics.iter().filter_map(|step| step.valid_loss.map(|loss| (step.step, loss))).collect();
    if !unseen.is_empty() {
        chart
            .draw_series(LineSeries::new(unseen.iter().copied(), UNSEEN.stroke_width(2)))?
            .label("rows it has not seen")
            .legend(|(x, y)| PathElement::new([(x, y), (x + 18, y)], UNSEEN.stroke_width(2)));
        chart.draw_series(unseen.iter().map(|point| Circle::new(*point, 3, UNSEEN.filled())))?;
    }
    chart.configure_series_labels().background_style(WHITE.mix(0.8)).border_style(BLACK.mix(0.2)).draw()?;
    drop(chart);
    area.present()?;
    Ok(())
}
