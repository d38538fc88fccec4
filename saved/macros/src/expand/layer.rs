//! The structs of a layer: its values and their addresses.
//!
//! ```ignore
//! pub struct NetDenseTaps { pub mat_mul: Tensor }
//! pub struct NetDenseSites { pub mat_mul: Site<Tensor> }
//! impl Tree for NetDenseSites {
//!     fn read_taps(&self, reader: &Reader<'_>) -> Result<NetDenseTaps> {
//!         let [mat_mul] = private::read([self.mat_mul], reader)?;
//!         Ok(NetDenseTaps { mat_mul })
//!     }
//! }
//! ```
//!
//! Tensors go through arrays, because a function of a great many fallible calls takes rustc time that grows with the square
//! of their number.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{format_ident, quote};

use super::{Model, id};
use crate::tree::{Function, Layer, Part};

/// How many tensors go through one array.
const AT_ONCE: usize = 200;

/// The structs of all layers, those of the model first.
pub(super) fn layers(model: &Model<'_>) -> TokenStream {
    let mut all = Vec::new();
    let mut left = vec![&model.root];
    while let Some(layer) = left.pop() {
        all.push(Fields::of(model, layer).structs());
        left.extend(layer.parts.iter().rev().filter_map(|part| match part {
            Part::Layer(layer) => Some(layer),
            Part::Tensor { .. } => None,
        }));
    }
    quote!(#(#all)*)
}

/// Fields that are treated alike.
enum Run<'l> {
    Tensors(Vec<(Ident, usize)>),
    Layer(Ident, &'l Layer),
}

/// The fields of a layer.
struct Fields<'m, 'l> {
    model: &'m Model<'m>,
    layer: &'l Layer,
    runs: Vec<Run<'l>>,
    is_root: bool,
}

impl<'m, 'l> Fields<'m, 'l> {
    fn of(model: &'m Model<'m>, layer: &'l Layer) -> Self {
        let mut runs: Vec<Run<'l>> = Vec::new();
        for part in &layer.parts {
            match (part, runs.last_mut()) {
                (Part::Tensor { field, place }, Some(Run::Tensors(tensors))) if tensors.len() < AT_ONCE => {
                    tensors.push((id(field), *place));
                }
                (Part::Tensor { field, place }, _) => runs.push(Run::Tensors(vec![(id(field), *place)])),
                (Part::Layer(layer), _) => runs.push(Run::Layer(id(&layer.field), layer)),
            }
        }
        Fields { model, layer, runs, is_root: layer.field.is_empty() }
    }

    /// One piece of code for each run of fields.
    fn each(
        &self,
        tensors: impl Fn(&[&Ident]) -> TokenStream,
        layer: impl Fn(&Ident, &Layer) -> TokenStream,
    ) -> Vec<TokenStream> {
        let run = |run: &Run<'_>| match run {
            Run::Tensors(all) => tensors(&all.iter().map(|(field, _)| field).collect::<Vec<_>>()),
            Run::Layer(field, inner) => layer(field, inner),
        };
        self.runs.iter().map(run).collect()
    }

    fn idents(&self) -> Vec<&Ident> {
        let mut all = Vec::new();
        for run in &self.runs {
            match run {
                Run::Tensors(tensors) => all.extend(tensors.iter().map(|(field, _)| field)),
                Run::Layer(field, _) => all.push(field),
            }
        }
        all
    }

    fn types(&self) -> [Ident; 2] {
        [format_ident!("{}Taps", self.layer.ty), format_ident!("{}Sites", self.layer.ty)]
    }

    fn structs(&self) -> TokenStream {
        let (definitions, clones, tree, outputs) = (self.definitions(), self.clones(), self.tree(), self.outputs());
        quote!(#definitions #clones #tree #outputs)
    }

    /// The two structs.
    fn definitions(&self) -> TokenStream {
        let (vis, [taps, sites]) = (&self.model.vis, self.types());
        let [taps_docs, sites_docs] = self.docs();
        let (mut of_taps, mut of_sites) = (Vec::new(), Vec::new());
        for run in &self.runs {
            match run {
                Run::Tensors(tensors) => {
                    for (field, place) in tensors {
                        let tensor = &self.model.structure.tensors.all[*place];
                        let (name, op, ty, shape) = (tensor.name(), tensor.op(), tensor.ty(), &tensor.shape);
                        let docs = format!("`{name}` ({op}): {ty} `{shape}`.");
                        of_taps.push(quote!(#[doc = #docs] #vis #field: private::Tensor));
                        of_sites.push(quote!(#[doc = #docs] #vis #field: private::Site<private::Tensor>));
                    }
                }
                Run::Layer(field, layer) => {
                    let docs = format!("{}.", self::layer(layer));
                    let [taps, sites] = types(layer);
                    of_taps.push(quote!(#[doc = #docs] #vis #field: #taps));
                    of_sites.push(quote!(#[doc = #docs] #vis #field: #sites));
                }
            }
        }
        if self.is_root {
            let (output, docs) = (self.model.output(), "What the model returns.");
            let addresses = match self.model.output_type() {
                Some(_) => {
                    let outputs = self.model.name("OutputSites");
                    quote!(#outputs)
                }
                None => quote!(private::Site<private::Tensor>),
            };
            of_taps.push(quote!(#[doc = #docs] #vis output: #output));
            of_taps.push(quote!(__saved: private::Taps));
            of_sites.push(quote!(#[doc = #docs] #vis output: #addresses));
            of_sites.push(quote!(__saved: private::Sites));
        }
        quote! {
            #[doc = #taps_docs]
            #vis struct #taps {
                #(#of_taps,)*
            }

            #[doc = #sites_docs]
            #vis struct #sites {
                #(#of_sites,)*
            }
        }
    }

    fn docs(&self) -> [String; 2] {
        let what = match self.is_root {
            true => format!("[`{}`]", self.model.input.name),
            false => {
                let what = self::layer(self.layer);
                format!("{}{}", what[..1].to_lowercase(), &what[1..])
            }
        };
        let missing: Vec<_> = self.layer.unsupported.iter().map(|why| format!("\n- {why}")).collect();
        let missing = match missing.is_empty() {
            true => String::new(),
            false => format!("\n\nWhat can't be computed has no field:\n{}", missing.concat()),
        };
        [format!("The tensors of {what}.{missing}"), format!("Where the tensors of {what} are.{missing}")]
    }

    fn clones(&self) -> TokenStream {
        let ([taps, sites], fields) = (self.types(), self.idents());
        let copied = self.each(
            |fields| quote!(let [#(#fields),*] = private::clone([#(&self.#fields),*]);),
            |field, _| quote!(let #field = private::Clone::clone(&self.#field);),
        );
        let own = self.is_root.then(|| {
            let cloned = ["output", "__saved"].map(id);
            quote!(#(#cloned: private::Clone::clone(&self.#cloned),)*)
        });
        let addresses = fields.iter().map(|field| quote!(#field: private::Clone::clone(&self.#field)));
        let (taps_name, sites_name) = (taps.to_string(), sites.to_string());
        quote! {
            impl private::Clone for #taps {
                fn clone(&self) -> Self {
                    #(#copied)*
                    Self { #(#fields,)* #own }
                }
            }

            impl private::Clone for #sites {
                fn clone(&self) -> Self {
                    Self { #(#addresses,)* #own }
                }
            }

            impl private::Debug for #taps {
                fn fmt(&self, f: &mut private::Formatter<'_>) -> private::FmtResult {
                    private::debug::<#sites>(#taps_name, self, f)
                }
            }

            impl private::Debug for #sites {
                fn fmt(&self, f: &mut private::Formatter<'_>) -> private::FmtResult {
                    private::debug_sites(#sites_name, self, f)
                }
            }
        }
    }

    /// How the sites are made, and what is read at them.
    fn tree(&self) -> TokenStream {
        let ([taps, sites], fields) = (self.types(), self.idents());
        let made = self.each(
            |fields| quote!(let [#(#fields),*] = __sites.take();),
            |field, layer| {
                let sites = format_ident!("{}Sites", layer.ty);
                match layer.function {
                    None => quote!(let #field = #sites::of(__sites);),
                    Some(Function { body, is_repeated }) => {
                        let body = self.model.recorded.body(body).map(Literal::u32_unsuffixed);
                        let around = if is_repeated { id("visits") } else { id("maybe") };
                        quote!(let #field = __sites.#around(#body, |__sites| #sites::of(__sites));)
                    }
                }
            },
        );
        let read = self.each(
            |fields| quote!(let [#(#fields),*] = private::read([#(self.#fields),*], __reader)?;),
            |field, _| quote!(let #field = private::Tree::read_taps(&self.#field, __reader)?;),
        );
        let spans = self.each(
            |fields| quote!(private::spans([#(self.#fields),*], __f);),
            |field, _| quote!(private::Tree::spans(&self.#field, __f);),
        );
        let visited = self.each(
            |fields| {
                let names: Vec<_> = fields.iter().map(|field| unraw(field)).collect();
                quote!(private::visit([#((#names, &__value.#fields)),*], __visitor);)
            },
            |field, layer| {
                let ([_, sites], name) = (types(layer), unraw(field));
                quote!(__visitor.field::<#sites>(#name, &__value.#field);)
            },
        );
        let (span, visited) = match self.is_root {
            true => (
                quote!(private::Tree::span(&self.__saved)),
                quote!(<private::Sites as private::Tree>::visit(&__value.__saved, __visitor);),
            ),
            false => (quote!(private::hull(self)), quote!(#(#visited)*)),
        };
        let spans = match self.is_root {
            true => quote!(private::Tree::spans(&self.__saved, __f);),
            false => quote!(#(#spans)*),
        };
        let [own_site, own_value] = match self.is_root {
            true => self.own(),
            false => [quote!(#sites { #(#fields,)* }), quote!(#taps { #(#fields,)* })],
        };
        quote! {
            impl #sites {
                fn of(__sites: &mut private::Given<'_>) -> Self {
                    #(#made)*
                    #own_site
                }
            }

            impl private::Tree for #sites {
                type Value = #taps;
                type Item = private::Tensor;

                fn span(&self) -> private::Span {
                    #span
                }

                fn spans(&self, __f: &mut dyn private::FnMut(private::Span)) {
                    #spans
                }

                fn read_taps(&self, __reader: &private::Reader<'_>) -> private::Result<Self::Value> {
                    #(#read)*
                    private::Ok(#own_value)
                }

                fn visit(__value: &Self::Value, __visitor: &mut private::Visitor<'_>) {
                    #visited
                }
            }
        }
    }

    /// The structs of the model itself, which have its outputs beside the tensors.
    fn own(&self) -> [TokenStream; 2] {
        let ([taps, sites], fields) = (self.types(), self.idents());
        let outputs = &self.model.structure.graph.outputs;
        let paths: Vec<TokenStream> = outputs
            .iter()
            .map(|output| {
                let all = &self.model.structure.tensors.all;
                let place = all.iter().position(|tensor| tensor.value == output.value);
                let path = place.and_then(|place| self.layer.find(place)).unwrap_or_default();
                let path = path.into_iter().map(id);
                quote!(#(#path).*)
            })
            .collect();
        let (addresses, values) = match (self.model.output_type(), &*paths) {
            (None, [path]) => (quote!(#path), quote!(private::Clone::clone(&#path))),
            (output, _) => {
                let (names, sites) = (&self.model.outputs, self.model.name("OutputSites"));
                let values = quote!(#output { #(#names: private::Clone::clone(&#paths),)* });
                (quote!(#sites { #(#names: #paths,)* }), values)
            }
        };
        // Made first: the fields move into the struct.
        let own_site = quote! {{
            let __output = #addresses;
            #sites { #(#fields,)* output: __output, __saved: __sites.saved() }
        }};
        let own_value = quote! {{
            let __output = #values;
            let __saved = private::Tree::read_taps(&self.__saved, __reader)?;
            #taps { #(#fields,)* output: __output, __saved }
        }};
        [own_site, own_value]
    }

    /// What others take of a layer.
    fn outputs(&self) -> TokenStream {
        let ([taps, sites], vis) = (self.types(), &self.model.vis);
        let all = &self.model.structure.tensors.all;
        let found = self.layer.outputs.iter().filter_map(|place| {
            let path = self.layer.find(*place)?.into_iter().map(id);
            Some((quote!(#(.#path)*), format!("`{}`", all[*place].name())))
        });
        let (paths, names): (Vec<TokenStream>, Vec<String>) = found.unzip();
        match &*paths {
            [] => TokenStream::new(),
            [path] => {
                let docs = format!("What others take of the layer: {}.", names[0]);
                quote! {
                    impl #taps {
                        #[doc = #docs]
                        #vis fn output(&self) -> &private::Tensor {
                            &self #path
                        }
                    }

                    impl #sites {
                        #[doc = #docs]
                        #vis fn output(&self) -> private::Site<private::Tensor> {
                            self #path
                        }
                    }
                }
            }
            paths => {
                let docs = format!("What others take of the layer: {}.", names.join(", "));
                let number = paths.len();
                quote! {
                    impl #taps {
                        #[doc = #docs]
                        #vis fn outputs(&self) -> [&private::Tensor; #number] {
                            [#(&self #paths),*]
                        }
                    }

                    impl #sites {
                        #[doc = #docs]
                        #vis fn outputs(&self) -> [private::Site<private::Tensor>; #number] {
                            [#(self #paths),*]
                        }
                    }
                }
            }
        }
    }
}

/// The field's name, as it stands in docs and files.
fn unraw(field: &Ident) -> String {
    syn::ext::IdentExt::unraw(field).to_string()
}

/// The types of a layer's field.
fn types(layer: &Layer) -> [TokenStream; 2] {
    let (taps, sites) = (format_ident!("{}Taps", layer.ty), format_ident!("{}Sites", layer.ty));
    match layer.function {
        None => [quote!(#taps), quote!(#sites)],
        Some(Function { is_repeated: true, .. }) => [quote!(private::Vec<#taps>), quote!(private::Visits<#sites>)],
        Some(Function { is_repeated: false, .. }) => [quote!(private::Option<#taps>), quote!(private::Maybe<#sites>)],
    }
}

/// A layer in words.
fn layer(layer: &Layer) -> String {
    match layer.function {
        Some(Function { is_repeated: true, .. }) => return format!("Every step of the loop `{}`", layer.name),
        Some(Function { is_repeated: false, .. }) => {
            return format!("The branch `{}`, if a run takes it", layer.name);
        }
        None => {}
    }
    let kind = if layer.is_shown { "layer" } else { "scope" };
    match layer.call {
        (_, 1) => format!("The {kind} `{}`", layer.name),
        (call, of) => format!("Call {call} of {of} of the {kind} `{}`", layer.name),
    }
}
