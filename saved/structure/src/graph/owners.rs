//! Where the object that was saved has its variables: `_layers/1/kernel` is `model._layers[1].kernel`.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::proto::ObjectGraph;

/// What holds variables a second time, in an order that changes: with what is trained, and with what trains it.
const AGAIN: [&str; 7] =
    ["keras_api", "non_trainable_variables", "_optimizer", "optimizer", "signatures", "trainable_variables", UNORDERED];

/// What Keras 3 keeps as a set.
const UNORDERED: &str = "_all_variables";

/// Longer ones are cut off.
const LONGEST: usize = 1 << 12;

/// Of every object, the one that holds it, and by which name: on the shortest way from the model on, of several the first in
/// the order of letters.
#[derive(Debug)]
pub(super) struct Owners<'a> {
    holders: HashMap<i64, (i64, &'a str)>,
}

impl<'a> Owners<'a> {
    pub(super) fn of(objects: &'a ObjectGraph<'a>) -> Self {
        let mut holders = HashMap::new();
        for is_left_out in [|name| AGAIN.contains(&name), |name| name == UNORDERED] as [fn(&str) -> bool; 2] {
            let mut left = VecDeque::from([0i64]);
            let mut seen = vec![false; objects.objects.len()];
            while let Some(id) = left.pop_front() {
                let Some(place) = usize::try_from(id).ok().filter(|place| *place < seen.len()) else { continue };
                if std::mem::replace(&mut seen[place], true) {
                    continue;
                }
                let mut children: Vec<_> =
                    objects.objects[place].children.iter().map(|(id, name)| (*name, *id)).collect();
                children.sort_unstable();
                for (name, child) in children.into_iter().filter(|(name, child)| !is_left_out(name) && *child != 0) {
                    holders.entry(child).or_insert((id, name));
                    left.push_back(child);
                }
            }
        }
        Owners { holders }
    }

    /// The way to an object. `None` if there is none.
    pub(super) fn path(&self, object: i64) -> Option<Arc<str>> {
        let (mut path, mut object) = (String::new(), object);
        while let Some((holder, name)) = self.holders.get(&object).filter(|_| path.len() < LONGEST) {
            let behind = if path.is_empty() { String::new() } else { format!("/{path}") };
            path = format!("{}{behind}", &name[..name.floor_char_boundary(LONGEST)]);
            object = *holder;
        }
        (!path.is_empty()).then(|| path.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::ObjectKind;

    #[test]
    fn a_variable_is_held_where_it_always_is() {
        let children: [&[(i64, &str)]; 6] = [
            &[(1, "trainable_variables"), (2, "layers"), (1, "_all_variables"), (5, "_all_variables")],
            &[(3, "0")],
            &[(4, "1"), (2, "again")],
            &[],
            &[(3, "kernel"), (0, "model")],
            &[(6, "0")],
        ];
        let object = |children: &&[(i64, &'static str)]| crate::proto::Object {
            children: children.to_vec(),
            kind: ObjectKind::Other,
        };
        let graph = ObjectGraph { objects: children.iter().map(object).collect(), ..ObjectGraph::default() };
        let owners = Owners::of(&graph);
        assert_eq!(owners.path(3).as_deref(), Some("layers/1/kernel"));
        // What nothing else holds.
        assert_eq!(owners.path(1).as_deref(), Some("trainable_variables"));
        assert_eq!((owners.path(0), owners.path(6), owners.path(9)), (None, None, None));
    }
}
