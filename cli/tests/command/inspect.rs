//! `taper inspect`.

use crate::common::{Folder, data, saved, taper};

#[test]
fn a_model_is_shown_as_its_owners_know_it() {
    let out = taper(&["inspect", &saved("branchy/export")]).well();
    let expected = "
signatures serve, serving_default
  in   img    float32 [?, 8, 8, 4]
  in   meta   float32 [?, 5]
  out  cls    float32 [?, 3]
  out  score  float32 [?, 1]

layer        parameters  output
branchy             306  float32 [?, 1], float32 [?, 3]
  c1                144  float32 [?, 8, 8, 4]
  bn1                16  float32 [?, 8, 8, 4]
  r1                     float32 [?, 8, 8, 4]
";
    assert!(out.contains(expected), "{out}");
    assert!(out.contains("  shared ×2          30  float32 [?, 6] ×2\n"), "{out}");
    assert!(out.ends_with("306 parameters in 15 weights, 72 tensors to capture\n"), "{out}");
    assert!(out.lines().all(|line| line.len() < 80 || line.starts_with("SavedModel")), "{out}");
    let tensors = taper(&["inspect", &saved("custom/export"), "--tensors"]).well();
    let inner = "    d1                               144  float32 [?, 16]
      kernel                         128  weight [8, 16]
      bias                            16  weight [16]
      Cast/ReadVariableOp                 float32 [8, 16]
      MatMul                              float32 [?, 16]
";
    assert!(tensors.contains(inner), "{tensors}");
}

/// What stands in a loop is called there, by a name that a run takes.
#[test]
fn a_layer_in_a_loop_says_where_it_is_called() {
    let out = taper(&["inspect", &saved("lstm/export")]).well();
    let expected = "
layer             parameters  output             called in
net                      170  float32 [?, 3, 2]
  lstm                   160  float32 [?, 3, 4]
    lstm_cell ×2         160  float32 [?, 4] ×2  while/body
  head                    10  float32 [?, 3, 2]
";
    assert!(out.contains(expected), "{out}");
    let model = taper(&["inspect", &saved("own_cell/export"), "--json"]).json();
    let mix = model["layers"].as_array().unwrap().iter().find(|layer| layer["name"] == "net/memory/leaky/mix").unwrap();
    let names: Vec<_> = mix["call_names"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert_eq!(names, ["net/memory/leaky/mix", "net/memory/while/body/leaky/mix"]);
    for name in names {
        taper(&["taps", &saved("own_cell/export"), name]).well();
    }
}

#[test]
fn a_signature_is_chosen() {
    let out = taper(&["inspect", &saved("signatures/tfsave"), "--signature", "classify"]).well();
    assert!(out.contains("signature classify (the layers below are of classify)\n"), "{out}");
    let error = taper(&["inspect", &saved("signatures/tfsave"), "--signature", "clasify"]).failed(4);
    assert!(error.contains("no signature `clasify`") && error.contains("did you mean `classify`?"), "{error}");
    assert!(error.contains("signatures/tfsave"), "{error}");
}

#[test]
fn a_model_for_machines() {
    let model = taper(&["inspect", &saved("custom/export"), "--json"]).json();
    assert_eq!((&model["kind"], &model["signature"]), (&"saved_model".into(), &"serving_default".into()));
    assert_eq!(model["signatures"][0]["inputs"][0]["shape"].to_string(), "[null,8]");
    let layers = model["layers"].as_array().unwrap();
    let d1 = layers.iter().find(|layer| layer["name"] == "custom/two/d1").unwrap();
    assert_eq!(
        (&d1["parameters"], &d1["calls"], d1["outputs"].to_string()),
        (&144.into(), &1.into(), "[\"custom/two/d1/Relu\"]".to_owned())
    );
    let tensors: Vec<_> =
        d1["tensors"].as_array().unwrap().iter().map(|tensor| tensor["op"].as_str().unwrap()).collect();
    assert_eq!(tensors, ["ReadVariableOp", "MatMul", "ReadVariableOp", "BiasAdd", "Relu"]);
    assert_eq!(model["parameters"], 212);
    // Every tensor is somewhere, once.
    let inner: usize = layers.iter().map(|layer| layer["tensors"].as_array().unwrap().len()).sum();
    assert_eq!(inner + model["tensors"].as_array().unwrap().len(), model["capturable"].as_u64().unwrap() as usize);
    let rare = taper(&["inspect", &saved("rare/tfsave"), "--json"]).json();
    let ops: Vec<_> = rare["unsupported"].as_array().unwrap().iter().map(|node| node["op"].as_str().unwrap()).collect();
    assert!(ops.contains(&"RFFT"), "{ops:?}");
    assert!(
        taper(&["inspect", &saved("rare/tfsave")])
            .well()
            .contains("not supported: StatefulPartitionedCall/rfft (RFFT), ")
    );
}

#[test]
fn safetensors() {
    let whole = data("bert/model.safetensors");
    let out = taper(&["inspect", &whole]).well();
    assert!(out.contains("     1,024  F32   [32, 32]  embeddings.position_embeddings.weight\n"), "{out}");
    let file = taper(&["inspect", &whole, "--json"]).json();
    let expected = crate::common::tensors(&whole);
    let listed = file["tensors"].as_array().unwrap();
    assert_eq!(listed.len(), expected.len());
    for tensor in listed {
        let own = &expected[tensor["name"].as_str().unwrap()];
        assert_eq!(tensor["shape"].to_string(), format!("{:?}", own.dims()).replace(' ', ""));
        assert_eq!(tensor["bytes"], own.elem_count() * 4);
    }
    let parameters: usize = expected.values().map(candle_core::Tensor::elem_count).sum();
    assert_eq!((&file["parameters"], &file["bytes"]), (&parameters.into(), &(parameters * 4).into()));
    let folder = taper(&["inspect", &data("bert"), "--json"]).json();
    assert_eq!(folder["tensors"], file["tensors"]);
}

/// Files as other libraries write them: types that candle has not, metadata, shards.
#[test]
fn shards_and_metadata() {
    let folder = Folder::new("shards");
    let write = |name: &str, header: &str, bytes: usize| {
        let mut file = (header.len() as u64).to_le_bytes().to_vec();
        file.extend(header.as_bytes());
        file.extend(vec![0; bytes]);
        std::fs::write(folder.at(name), file).unwrap();
    };
    let first = r#"{"__metadata__":{"format":"pt"},"h.10.w":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]},"h.2.m":{"dtype":"BOOL","shape":[5],"data_offsets":[12,17]}}"#;
    write("diffusion-1.safetensors", first, 17);
    write("diffusion-2.safetensors", r#"{"w":{"dtype":"U16","shape":[4],"data_offsets":[0,8]}}"#, 8);
    let index = r#"{"weight_map":{"h.10.w":"diffusion-1.safetensors","h.2.m":"diffusion-1.safetensors","w":"diffusion-2.safetensors"}}"#;
    std::fs::write(folder.at("diffusion.safetensors.index.json"), index).unwrap();
    for path in [folder.at(""), folder.at("diffusion.safetensors.index.json")] {
        let read = taper(&["inspect", &path, "--json"]).json();
        assert_eq!((&read["bytes"], &read["parameters"]), (&25.into(), &15.into()), "{read}");
        assert_eq!(read["metadata"]["format"], "pt");
        assert_eq!(read["files"].as_array().unwrap().len(), 2);
        assert_eq!(read["dtypes"]["BOOL"]["bytes"], 5);
        let names: Vec<_> = read["tensors"].as_array().unwrap().iter().map(|t| t["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["h.2.m", "h.10.w", "w"]);
    }
    let out = taper(&["inspect", &folder.at("")]).well();
    assert!(
        out.contains("metadata\n  format  pt\n") && out.contains("15 parameters in 3 tensors, 25 bytes\n"),
        "{out}"
    );
    std::fs::remove_file(folder.at("diffusion-2.safetensors")).unwrap();
    let error = taper(&["inspect", &folder.at("")]).failed(3);
    assert!(error.contains("diffusion-2.safetensors") && error.contains("not there"), "{error}");
}

#[test]
fn gguf() {
    let file = taper(&["inspect", &data("gguf/llama-Q8_0.gguf"), "--json"]).json();
    assert_eq!((&file["kind"], &file["metadata"]["llama.vocab_size"]), (&"gguf".into(), &97.into()));
    assert_eq!(file["metadata"]["llama.attention.layer_norm_rms_epsilon"], 1e-6);
    // 34 bytes hold 32 values of Q8_0.
    let quantized = &file["dtypes"]["Q8_0"];
    assert_eq!(quantized["bytes"].as_u64().unwrap() * 32, quantized["parameters"].as_u64().unwrap() * 34);
    let head = file["tensors"].as_array().unwrap().iter().find(|tensor| tensor["name"] == "output.weight").unwrap();
    assert_eq!((head["shape"].to_string(), &head["dtype"]), ("[97,32]".to_owned(), &"Q8_0".into()));
    let out = taper(&["inspect", &data("gguf/llama-Q8_0.gguf")]).well();
    assert!(out.contains("  general.architecture                    llama\n"), "{out}");
    assert!(out.contains("     3,104  Q8_0  [97, 32]  output.weight\n"), "{out}");
    let several = taper(&["inspect", &data("gguf")]).failed(4);
    assert!(several.contains("`qwen2-F32.gguf`") && several.contains("name the one"), "{several}");
}

/// Files that have a tensor in common are not shards.
#[test]
fn a_folder_of_several_models_asks_for_one() {
    let folder = Folder::new("several");
    let tensor = candle_core::Tensor::ones(3, candle_core::DType::F32, &candle_core::Device::Cpu).unwrap();
    let write = |file: &str, names: &[&str]| {
        let tensors = names.iter().map(|name| ((*name).to_owned(), tensor.clone())).collect();
        candle_core::safetensors::save(&tensors, folder.at(file)).unwrap();
    };
    write("a.safetensors", &["fc.bias", "fc.weight"]);
    write("b.safetensors", &["other"]);
    taper(&["inspect", &folder.at("")]).well();
    write("b.safetensors", &["fc.bias"]);
    let error = taper(&["inspect", &folder.at("")]).failed(4);
    assert!(error.contains("several models, `a.safetensors`, `b.safetensors`; name the one that is meant"), "{error}");
    taper(&["inspect", &folder.at("a.safetensors")]).well();
    // One that is damaged is what is said.
    std::fs::write(folder.at("b.safetensors"), [0; 9]).unwrap();
    let error = taper(&["inspect", &folder.at("")]).failed(3);
    assert!(error.contains("b.safetensors") && !error.contains("several models"), "{error}");
}

#[test]
fn pytorch() {
    let file = taper(&["inspect", &data("torch/checkpoint.bin"), "--json"]).json();
    assert_eq!((&file["kind"], &file["parameters"]), (&"pytorch".into(), &22.into()));
}
