//! Files that are damaged, and commands that do not fit.

use crate::common::{Folder, data, saved, taper};

#[test]
fn a_damaged_model_is_named() {
    let folder = Folder::new("damaged");
    let model = folder.copy(&saved("mlp/export"), "model");
    let cut = |file: &str| {
        let path = format!("{model}/{file}");
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        let errors = [
            taper(&["inspect", &model]).failed(3),
            taper(&["taps", &model]).failed(3),
            taper(&["run", &model, "-i", "random:0"]).failed(3),
        ];
        for error in errors {
            assert!(error.contains(file), "{error}");
        }
        std::fs::write(&path, whole).unwrap();
    };
    cut("variables/variables.data-00000-of-00001");
    cut("variables/variables.index");
    cut("saved_model.pb");
    taper(&["inspect", &model]).well();
    std::fs::remove_file(format!("{model}/saved_model.pb")).unwrap();
    assert!(taper(&["inspect", &model]).failed(3).contains("saved_model.pb"));
}

#[test]
fn damaged_weights_are_named() {
    let folder = Folder::new("weights");
    for (from, name) in [("bert/model.safetensors", "x.safetensors"), ("gguf/llama-Q8_0.gguf", "x.gguf")] {
        let whole = std::fs::read(data(from)).unwrap();
        let to = folder.at(name);
        for len in [0, 3, 9, 40, whole.len() / 2, whole.len() - 1] {
            std::fs::write(&to, &whole[..len]).unwrap();
            let error = taper(&["inspect", &to]).failed(3);
            assert!(error.contains(name), "{error}");
        }
        // A header of great lengths.
        let mut great = whole.clone();
        great[..24].fill(0xff);
        if name.ends_with("gguf") {
            great[..8].copy_from_slice(&whole[..8]);
        }
        std::fs::write(&to, great).unwrap();
        taper(&["inspect", &to]).failed(3);
    }
}

#[test]
fn what_is_not_there_or_of_another_kind_is_said() {
    let folder = Folder::new("kinds-of-paths");
    assert!(taper(&["inspect", &folder.at("nothing")]).failed(3).contains("cannot read"));
    let empty = taper(&["inspect", &folder.at("")]).failed(3);
    assert!(empty.contains("neither a SavedModel") && empty.contains(".gguf"), "{empty}");
    assert!(taper(&["inspect", &saved("README.md")]).failed(3).contains("no kind that is known"));
    let inside = taper(&["inspect", &saved("mlp/export/saved_model.pb")]).failed(3);
    assert!(inside.contains("name the folder"), "{inside}");
    assert!(
        taper(&["run", &data("bert/model.safetensors"), "-i", "random:0"])
            .failed(3)
            .contains("a SavedModel is a directory")
    );
    std::fs::write(folder.at("m.keras"), b"PK").unwrap();
    let keras = taper(&["inspect", &folder.at("m.keras")]).failed(3);
    assert!(keras.contains("`model.export(dir)` writes a SavedModel"), "{keras}");
    let keras = taper(&["taps", &folder.at("m.keras")]).failed(3);
    assert!(keras.contains("m.keras` is a file; a SavedModel is a directory"), "{keras}");
    std::fs::remove_file(folder.at("m.keras")).unwrap();
    let wrong = taper(&["inspect", &data("bert"), "--signature", "x"]).failed(2);
    assert!(wrong.contains("are for SavedModels"), "{wrong}");
}

#[test]
fn names_of_taps() {
    let model = saved("branchy/export");
    let inputs = saved("branchy/inputs.npz");
    let run = |tap: &str| taper(&["run", &model, "-i", &inputs, "-t", tap]);
    assert!(run("shard").failed(4).contains("did you mean `shared`"));
    let ambiguous = run("BiasAdd").failed(4);
    assert!(ambiguous.contains("is the name of") && ambiguous.contains("branchy_1/"), "{ambiguous}");
    assert!(run("#999").failed(4).contains("there is no tensor #999"));
    assert!(run("#x").failed(4).contains("`#x`"));
    let weight = run("score/kernel").failed(4);
    assert!(weight.contains("is a weight"), "{weight}");
    // The output `range` and the tensor `range` are two.
    let (model, inputs) = (saved("numbers/tfsave"), saved("numbers/inputs.npz"));
    let clash = taper(&["run", &model, "-i", &inputs, "-t", "range"]).failed(4);
    assert!(clash.contains("`range` is the name of an output") && clash.contains("`--full-names`"), "{clash}");
    let both = taper(&["run", &model, "-i", &inputs, "-t", "range", "--full-names"]).well();
    assert!(both.contains("StatefulPartitionedCall/range  int64 [2]"), "{both}");
    taper(&["run", &model, "-i", &inputs, "-t", "range", "--only-taps"]).well();
    let error = taper(&["run", &model, "-i", &inputs, "--only-taps"]).failed(2);
    assert!(error.contains("--tap"), "{error}");
}

#[test]
fn places_to_save() {
    let folder = Folder::new("places");
    let model = saved("mlp/export");
    let save = |to: &str| taper(&["run", &model, "-i", "random:0", "--save", to]);
    assert!(save(&folder.at("no/folder/x.safetensors")).failed(2).contains("there is no folder"));
    assert!(save(&folder.at("")).failed(2).contains("is a folder"));
    save(&folder.at("x.safetensors")).well();
    assert_eq!(std::fs::read_dir(folder.at("")).unwrap().count(), 1);
    // It replaces what was there, as a whole.
    save(&folder.at("x.safetensors")).well();
    assert_eq!(crate::common::tensors(&folder.at("x.safetensors")).len(), 1);
}

#[test]
fn help_says_what_the_exit_codes_mean() {
    for command in ["inspect", "taps", "run"] {
        let help = taper(&[command, "--help"]).well();
        assert!(help.contains("Exit codes:\n  0  it is done\n"), "{help}");
        assert!(help.lines().all(|line| line.chars().count() <= 80), "{help}");
    }
    let help = taper(&["--help"]).well();
    assert!(help.contains("Examples:\n"), "{help}");
    assert!(taper(&["--version"]).well().starts_with("taper 0."));
    assert!(taper(&["runn"]).failed(2).contains("run"));
    taper(&[]).failed(2);
    taper(&["run", &saved("mlp/export"), "--imput", "x"]).failed(2);
}

/// A weight whose checksum does not hold is no operation that is not supported.
#[test]
fn a_damaged_weight_is_a_damaged_file() {
    let folder = Folder::new("weight");
    let model = folder.copy(&saved("mlp/export"), "model");
    let data = format!("{model}/variables/variables.data-00000-of-00001");
    let whole = std::fs::read(&data).unwrap();
    let run = |more: &[&str]| taper(&[&["run", &model, "-i", "random:0"], more].concat());
    let inspect = |more: &[&str]| taper(&[&["inspect", &model], more].concat());
    let checked = inspect(&["--check"]).well();
    assert!(checked.contains("\nchecked: 9 of 9 tensors, "), "{checked}");
    assert_eq!(taper(&["inspect", &model, "--json"]).json()["checked"], serde_json::Value::Null);
    // Every weight is there twice, and the signature takes one of the two.
    let (mut taken, mut others) = (0, 0);
    for at in (0..whole.len() - 1000).step_by(1500) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        std::fs::write(&data, bytes).unwrap();
        let ran = run(&[]);
        let plain = inspect(&[]);
        if ran.code == 0 {
            others += 1;
            assert_eq!(plain.code, 0, "{}", plain.err);
        } else {
            taken += 1;
            let error = ran.failed(3);
            let weight = "the weight `mlp/";
            assert!(error.contains(weight) && error.contains("checksum") && error.contains("data-00000"), "{error}");
            assert_eq!(plain.code, 3);
            assert!(plain.out.contains("can't be read: mlp/") && plain.out.contains("parameters in "), "{}", plain.out);
            assert!(plain.err.contains("1 weight can't be read"), "{}", plain.err);
            run(&["-t", "**/BiasAdd", "-t", "dense_1/MatMul"]).failed(3);
        }
        let checked = inspect(&["--check", "--json"]);
        assert_eq!(checked.code, 3);
        let json: serde_json::Value = serde_json::from_str(&checked.out).unwrap();
        let damaged = json["checked"]["damaged"].as_array().unwrap();
        assert!(damaged.len() == 1 && damaged[0]["name"].as_str().unwrap().ends_with("VARIABLE_VALUE"), "{json}");
        assert_eq!(json["unreadable"].as_array().unwrap().len(), usize::from(plain.code == 3));
        assert!(inspect(&["--check"]).out.contains("\nchecked: 8 of 9 tensors"));
    }
    assert!(taken > 0 && others > 0, "{taken} and {others}");
    // Without any weights there is a structure to look at, and nothing to run.
    std::fs::remove_dir_all(format!("{model}/variables")).unwrap();
    let error = run(&[]).failed(3);
    assert!(error.contains("there is no `variables/variables.index`"), "{error}");
    let structure = inspect(&[]);
    assert_eq!(structure.code, 3);
    assert!(structure.err.contains("4 weights can't be read"), "{}", structure.err);
}
