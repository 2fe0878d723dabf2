//! Randomness and clocks that libraries take from the system, made to follow the seed.

use mad_turmoil::rand::{get_rng, set_rng, try_rng};
use mad_turmoil::time::SimClocksGuard;
use rand::SeedableRng;
use rand::rngs::StdRng;

/// While this lives, the system's clock shows the simulated host's time.
pub(crate) struct Installed {
    _clocks: SimClocksGuard,
}

/// From now on the system's randomness follows `seed`, in the whole process. A thread's hash maps
/// take their keys from it once, at the thread's first: simulate on a fresh thread.
pub(crate) fn install(seed: u64) -> Installed {
    let rng = StdRng::seed_from_u64(seed);
    let installed = try_rng().is_some();
    if installed {
        *get_rng() = rng;
    } else {
        set_rng(rng);
    }
    Installed {
        _clocks: SimClocksGuard::init(),
    }
}
