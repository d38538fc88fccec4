//! What `taper run` is given: files, parts of files, numbers made up.

use crate::common::{Folder, npy, saved, taper, tensors};

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

#[test]
fn every_kind_of_file_gives_the_same() {
    let folder = Folder::new("kinds");
    let model = saved("custom/export");
    let npz = saved("custom/inputs.npz");
    let x = candle_core::Tensor::read_npz_by_name(&npz, &["x"]).unwrap().remove(0);
    let (npy, file) = (folder.at("x.npy"), folder.at("a=b.safetensors"));
    x.write_npy(&npy).unwrap();
    let two = [("x".to_owned(), x.zeros_like().unwrap()), ("other/x".to_owned(), x.clone())];
    candle_core::safetensors::save(&two.into_iter().collect(), &file).unwrap();
    let run = |input: &str| taper(&["run", &model, "--input", input]).well();
    let expected = run(&npz);
    for input in [format!("x={npz}"), format!("x={npz}:x"), format!("{npz}:x"), npy.clone(), format!("x={npy}")] {
        assert_eq!(run(&input), expected, "{input}");
    }
    // That of the input's own name, where none is named.
    assert_eq!(run(&format!("x={file}:other/x")), expected);
    assert_ne!(run(&format!("x={file}")), expected);
    assert_eq!(run(&format!("{file}:other/x")), expected);
}

#[test]
fn an_array_for_each_input_or_one_file_for_all() {
    let inputs = saved("branchy/inputs.npz");
    let model = saved("branchy/export");
    let all = taper(&["run", &model, "-i", &inputs]).well();
    let each = taper(&["run", &model, "-i", &format!("meta={inputs}"), "-i", &format!("img={inputs}:img")]).well();
    assert_eq!(all, each);
    let one = taper(&["run", &model, "-i", &format!("img={inputs}")]).failed(2);
    assert!(one.contains("`meta` (float32 [?, 5])") && one.contains("--input meta="), "{one}");
    let none = taper(&["run", &model]).failed(2);
    assert!(none.contains("`img` (float32 [?, 8, 8, 4]), `meta`"), "{none}");
    let twice = taper(&["run", &model, "-i", &inputs, "-i", &format!("meta={inputs}")]).failed(2);
    assert!(twice.contains("`meta` is given twice"), "{twice}");
    let other = taper(&["run", &saved("branchy/tfsave"), "-i", &inputs]).failed(4);
    assert!(other.contains("no array `inputs`; there are `img`, `meta`"), "{other}");
    assert!(other.contains("--input inputs=") && other.contains(":ARRAY"), "{other}");
    let which = taper(&["run", &model, "-i", &format!("{inputs}:meta")]).failed(2);
    assert!(which.contains("2 inputs") && which.contains("NAME=SOURCE"), "{which}");
}

#[test]
fn numbers_are_made_up_by_their_seed() {
    let model = saved("branchy/export");
    let run = |input: &str| taper(&["run", &model, "-i", input, "-t", "img", "-t", "meta"]).well();
    let first = run("random:7");
    assert_eq!(first, run("random:7"));
    assert_ne!(first, run("random:8"));
    assert!(first.contains("img  float32 [1, 8, 8, 4]"), "{first}");
    let folder = Folder::new("random");
    let to = folder.at("x.safetensors");
    let dir = saved("transformer/export");
    let two: Vec<&str> = "-i tokens=random:1:3,6:2..9 -i mask=random:1:3,6 -t tokens -t mask".split(' ').collect();
    let mut arguments = vec!["run", &dir, "-o", &to];
    arguments.extend(two);
    taper(&arguments).well();
    let made = tensors(&to);
    let integers = made["tokens"].flatten_all().unwrap().to_vec1::<i64>().unwrap();
    assert!(integers.iter().all(|value| (2..9).contains(value)) && integers.iter().any(|value| *value != integers[0]));
    let mask = made["mask"].flatten_all().unwrap().to_vec1::<u8>().unwrap();
    assert!(mask.contains(&0) && mask.contains(&1) && mask.iter().all(|value| *value < 2), "{mask:?}");
}

/// Ids that are in no vocabulary.
#[test]
fn an_id_that_is_out_of_range_names_the_input() {
    let folder = Folder::new("ids");
    let dir = saved("transformer/export");
    let mask = format!("mask={}", saved("transformer/inputs.npz"));
    let run = |tokens: &str| taper(&["run", &dir, "-i", &mask, "-i", &format!("tokens={tokens}")]);
    let error = run("random:1:2,6:0..500").failed(1);
    assert!(error.contains("token_embedding") && error.contains("the places are 0 to 30"), "{error}");
    assert!(error.contains("the places come of the input `tokens`"), "{error}");
    assert!(error.contains("`--input tokens=random:SEED:FROM..TO`"), "{error}");
    run("random:1:2,6:0..31").well();
    // From a file, there is nothing that was made up.
    let ids = folder.at("ids.npy");
    npy(&ids, "<i4", false, "2, 6", &[31u8, 0, 0, 0].repeat(12));
    let error = run(&ids).failed(1);
    assert!(error.contains("no element 31 ") && error.contains("the input `tokens`"), "{error}");
    assert!(!error.contains("random"), "{error}");
}

#[test]
fn a_shape_that_the_file_does_not_tell_is_asked_for() {
    let dir = saved("transformer/export");
    let error = taper(&["run", &dir, "-i", "random:1"]).failed(2);
    assert!(error.contains("int32 [?, ?]") || error.contains("bool [?, ?]"), "{error}");
    assert!(error.contains("=random:1:1,32`"), "{error}");
    for (input, what) in [
        ("random:1:1", "is of shape [1]"),
        ("random:x", "the seed `x`"),
        ("random", "no seed"),
        ("random:1:1,a", "`a` is no size"),
        ("random:1:9..2", "`9..2` is no range"),
        ("random:1:99999999999,99999999999", "too large"),
    ] {
        let error = taper(&["run", &saved("custom/export"), "-i", input]).failed(2);
        assert!(error.contains(what), "{input}: {error}");
    }
}

#[test]
fn integers_of_another_width_fit_if_their_values_do() {
    let folder = Folder::new("integers");
    let dir = saved("transformer/export");
    let mask = format!("mask={}", saved("transformer/inputs.npz"));
    let run = |tokens: &str| taper(&["run", &dir, "-i", &mask, "-i", &format!("tokens={tokens}")]);
    let (wide, narrow, large, float) =
        (folder.at("wide.npy"), folder.at("narrow.npy"), folder.at("large.npy"), folder.at("float.npy"));
    let bytes = |last: i64| (0..11).chain([last]).flat_map(i64::to_le_bytes).collect::<Vec<u8>>();
    npy(&wide, "<i8", false, "2, 6", &bytes(3));
    npy(&narrow, "|i1", false, "2, 6", &(0..11).chain([3]).collect::<Vec<u8>>());
    npy(&large, "<i8", false, "2, 6", &bytes(1 << 40));
    npy(&float, "<f4", false, "2, 6", &floats(&[1.; 12]));
    assert_eq!(run(&wide).well(), run(&narrow).well());
    let error = run(&large).failed(2);
    assert!(error.contains("1099511627776") && error.contains("int32"), "{error}");
    let error = run(&float).failed(2);
    assert!(error.contains("is float32, and the model takes int32") && error.contains("astype(\"int32\")"), "{error}");
    let doubles = folder.at("doubles.npy");
    npy(&doubles, "<f8", false, "1, 8", &[0; 64]);
    let error = taper(&["run", &saved("custom/export"), "-i", &doubles]).failed(2);
    assert!(error.contains("is float64, and the model takes float32"), "{error}");
}

#[test]
fn truth_values_and_bytes() {
    let folder = Folder::new("truth");
    let dir = saved("conditions/tfsave");
    let x = format!("x={}", saved("conditions/inputs.npz"));
    let (yes, one, two) = (folder.at("yes.npy"), folder.at("one.npy"), folder.at("two.npy"));
    npy(&yes, "|b1", false, "", &[1]);
    npy(&one, "<i4", false, "", &1i32.to_le_bytes());
    npy(&two, "<i4", false, "", &2i32.to_le_bytes());
    let run = |flag: &str| taper(&["run", &dir, "-i", &x, "-i", &format!("flag={flag}")]);
    assert_eq!(run(&yes).well(), run(&one).well());
    let error = run(&two).failed(2);
    assert!(error.contains("has the value 2, and the model takes bool, 0 to 1"), "{error}");
}

#[test]
fn arrays_that_cannot_be_taken_are_refused() {
    let folder = Folder::new("refused");
    let dir = saved("custom/export");
    let x = folder.at("x.npy");
    let run = || taper(&["run", &dir, "-i", &x]);
    let values = floats(&[1.; 24]);
    npy(&x, "<f4", false, "3, 8", &values);
    run().well();
    npy(&x, ">f4", false, "3, 8", &values);
    let error = run().failed(3);
    assert!(error.contains("x.npy") && error.contains("big-endian"), "{error}");
    npy(&x, "<f4", true, "3, 8", &values);
    let error = run().failed(3);
    assert!(error.contains("order of Fortran") && error.contains("ascontiguousarray"), "{error}");
    npy(&x, "<f4", false, "3, 8", &values[..50]);
    let error = run().failed(3);
    assert!(error.contains("cut short: its header promises 96 bytes, and it has 50"), "{error}");
    npy(&x, "<f4", false, "3, 99999999999999", &values);
    assert!(run().failed(3).contains("cut short"));
    npy(&x, "<f4", false, "99999999999999, 99999999999999", &values);
    assert!(run().failed(3).contains("damaged"));
    npy(&x, "|O", false, "3, 8", &values);
    assert!(run().failed(3).contains("`|O`"));
    npy(&x, "<f4", false, "3, 7", &values[..84]);
    let error = run().failed(2);
    assert!(error.contains("`x`") && error.contains("[3, 7]") && error.contains("[?, 8]"), "{error}");
    std::fs::write(&x, b"\x93NUMPY\x01\x00\xff\xff{").unwrap();
    assert!(run().failed(3).contains("cut short in its header"));
    std::fs::write(&x, b"nothing of the kind").unwrap();
    assert!(run().failed(3).contains("is not a `.npy` file"));
    let npz = folder.at("x.npz");
    let whole = std::fs::read(saved("custom/inputs.npz")).unwrap();
    std::fs::write(&npz, &whole[..whole.len() / 2]).unwrap();
    assert!(taper(&["run", &dir, "-i", &npz]).failed(3).contains("x.npz"));
    // A byte of the values: the checksum of the archive does not hold.
    let mut flipped = whole.clone();
    let middle = 150;
    flipped[middle] ^= 1;
    std::fs::write(&npz, &flipped).unwrap();
    assert!(taper(&["run", &dir, "-i", &npz]).failed(3).contains("`x` of"));
    let tensors = folder.at("x.safetensors");
    std::fs::write(&tensors, [0; 4]).unwrap();
    assert!(taper(&["run", &dir, "-i", &tensors]).failed(3).contains("x.safetensors"));
}

#[test]
fn names_of_inputs_and_arrays_have_near_ones() {
    let inputs = saved("branchy/inputs.npz");
    let dir = saved("branchy/export");
    let error = taper(&["run", &dir, "-i", &format!("imgs={inputs}")]).failed(4);
    assert!(error.contains("no input `imgs`; did you mean `img`?"), "{error}");
    let error = taper(&["run", &dir, "-i", &format!("img={inputs}:mta")]).failed(4);
    assert!(error.contains("no array `mta`; did you mean `meta`?"), "{error}");
    let error = taper(&["run", &dir, "-i", "img=x.csv"]).failed(2);
    assert!(error.contains("`.npy`, `.npz`, `.safetensors`"), "{error}");
    let error = taper(&["run", &dir, "-i", "img=nowhere.npy"]).failed(3);
    assert!(error.contains("cannot read `nowhere.npy`"), "{error}");
}
