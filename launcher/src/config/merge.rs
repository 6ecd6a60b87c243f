//! Templates: what one says itself, what it has from its parents, and how the two become one.

use std::collections::BTreeMap;

/// What a key is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Setting {
    /// Words.
    Text(String),
    /// A whole number.
    Number(i64),
    /// Yes or no.
    Bool(bool),
    /// Several words, each once.
    List(Vec<String>),
    /// Words by name.
    Map(BTreeMap<String, String>),
}

/// The keys that somebody has set. One that is not in it says nothing, and so takes nothing away.
pub(super) type Layer = BTreeMap<&'static str, Setting>;

/// One template as it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Template {
    /// What it builds on, the first the lowest.
    pub(super) parents: Vec<String>,
    /// What it says itself.
    pub(super) own: Layer,
}

/// Those of one kind, by name.
pub(super) type Templates = BTreeMap<String, Template>;

/// The template that there is always.
pub(super) const DEFAULT: &str = "default";
/// How many may stand on one another. More than anybody keeps apart, and less than the program's own stack holds.
pub(super) const TALLEST: usize = 256;

/// One layer over another: a single value replaces, a list goes on, a map is laid over.
pub(super) fn merge(mut under: Layer, over: &Layer) -> Layer {
    for (key, setting) in over {
        match (under.get_mut(key), setting) {
            (Some(Setting::List(there)), Setting::List(more)) => {
                let new: Vec<_> = more.iter().filter(|word| !there.contains(word)).cloned().collect();
                there.extend(new);
            }
            (Some(Setting::Map(there)), Setting::Map(more)) => there.extend(more.clone()),
            (_, setting) => {
                under.insert(key, setting.clone());
            }
        }
    }
    under
}

/// What a template comes to, without what is built in. `None` when there is none of this name.
pub(super) fn resolve(templates: &Templates, name: &str) -> Option<Layer> {
    if name != DEFAULT && !templates.contains_key(name) {
        return None;
    }
    // What several build on is resolved once, or a tall stack of pairs would take for ever.
    let mut known = BTreeMap::new();
    resolve_into(templates, name, &mut Vec::new(), &mut known);
    known.remove(name)
}

fn resolve_into(templates: &Templates, name: &str, above: &mut Vec<String>, known: &mut BTreeMap<String, Layer>) {
    // A circle, and a stack without end, is told of when the file is read; here it only has to end.
    if known.contains_key(name) || above.len() >= TALLEST || above.iter().any(|seen| seen == name) {
        return;
    }
    above.push(name.to_owned());
    let mut layer = Layer::new();
    if let Some(template) = templates.get(name) {
        for parent in &template.parents {
            resolve_into(templates, parent, above, known);
            if let Some(parent) = known.get(parent) {
                layer = merge(layer, parent);
            }
        }
        layer = merge(layer, &template.own);
    }
    above.pop();
    known.insert(name.to_owned(), layer);
}

/// What is wrong with how templates build on each other.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Faults<'a> {
    /// Circles, each once, as the names along it with the first at its end again.
    pub(super) circles: Vec<Vec<&'a str>>,
    /// The first that is found in a stack of more than there may be.
    pub(super) too_tall: Option<&'a str>,
}

/// Looks for them; not further than to a stack that is too tall.
pub(super) fn faults(templates: &Templates) -> Faults<'_> {
    let mut found = Faults::default();
    let mut heights = BTreeMap::new();
    for name in templates.keys() {
        walk(templates, name, &mut Vec::new(), &mut heights, &mut found);
    }
    found
}

/// Returns how many stand on one another, with this one at the top.
fn walk<'a>(
    templates: &'a Templates,
    name: &'a str,
    path: &mut Vec<&'a str>,
    heights: &mut BTreeMap<&'a str, usize>,
    found: &mut Faults<'a>,
) -> usize {
    if let Some(height) = heights.get(name) {
        return *height;
    }
    if let Some(at) = path.iter().position(|seen| *seen == name) {
        found.circles.push(path[at..].iter().copied().chain([name]).collect());
        return 0;
    }
    if path.len() == TALLEST {
        found.too_tall = found.too_tall.or(Some(name));
    }
    if found.too_tall.is_some() {
        return 0;
    }
    path.push(name);
    let mut height = 1;
    for parent in templates.get(name).map(|template| template.parents.as_slice()).unwrap_or_default() {
        height = height.max(walk(templates, parent, path, heights, found) + 1);
    }
    path.pop();
    if height > TALLEST {
        found.too_tall = found.too_tall.or(Some(name));
    }
    heights.insert(name, height);
    height
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words() -> impl Strategy<Value = Vec<String>> {
        proptest::collection::vec("[a-e]", 0..5).prop_map(|words| {
            let mut once: Vec<String> = Vec::new();
            for word in words {
                if !once.contains(&word) {
                    once.push(word);
                }
            }
            once
        })
    }

    fn layer() -> impl Strategy<Value = Layer> {
        let map = proptest::collection::btree_map("[A-C]", "[a-c]", 0..3);
        (
            proptest::option::of("[a-c]"),
            proptest::option::of(any::<bool>()),
            proptest::option::of(words()),
            proptest::option::of(map),
        )
            .prop_map(|(text, yes, list, map)| {
                let settings = [
                    ("text", text.map(Setting::Text)),
                    ("yes", yes.map(Setting::Bool)),
                    ("list", list.map(Setting::List)),
                    ("map", map.map(Setting::Map)),
                ];
                settings.into_iter().filter_map(|(key, setting)| Some((key, setting?))).collect()
            })
    }

    /// Templates t0, t1, …, each of which builds on some that come before it.
    fn stack() -> impl Strategy<Value = Templates> {
        proptest::collection::vec((layer(), proptest::collection::vec(any::<prop::sample::Index>(), 0..3)), 1..6)
            .prop_map(|templates| {
                let with_parents = |(number, (own, parents)): (usize, (Layer, Vec<prop::sample::Index>))| {
                    let parents = parents.iter().filter(|_| number > 0);
                    let parents = parents.map(|parent| format!("t{}", parent.index(number.max(1)))).collect();
                    (format!("t{number}"), Template { parents, own })
                };
                templates.into_iter().enumerate().map(with_parents).collect()
            })
    }

    /// What everything below a template says, the lowest first.
    fn spoken<'a>(templates: &'a Templates, name: &str) -> Vec<&'a Layer> {
        let template = &templates[name];
        template.parents.iter().flat_map(|parent| spoken(templates, parent)).chain([&template.own]).collect()
    }

    proptest! {
        #[test]
        fn it_does_not_matter_which_two_are_merged_first(a in layer(), b in layer(), c in layer()) {
            let left = merge(merge(a.clone(), &b), &c);
            let right = merge(a, &merge(b, &c));
            prop_assert_eq!(left, right);
        }

        #[test]
        fn the_same_twice_is_the_same_and_nothing_changes_nothing(a in layer()) {
            prop_assert_eq!(merge(a.clone(), &a), a.clone());
            prop_assert_eq!(merge(a.clone(), &Layer::new()), a.clone());
            prop_assert_eq!(merge(Layer::new(), &a), a);
        }

        #[test]
        fn what_is_not_set_takes_nothing_away(a in layer(), b in layer()) {
            let merged = merge(a.clone(), &b);
            for (key, setting) in &a {
                if !b.contains_key(key) {
                    prop_assert_eq!(merged.get(key), Some(setting));
                }
            }
            prop_assert!(b.keys().all(|key| merged.contains_key(key)));
        }

        #[test]
        fn a_template_is_what_was_said_below_it_from_left_to_right(templates in stack()) {
            for name in templates.keys() {
                let said = spoken(&templates, name);
                let folded = said.iter().fold(Layer::new(), |under, over| merge(under, over));
                let resolved = resolve(&templates, name).unwrap();
                prop_assert_eq!(&resolved, &folded);
                let last = said.iter().rev().find_map(|layer| layer.get("text"));
                prop_assert_eq!(resolved.get("text"), last, "the last that sets it wins");
            }
            prop_assert_eq!(faults(&templates), Faults::default());
        }
    }

    fn on(parents: &[&str]) -> Template {
        Template { parents: parents.iter().map(|name| (*name).to_owned()).collect(), own: Layer::new() }
    }

    #[test]
    fn a_circle_is_named_whole_and_resolving_it_ends() {
        let templates = Templates::from([
            ("a".to_owned(), on(&["b"])),
            ("b".to_owned(), on(&["c"])),
            ("c".to_owned(), on(&["b"])),
            ("self".to_owned(), on(&["self"])),
            ("fine".to_owned(), on(&["default"])),
        ]);
        let circles = vec![vec!["b", "c", "b"], vec!["self", "self"]];
        assert_eq!(faults(&templates), Faults { circles, too_tall: None });
        assert_eq!(resolve(&templates, "a"), Some(Layer::new()));
    }

    #[test]
    fn a_tall_stack_of_pairs_takes_no_time() {
        let level = |number: usize| {
            let below = format!("t{}", number.saturating_sub(1));
            let parents = if number == 0 { vec![] } else { vec![below.clone(), below] };
            (format!("t{number:}"), Template { parents, own: Layer::new() })
        };
        let templates: Templates = (0..200).map(level).collect();
        assert_eq!(resolve(&templates, "t199"), Some(Layer::new()));
        assert_eq!(faults(&templates), Faults::default());
    }

    #[test]
    fn a_stack_without_end_is_told_of_and_resolving_it_ends() {
        // In either order of their names, as they are looked through in that.
        for step in [1, -1] {
            let stack = |height: usize| -> Templates {
                let name = |at: usize| format!("t{:06}", 500_000 + step * i64::try_from(at).unwrap());
                (0..height).map(|at| (name(at), if at == 0 { on(&[]) } else { on(&[&name(at - 1)]) })).collect()
            };
            assert_eq!(faults(&stack(TALLEST)), Faults::default());
            let higher = stack(TALLEST + 1);
            assert!(faults(&higher).too_tall.is_some() && faults(&higher).circles.is_empty());
            let without_end = stack(100_000);
            assert!(faults(&without_end).too_tall.is_some());
            assert!(
                without_end
                    .keys()
                    .take(2)
                    .chain(without_end.keys().last())
                    .all(|it| resolve(&without_end, it).is_some())
            );
        }
    }

    #[test]
    fn the_default_is_there_and_others_are_not() {
        assert_eq!(resolve(&Templates::new(), DEFAULT), Some(Layer::new()));
        assert_eq!(resolve(&Templates::new(), "other"), None);
    }
}
