//! Laws of inheritance.

use std::sync::Arc;

use proptest::prelude::*;

use super::inherit::{merge, root};
use crate::yaml::{FileId, Key, Mapping, Node, Span, Value};

const PARENT: u32 = 0;
const CHILD: u32 = 1;

fn at(file: u32) -> Span {
    Span { file: FileId(file), line: 1, column: 1, start: 0, end: 1 }
}

fn node(file: u32, value: Value) -> Node {
    Node::new(at(file), value)
}

fn text(file: u32, text: &str) -> Node {
    node(file, Value::Str(text.into()))
}

fn map(file: u32, entries: Vec<(String, Node)>) -> Node {
    let entries = entries.into_iter().map(|(name, value)| (Key { name: name.into(), span: at(file) }, value)).collect();
    node(file, Value::Map(Arc::new(Mapping { entries })))
}

fn list(file: u32, members: Vec<Node>) -> Node {
    node(file, Value::Seq(Arc::new(members)))
}

/// Members of a plain list, each once.
fn plain(file: u32) -> impl Strategy<Value = Node> {
    proptest::sample::subsequence(vec!["a", "b", "c", "d", "e", "f"], 0..=6)
        .prop_shuffle()
        .prop_map(move |names| list(file, names.into_iter().map(|name| text(file, name)).collect()))
}

/// A list of partitions with different names.
fn named(file: u32) -> impl Strategy<Value = Node> {
    proptest::sample::subsequence(vec!["root", "boot", "var", "log"], 0..=4).prop_shuffle().prop_flat_map(move |names| {
        let sizes = proptest::collection::vec(0i64..4, names.len());
        sizes.prop_map(move |sizes| {
            let members = names.iter().zip(sizes).map(|(name, size)| {
                let entries = vec![("name".to_owned(), text(file, name)), (format!("size{}", size % 2), node(file, Value::Int(size)))];
                map(file, entries)
            });
            list(file, members.collect())
        })
    })
}

/// A tree in which a key always has the same kind of value, as keys of documents do, and which removes nothing.
fn tree(file: u32) -> impl Strategy<Value = Node> {
    let leaf = proptest::collection::btree_map("s[0-4]", 0i64..5, 0..4)
        .prop_map(move |map_| map(file, map_.into_iter().map(|(key, value)| (key, node(file, Value::Int(value)))).collect()));
    leaf.prop_recursive(3, 24, 3, move |inner| {
        let scalars = proptest::collection::btree_map("s[0-4]", 0i64..5, 0..4);
        let maps = proptest::collection::btree_map("m[0-2]", inner, 0..3);
        let lists = proptest::collection::btree_map("l[0-2]", plain(file), 0..3);
        let partitions = proptest::option::of(named(file));
        (scalars, maps, lists, partitions).prop_flat_map(move |(scalars, maps, lists, partitions)| {
            let mut entries: Vec<(String, Node)> = scalars.into_iter().map(|(key, value)| (key, node(file, Value::Int(value)))).collect();
            entries.extend(maps);
            entries.extend(lists);
            entries.extend(partitions.map(|partitions| ("partitions".to_owned(), partitions)));
            Just(entries).prop_shuffle().prop_map(move |entries| map(file, entries))
        })
    })
}

fn merged(parent: &Node, child: &Node) -> Node {
    let mut idle = Vec::new();
    let result = merge(parent, child, &mut idle);
    assert!(idle.is_empty(), "nothing is removed here: {idle:?}");
    result
}

fn keys(tree: &Node) -> Vec<String> {
    tree.as_map().expect("a mapping").entries.iter().map(|(key, _)| key.name.to_string()).collect()
}

/// Whether every scalar below stands in this file.
fn all_from(tree: &Node, file: u32) -> bool {
    match &tree.value {
        Value::Map(map) => map.entries.iter().all(|(_, value)| all_from(value, file)),
        Value::Seq(members) => members.iter().all(|member| all_from(member, file)),
        _ => tree.span.file.0 == file,
    }
}

proptest! {
    #[test]
    fn an_empty_child_inherits_everything(parent in tree(PARENT)) {
        prop_assert_eq!(merged(&parent, &map(CHILD, Vec::new())), parent);
    }

    #[test]
    fn an_empty_parent_gives_nothing(child in tree(CHILD)) {
        prop_assert_eq!(merged(&map(PARENT, Vec::new()), &child), root(&child, &mut Vec::new()));
    }

    #[test]
    fn repeating_what_is_inherited_changes_nothing(parent in tree(PARENT)) {
        prop_assert_eq!(merged(&parent, &parent), parent);
    }

    #[test]
    fn a_child_applied_twice_is_the_child_applied_once(parent in tree(PARENT), child in tree(CHILD)) {
        let once = merged(&parent, &child);
        prop_assert_eq!(merged(&once, &child), once);
    }

    #[test]
    fn chains_may_be_merged_from_either_end(a in tree(PARENT), b in tree(CHILD), c in tree(2)) {
        prop_assert_eq!(merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c)));
    }

    #[test]
    fn inherited_keys_come_first_and_keep_their_order(parent in tree(PARENT), child in tree(CHILD)) {
        let result = keys(&merged(&parent, &child));
        let mut expected = keys(&parent);
        expected.extend(keys(&child).into_iter().filter(|key| parent.get(key).is_none()));
        prop_assert_eq!(result, expected);
    }

    #[test]
    fn overriding_one_key_leaves_its_siblings_and_their_positions(parent in tree(PARENT), pick in any::<prop::sample::Index>()) {
        let names = keys(&parent);
        prop_assume!(!names.is_empty());
        let name = &names[pick.index(names.len())];
        let result = merged(&parent, &map(CHILD, vec![(name.clone(), node(CHILD, Value::Int(99)))]));
        prop_assert_eq!(keys(&result), names.clone());
        for sibling in &names {
            let (value, before) = (result.get(sibling).expect("kept"), parent.get(sibling).expect("there before"));
            if sibling == name {
                prop_assert_eq!(&value.value, &Value::Int(99));
                prop_assert_eq!(value.span.file.0, CHILD);
            } else {
                prop_assert_eq!(value, before);
                prop_assert!(all_from(value, PARENT));
            }
        }
    }

    #[test]
    fn null_removes_exactly_one_key(parent in tree(PARENT), pick in any::<prop::sample::Index>(), how in 0..3) {
        let mut names = keys(&parent);
        prop_assume!(!names.is_empty());
        let gone = names.remove(pick.index(names.len()));
        let removal = match how {
            0 => (gone.clone(), node(CHILD, Value::Null)),
            1 => (gone.clone(), text(CHILD, "!")),
            _ => (format!("!{gone}"), node(CHILD, Value::Null)),
        };
        let result = merged(&parent, &map(CHILD, vec![removal]));
        prop_assert_eq!(keys(&result), names.clone());
        for sibling in &names {
            prop_assert_eq!(result.get(sibling), parent.get(sibling));
        }
    }

    #[test]
    fn a_removal_takes_exactly_one_member_of_a_list(parent in plain(PARENT), pick in any::<prop::sample::Index>()) {
        let members = parent.as_seq().expect("a list").to_vec();
        prop_assume!(!members.is_empty());
        let gone = pick.index(members.len());
        let removal = format!("!{}", members[gone].as_str().expect("a text"));
        let result = merged(&map(PARENT, vec![("l".to_owned(), parent)]), &map(CHILD, vec![("l".to_owned(), list(CHILD, vec![text(CHILD, &removal)]))]));
        let mut expected = members;
        expected.remove(gone);
        prop_assert_eq!(result.get("l").and_then(Node::as_seq), Some(&expected[..]));
    }

    #[test]
    fn overriding_one_partition_leaves_the_others(parent in named(PARENT), pick in any::<prop::sample::Index>(), remove in any::<bool>()) {
        let members = parent.as_seq().expect("a list").to_vec();
        prop_assume!(!members.is_empty());
        let chosen = pick.index(members.len());
        let name = members[chosen].get("name").and_then(Node::as_str).expect("a name");
        let name = if remove { format!("!{name}") } else { name.to_owned() };
        let change = map(CHILD, vec![("name".to_owned(), text(CHILD, &name)), ("size".to_owned(), node(CHILD, Value::Int(7)))]);
        let result = merged(
            &map(PARENT, vec![("partitions".to_owned(), parent.clone())]),
            &map(CHILD, vec![("partitions".to_owned(), list(CHILD, vec![change]))]),
        );
        let result = result.get("partitions").and_then(Node::as_seq).expect("a list").to_vec();
        let mut others = members.clone();
        others.remove(chosen);
        if remove {
            prop_assert_eq!(result, others);
        } else {
            prop_assert_eq!(result[chosen].get("size").map(|size| &size.value), Some(&Value::Int(7)));
            for key in keys(&members[chosen]) {
                prop_assert_eq!(result[chosen].get(&key), members[chosen].get(&key), "{} is inherited", key);
            }
            let mut kept = result;
            kept.remove(chosen);
            prop_assert!(kept.iter().all(|member| all_from(member, PARENT)));
            prop_assert_eq!(kept, others);
        }
    }
}

#[test]
fn removals_that_find_nothing_are_told() {
    let parent = map(PARENT, vec![("l".to_owned(), list(PARENT, vec![text(PARENT, "a")]))]);
    let child = map(
        CHILD,
        vec![
            ("l".to_owned(), list(CHILD, vec![text(CHILD, "!b"), text(CHILD, "c")])),
            ("!gone".to_owned(), node(CHILD, Value::Null)),
            ("null_of_nothing".to_owned(), node(CHILD, Value::Null)),
            ("partitions".to_owned(), list(CHILD, vec![text(CHILD, "!x")])),
        ],
    );
    let mut idle = Vec::new();
    let result = merge(&parent, &child, &mut idle);
    let told: Vec<&str> = idle.iter().map(|(what, _)| what.as_str()).collect();
    assert_eq!(told, ["!b", "!gone", "!x"]);
    assert_eq!(keys(&result), ["l", "partitions"]);
    assert_eq!(result.get("l").and_then(Node::as_seq).expect("a list"), [text(PARENT, "a"), text(CHILD, "c")]);
}

#[test]
fn long_lists_and_mappings_merge_as_short_ones_do() {
    let names = |file, range: std::ops::Range<u32>| list(file, range.map(|n| text(file, &format!("n{n}"))).collect());
    let labels = |file, range: std::ops::Range<u32>| {
        map(file, range.map(|n| (format!("k{n}"), node(file, Value::Int(i64::from(n) * 10 + i64::from(file))))).collect())
    };
    let parent = map(PARENT, vec![("l".to_owned(), names(PARENT, 0..40)), ("m".to_owned(), labels(PARENT, 0..40))]);
    let child = map(CHILD, vec![("l".to_owned(), names(CHILD, 20..60)), ("m".to_owned(), labels(CHILD, 20..60))]);
    let result = merged(&parent, &child);
    let list = result.get("l").and_then(Node::as_seq).expect("a list");
    assert_eq!(list.len(), 60);
    assert!(list.iter().enumerate().all(|(n, member)| member.as_str() == Some(&format!("n{n}"))));
    let map = result.get("m").expect("a mapping");
    assert_eq!(keys(map), (0..60).map(|n| format!("k{n}")).collect::<Vec<_>>());
    assert_eq!(map.get("k19").map(|v| &v.value), Some(&Value::Int(190)));
    assert_eq!(map.get("k20").map(|v| &v.value), Some(&Value::Int(201)));
}
