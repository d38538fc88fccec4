//! What is generated of real files, and what is said of bad ones.

use std::collections::HashSet;

use expect_test::expect_file;
use syn::parse_quote;
use taper_saved_structure::Outline;
use taper_saved_structure::open::open;

use crate::expand::expand;
use crate::input::Input;
use crate::tree::{Layer, Part, tree};

/// An expansion, pinned: would one have written it?
///
/// `UPDATE_EXPECT=1 cargo test -p taper-saved-macros` writes it anew; read what it wrote.
#[test]
fn custom() {
    let input: Input = parse_quote! {
        /// Two outputs, and layers in a layer.
        pub Custom = "../../tests/data/saved/custom/export"
    };
    let folder = input.folder().unwrap().canonicalize().unwrap();
    let expanded = prettyplease::unparse(&syn::parse2(expand(&input).unwrap()).unwrap());
    let elsewhere = expanded.replace(folder.to_str().unwrap(), "/models/custom");
    expect_file!["../snapshots/custom.rs"].assert_eq(&elsewhere);
}

/// The message of what does not expand.
fn error(input: Input) -> String {
    let tokens = expand(&input).unwrap();
    let file: syn::File = syn::parse2(tokens).unwrap();
    let errors = file.items.iter().filter_map(|item| match item {
        syn::Item::Macro(item) => item.mac.parse_body::<syn::LitStr>().ok(),
        _ => None,
    });
    let errors: Vec<_> = errors.map(|message| message.value()).collect();
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors.into_iter().next().unwrap()
}

#[test]
fn each_fault_is_one_error_with_its_remedy() {
    let missing = error(parse_quote!(Net = "models/nowhere"));
    assert!(missing.starts_with("there is no folder `"), "{missing}");
    assert!(
        missing.ends_with("models/nowhere`; the path begins at the folder of the crate's `Cargo.toml`"),
        "{missing}"
    );
    let none = error(parse_quote!(Net = "src"));
    assert!(none.starts_with("there is no `saved_model.pb` in `"), "{none}");
    let file = error(parse_quote!(Net = "Cargo.toml"));
    assert!(file.contains("a SavedModel is a directory"), "{file}");
    let signature = error(parse_quote!(Net = "../../tests/data/saved/signatures/tfsave", signature = "clasify"));
    let expected = "there is no signature `clasify`; did you mean `classify`?; there are `classify`, `codebook`, `compare`, \
                    `serving_default`";
    assert!(signature.ends_with(expected), "{signature}");
}

/// A folder with a model in it whose bytes are others.
struct Copied {
    bytes: Vec<u8>,
    folder: std::path::PathBuf,
}

impl Copied {
    fn of(model: &str, name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("taper-saved-macros-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let model = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data").join(model);
        Copied { bytes: std::fs::read(model.join("saved_model.pb")).unwrap(), folder }
    }

    /// The error of these bytes.
    fn error(&self, bytes: &[u8]) -> String {
        std::fs::write(self.folder.join("saved_model.pb"), bytes).unwrap();
        let path = self.folder.to_str().unwrap();
        error(parse_quote!(Net = #path))
    }

    /// With as many other letters wherever these stand.
    fn with(&self, from: &[u8], to: &[u8]) -> String {
        let mut bytes = self.bytes.clone();
        for at in 0..bytes.len() - from.len() {
            if bytes[at..].starts_with(from) {
                bytes[at..at + from.len()].copy_from_slice(to);
            }
        }
        self.error(&bytes)
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn a_damaged_file_is_one_error() {
    let model = Copied::of("saved/custom/export", "damaged");
    for len in [1, model.bytes.len() / 2, model.bytes.len() - 1] {
        let message = model.error(&model.bytes[..len]);
        assert!(message.contains("saved_model.pb`: not a valid protocol buffer"), "{len}: {message}");
    }
}

/// None of the signatures is the one that is meant where nothing is said.
#[test]
fn of_several_signatures_one_is_to_be_named() {
    let message = Copied::of("saved/signatures/tfsave", "several").with(b"serving_default", b"serving_another");
    let expected = "`, and none is `serving_default`: `classify`, `codebook`, `compare`, `serving_another`; say which, as in \
                    `signature = \"classify\"`";
    assert!(message.starts_with("there are several signatures in `") && message.ends_with(expected), "{message}");
}

#[test]
fn a_file_without_a_signature_is_one_error() {
    let message = Copied::of("saved/custom/tfsave", "without").with(b"serving_default", b"__saved_model_x");
    assert!(
        message.ends_with(
            "it has no signature, so that nothing says what goes in and what comes out; save it with `signatures=`"
        ),
        "{message}"
    );
}

#[test]
fn an_output_that_is_not_supported_is_one_error() {
    let message = Copied::of("saved/custom/export", "unsupported").with(b"Tanh", b"Tanx");
    let expected = "the output `output_1` of `serving_default` can't be computed: it depends on the node \
                    `StatefulPartitionedCall/custom_1/two_1/Tanx` (Tanx): the operation is not supported; `taper_saved::open` \
                    captures what does not depend on it";
    assert_eq!(message, expected);
}

#[test]
fn an_output_of_an_attribute_that_is_not_supported_is_one_error() {
    let message = Copied::of("saved_twice/branches/first", "attribute").with(b"SAME", b"FULL");
    let expected = "the output `output_0` of `serving_default` can't be computed: it depends on the node \
                    `StatefulPartitionedCall/functional_1/conv2d_1/convolution` (Conv2D): the padding `FULL` is not supported; \
                    `taper_saved::open` captures what does not depend on it";
    assert_eq!(message, expected);
}

#[test]
fn what_can_not_be_read_is_said_at_its_token() {
    let parse = |text: &str| syn::parse_str::<Input>(text).err().map(|error| error.to_string());
    for (text, expected) in [
        ("Net = \"m\", sginature = \"s\"", "unknown option `sginature`; there is `signature = \"…\"`"),
        ("Net = \"m\", signature = \"a\", signature = \"b\"", "`signature` is given twice"),
        ("Net = m", "expected string literal"),
        ("Net", "expected `=`"),
    ] {
        let error = parse(text).unwrap();
        assert!(error.contains(expected), "{text}: {error}");
    }
    assert!(parse("pub(crate) Net = \"m\",").is_none());
}

/// Of every model: each tensor that can be computed is one field, and no two fields of a struct have one name.
#[test]
fn every_tensor_of_every_model_is_a_field() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/saved");
    let folders = |path: &std::path::Path| -> Vec<std::path::PathBuf> {
        let all = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
        all.filter(|path| path.is_dir()).collect()
    };
    let (mut models, mut tensors) = (0, 0);
    for file in folders(&folder).iter().flat_map(|model| folders(model)) {
        let Ok(structure) = open(&file, None, &Outline) else { continue };
        let tree = tree(&structure, "Net");
        let mut places = tree.places();
        places.sort_unstable();
        let all = structure.tensors.all.iter().enumerate();
        let sited: Vec<usize> = all.filter(|(_, tensor)| tensor.site.is_some()).map(|(place, _)| place).collect();
        assert_eq!(places, sited, "{}", file.display());
        let mut types = HashSet::new();
        no_two_alike(&tree, &mut types);
        models += 1;
        tensors += places.len();
        let path = file.to_str().unwrap();
        let expanded = expand(&parse_quote!(Net = #path)).unwrap();
        syn::parse2::<syn::File>(expanded).unwrap();
    }
    assert!(models >= 40 && tensors > 3500, "{models} models of {tensors} tensors");
}

fn no_two_alike(layer: &Layer, types: &mut HashSet<String>) {
    assert!(types.insert(layer.ty.clone()), "{}", layer.ty);
    let mut fields = HashSet::new();
    for part in &layer.parts {
        let field = match part {
            Part::Tensor { field, .. } => field,
            Part::Layer(layer) => {
                no_two_alike(layer, types);
                &layer.field
            }
        };
        assert!(fields.insert(field), "`{field}` in {}", layer.ty);
    }
}
