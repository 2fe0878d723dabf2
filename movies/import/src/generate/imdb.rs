//! The layout of IMDb's data sets.

use super::film::{Film, person, quality};
use super::skew::Popularity;
use super::{Made, Plan, awkward, write};
use crate::ImportError;
use backlot::Dice;
use std::io::{self, Write};
use std::path::Path;

/// Films come among other titles: this many numbers apart.
const STEP: u32 = 7;
const FIRST: u32 = 100_000;
const CAST: u64 = 6;

/// The number in the id of a film; MovieLens' links name the same.
pub(super) fn number(place: u32) -> u32 {
    FIRST + place * STEP
}

pub(super) fn make(folder: &Path, plan: &Plan) -> Result<Made, ImportError> {
    let dice = Dice::seeded(plan.seed);
    let people = plan.films / 2 + 20;
    let mut made = Made::default();
    write(folder, "title.basics.tsv.gz", |out| {
        basics(out, plan, &dice.branch("films"), &mut made)
    })?;
    write(folder, "title.ratings.tsv.gz", |out| {
        averages(out, plan, &mut made)
    })?;
    write(folder, "title.crew.tsv.gz", |out| {
        crew(out, plan, people, &dice.branch("crew"))
    })?;
    write(folder, "title.principals.tsv.gz", |out| {
        principals(out, plan, people, &dice.branch("principals"))
    })?;
    write(folder, "name.basics.tsv.gz", |out| {
        names(out, people, &dice.branch("names"))
    })?;
    Ok(made)
}

fn basics(out: &mut dyn Write, plan: &Plan, dice: &Dice, made: &mut Made) -> io::Result<()> {
    let header = "tconst\ttitleType\tprimaryTitle\toriginalTitle\tisAdult\tstartYear\tendYear\truntimeMinutes\tgenres";
    writeln!(out, "{header}")?;
    for place in 0..plan.films {
        let film = Film::at(place, dice);
        let article = if film.article { "The " } else { "" };
        let (number, year) = (number(place), film.year);
        let name = format!("{article}{}", film.name);
        let genres = film.genres.join(",");
        if plan.awkward && place % awkward::FILMS == 0 {
            match place / awkward::FILMS % 3 {
                0 => writeln!(
                    out,
                    "tt{number:07}\tmovie\t{name}\t{name}\t0\t\\N\t\\N\t\\N\t\\N"
                )?,
                1 => writeln!(
                    out,
                    "tt{number:07}\tmovie\t\"{name}\" and so\t七人の{name}\t0\t{year}\t\\N\t90\tBrand-New"
                )?,
                _ => writeln!(
                    out,
                    "tt{number:07}\tmovie\t\"{name}\t\\N\t\\N\t{year}\t\\N\t\\N\t{genres}"
                )?,
            }
        } else {
            let original = if place % 5 == 0 { "Autre nom" } else { &name };
            let minutes = 70 + dice.below(90);
            writeln!(
                out,
                "tt{number:07}\tmovie\t{name}\t{original}\t0\t{year}\t\\N\t{minutes}\t{genres}"
            )?;
        }
        made.films += 1;
        // What is no film for this catalogue.
        let (episode, adult) = (number + 1, number + 2);
        writeln!(
            out,
            "tt{episode:07}\ttvEpisode\tEpisode #1.{place}\tEpisode #1.{place}\t0\t{year}\t\\N\t\\N\tDrama"
        )?;
        if place % 20 == 0 {
            writeln!(
                out,
                "tt{adult:07}\tmovie\t{name}\t{name}\t1\t{year}\t\\N\t\\N\tAdult"
            )?;
        }
        if plan.awkward && (place == 0 || u64::from(place) % awkward::BAD == 0) {
            for line in awkward::BASICS {
                writeln!(out, "{line}")?;
                made.bad += 1;
            }
        }
    }
    Ok(())
}

fn averages(out: &mut dyn Write, plan: &Plan, made: &mut Made) -> io::Result<()> {
    writeln!(out, "tconst\taverageRating\tnumVotes")?;
    let popularity = Popularity::of(plan.films);
    for place in 0..plan.films {
        let votes = (plan.ratings as f64 * popularity.share(place))
            .round()
            .max(5.0);
        let average = quality(place).clamp(1.0, 10.0);
        let number = number(place);
        writeln!(out, "tt{number:07}\t{average:.1}\t{votes:.0}")?;
        writeln!(out, "tt{:07}\t7.1\t12", number + 1)?;
        made.averages += 1;
        if plan.awkward && (place == 0 || u64::from(place) % awkward::BAD == 0) {
            for line in awkward::AVERAGES {
                writeln!(out, "{line}")?;
                made.bad += 1;
            }
        }
    }
    Ok(())
}

fn crew(out: &mut dyn Write, plan: &Plan, people: u32, dice: &Dice) -> io::Result<()> {
    writeln!(out, "tconst\tdirectors\twriters")?;
    for place in 0..plan.films {
        let (number, one, two) = (number(place), anyone(people, dice), anyone(people, dice));
        match place % 10 {
            0 => writeln!(out, "tt{number:07}\t{one},{two}\t{one}")?,
            1 => writeln!(out, "tt{number:07}\t\\N\t{one}")?,
            _ => writeln!(out, "tt{number:07}\t{one}\t\\N")?,
        }
        writeln!(out, "tt{:07}\t{one}\t\\N", number + 1)?;
    }
    Ok(())
}

fn principals(out: &mut dyn Write, plan: &Plan, people: u32, dice: &Dice) -> io::Result<()> {
    writeln!(out, "tconst\tordering\tnconst\tcategory\tjob\tcharacters")?;
    for place in 0..plan.films {
        let number = number(place);
        for ordering in 1..=1 + dice.below(CAST) {
            let (name, category) = match ordering {
                2 => (anyone(people, dice), "director"),
                other if other % 2 == 0 => (anyone(people, dice), "actress"),
                _ => (anyone(people, dice), "actor"),
            };
            writeln!(
                out,
                "tt{number:07}\t{ordering}\t{name}\t{category}\t\\N\t[\"Somebody \\\"Else\\\"\"]"
            )?;
        }
    }
    Ok(())
}

fn names(out: &mut dyn Write, people: u32, dice: &Dice) -> io::Result<()> {
    writeln!(
        out,
        "nconst\tprimaryName\tbirthYear\tdeathYear\tprimaryProfession\tknownForTitles"
    )?;
    for number in 0..people {
        let born = 1_900 + dice.below(100);
        writeln!(
            out,
            "nm{:07}\t{}\t{born}\t\\N\tactor\ttt0100000",
            number + 1,
            person(number)
        )?;
    }
    Ok(())
}

fn anyone(people: u32, dice: &Dice) -> String {
    format!("nm{:07}", dice.below(people.into()) + 1)
}
