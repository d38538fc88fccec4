//! What a saved model becomes.
//!
//! ```ignore
//! pub mod net {
//!     pub struct Net(Typed);
//!     impl Net {
//!         pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
//!             self.run().forward(x)
//!         }
//!     }
//!     pub struct NetTaps { pub dense: NetDenseTaps, pub output: Tensor }
//!     pub struct NetSites { pub dense: NetDenseSites, pub output: Site<Tensor> }
//! }
//! pub use net::{Net, NetOutput, NetSites, NetTaps};
//! ```

mod layer;
mod model;
mod runner;

use std::path::Path;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};
use syn::{Error, Result, VisRestricted, Visibility};
use taper_saved_structure::open::{Structure, open};
use taper_saved_structure::record::Recorded;
use taper_saved_structure::{Error as ReadError, Outline};

use crate::input::Input;
use crate::names::{Unique, ident, snake};
use crate::tree::{Layer, tree};

/// Files that are larger are not read a second time for the sake of rebuilding, if a smaller one tells when they change.
const LARGE: u64 = 1 << 24;

/// The signature that is meant where none is said.
const DEFAULT: &str = "serving_default";

/// What everything is generated from.
struct Model<'i> {
    input: &'i Input,
    /// The visibility inside the generated module.
    vis: Visibility,
    structure: Structure<Outline>,
    /// What is written down of it.
    recorded: Recorded,
    root: Layer,
    /// The arguments of `forward`.
    arguments: Vec<Ident>,
    /// The fields of the output, if there are several.
    outputs: Vec<Ident>,
    folder: String,
}

/// An identifier of generated code.
fn id(name: &str) -> Ident {
    ident(name, Span::mixed_site())
}

pub(crate) fn expand(input: &Input) -> Result<TokenStream> {
    match read(input).and_then(|model| Ok((inner_vis(&input.vis)?, model))) {
        Ok((vis, model)) => Ok(module(&Model { vis, ..model })),
        Err(error) => {
            // What names the type has no errors of its own.
            let (error, missing) = (error.to_compile_error(), missing(input));
            Ok(quote!(#error #missing))
        }
    }
}

/// The file, and what is in it.
fn read(input: &Input) -> Result<Model<'_>> {
    let folder = input.folder()?;
    if !folder.exists() {
        let error = format!(
            "there is no folder `{}`; the path begins at the folder of the crate's `Cargo.toml`",
            folder.display()
        );
        return Err(Error::new(input.path.span(), error));
    }
    let is_model = |name: &str| folder.join(name).exists();
    if folder.is_dir() && !is_model("saved_model.pb") && !is_model("saved_model.pbtxt") {
        let error = format!(
            "there is no `saved_model.pb` in `{}`: a SavedModel is the folder that `model.export(folder)` or \
             `tf.saved_model.save(model, folder)` writes",
            folder.display()
        );
        return Err(Error::new(input.path.span(), error));
    }
    let signature = input.signature.as_ref().map(syn::LitStr::value);
    let structure = open(&folder, signature.as_deref(), &Outline).map_err(|error| {
        let span = match (&error, &input.signature) {
            (ReadError::Signature(_), Some(signature)) => signature.span(),
            _ => input.path.span(),
        };
        Error::new(span, error)
    })?;
    if signature.is_none() && structure.signature != DEFAULT && structure.signatures.len() > 1 {
        let names: Vec<_> = structure.signatures.iter().map(|name| format!("`{name}`")).collect();
        let error = format!(
            "there are several signatures in `{}`, and none is `{DEFAULT}`: {}; say which, as in `signature = \"{}\"`",
            folder.display(),
            names.join(", "),
            structure.signature
        );
        return Err(Error::new(input.path.span(), error));
    }
    let blocked = structure.graph.outputs.iter().find_map(|output| {
        let tensor = structure.tensors.get(output.value)?;
        match tensor.unsupported() {
            Some(why) => Some((&output.name, why.to_owned())),
            None => tensor.site.is_none().then(|| (&output.name, format!("it is of the type {}", tensor.ty))),
        }
    });
    if let Some((name, why)) = blocked {
        let error = format!(
            "the output `{name}` of `{}` can't be computed: {why}; `taper_saved::open` captures what does not depend on it",
            structure.signature
        );
        return Err(Error::new(input.path.span(), error));
    }
    let recorded = structure.record();
    let root = tree(&structure, &input.name.to_string());
    let named = |names: &mut Unique, name: &str| id(&names.field(snake(name)));
    let mut names = Unique::with(&["select"]);
    let arguments = structure.graph.inputs.iter().map(|input| named(&mut names, &input.name)).collect();
    let mut names = Unique::default();
    let outputs = structure.graph.outputs.iter().map(|output| named(&mut names, &output.name)).collect();
    let folder = folder.display().to_string();
    Ok(Model { input, vis: Visibility::Inherited, structure, recorded, root, arguments, outputs, folder })
}

/// A visibility as it is written one module further in.
fn inner_vis(vis: &Visibility) -> Result<Visibility> {
    Ok(match vis {
        Visibility::Public(_) => vis.clone(),
        Visibility::Inherited => syn::parse_quote!(pub(super)),
        Visibility::Restricted(VisRestricted { path, .. }) => {
            let first = path.segments.first().map(|segment| segment.ident.to_string());
            match first.as_deref() {
                Some("crate") => vis.clone(),
                Some("self") => syn::parse_quote!(pub(super)),
                Some("super") => syn::parse_quote!(pub(in super::#path)),
                _ => return Err(Error::new_spanned(vis, "write the path from `crate` on")),
            }
        }
    })
}

/// All that is generated.
fn module(model: &Model<'_>) -> TokenStream {
    let Model { input: Input { name, vis, .. }, .. } = model;
    let module = id(&snake(&name.to_string()));
    let docs = format!("The types of [`{name}`]: of each layer a struct of its tensors and one of their addresses.");
    let tracked = tracked(Path::new(&model.folder));
    let (main, runner) = (model::model(model), runner::runner(model));
    let layers = layer::layers(model);
    let (taps, sites) = (format_ident!("{name}Taps"), format_ident!("{name}Sites"));
    let output = model.output_type().map(|output| quote!(, #output));
    let unused = "which of its types a crate names is its own affair";
    quote! {
        #[doc = #docs]
        #[allow(dead_code, reason = "part of every model's interface, also where the model is private")]
        #vis mod #module {
            use ::taper_saved::__private as private;

            #tracked
            #main
            #runner
            #layers
        }

        #[doc(inline)]
        #[allow(unused_imports, reason = #unused)]
        #vis use #module::{#name, #taps, #sites #output};
    }
}

/// Has the compiler build the crate anew when the file changes.
fn tracked(folder: &Path) -> TokenStream {
    let (graph, fingerprint) = (folder.join("saved_model.pb"), folder.join("fingerprint.pb"));
    let large = graph.metadata().is_ok_and(|file| file.len() > LARGE);
    let file = if large && fingerprint.exists() { fingerprint } else { graph };
    let file = file.display().to_string();
    quote! {
        /// What is included is watched: when the file changes, the crate is compiled anew. Nothing of it is kept.
        const _: &[u8] = ::core::include_bytes!(#file);
    }
}

/// The type alone, so that what mentions it is no mistake beside the one that is reported.
fn missing(input: &Input) -> TokenStream {
    let Input { attrs, vis, name, .. } = input;
    quote! {
        #(#attrs)*
        #[derive(Debug, Clone)]
        #vis struct #name(());

        #[allow(dead_code)]
        impl #name {
            #[doc(hidden)]
            #vis fn load(_: &::taper_saved::candle_core::Device) -> ::taper_saved::candle_core::Result<Self> {
                ::core::result::Result::Ok(#name(()))
            }

            #[doc(hidden)]
            #vis fn load_from(
                _: impl ::core::convert::AsRef<::std::path::Path>,
                _: &::taper_saved::candle_core::Device,
            ) -> ::taper_saved::candle_core::Result<Self> {
                ::core::result::Result::Ok(#name(()))
            }
        }
    }
}

impl Model<'_> {
    /// The struct of several outputs.
    fn output_type(&self) -> Option<Ident> {
        (self.outputs.len() != 1).then(|| format_ident!("{}Output", self.input.name))
    }

    /// What `forward` gives.
    fn output(&self) -> TokenStream {
        match self.output_type() {
            Some(output) => quote!(#output),
            None => quote!(private::Tensor),
        }
    }

    fn name(&self, suffix: &str) -> Ident {
        format_ident!("{}{suffix}", self.input.name)
    }
}
