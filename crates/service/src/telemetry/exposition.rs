//! OpenMetrics text.

use super::cells::Cell;
use super::{Family, Metrics};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::encoding::{MetricEncoder, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::registry::Registry;
use std::collections::HashMap;

type NoExemplar = Option<&'static Exemplar<[(&'static str, &'static str); 0], u64>>;
type NoExemplars<'a> = Option<&'a HashMap<usize, Exemplar<[(&'static str, &'static str); 0], f64>>>;

pub(super) fn encode(metrics: &Metrics) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(metrics.clone()));
    let mut page = String::new();
    if text::encode(&mut page, &registry).is_err() {
        // Writing into a string cannot fail; an encoder's own refusal would be a defect here.
        tracing::error!("metrics could not be encoded");
    }
    page
}

impl Collector for Metrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        for (name, family) in &*self.0.lock() {
            encode_family(&mut encoder, name, family)?;
        }
        Ok(())
    }
}

fn encode_family(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    family: &Family,
) -> Result<(), std::fmt::Error> {
    let Some(first) = family.series.values().next() else {
        return Ok(());
    };
    let (name, kind) = match first {
        // The encoder writes the suffix itself.
        Cell::Count(_) => (
            name.strip_suffix("_total").unwrap_or(name),
            MetricType::Counter,
        ),
        Cell::Level(_) => (name, MetricType::Gauge),
        Cell::Distribution(_) => (name, MetricType::Histogram),
    };
    let mut metric = encoder.encode_descriptor(name, family.help, None, kind)?;
    for (values, cell) in &family.series {
        let labels: Vec<(&str, &str)> = family
            .labels
            .iter()
            .copied()
            .zip(values.iter().map(String::as_str))
            .collect();
        if labels.is_empty() {
            encode_cell(&mut metric, cell)?;
        } else {
            encode_cell(&mut metric.encode_family(&labels)?, cell)?;
        }
    }
    Ok(())
}

fn encode_cell(encoder: &mut MetricEncoder<'_>, cell: &Cell) -> Result<(), std::fmt::Error> {
    match cell {
        Cell::Count(count) => encoder.encode_counter(&count.get(), NoExemplar::None),
        Cell::Level(level) => encoder.encode_gauge(&level.get()),
        Cell::Distribution(distribution) => {
            let buckets = distribution.buckets();
            // The count is that of the buckets just read, so that the two always agree.
            let count = buckets.iter().map(|(_, count)| count).sum();
            encoder.encode_histogram(distribution.sum(), count, &buckets, NoExemplars::None)
        }
    }
}
