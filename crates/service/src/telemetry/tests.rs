use super::*;
use backlot_core::Code;
use std::time::Duration;

const LOOKS: Counter<1> = Counter::new("films_looks_total", "films looked at", ["genre"]);
const OPEN: Gauge<0> = Gauge::new("films_open", "films open now", []);
const SIZE: Histogram<0> = Histogram::new("films_size_bytes", "size of films", [], &[1.0, 10.0]);

#[test]
fn handles_of_one_series_share_it() {
    let metrics = Metrics::new();
    metrics.counter(&LOOKS, ["Western"]).inc();
    metrics.counter(&LOOKS, ["Western"]).add(2);
    assert_eq!(metrics.counter(&LOOKS, ["Western"]).get(), 3);
    assert_eq!(metrics.counter(&LOOKS, ["War"]).get(), 0);
}

#[test]
fn the_text_is_openmetrics_in_the_same_order_every_time() {
    let metrics = Metrics::new();
    metrics.counter(&LOOKS, ["Western"]).inc();
    metrics.counter(&LOOKS, ["War"]).add(2);
    metrics.gauge(&OPEN, []).set(-4);
    let size = metrics.histogram(&SIZE, []);
    for value in [0.5, 1.0, 7.0, 100.0] {
        size.observe(value);
    }
    let expected = "\
# HELP films_looks films looked at
# TYPE films_looks counter
films_looks_total{genre=\"War\"} 2
films_looks_total{genre=\"Western\"} 1
# HELP films_open films open now
# TYPE films_open gauge
films_open -4
# HELP films_size_bytes size of films
# TYPE films_size_bytes histogram
films_size_bytes_sum 108.5
films_size_bytes_count 4
films_size_bytes_bucket{le=\"1.0\"} 2
films_size_bytes_bucket{le=\"10.0\"} 3
films_size_bytes_bucket{le=\"+Inf\"} 4
# EOF
";
    assert_eq!(metrics.encode(), expected);
}

#[test]
fn label_values_are_escaped() {
    let metrics = Metrics::new();
    metrics.counter(&LOOKS, ["a\"b\\c\nd"]).inc();
    assert!(
        metrics.encode().contains("genre=\"a\\\"b\\\\c\\nd\""),
        "{}",
        metrics.encode()
    );
}

#[test]
fn a_metric_declared_twice_keeps_its_first_meaning() {
    let metrics = Metrics::new();
    metrics.counter(&LOOKS, ["Western"]).inc();
    metrics
        .gauge(
            &Gauge::new("films_looks_total", "something else", ["genre"]),
            ["Western"],
        )
        .set(9);
    assert!(
        metrics
            .encode()
            .contains("films_looks_total{genre=\"Western\"} 1")
    );
}

#[test]
fn too_many_label_values_are_counted_together() {
    let metrics = Metrics::new();
    for number in 0..MAX_SERIES + 10 {
        metrics.counter(&LOOKS, [&number.to_string()]).inc();
    }
    assert_eq!(metrics.counter(&LOOKS, ["overflow"]).get(), 10);
}

#[test]
fn calls_are_counted_by_outcome_and_timed() {
    let metrics = Metrics::new();
    let calls = CallMetrics::new(
        &metrics,
        "movies.rating.v1.RatingService",
        "PutRating",
        Side::Server,
        "grpc",
    );
    {
        let running = calls.enter();
        assert_eq!(running.metrics().in_flight(), 1);
        calls.record(Ok(()), Duration::from_millis(3));
        calls.record(Err(Code::NotFound), Duration::from_micros(50));
    }
    assert_eq!(calls.in_flight(), 0);
    assert_eq!(calls.count(Ok(())), 1);
    assert_eq!(calls.count(Err(Code::NotFound)), 1);
    assert_eq!(calls.count(Err(Code::Internal)), 0);
    let page = metrics.encode();
    let labels = "service=\"movies.rating.v1.RatingService\",method=\"PutRating\",side=\"server\",binding=\"grpc\"";
    for line in [
        format!("backlot_calls_total{{{labels},code=\"OK\"}} 1"),
        format!("backlot_calls_total{{{labels},code=\"NOT_FOUND\"}} 1"),
        format!("backlot_call_duration_seconds_count{{{labels}}} 2"),
        format!("backlot_calls_in_flight{{{labels}}} 0"),
    ] {
        assert!(page.contains(&line), "{line}\nis not in\n{page}");
    }
    assert!(
        !page.contains("code=\"INTERNAL\""),
        "codes that never happened take no line"
    );
}

#[test]
fn records_from_many_threads_are_all_counted() {
    let metrics = Metrics::new();
    let calls = CallMetrics::new(&metrics, "s", "m", Side::Client, "direct");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope
                .spawn(|| (0..10_000).for_each(|_| calls.record(Ok(()), Duration::from_millis(1))));
        }
    });
    assert_eq!(calls.count(Ok(())), 40_000);
    let distribution = metrics.histogram(&call::DURATION, ["s", "m", "client", "direct"]);
    assert_eq!(distribution.count(), 40_000);
    assert!(
        (distribution.sum() - 40.0).abs() < 1e-6,
        "{}",
        distribution.sum()
    );
}
