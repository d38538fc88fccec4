//! Names that differ in numbers alone.
//!
//! A process numbers on what it has given a name before: the layers `dense` and `dense_1` of one model are `dense_2` and
//! `dense_3` of the next. The order of the numbers is that in which the layers were made, and stays.

use std::collections::HashMap;

/// Names of which numbers are places, and not counted on.
const PLACES: [&str; 2] = ["args", "output"];

/// `dense` and 1, 2 of `dense_1_2`.
fn split(part: &str) -> (&str, Vec<u64>) {
    let (mut stem, mut numbers) = (part, Vec::new());
    while let Some((before, number)) = stem.rsplit_once('_') {
        let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        match number.parse() {
            Ok(number) if digits && !before.is_empty() => {
                numbers.insert(0, number);
                stem = before;
            }
            _ => break,
        }
    }
    (stem, numbers)
}

/// Of every name of `there`, the place in `here` of the one that stands for it: as many of each kind, in the order of their
/// numbers. `None` if there is no such order.
pub(super) fn paired(there: &[&str], here: &[&str]) -> Option<Vec<usize>> {
    let kinds = |names: &[&str]| {
        let mut kinds: HashMap<String, Vec<(Vec<u64>, usize)>> = HashMap::new();
        for (at, name) in names.iter().enumerate() {
            let (stem, numbers) = match split(name) {
                (stem, _) if PLACES.contains(&stem) => (*name, Vec::new()),
                split => split,
            };
            kinds.entry(stem.to_owned()).or_default().push((numbers, at));
        }
        kinds.values_mut().for_each(|names| names.sort());
        kinds
    };
    let (there_by, here_by) = (kinds(there), kinds(here));
    let mut pairs = vec![usize::MAX; there.len()];
    for (stem, names) in &there_by {
        let others = here_by.get(stem).filter(|others| others.len() == names.len())?;
        names.iter().zip(others).for_each(|((_, at), (_, other))| pairs[*at] = *other);
    }
    (there.len() == here.len()).then_some(pairs)
}

/// Of weights that stand at one place in two models, there and here, the first two whose names don't go together: the
/// layers that they name are others, or the same in another order.
///
/// What stands around all of them, the model's own name, is free.
pub(super) fn crossed<'n>(pairs: &[(&'n str, &'n str)]) -> Option<(&'n str, &'n str)> {
    let root = |at: fn(&(&'n str, &'n str)) -> &'n str| {
        let mut roots = pairs.iter().map(|pair| at(pair).split_once('/').map(|(root, _)| root));
        let first = roots.next()??;
        roots.all(|root| root == Some(first)).then_some(first)
    };
    let is_rooted = root(|pair| pair.0).is_some() && root(|pair| pair.1).is_some();
    // Of every name around, what stands in it: there and here.
    let mut parts: HashMap<&str, HashMap<&str, &str>> = HashMap::new();
    for &(there, here) in pairs {
        if there.split('/').count() != here.split('/').count() {
            return Some((there, here));
        }
        let mut end = 0;
        for (depth, (part, own)) in there.split('/').zip(here.split('/')).enumerate() {
            let around = &there[..end];
            end += part.len() + usize::from(depth > 0);
            let free = is_rooted && depth == 0;
            if !free && split(part).0 != split(own).0 {
                return Some((there, here));
            }
            if *parts.entry(around).or_default().entry(part).or_insert(own) != own {
                return Some((there, here));
            }
        }
    }
    // Names of one kind must keep the order of their numbers.
    let mut disordered: HashMap<&str, Vec<&str>> = HashMap::new();
    for (around, siblings) in &parts {
        let mut sorted: Vec<_> = siblings.iter().map(|(part, own)| (split(part), split(own).1, *part)).collect();
        sorted.sort();
        for pair in sorted.windows(2) {
            let [(there, here, part), (next, next_here, next_part)] = pair else { continue };
            if there.0 == next.0 && here >= next_here {
                disordered.entry(around).or_default().extend([part, next_part]);
            }
        }
    }
    let is_disordered = |(there, _): &&(&str, &str)| {
        let mut end = 0;
        there.split('/').enumerate().any(|(depth, part)| {
            let around = &there[..end];
            end += part.len() + usize::from(depth > 0);
            disordered.get(around).is_some_and(|parts| parts.contains(&part))
        })
    };
    pairs.iter().find(is_disordered).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_from_names() {
        assert_eq!(split("dense_1_2"), ("dense", vec![1, 2]));
        for whole in ["dense", "_1", "dense_", "dense_a1", "1", "d1"] {
            assert_eq!(split(whole), (whole, Vec::new()));
        }
    }

    #[test]
    fn arguments_are_paired_in_the_order_of_their_numbers() {
        assert_eq!(paired(&["x", "y"], &["x", "y"]), Some(vec![0, 1]));
        assert_eq!(paired(&["input_1", "input_2"], &["input_10", "input_9"]), Some(vec![1, 0]));
        assert_eq!(paired(&["keras_tensor"], &["keras_tensor_9"]), Some(vec![0]));
        for (there, here) in [(["x"], ["y"]), (["output_0"], ["output_1"]), (["x"], ["x1"])] {
            assert_eq!(paired(&there, &here), None, "{there:?} {here:?}");
        }
        assert_eq!(paired(&["x"], &["x", "y"]), None);
        assert_eq!(paired(&["x", "x_1"], &["x", "y"]), None);
    }

    #[test]
    fn weights_go_together_by_their_names() {
        let fits = |pairs: &[(&str, &str)]| crossed(pairs).is_none();
        let (kernel, again) =
            (("mlp/dense/kernel", "mlp_1/dense_3/kernel"), ("mlp/dense_1/kernel", "mlp_1/dense_4/kernel"));
        assert!(fits(&[kernel, again, ("mlp/dense/bias", "mlp_1/dense_3/bias")]));
        assert!(fits(&[]) && fits(&[kernel]));
        // The model has another name, and its layers the same.
        assert!(fits(&[
            ("first/dense/kernel", "second/dense/kernel"),
            ("first/dense_1/kernel", "second/dense_1/kernel")
        ]));
        // From 9 to 10, where the order of letters is another.
        assert!(fits(&[("a/d/k", "a/d_9/k"), ("a/d_1/k", "a/d_10/k")]));
        let crossing = [("n/dense/kernel", "n/dense_4/kernel"), ("n/dense_1/kernel", "n/dense_3/kernel")];
        assert_eq!(crossed(&crossing), Some(crossing[0]));
        for crossing in [
            // Layers that change places, by name and by number; one that stands for two; another kind of layer.
            [("n/left/kernel", "n/right/kernel"), ("n/right/kernel", "n/left/kernel")],
            [("n/block_1/kernel", "n/block_2/kernel"), ("n/block_2/kernel", "n/block_1/kernel")],
            [("n/dense/kernel", "n/dense_3/kernel"), ("n/dense_1/kernel", "n/dense_3/kernel")],
            [("n/dense/kernel", "n/dense_3/kernel"), ("n/dense/bias", "n/dense_4/bias")],
            [("n/dense/kernel", "n/dense/kernel"), ("n/norm/gamma", "n/norm/beta")],
            [("dense/kernel", "other/kernel"), ("dense_1/kernel", "dense_1/kernel")],
            [("n/dense/kernel", "n/dense/kernel"), ("n/dense_1/kernel", "n/in/dense_1/kernel")],
        ] {
            assert!(!fits(&crossing), "{crossing:?}");
        }
    }
}
