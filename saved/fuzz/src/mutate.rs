//! Changes messages so that they stay messages: bytes that are changed blindly end at the first length that is wrong.

use crate::message::{Field, Value, parse, write};

/// What stands in graphs, beside what a file has itself.
const WORDS: &[&str] = &[
    "PartitionedCall",
    "StatefulPartitionedCall",
    "While",
    "StatelessWhile",
    "If",
    "StatelessIf",
    "Case",
    "StatelessCase",
    "Const",
    "Placeholder",
    "Identity",
    "IdentityN",
    "NoOp",
    "VarHandleOp",
    "VariableV2",
    "ReadVariableOp",
    "Assign",
    "AssignVariableOp",
    "AssignAddVariableOp",
    "RestoreV2",
    "Split",
    "SplitV",
    "Unpack",
    "Pack",
    "Fill",
    "Range",
    "Tile",
    "Reshape",
    "ConcatV2",
    "StridedSlice",
    "Conv2D",
    "MatMul",
    "Einsum",
    "TensorListReserve",
    "TensorListSetItem",
    "TensorListGetItem",
    "TensorListStack",
    "TensorListFromTensor",
    "ResizeBilinear",
    "Pad",
    "MirrorPad",
    "OneHot",
    "Gather",
    "GatherV2",
    "Cast",
    "Add",
    "Mul",
    "T",
    "N",
    "dtype",
    "shape",
    "value",
    "f",
    "body",
    "cond",
    "then_branch",
    "else_branch",
    "branches",
    "Tin",
    "Tout",
    "num_split",
    "num",
    "shared_name",
    "_output_shapes",
    "serve",
    "serving_default",
    "VARIABLE_VALUE",
    "_CHECKPOINTABLE_OBJECT_GRAPH",
    "x",
    "y",
    "x:0",
    "end:0",
    "^x",
    "output",
    "a,b->ab",
    "VALID",
    "SAME",
    "NHWC",
    "../../../../etc/passwd",
];

const NUMBERS: &[u64] = &[
    0,
    1,
    2,
    3,
    7,
    9,
    10,
    20,
    64,
    255,
    1 << 16,
    1 << 20,
    1 << 31,
    (1 << 31) - 1,
    1 << 32,
    1 << 40,
    1 << 62,
    1 << 63,
    u64::MAX,
    u64::MAX - 1,
    i64::MAX as u64,
];

/// Numbers that are as good as random.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

/// Changes `data[..size]`, which may grow up to `most`; the new size. `None` if it is no message.
pub fn message(data: &mut [u8], size: usize, most: usize, seed: u32) -> Option<usize> {
    let mut tree = parse(&data[..size]).filter(|tree| !tree.is_empty())?;
    let mut random = Random(u64::from(seed));
    for _ in 0..=random.below(4) {
        change(&mut tree, &mut random);
    }
    let out = write(&tree);
    let room = most.min(data.len());
    if out.len() > room || out.is_empty() {
        return None;
    }
    data[..out.len()].copy_from_slice(&out);
    Some(out.len())
}

/// How many fields there are, those inside others with them.
fn count(fields: &[Field]) -> usize {
    let inside = |field: &Field| match &field.value {
        Value::Message(fields) => count(fields),
        _ => 0,
    };
    fields.iter().map(|field| 1 + inside(field)).sum()
}

/// Calls `f` with the field of a place, and those that it stands among.
fn with<T>(fields: &mut Vec<Field>, place: &mut usize, f: &mut dyn FnMut(&mut Vec<Field>, usize) -> T) -> Option<T> {
    for at in 0..fields.len() {
        if *place == 0 {
            return Some(f(fields, at));
        }
        *place -= 1;
        if let Value::Message(inside) = &mut fields[at].value
            && let Some(result) = with(inside, place, f)
        {
            return Some(result);
        }
    }
    None
}

/// A field that is like another where chance will have it.
fn other(tree: &mut Vec<Field>, like: &Field, random: &mut Random) -> Option<Field> {
    let all = count(tree);
    let same = |field: &Field| {
        field.number == like.number && std::mem::discriminant(&field.value) == std::mem::discriminant(&like.value)
    };
    let mut found = None;
    for _ in 0..64 {
        let field = with(tree, &mut random.below(all), &mut |fields, at| fields[at].clone())?;
        if same(&field) && field != *like {
            return Some(field);
        }
        if std::mem::discriminant(&field.value) == std::mem::discriminant(&like.value) {
            found = Some(field);
        }
    }
    found
}

fn change(tree: &mut Vec<Field>, random: &mut Random) {
    let all = count(tree);
    if all == 0 {
        return;
    }
    let place = random.below(all);
    let Some(field) = with(tree, &mut place.clone(), &mut |fields, at| fields[at].clone()) else { return };
    let choice = random.below(12);
    let source = if choice < 5 { other(tree, &field, random) } else { None };
    let changed = |value: Value| Field { value, ..field.clone() };
    let new = match (choice, source, &field.value) {
        (0..4, Some(source), _) => changed(source.value),
        (4, Some(source), _) => {
            with(tree, &mut place.clone(), &mut |fields, at| fields.insert(at, source.clone()));
            return;
        }
        (5, ..) => {
            with(tree, &mut place.clone(), &mut |fields, at| fields.remove(at));
            return;
        }
        (6, ..) => {
            let times = 1 + random.below(3);
            with(tree, &mut place.clone(), &mut |fields, at| {
                (0..times).for_each(|_| fields.insert(at, field.clone()));
            });
            return;
        }
        (7, ..) => {
            let to = random.next();
            with(tree, &mut place.clone(), &mut |fields, at| {
                let to = (to % fields.len() as u64) as usize;
                fields.swap(at, to);
            });
            return;
        }
        (8, ..) => Field { number: 1 + random.below(20) as u64, ..field.clone() },
        (.., Value::Varint(value)) => changed(Value::Varint(number(*value, random))),
        (.., Value::Fixed64(value)) => changed(Value::Fixed64(number(*value, random))),
        (.., Value::Fixed32(value)) => changed(Value::Fixed32(number(u64::from(*value), random) as u32)),
        (.., Value::Bytes(bytes)) => changed(Value::Bytes(other_bytes(bytes, random))),
        (.., Value::Message(fields)) => match random.below(3) {
            0 => changed(Value::Bytes(Vec::new())),
            1 => changed(Value::Bytes(other_bytes(&write(fields), random))),
            _ => changed(Value::Message(fields[..random.below(fields.len() + 1)].to_vec())),
        },
    };
    with(tree, &mut place.clone(), &mut |fields, at| fields[at] = new.clone());
}

fn number(value: u64, random: &mut Random) -> u64 {
    match random.below(4) {
        0 => value.wrapping_add(1 + random.below(4) as u64),
        1 => value.wrapping_sub(1 + random.below(4) as u64),
        2 => value ^ (1 << random.below(64)),
        _ => NUMBERS[random.below(NUMBERS.len())],
    }
}

fn other_bytes(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    match random.below(5) {
        0 => bytes = WORDS[random.below(WORDS.len())].into(),
        1 => bytes.truncate(random.below(bytes.len() + 1)),
        2 => bytes.extend(WORDS[random.below(WORDS.len())].bytes()),
        3 => (0..random.below(16)).for_each(|_| bytes.push(random.next() as u8)),
        _ if bytes.is_empty() => bytes.push(random.next() as u8),
        _ => {
            let at = random.below(bytes.len());
            bytes[at] ^= 1 << random.below(8);
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::bytes;

    #[test]
    fn a_changed_message_is_one() {
        let inner = write(&[bytes(1, "name"), Field { number: 2, value: Value::Varint(3) }]);
        let whole = write(&[bytes(1, inner.clone()), bytes(1, inner), bytes(2, "text")]);
        let mut different = 0;
        for seed in 0..500 {
            let mut data = whole.clone();
            data.resize(4096, 0);
            let Some(size) = message(&mut data, whole.len(), 4096, seed) else { continue };
            assert!(parse(&data[..size]).is_some());
            different += usize::from(data[..size] != whole);
        }
        assert!(different > 400, "{different}");
    }
}
