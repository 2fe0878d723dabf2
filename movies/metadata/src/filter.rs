//! Lists of a genre, a decade, a person, or any of these together.

use crate::names;
use crate::repository::Films;
use crate::set::Set;
use crate::words::key;
use backlot::storage::StoreError;

/// What a list is narrowed to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    /// Of this genre; empty for all.
    pub(crate) genre: String,
    /// Of the ten years from this one; 0 for all.
    pub(crate) decade: i32,
    /// With this person; empty for all.
    pub(crate) person: String,
}

impl Filter {
    /// What tells it from others.
    pub(crate) fn words(&self) -> [String; 3] {
        [key(&self.genre), self.decade.to_string(), key(&self.person)]
    }

    /// The films it leaves; `None` for all.
    pub(crate) async fn films(&self, films: &mut Films<'_>) -> Result<Option<Set>, StoreError> {
        let mut narrowed: Vec<Vec<String>> = Vec::new();
        if !self.genre.is_empty() {
            narrowed.push(vec![names::of_genre(&self.genre)]);
        }
        if self.decade > 0 {
            let years = self.decade..self.decade.saturating_add(10);
            narrowed.push(years.map(names::of_year).collect());
        }
        if !self.person.is_empty() {
            narrowed.push(vec![names::of_person(&self.person)]);
        }
        let sets = films.of_names(&narrowed.concat()).await?;
        let mut left: Option<Set> = None;
        for names in narrowed {
            let mut any = Set::default();
            for set in names.iter().filter_map(|name| sets.get(name)) {
                any.join(set);
            }
            left = Some(match left {
                None => any,
                Some(mut left) => {
                    left.intersect(&any);
                    left
                }
            });
        }
        Ok(left)
    }
}
