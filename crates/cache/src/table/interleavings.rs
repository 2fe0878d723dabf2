//! All orders in which three actors can take their steps: two who ask, and one who changes what the
//! source has and says so.

use super::*;

/// What the actors share. A caller is told what its fetch read, or what that of another did.
#[derive(Clone)]
struct World {
    version: u64,
    /// The newest version that was announced.
    announced: u64,
    actors: [Actor; 3],
    /// What each fetch came to, by its number; nothing when it was given up.
    landed: Vec<(u64, Option<u64>)>,
    log: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
enum Actor {
    /// Asks, so many times.
    Caller(u32),
    /// Has asked when this was announced, and reads the source next.
    Reads {
        flight: u64,
        announced: u64,
    },
    /// Has read this, and brings it back next; or goes away instead.
    Brings {
        flight: u64,
        read: u64,
        announced: u64,
    },
    /// Waits for a fetch.
    Waits {
        flight: u64,
        announced: u64,
    },
    /// Changes the source, so many times.
    Writer(u32),
    /// Has changed it, and announces that next.
    Announces(u64, u32),
    Done,
}

const FRESH: Duration = Duration::from_secs(30);

struct Explored {
    orders: u64,
    fetches: u64,
}

/// The table has no copy: an order is played from its start.
fn play(choices: &[usize], now: Instant, goes_away: bool) -> (Vec<usize>, World) {
    let mut table: Table<u32, u64, u64> = Table::new(
        Rules {
            limit: 1 << 20,
            kept: FRESH,
            stale: FRESH,
            pause: FRESH,
        },
        7,
    );
    let mut world = World {
        version: 1,
        announced: 1,
        actors: [Actor::Caller(2), Actor::Caller(2), Actor::Writer(2)],
        landed: Vec::new(),
        log: Vec::new(),
    };
    let mut flights = 0;
    for choice in choices {
        step(
            &mut table,
            &mut world,
            &mut flights,
            *choice,
            now,
            goes_away,
        );
        assert!(table.flights.len() <= 1, "{:?}", world.log);
    }
    let able = (0..3).filter(|actor| can_step(&world, *actor)).collect();
    (able, world)
}

fn can_step(world: &World, actor: usize) -> bool {
    match &world.actors[actor] {
        Actor::Done => false,
        Actor::Waits { flight, .. } => world.landed.iter().any(|(number, _)| number == flight),
        _ => true,
    }
}

fn after(asks_left: u32) -> Actor {
    match asks_left {
        0 => Actor::Done,
        left => Actor::Caller(left),
    }
}

fn step(
    table: &mut Table<u32, u64, u64>,
    world: &mut World,
    flights: &mut u64,
    actor: usize,
    now: Instant,
    goes_away: bool,
) {
    let announced = world.announced;
    let before = world.actors[actor].clone();
    world.log.push(format!("{actor}: {before:?}"));
    world.actors[actor] = match before {
        Actor::Caller(_) => match table.ask(&1, now, || {
            *flights += 1;
            *flights
        }) {
            Asked::Fresh(held) => {
                // Nobody is told of the present what was announced to be the past.
                assert!(held.value >= announced, "{:?}", world.log);
                Actor::Done
            }
            Asked::Wait {
                join,
                fetch: Some(_),
                ..
            } => Actor::Reads {
                flight: join,
                announced,
            },
            Asked::Wait {
                join, fetch: None, ..
            } => Actor::Waits {
                flight: join,
                announced,
            },
            asked => panic!("{asked:?} {:?}", world.log),
        },
        Actor::Reads { flight, announced } => Actor::Brings {
            flight,
            read: world.version,
            announced,
        },
        Actor::Brings {
            flight,
            read,
            announced,
        } => {
            let came = Came::Value {
                value: read,
                version: read,
                weight: 1,
                fresh: FRESH,
            };
            if goes_away && actor == 0 {
                table.give_up(&1, flight);
                world.landed.push((flight, None));
            } else {
                table.settle(&1, flight, came, now);
                world.landed.push((flight, Some(read)));
                assert!(read >= announced, "{:?}", world.log);
            }
            Actor::Done
        }
        Actor::Waits { flight, announced } => {
            let landed = world.landed.iter().find(|(number, _)| *number == flight);
            match landed.and_then(|(_, read)| *read) {
                Some(read) => {
                    assert!(read >= announced, "{:?}", world.log);
                    Actor::Done
                }
                // Its turn, perhaps.
                None => after(1),
            }
        }
        Actor::Writer(left) => {
            world.version += 1;
            Actor::Announces(world.version, left - 1)
        }
        Actor::Announces(version, left) => {
            table.outdate(&1, (version % 2 == 0).then_some(version));
            world.announced = version;
            match left {
                0 => Actor::Done,
                left => Actor::Writer(left),
            }
        }
        Actor::Done => Actor::Done,
    };
}

fn explore(goes_away: bool) -> Explored {
    let now = Instant::now();
    let mut explored = Explored {
        orders: 0,
        fetches: 0,
    };
    let mut open = vec![Vec::new()];
    while let Some(choices) = open.pop() {
        let (able, world) = play(&choices, now, goes_away);
        if able.is_empty() {
            // Nobody waits for what nobody fetches.
            let all_done = world.actors.iter().all(|actor| *actor == Actor::Done);
            assert!(all_done, "{:?} {:?}", world.actors, world.log);
            explored.orders += 1;
            explored.fetches = explored.fetches.max(world.landed.len() as u64);
            continue;
        }
        for actor in able {
            let mut next = choices.clone();
            next.push(actor);
            open.push(next);
        }
    }
    explored
}

#[tokio::test]
async fn in_any_order_nobody_is_told_the_past_as_the_present_and_nobody_waits_for_nothing() {
    for goes_away in [false, true] {
        let explored = explore(goes_away);
        assert!(explored.orders > 100, "{}", explored.orders);
        assert!(explored.fetches <= 4, "{}", explored.fetches);
    }
}
