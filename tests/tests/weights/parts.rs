//! A tensor that is the weights of several layers.

use super::*;

/// `qkv`, six rows, as `q`, `k` and `v` of three, two and one.
fn divided(weights: Weights) -> Result<Weights> {
    let parts = |rows: [usize; 3]| ["q", "k", "v"].map(str::to_owned).into_iter().zip(rows).collect();
    weights.divided(|name, rows| (name == "qkv" && rows == 6).then(|| parts([3, 2, 1])))
}

fn values(tensor: &Tensor) -> Vec<f64> {
    tensor.flatten_all().unwrap().to_dtype(DType::F64).unwrap().to_vec1().unwrap()
}

fn of_all(weights: &Weights) -> Vec<Vec<f64>> {
    let parts = weights.load(|vb| Ok([vb.get((3, 2), "q")?, vb.get((2, 2), "k")?, vb.get((1, 2), "v")?])).unwrap();
    parts.iter().map(values).collect()
}

#[test]
fn parts_have_their_rows_whatever_the_source_and_the_type() {
    let folder = Folder::new("parts");
    let expected = [vec![0., 1., 2., 3., 4., 5.], vec![6., 7., 8., 9.], vec![10., 11.]];
    for stored in [DType::F32, DType::BF16, DType::F16] {
        let tensor = counting(&[6, 2]).to_dtype(stored).unwrap();
        let path = folder.file("model.safetensors");
        let tensors = std::collections::HashMap::from([("qkv".to_owned(), tensor)]);
        candle_core::safetensors::save(&tensors, &path).unwrap();
        for dtype in [DType::F32, DType::BF16, DType::F16, DType::F64] {
            let of_file = Weights::safetensors([&path], dtype, &Device::Cpu).unwrap();
            let in_memory = Weights::from_tensors(tensors.clone(), dtype, &Device::Cpu);
            for weights in [of_file, in_memory] {
                assert_eq!(of_all(&divided(weights).unwrap()), expected, "{stored:?} {dtype:?}");
            }
        }
    }
}

#[test]
fn an_order_of_rows_is_that_of_the_whole() {
    let folder = Folder::new("parts-ordered");
    let path = folder.save("model.safetensors", &[("qkv", &[6, 2])]);
    let weights = Weights::safetensors([&path], DType::F32, &Device::Cpu).unwrap();
    let reversed = weights.with_rows(|_, rows| Some((0..rows).rev().collect())).unwrap();
    let expected = [vec![10., 11., 8., 9., 6., 7.], vec![4., 5., 2., 3.], vec![0., 1.]];
    assert_eq!(of_all(&divided(reversed).unwrap()), expected);
}

/// Every part is asked for by its own name, or left over.
#[test]
fn parts_are_loaded_strictly() {
    let folder = Folder::new("parts-strict");
    let path = folder.save("model.safetensors", &[("qkv", &[6, 2]), ("w", &[1])]);
    let open = || Weights::safetensors([&path], DType::F32, &Device::Cpu).unwrap();
    let weights = divided(open()).unwrap();
    assert_eq!(weights.names().collect::<Vec<_>>(), ["k", "q", "v", "w"]);
    let text = message(weights.load(|vb| Ok((vb.get((3, 2), "q")?, vb.get((2, 3), "k")?, vb.get(1, "w")?))));
    contains(&text, &["shape of `k`: the model asks for [2, 3], there is [2, 2]", "unused `v` [1, 2]"]);

    let parts =
        |rows: usize| move |name: &str, _| (name == "qkv").then(|| vec![("q".to_owned(), rows), ("w".to_owned(), 5)]);
    contains(&message(open().divided(parts(2))), &["`qkv`", "has 6 rows", "parts of [2, 5]"]);
    contains(&message(open().divided(parts(1))), &["would be named `w`"]);
}
