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
    // A circle is told of when the file is read; here it only has to end.
    if known.contains_key(name) || above.iter().any(|seen| seen == name) {
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

/// Circles of templates that build on each other, each once, as the names along it with the first at its end again.
pub(super) fn circles(templates: &Templates) -> Vec<Vec<&str>> {
    let mut found = Vec::new();
    let mut done = Vec::new();
    for name in templates.keys() {
        walk(templates, name, &mut Vec::new(), &mut done, &mut found);
    }
    found
}

fn walk<'a>(
    templates: &'a Templates,
    name: &'a str,
    path: &mut Vec<&'a str>,
    done: &mut Vec<&'a str>,
    found: &mut Vec<Vec<&'a str>>,
) {
    if let Some(at) = path.iter().position(|seen| *seen == name) {
        found.push(path[at..].iter().copied().chain([name]).collect());
        return;
    }
    if done.contains(&name) {
        return;
    }
    path.push(name);
    for parent in templates.get(name).map(|template| template.parents.as_slice()).unwrap_or_default() {
        walk(templates, parent, path, done, found);
    }
    path.pop();
    done.push(name);
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
            prop_assert_eq!(circles(&templates), Vec::<Vec<&str>>::new());
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
        assert_eq!(circles(&templates), [vec!["b", "c", "b"], vec!["self", "self"]]);
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
        assert_eq!(circles(&templates).len(), 0);
    }

    #[test]
    fn the_default_is_there_and_others_are_not() {
        assert_eq!(resolve(&Templates::new(), DEFAULT), Some(Layer::new()));
        assert_eq!(resolve(&Templates::new(), "other"), None);
    }
}
