//! What PyTorch wrote is read as PyTorch has it.

use std::fs;

use super::*;

fn open(name: &str) -> Result<Weights> {
    Weights::pytorch([data(name)], DType::F32, &Device::Cpu)
}

/// Every tensor of the file against that of the safetensors file, bit for bit.
fn same(name: &str, expected: &str) {
    let weights = open(name).unwrap();
    let expected = Weights::safetensors([data(expected)], DType::F32, &Device::Cpu).unwrap();
    assert_eq!(weights.names().collect::<Vec<_>>(), expected.names().collect::<Vec<_>>());
    for tensor in weights.names() {
        let dtype = match tensor {
            "bool" => continue,
            "i64" | "i32" | "u8" | "1.num_batches_tracked" => DType::I64,
            _ => DType::F64,
        };
        let read = get(&weights, tensor, dtype).unwrap();
        let reference = get(&expected, tensor, dtype).unwrap();
        assert_eq!(read.dims(), reference.dims(), "{tensor}");
        let values = |tensor: &Tensor| -> Vec<f64> {
            tensor.flatten_all().unwrap().to_dtype(DType::F64).unwrap().to_vec1().unwrap()
        };
        assert_eq!(values(&read), values(&reference), "{tensor} of {name}");
    }
}

#[test]
fn views_of_every_stride_and_all_dtypes_are_read() {
    same("plain.bin", "expected.safetensors");
}

#[test]
fn files_from_before_the_zip_are_read() {
    same("legacy.bin", "expected.safetensors");
}

#[test]
fn the_state_dict_of_a_module_is_read() {
    same("module_state.bin", "module_state.safetensors");
}

#[test]
fn parameters_are_tensors() {
    let weights = open("parameters.bin").unwrap();
    assert_eq!(weights.names().collect::<Vec<_>>(), ["0.bias", "0.weight", "1.bias", "1.weight"]);
    let reference = Weights::safetensors([data("module_state.safetensors")], DType::F32, &Device::Cpu).unwrap();
    for name in weights.names() {
        let read = |weights| f32s(&get(weights, name, DType::F32).unwrap());
        assert_eq!(read(&weights), read(&reference), "{name}");
    }
}

#[test]
fn the_model_of_a_checkpoint_is_found_beside_the_optimizer() {
    same("checkpoint.bin", "module_state.safetensors");
}

#[test]
fn of_two_models_both_are_named() {
    let weights = open("two_models.bin").unwrap();
    assert_eq!(weights.names().collect::<Vec<_>>(), ["ema.w", "model.w"]);
    let text = message(weights.load(|vb| vb.get(2, "w")));
    contains(&text, &["missing `w` [2]", "2 unused"]);
    assert_eq!(f32s(&get(&weights.with_or_without("model"), "w", DType::F32).unwrap()), [-4.0, -3.875]);
}

#[test]
fn what_candle_has_no_type_for_may_be_there_and_not_be_read() {
    let text = message(get(&open("plain.bin").unwrap(), "bool", DType::F32));
    contains(&text, &["plain.bin", "dtype of `bool`", "F32", "BoolStorage"]);
    let expected = Weights::safetensors([data("expected.safetensors")], DType::F32, &Device::Cpu).unwrap();
    contains(&message(get(&expected, "bool", DType::F32)), &["dtype of `bool`", "BOOL"]);
}

#[test]
fn what_is_no_state_dict_is_refused_with_the_remedy() {
    let refused = [
        ("whole_module.bin", "holds a whole `torch.nn.modules.container.Sequential`"),
        ("sparse.bin", "has `w`, which is no plain tensor"),
        ("no_tensors.bin", "holds no tensors"),
        ("protocol_4.bin", "pickled otherwise"),
        ("expected.safetensors", "is not a file that PyTorch's `torch.save` wrote"),
    ];
    for (file, part) in refused {
        let text = message(open(file));
        contains(&text, &[file, part]);
        assert!(text.contains("save") && !text.contains('\n'), "{text}");
    }
}

/// No cut gives a wrong tensor or a panic.
#[test]
fn a_file_that_is_cut_is_named_wherever_it_is_cut() {
    let folder = Folder::new("torch-cut");
    for file in ["plain.bin", "legacy.bin"] {
        let bytes = fs::read(data(file)).unwrap();
        for length in (0..bytes.len()).step_by(3) {
            let path = folder.write(file, &bytes[..length]);
            let text = message(Weights::pytorch([&path], DType::F32, &Device::Cpu));
            contains(&text, &[file]);
        }
    }
}

/// A file may lie about its sizes: every byte of the pickle is changed in turn, and what comes is an error or tensors,
/// never a read outside the storages.
#[test]
fn a_file_that_lies_does_no_harm() {
    let folder = Folder::new("torch-lies");
    let whole = fs::read(data("legacy.bin")).unwrap();
    for at in (15..whole.len().min(2200)).step_by(2) {
        for change in [0x01, 0x80] {
            let mut bytes = whole.clone();
            bytes[at] ^= change;
            let path = folder.write("lies.bin", &bytes);
            if let Ok(weights) = Weights::pytorch([&path], DType::F32, &Device::Cpu) {
                for name in weights.names() {
                    let _ = get(&weights, name, DType::F32);
                }
            }
        }
    }
}
