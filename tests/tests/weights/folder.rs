//! Folders: which files are read, shards and their index, and what is wrong with a bad one.

use super::*;

const A: &[(&str, &[usize])] = &[("a.weight", &[2, 2]), ("a.bias", &[2])];
const B: &[(&str, &[usize])] = &[("b.weight", &[3])];

fn open(folder: &Folder) -> Result<Weights> {
    Weights::folder(&folder.0, DType::F32, &Device::Cpu)
}

/// An index of `A` in the first shard and `B` in the second.
const INDEX: &str = r#"{"metadata": {"total_size": 36}, "weight_map": {
    "a.weight": "model-00001-of-00002.safetensors",
    "a.bias": "model-00001-of-00002.safetensors",
    "b.weight": "model-00002-of-00002.safetensors"}}"#;

fn sharded(folder: &Folder) {
    folder.write("model.safetensors.index.json", INDEX);
    folder.save("model-00001-of-00002.safetensors", A);
    folder.save("model-00002-of-00002.safetensors", B);
}

#[test]
fn one_file_is_read() {
    let folder = Folder::new("folder-one");
    folder.save("model.safetensors", A);
    folder.write("pytorch_model.bin", "never looked at");
    assert_eq!(f32s(&get(&open(&folder).unwrap(), "a.weight", DType::F32).unwrap()), [0., 1., 2., 3.]);
}

#[test]
fn shards_are_read_together() {
    let folder = Folder::new("folder-shards");
    sharded(&folder);
    let weights = open(&folder).unwrap();
    assert_eq!(weights.names().collect::<Vec<_>>(), ["a.bias", "a.weight", "b.weight"]);
    let loaded = weights.load(|vb| Ok((vb.get((2, 2), "a.weight")?, vb.get(2, "a.bias")?, vb.get(3, "b.weight")?)));
    assert_eq!(f32s(&loaded.unwrap().2), [0., 1., 2.]);
}

#[test]
fn pytorchs_file_and_its_shards_are_read() {
    let folder = Folder::new("folder-bin");
    std::fs::copy(data("module_state.bin"), folder.file("pytorch_model.bin")).unwrap();
    assert!(open(&folder).unwrap().contains("0.weight"));

    let folder = Folder::new("folder-bin-shards");
    std::fs::copy(data("module_state.bin"), folder.file("pytorch_model-00001-of-00002.bin")).unwrap();
    std::fs::copy(data("two_models.bin"), folder.file("pytorch_model-00002-of-00002.bin")).unwrap();
    let index = r#"{"weight_map": {"0.weight": "pytorch_model-00001-of-00002.bin",
        "ema.w": "pytorch_model-00002-of-00002.bin"}}"#;
    folder.write("pytorch_model.bin.index.json", index);
    let weights = open(&folder).unwrap();
    // What a shard has beyond the index is not passed over.
    assert!(weights.contains("0.weight") && weights.contains("ema.w") && weights.contains("model.w"));
}

#[test]
fn the_index_says_which_of_two_is_meant() {
    let folder = Folder::new("folder-twice");
    sharded(&folder);
    folder.save("model-00002-of-00002.safetensors", &[("b.weight", &[3]), ("a.bias", &[1])]);
    assert_eq!(get(&open(&folder).unwrap(), "a.bias", DType::F32).unwrap().dims(), [2]);
    // Without a word about it, it is anybody's guess.
    folder.save("model-00001-of-00002.safetensors", &[A, &[("c", &[1][..])]].concat());
    folder.save("model-00002-of-00002.safetensors", &[B, &[("c", &[2][..])]].concat());
    contains(&message(open(&folder)), &["`c` is in two files", "model-00001", "model-00002"]);
}

#[test]
fn each_bad_folder_is_one_error_that_names_the_file_and_the_field() {
    type Spoil = fn(&Folder);
    let cases: &[(&str, Spoil, &[&str])] = &[
        (
            "shard",
            |f| std::fs::remove_file(f.file("model-00001-of-00002.safetensors")).unwrap(),
            &["index.json", "names the shard `model-00001-of-00002.safetensors` (2 tensors, the first of them `a."],
        ),
        (
            "lacking",
            |f| drop(f.save("model-00001-of-00002.safetensors", &A[..1])),
            &["says that `a.bias` is in `model-00001-of-00002.safetensors`, which does not have it"],
        ),
        (
            "torn",
            |f| drop(f.write("model-00002-of-00002.safetensors", "12345678")),
            &["model-00002-of-00002.safetensors` is"],
        ),
        ("json", |f| drop(f.write("model.safetensors.index.json", "{")), &["index.json` is not JSON", "line 1"]),
        ("field", |f| drop(f.write("model.safetensors.index.json", "{}")), &["has no field `weight_map`"]),
        (
            "none",
            |f| drop(f.write("model.safetensors.index.json", r#"{"weight_map": {}}"#)),
            &["lists no tensors in its field `weight_map`"],
        ),
        (
            "type",
            |f| drop(f.write("model.safetensors.index.json", r#"{"weight_map": {"a": 3}}"#)),
            &["names no file for `weight_map.a`, but 3"],
        ),
        (
            "outside",
            |f| drop(f.write("model.safetensors.index.json", r#"{"weight_map": {"a": "../a.safetensors"}}"#)),
            &["names `../a.safetensors`, which is not a file below its folder"],
        ),
    ];
    for (name, spoil, parts) in cases {
        let folder = Folder::new(&format!("folder-{name}"));
        sharded(&folder);
        spoil(&folder);
        let text = message(open(&folder));
        contains(&text, parts);
        assert!(!text.contains('\n'), "{text}");
    }
}

#[test]
fn a_folder_without_weights_says_what_is_looked_for_and_what_is_there() {
    let folder = Folder::new("folder-empty");
    contains(&message(open(&folder)), &["`model.safetensors`", "`pytorch_model.bin`", "there is no file of weights"]);
    folder.write("tf_model.h5", "");
    contains(&message(open(&folder)), &["there is `tf_model.h5`, which is not looked for"]);
    let absent = folder.file("absent");
    contains(&message(Weights::folder(&absent, DType::F32, &Device::Cpu)), &["cannot read the folder", "absent"]);
}
