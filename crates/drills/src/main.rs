//! Runs the drills and prints a line for each.

use backlot_drills::drill::DRILLS;
use backlot_drills::{baseline, run::told};
use clap::Parser;
use std::process::ExitCode;

/// Runs failure drills in a simulated world and prints what each came to
#[derive(Debug, Parser)]
#[command(
    name = "backlot-drills",
    after_help = "Examples:
  backlot-drills                       every drill, beside the baseline
  backlot-drills slow --without        one of them with its defence switched off
  backlot-drills --seed 7
  backlot-drills --lines               the lines alone, as crates/drills/baseline.txt holds them"
)]
struct Arguments {
    /// Only drills whose names contain this
    name: Option<String>,
    /// What everything is drawn from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Switch the defences of each drill off
    #[arg(long)]
    without: bool,
    /// Tell what happened as well
    #[arg(long)]
    tell: bool,
    /// Print the lines alone
    #[arg(long)]
    lines: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let wanted = arguments.name.unwrap_or_default();
    let mut holds = true;
    for drill in DRILLS.iter().filter(|drill| drill.name.contains(&wanted)) {
        let figures = match told(drill, arguments.seed, !arguments.without) {
            Ok((figures, events)) => {
                if arguments.tell {
                    events.iter().for_each(|event| println!("{event}"));
                }
                figures
            }
            Err(why) => {
                println!("{:<18}  {why:#}", drill.name);
                holds = false;
                continue;
            }
        };
        let known = baseline::of(drill.name);
        let verdict = match known.map(|known| figures.holds_to(&known)) {
            _ if arguments.lines => "",
            Some(true) => "  ok",
            Some(false) => "  WORSE THAN THE BASELINE",
            None => "  not written down yet",
        };
        holds &= verdict == "  ok" || arguments.lines;
        println!("{}{verdict}", baseline::line(drill.name, &figures));
    }
    match holds {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
