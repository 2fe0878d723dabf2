//! What asking a cache costs: `cargo bench -p backlot-cache`. The figures are in
//! docs/performance.md.

use async_trait::async_trait;
use backlot_cache::{Cache, Options, Setup, Source};
use backlot_core::{Context, Env, Error};
use backlot_service::{Metrics, Tasks};
use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::sync::Arc;

/// Answers at once.
struct Shelf;

#[async_trait]
impl Source for Shelf {
    const NAME: &'static str = "shelf";
    type Key = String;
    type Value = Arc<str>;

    async fn fetch(&self, _cx: &Context, key: &String) -> Result<Arc<str>, Error> {
        Ok(key.as_str().into())
    }

    fn weigh(&self, _key: &String, _value: &Arc<str>) -> usize {
        1000
    }
}

fn ask(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("there are threads");
    let _entered = runtime.enter();
    let env = Env::real();
    let setup = Setup {
        tasks: Tasks::new(&env),
        metrics: Metrics::new(),
        service: "bench",
        env,
    };
    let cache = Cache::new(&setup, Shelf, Options::default());
    let cx = Context::background();
    let keys: Vec<String> = (0..10_000).map(|key| format!("tt{key:07}")).collect();
    runtime.block_on(async {
        for key in &keys {
            cache.get(&cx, key).await.expect("it is there");
        }
    });
    let mut next = (0..keys.len()).cycle();
    let mut group = criterion.benchmark_group("ask");
    group.bench_function("a fresh value, of 10,000", |bench| {
        bench.iter(|| {
            let key = &keys[next.next().unwrap_or_default()];
            runtime.block_on(async { black_box(cache.get(&cx, key).await).expect("it is held") })
        });
    });
    group.bench_function("nothing but the executor", |bench| {
        bench.iter(|| runtime.block_on(async { black_box(&cx).deadline() }));
    });
    let mut number = 0_u64;
    group.bench_function("a value that is fetched", |bench| {
        bench.iter(|| {
            number += 1;
            let key = format!("new{number}");
            runtime.block_on(async {
                let cx = Context::background();
                black_box(cache.get(&cx, &key).await).expect("it comes")
            })
        });
    });
    group.finish();
}

criterion_group!(benches, ask);
criterion_main!(benches);
