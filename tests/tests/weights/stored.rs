//! What files have, without loading it.

use super::*;

#[test]
fn tensors_are_told_as_they_are_stored() {
    let folder = Folder::new("stored");
    let header = br#"{"__metadata__":{"format":"pt","made_by":"hand"},"a":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]},"b":{"dtype":"BOOL","shape":[5],"data_offsets":[12,17]},"c":{"dtype":"U16","shape":[],"data_offsets":[17,19]}}"#;
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header);
    bytes.extend([0; 19]);
    let path = folder.write("x.safetensors", bytes);
    let weights = Weights::safetensors([&path], DType::F32, &Device::Cpu).unwrap();
    let stored: Vec<_> = weights
        .stored()
        .map(|tensor| (tensor.name, tensor.dtype, tensor.shape.dims().to_vec(), tensor.bytes, tensor.file.unwrap()))
        .collect();
    assert_eq!(
        stored,
        [
            ("a", "BF16".to_owned(), vec![2, 3], 12, path.as_path()),
            ("b", "BOOL".to_owned(), vec![5], 5, path.as_path()),
            ("c", "U16".to_owned(), vec![], 2, path.as_path()),
        ]
    );
    let metadata = weights.metadata();
    assert_eq!(
        metadata.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect::<Vec<_>>(),
        [("format", "pt"), ("made_by", "hand")]
    );
    // Other kinds of files have none, and names that were changed are told as they are now.
    let torch = Weights::pytorch([data("module_state.bin")], DType::F32, &Device::Cpu).unwrap();
    assert!(torch.metadata().is_empty());
    let renamed = torch.renamed(|name| format!("new.{name}")).unwrap();
    assert!(renamed.stored().all(|tensor| tensor.name.starts_with("new.")));
}

#[test]
fn an_index_of_any_name_is_read() {
    let folder = Folder::new("any-index");
    folder.save("unet-1.safetensors", &[("a", &[2, 2])]);
    folder.save("unet-2.safetensors", &[("b", &[3])]);
    let index = folder.write(
        "unet.safetensors.index.json",
        r#"{"weight_map": {"a": "unet-1.safetensors", "b": "unet-2.safetensors"}}"#,
    );
    let weights = Weights::index(&index, DType::F32, &Device::Cpu).unwrap();
    let files: Vec<_> = weights.stored().map(|tensor| tensor.file.unwrap().to_owned()).collect();
    assert_eq!(files, [folder.file("unet-1.safetensors"), folder.file("unet-2.safetensors")]);
    assert_eq!(f32s(&get(&weights, "b", DType::F32).unwrap()), [0., 1., 2.]);
    fs::remove_file(folder.file("unet-2.safetensors")).unwrap();
    contains(&message(Weights::index(&index, DType::F32, &Device::Cpu)), &["unet-2.safetensors", "not there"]);
    std::fs::copy(data("module_state.bin"), folder.file("m-1.bin")).unwrap();
    let torch = folder.write("m.bin.index.json", r#"{"weight_map": {"0.weight": "m-1.bin"}}"#);
    assert!(Weights::index(torch, DType::F32, &Device::Cpu).unwrap().contains("0.weight"));
}
