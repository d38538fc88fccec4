//! Files of one dtype loaded as another.

use super::*;

const FLOATS: [DType; 4] = [DType::F32, DType::F16, DType::BF16, DType::F64];

/// candle's own conversion is the reference, on values of every size, halves of subnormal and infinite ones included.
#[test]
fn floats_become_each_other_bit_for_bit_as_candles() {
    let folder = Folder::new("dtypes");
    // More than one chunk, and not a whole number of them.
    let values: Vec<f32> = (0..10_001u32).map(|i| f32::from_bits(i.wrapping_mul(429_499))).collect();
    let values: Vec<f32> = values.into_iter().map(|value| if value.is_nan() { 1.0 } else { value }).collect();
    let values = Tensor::new(values, &Device::Cpu).unwrap();
    for stored in FLOATS {
        let tensor = values.to_dtype(stored).unwrap();
        let path = folder.file("a.safetensors");
        candle_core::safetensors::save(&[("a".to_owned(), tensor.clone())].into(), &path).unwrap();
        for asked in FLOATS {
            let weights = Weights::safetensors([&path], asked, &Device::Cpu).unwrap();
            let loaded = weights.load(|vb| vb.get(10_001, "a")).unwrap();
            assert_eq!(loaded.dtype(), asked);
            let bits = |tensor: Tensor| -> Vec<u64> {
                let values: Vec<f64> = tensor.to_dtype(DType::F64).unwrap().to_vec1().unwrap();
                values.into_iter().map(f64::to_bits).collect()
            };
            assert!(bits(loaded) == bits(tensor.to_dtype(asked).unwrap()), "{stored:?} as {asked:?}");
        }
    }
}

#[test]
fn integers_where_floats_are_needed_are_a_fault_like_the_others() {
    let weights = Weights::safetensors([data("expected.safetensors")], DType::F32, &Device::Cpu).unwrap();
    let weights = weights.allow_unused(|_| true);
    let text = message(weights.load(|vb| Ok((vb.get(5, "i64")?, vb.get((2, 3), "absent")?))));
    contains(
        &text,
        &[
            "expected.safetensors",
            "1 missing, 1 of another dtype",
            "dtype of `i64`: the model needs F32, and there it is I64",
        ],
    );
    let text = message(weights.load(|vb| vb.get_with_hints_dtype((2, 3), "f32", Default::default(), DType::U32)));
    contains(&text, &["dtype of `f32`: the model needs U32, and there it is F32"]);
    let ids = weights.load(|vb| vb.get_with_hints_dtype(5, "i64", Default::default(), DType::U32)).unwrap();
    assert_eq!(ids.to_vec1::<u32>().unwrap(), [0, 1, 2, 3, 4]);
}
