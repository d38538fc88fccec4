//! Safetensors files that are not what they should be.

use super::*;

fn open(path: &Path) -> String {
    message(Weights::safetensors([path], DType::F32, &Device::Cpu))
}

/// A header, after its length.
fn file(header: &str, data: usize) -> Vec<u8> {
    let length = (header.len() as u64).to_le_bytes();
    [&length, header.as_bytes(), &vec![0; data]].concat()
}

#[test]
fn each_fault_is_one_error_that_names_the_file_and_says_what_it_is() {
    let folder = Folder::new("bad-safetensors");
    let whole = std::fs::read(folder.save("whole.safetensors", &[("a", &[4, 4]), ("b", &[3])])).unwrap();
    let good = r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
    let cases: &[(&str, Vec<u8>, &str)] = &[
        ("empty", vec![], "is cut short: it has 0 bytes"),
        ("six-bytes", whole[..6].to_vec(), "is cut short: it has 6 bytes"),
        ("cut-header", whole[..40].to_vec(), "is cut short or not a safetensors file: its header would have"),
        ("cut-data", whole[..whole.len() - 5].to_vec(), "is cut short: its header promises"),
        ("more-data", [&whole[..], &[0]].concat(), "is damaged: its tensors do not fill the file"),
        ("garbage", b"PK\x03\x04 this is a zip, not safetensors at all".to_vec(), "is not a safetensors file"),
        ("huge-header", [&u64::MAX.to_le_bytes()[..], &whole[8..]].concat(), "is not a safetensors file"),
        ("long-header", [&5000u64.to_le_bytes()[..], &whole[8..]].concat(), "its header would have 5000 bytes"),
        ("no-json", file("{not json}", 8), "is not a safetensors file: its header cannot be read"),
        ("not-text", [&4u64.to_le_bytes()[..], &[0xff; 4]].concat(), "is not a safetensors file"),
        ("short-tensor", file(&good.replace("[0,8]", "[0,4]"), 4), "is damaged"),
        ("far-tensor", file(&good.replace("[0,8]", "[400,408]"), 8), "is damaged"),
        ("huge-shape", file(&good.replace("[2]", "[4611686018427387904,4]"), 8), "is damaged"),
        ("lfs", b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n".to_vec(), "is a pointer of Git LFS"),
    ];
    for (name, bytes, part) in cases {
        let path = folder.write(&format!("{name}.safetensors"), bytes);
        let text = open(&path);
        contains(&text, &[&format!("{name}.safetensors"), part]);
        assert!(!text.contains('\n'), "{text}");
    }
    contains(&open(&folder.file("absent.safetensors")), &["cannot read", "absent.safetensors", "No such file"]);
    contains(&open(&folder.0), &["is a folder where a file of weights is needed"]);
    Weights::safetensors([folder.write("good.safetensors", file(good, 8))], DType::F32, &Device::Cpu).unwrap();
}

/// A header's length need not be a multiple of eight, so that the tensors are not aligned.
#[test]
fn tensors_need_not_be_aligned() {
    let folder = Folder::new("unaligned");
    for pad in 0..8 {
        let header = format!(r#"{{"a":{{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}}}{}"#, " ".repeat(pad));
        let mut bytes = file(&header, 0);
        bytes.extend([1.5f32, -2.25].iter().flat_map(|value| value.to_le_bytes()));
        let path = folder.write("a.safetensors", bytes);
        let weights = Weights::safetensors([path], DType::F32, &Device::Cpu).unwrap();
        for dtype in [DType::F32, DType::BF16, DType::F16, DType::F64] {
            assert_eq!(f32s(&get(&weights, "a", dtype).unwrap()), [1.5, -2.25]);
        }
    }
}
