//! Who depends on whom: cycles, and names nobody answers to. Whether a dependency is Ready is a fact of the moment, not of the
//! graph.

use std::collections::{BTreeMap, BTreeSet};

use fargateer_api::Key;

/// What agents depend on, and who depends on them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Graph {
    needs: BTreeMap<Key, Vec<Key>>,
    needed_by: BTreeMap<Key, BTreeSet<Key>>,
    cycles: BTreeMap<Key, Vec<Key>>,
    absent: BTreeMap<Key, Vec<Key>>,
}

impl Graph {
    /// The graph of `needs`, of which every agent with a spec is a key.
    pub fn of(needs: BTreeMap<Key, Vec<Key>>) -> Self {
        let mut needed_by: BTreeMap<Key, BTreeSet<Key>> = BTreeMap::new();
        let mut absent: BTreeMap<Key, Vec<Key>> = BTreeMap::new();
        for (key, others) in &needs {
            for other in others {
                needed_by.entry(other.clone()).or_default().insert(key.clone());
                if !needs.contains_key(other) {
                    absent.entry(key.clone()).or_default().push(other.clone());
                }
            }
        }
        let cycles = cycles(&needs);
        Self { needs, needed_by, cycles, absent }
    }

    /// What `key` depends on.
    pub fn needs(&self, key: &Key) -> &[Key] {
        self.needs.get(key).map(Vec::as_slice).unwrap_or_default()
    }

    /// Who depends on `key`.
    pub fn needed_by(&self, key: &Key) -> impl Iterator<Item = &Key> {
        self.needed_by.get(key).into_iter().flatten()
    }

    /// The way from `key` back to itself, both ends included; empty where there is none.
    pub fn cycle(&self, key: &Key) -> &[Key] {
        self.cycles.get(key).map(Vec::as_slice).unwrap_or_default()
    }

    /// What `key` depends on and nobody wrote a spec of.
    pub fn absent(&self, key: &Key) -> &[Key] {
        self.absent.get(key).map(Vec::as_slice).unwrap_or_default()
    }

    /// The agents of which this graph says something else than the one before did.
    pub fn changed_since(&self, before: &Self) -> BTreeSet<Key> {
        let all = [&self.cycles, &before.cycles, &self.absent, &before.absent].into_iter().flat_map(BTreeMap::keys);
        let differs = |key: &&Key| self.cycle(key) != before.cycle(key) || self.absent(key) != before.absent(key);
        all.filter(differs).cloned().collect()
    }
}

/// A shortest way back to itself for every agent that has one.
fn cycles(needs: &BTreeMap<Key, Vec<Key>>) -> BTreeMap<Key, Vec<Key>> {
    let suspects = unsorted(needs);
    suspects.iter().filter_map(|key| Some((key.clone(), way_back(key, needs, &suspects)?))).collect()
}

/// What is left when those that depend on nobody are taken away, again and again: the cycles and what depends on them.
fn unsorted(needs: &BTreeMap<Key, Vec<Key>>) -> BTreeSet<Key> {
    let mut open: BTreeMap<&Key, usize> = BTreeMap::new();
    let mut needed_by: BTreeMap<&Key, Vec<&Key>> = BTreeMap::new();
    for (key, others) in needs {
        let known = others.iter().filter(|other| needs.contains_key(*other));
        open.insert(key, known.clone().count());
        known.for_each(|other| needed_by.entry(other).or_default().push(key));
    }
    let mut free: Vec<&Key> = open.iter().filter(|(_, count)| **count == 0).map(|(key, _)| *key).collect();
    while let Some(key) = free.pop() {
        open.remove(key);
        for user in needed_by.get(key).into_iter().flatten() {
            if let Some(count) = open.get_mut(user) {
                *count -= 1;
                if *count == 0 {
                    free.push(user);
                }
            }
        }
    }
    open.into_keys().cloned().collect()
}

fn way_back(start: &Key, needs: &BTreeMap<Key, Vec<Key>>, within: &BTreeSet<Key>) -> Option<Vec<Key>> {
    let mut came_from: BTreeMap<&Key, &Key> = BTreeMap::new();
    let mut edge = vec![start];
    while !edge.is_empty() {
        let mut next = Vec::new();
        for key in edge {
            for other in needs.get(key).into_iter().flatten().filter(|other| within.contains(*other)) {
                if other == start {
                    return Some(walked(start, key, &came_from));
                }
                if !came_from.contains_key(other) {
                    came_from.insert(other, key);
                    next.push(other);
                }
            }
        }
        edge = next;
    }
    None
}

fn walked(start: &Key, last: &Key, came_from: &BTreeMap<&Key, &Key>) -> Vec<Key> {
    let mut way = vec![start.clone()];
    let mut at = last;
    while at != start {
        way.push(at.clone());
        let Some(before) = came_from.get(at) else { break };
        at = before;
    }
    way.push(start.clone());
    way.reverse();
    way
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[(&str, &str)]) -> Graph {
        let keys = |text: &str| text.split_whitespace().map(Key::new).collect::<Vec<_>>();
        Graph::of(edges.iter().map(|(key, needs)| (Key::new(*key), keys(needs))).collect())
    }

    fn cycle(graph: &Graph, key: &str) -> String {
        graph.cycle(&Key::new(key)).iter().map(Key::as_str).collect::<Vec<_>>().join(" -> ")
    }

    #[test]
    fn every_member_of_a_cycle_gets_it_from_its_own_side_and_nobody_else_does() {
        let graph = graph(&[("a", "b x"), ("b", "c"), ("c", "a"), ("user", "a"), ("x", "")]);
        assert_eq!(cycle(&graph, "a"), "a -> b -> c -> a");
        assert_eq!(cycle(&graph, "c"), "c -> a -> b -> c");
        assert_eq!((cycle(&graph, "user"), cycle(&graph, "x")), (String::new(), String::new()));
    }

    #[test]
    fn a_diamond_is_no_cycle_and_of_two_cycles_the_shorter_one_is_told() {
        assert_eq!(cycle(&graph(&[("a", "b c"), ("b", "d"), ("c", "d"), ("d", "")]), "a"), "");
        let two = graph(&[("a", "b"), ("b", "c a"), ("c", "a")]);
        assert_eq!(cycle(&two, "a"), "a -> b -> a");
        assert_eq!(cycle(&two, "c"), "c -> a -> b -> c");
    }

    #[test]
    fn who_is_not_there_and_who_is_concerned_is_known() {
        let before = graph(&[("a", "b gone"), ("b", "")]);
        assert_eq!(before.absent(&Key::new("a")), [Key::new("gone")]);
        assert_eq!(before.needed_by(&Key::new("b")).collect::<Vec<_>>(), [&Key::new("a")]);
        let after = graph(&[("a", "b gone"), ("b", ""), ("gone", "")]);
        assert_eq!(after.changed_since(&before), [Key::new("a")].into());
        assert_eq!(after.changed_since(&after), BTreeSet::new());
    }

    #[test]
    fn a_long_chain_and_a_large_cycle_take_no_time() {
        let name = |number: usize| Key::new(format!("a-{number}"));
        let chain = (0..50_000).map(|number| (name(number), vec![name(number + 1)])).collect();
        assert_eq!(Graph::of(chain).cycle(&name(0)), []);
        let ring = (0..500).map(|number| (name(number), vec![name((number + 1) % 500)])).collect();
        assert_eq!(Graph::of(ring).cycle(&name(7)).len(), 501);
    }
}
