//! Path templates: which routes a path fits, and what it says for their variables.
//!
//! At each segment the literal one is preferred to the variable one, and a template that ends in a
//! `:verb` to one that does not.

use crate::contract::Verb;
use backlot_core::Error;
use std::collections::BTreeMap;

/// Routes by the segments of their templates.
#[derive(Debug)]
pub(super) struct Tree<T> {
    root: Node<T>,
}

impl<T> Default for Tree<T> {
    fn default() -> Self {
        Tree {
            root: Node::default(),
        }
    }
}

/// What one path reaches, by verb.
pub(super) type Ends<T> = BTreeMap<Verb, T>;

#[derive(Debug)]
struct Node<T> {
    literals: BTreeMap<&'static str, Node<T>>,
    variable: Option<Box<Node<T>>>,
    /// Routes that end here, by the word after the colon (empty for none).
    ends: BTreeMap<&'static str, Ends<T>>,
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Node {
            literals: BTreeMap::new(),
            variable: None,
            ends: BTreeMap::new(),
        }
    }
}

/// The variables of a template, as written.
pub(super) fn variables(template: &'static str) -> impl Iterator<Item = &'static str> {
    split(template).0.into_iter().filter_map(variable)
}

fn variable(segment: &'static str) -> Option<&'static str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// Segments, and the word after the colon.
fn split(template: &'static str) -> (Vec<&'static str>, &'static str) {
    let path = template.strip_prefix('/').unwrap_or(template);
    let last = path.rfind('/').map_or(0, |slash| slash + 1);
    let (path, word) = match path[last..].rfind(':') {
        Some(colon) => (&path[..last + colon], &path[last + colon + 1..]),
        None => (path, ""),
    };
    (path.split('/').collect(), word)
}

impl<T> Tree<T> {
    /// Adds a route; the route that was there before, if any, is not replaced but returned.
    ///
    /// # Errors
    /// `Internal` for a malformed template, which no generated contract has.
    pub(super) fn insert(
        &mut self,
        template: &'static str,
        verb: Verb,
        route: T,
    ) -> Result<Option<&T>, Error> {
        if !template.starts_with('/') {
            return Err(Error::internal(format!(
                "the path template {template:?} is malformed"
            )));
        }
        let (segments, word) = split(template);
        let mut node = &mut self.root;
        for segment in segments {
            node = match variable(segment) {
                Some(_) => node.variable.get_or_insert_default(),
                None => node.literals.entry(segment).or_default(),
            };
        }
        match node.ends.entry(word).or_default().entry(verb) {
            std::collections::btree_map::Entry::Occupied(taken) => Ok(Some(taken.into_mut())),
            std::collections::btree_map::Entry::Vacant(free) => {
                free.insert(route);
                Ok(None)
            }
        }
    }

    /// All that `path` reaches, best first, each with the text of its variables, still encoded.
    pub(super) fn find<'t, 'p>(&'t self, path: &'p str) -> Vec<(&'t Ends<T>, Vec<&'p str>)> {
        let mut found = Vec::new();
        if let Some(path) = path.strip_prefix('/') {
            self.root.find(path, &mut Vec::new(), &mut found);
        }
        found
    }
}

impl<T> Node<T> {
    fn find<'t, 'p>(
        &'t self,
        path: &'p str,
        captures: &mut Vec<&'p str>,
        found: &mut Vec<(&'t Ends<T>, Vec<&'p str>)>,
    ) {
        if let Some((segment, rest)) = path.split_once('/') {
            self.step(segment, captures, &mut |node, captures| {
                node.find(rest, captures, found)
            });
            return;
        }
        if let Some((segment, word)) = path.rsplit_once(':') {
            self.step(segment, captures, &mut |node, captures| {
                node.end(word, captures, found)
            });
        }
        self.step(path, captures, &mut |node, captures| {
            node.end("", captures, found)
        });
    }

    fn step<'t, 'p>(
        &'t self,
        segment: &'p str,
        captures: &mut Vec<&'p str>,
        go: &mut dyn FnMut(&'t Node<T>, &mut Vec<&'p str>),
    ) {
        if let Some(node) = self.literals.get(segment) {
            go(node, captures);
        }
        if let Some(node) = self.variable.as_deref().filter(|_| !segment.is_empty()) {
            captures.push(segment);
            go(node, captures);
            captures.pop();
        }
    }

    fn end<'t, 'p>(
        &'t self,
        word: &str,
        captures: &[&'p str],
        found: &mut Vec<(&'t Ends<T>, Vec<&'p str>)>,
    ) {
        if let Some(ends) = self.ends.get(word) {
            found.push((ends, captures.to_vec()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Tree<&'static str> {
        let mut tree = Tree::default();
        for (verb, template) in [
            (Verb::Get, "/v1/ratings/{type}/{id}"),
            (Verb::Post, "/v1/ratings/{type}:batchGet"),
            (Verb::Get, "/v1/ratings/{type}/{id}/live"),
            (Verb::Put, "/v1/ratings/{type}/best"),
            (Verb::Get, "/.well-known/jwks.json"),
        ] {
            assert!(tree.insert(template, verb, template).unwrap().is_none());
        }
        tree
    }

    fn reach<'p>(
        tree: &Tree<&'static str>,
        verb: Verb,
        path: &'p str,
    ) -> Option<(&'static str, Vec<&'p str>)> {
        tree.find(path)
            .into_iter()
            .find_map(|(ends, captures)| Some((*ends.get(&verb)?, captures)))
    }

    #[test]
    fn a_path_reaches_its_route_with_its_variables() {
        let tree = tree();
        assert_eq!(
            reach(&tree, Verb::Get, "/v1/ratings/movie/tt1/live"),
            Some(("/v1/ratings/{type}/{id}/live", vec!["movie", "tt1"]))
        );
        assert_eq!(
            reach(&tree, Verb::Get, "/.well-known/jwks.json"),
            Some(("/.well-known/jwks.json", vec![]))
        );
        for path in [
            "/v1/ratings",
            "/v1/ratings/movie/",
            "/v1/ratings//tt1",
            "/v1/ratings/movie/tt1/",
            "",
            "/",
            "*",
        ] {
            assert_eq!(reach(&tree, Verb::Get, path), None, "{path}");
        }
    }

    #[test]
    fn a_custom_verb_follows_the_last_colon() {
        let tree = tree();
        assert_eq!(
            reach(&tree, Verb::Post, "/v1/ratings/movie:batchGet"),
            Some(("/v1/ratings/{type}:batchGet", vec!["movie"]))
        );
        assert_eq!(
            reach(&tree, Verb::Post, "/v1/ratings/a:b:batchGet"),
            Some(("/v1/ratings/{type}:batchGet", vec!["a:b"]))
        );
        assert_eq!(
            reach(&tree, Verb::Get, "/v1/ratings/movie/tt1:x"),
            Some(("/v1/ratings/{type}/{id}", vec!["movie", "tt1:x"]))
        );
        assert_eq!(reach(&tree, Verb::Post, "/v1/ratings/movie:other"), None);
    }

    #[test]
    fn a_literal_hides_a_variable_only_for_its_own_verbs() {
        let tree = tree();
        assert_eq!(
            reach(&tree, Verb::Put, "/v1/ratings/movie/best"),
            Some(("/v1/ratings/{type}/best", vec!["movie"]))
        );
        assert_eq!(
            reach(&tree, Verb::Get, "/v1/ratings/movie/best"),
            Some(("/v1/ratings/{type}/{id}", vec!["movie", "best"]))
        );
        let verbs: Vec<_> = tree
            .find("/v1/ratings/movie/best")
            .iter()
            .flat_map(|(ends, _)| ends.keys().copied())
            .collect();
        assert_eq!(verbs, [Verb::Put, Verb::Get]);
    }

    #[test]
    fn a_route_that_is_taken_stays_with_its_first_owner() {
        let mut tree = tree();
        let taken = tree
            .insert("/v1/ratings/{kind}/{key}", Verb::Get, "other")
            .unwrap();
        assert_eq!(taken, Some(&"/v1/ratings/{type}/{id}"));
    }
}
