//! `movies generate`: files to try an import with.

use backlot::app::out;
use clap::ValueEnum;
use movies_import::generate::{self, Plan};
use movies_import::tally::digits;
use std::path::PathBuf;
use std::process::ExitCode;

/// What `movies generate` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  movies generate movielens /tmp/ml --films 20000 --users 50000 --ratings 5000000
  movies generate imdb /tmp/imdb --films 300000 --awkward
  movies import movielens /tmp/ml")]
pub struct Arguments {
    /// Whose layout
    layout: Layout,
    /// The folder to write into; made if it is not there
    folder: PathBuf,
    /// How many films
    #[arg(long, default_value_t = 10_000, value_name = "N")]
    films: u32,
    /// How many ratings; of IMDb, votes
    #[arg(long, default_value_t = 100_000, value_name = "N")]
    ratings: u64,
    /// How many users rate
    #[arg(long, default_value_t = 600, value_name = "N")]
    users: u32,
    /// The same seed gives the same files
    #[arg(long, default_value_t = 1, value_name = "SEED")]
    seed: u64,
    /// With what is awkward or wrong in real files
    #[arg(long)]
    awkward: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Layout {
    /// movies.csv, links.csv, ratings.csv
    Movielens,
    /// title.basics, title.ratings, title.crew, title.principals, name.basics, compressed
    Imdb,
}

/// Makes the files and says what is in them.
#[must_use]
pub fn run(arguments: &Arguments) -> ExitCode {
    let plan = Plan {
        films: arguments.films,
        ratings: arguments.ratings,
        users: arguments.users,
        seed: arguments.seed,
        awkward: arguments.awkward,
    };
    let made = match arguments.layout {
        Layout::Movielens => generate::movielens(&arguments.folder, &plan),
        Layout::Imdb => generate::imdb(&arguments.folder, &plan),
    };
    match made {
        Ok(made) => {
            let mut lines = vec![
                format!("made in {}", arguments.folder.display()),
                format!("  films    {:>12}", digits(made.films)),
            ];
            if made.ratings > 0 {
                let mean = made.half_stars as f64 / made.ratings as f64 / 2.0;
                let ratings = digits(made.ratings);
                lines.push(format!("  ratings  {ratings:>12}   mean {mean:.4}"));
            }
            if made.averages > 0 {
                lines.push(format!("  averages {:>12}", digits(made.averages)));
            }
            lines.push(format!("  bad lines{:>12}", digits(made.bad)));
            out::answer(lines.join("\n"))
        }
        Err(error) => {
            out::note(error.chain());
            ExitCode::FAILURE
        }
    }
}
