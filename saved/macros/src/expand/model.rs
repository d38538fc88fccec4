//! The model: what loads it, what runs it, and what it is to taper.

use proc_macro2::{Literal, TokenStream};
use quote::quote;
use taper_saved_structure::record::{Node, Record, Recorded};

use super::Model;
use crate::input::Input;

/// The struct of the model, and its functions but for those of runs.
pub(super) fn model(model: &Model<'_>) -> TokenStream {
    let (definition, functions) = (definition(model), functions(model));
    let (implementations, output) = (implementations(model), output(model));
    quote!(#definition #functions #implementations #output)
}

/// The struct, and what it was compiled from.
fn definition(model: &Model<'_>) -> TokenStream {
    let Model { input: Input { attrs, name, path, .. }, vis, structure, recorded, root, folder, .. } = model;
    let fields = root.places().into_iter().filter_map(|place| recorded.tensor(structure.tensors.all[place].value));
    let fields = fields.map(Literal::u32_unsuffixed);
    let record = record(recorded);
    let (signature, label) = (&structure.signature, name.to_string());
    let docs = format!(
        "The signature `{signature}` of the SavedModel `{}`, a model of taper's: its layers and tensors are the fields of \
         [`{name}Taps`], which are values, and of [`{name}Sites`], which select them.",
        path.value()
    );
    let separated = (!attrs.is_empty()).then(|| quote!(#[doc = ""]));
    quote! {
        #(#attrs)*
        #separated
        #[doc = #docs]
        #[derive(private::Clone)]
        #vis struct #name(private::Typed);

        /// The file as it was when this was compiled.
        static SOURCE: private::Source = private::Source {
            name: #label,
            at: ::core::concat!(::core::file!(), ":", ::core::line!()),
            folder: #folder,
            signature: #signature,
            fields: &[#(#fields),*],
            structure: #record,
        };
    }
}

/// The structure as it is written down.
fn record(recorded: &Recorded) -> TokenStream {
    recorded.with(|Record { inputs, outputs, nodes }| {
        let value = |(node, output): &(u32, u32)| {
            let [node, output] = [*node, *output].map(Literal::u32_unsuffixed);
            quote!((#node, #output))
        };
        let outputs = outputs.iter().map(|(name, place)| {
            let place = value(place);
            quote!((#name, #place))
        });
        let nodes = nodes.iter().map(|Node(name, what, takes, gives)| {
            let takes = takes.iter().map(value);
            quote!(private::Node(#name, #what, &[#(#takes),*], #gives))
        });
        quote! {
            private::Structure {
                inputs: &[#(#inputs),*],
                outputs: &[#(#outputs),*],
                nodes: &[#(#nodes),*],
            }
        }
    })
}

/// The functions that users call.
fn functions(model: &Model<'_>) -> TokenStream {
    let Model { input: Input { name, path, .. }, vis, arguments, .. } = model;
    let (taps, sites, output) = (model.name("Taps"), model.name("Sites"), model.output());
    let load = format!("Loads the weights from the folder that it was compiled from, `{}`.", path.value());
    let forward = forward_docs(model);
    quote! {
        impl #name {
            #[doc = #load]
            ///
            /// The program has its absolute path: where the folder is elsewhere, as on another machine,
            /// [`load_from`](Self::load_from) takes it.
            ///
            /// # Errors
            /// Those of [`load_from`](Self::load_from).
            #vis fn load(device: &private::Device) -> private::Result<Self> {
                Self::load_from(SOURCE.folder, device)
            }

            /// Loads the weights from another folder with the same structure in it: one that was trained further, or that was
            /// saved again, whose layers then have other numbers. A tensor is found by where it stands, not by its name.
            ///
            /// # Errors
            /// A file that is missing or damaged; a model of another structure than this was compiled from, with the first layer
            /// that differs; a device without memory for the weights.
            #vis fn load_from(
                path: impl private::AsRef<private::Path>,
                device: &private::Device,
            ) -> private::Result<Self> {
                private::Ok(Self(private::Typed::load(private::AsRef::as_ref(&path), device, &SOURCE)?))
            }

            /// The model as one whose tensors are found by name: its summary, its weights, its layers.
            #vis fn saved(&self) -> &private::SavedModel {
                self.0.model()
            }

            #[doc = #forward]
            #vis fn forward(&self, #(#arguments: &private::Tensor),*) -> private::Result<#output> {
                self.run().forward(#(#arguments),*)
            }

            /// What [`forward`](Self::forward) returns, and every tensor on the way there, on the autograd graph.
            ///
            /// # Errors
            /// Those of [`forward`](Self::forward).
            #vis fn forward_with_taps(&self, #(#arguments: &private::Tensor),*) -> private::Result<(#output, #taps)> {
                private::Model::forward_with_taps(self, (#(#arguments,)*))
            }

            /// What the closure selects, in the shape in which it is selected, detached from the autograd graph. Nothing is
            /// computed that it does not depend on.
            ///
            /// # Errors
            /// Those of [`forward`](Self::forward), and of a selection that is not one of this model's.
            #vis fn capture<__S: private::Selection>(
                &self,
                #(#arguments: &private::Tensor,)*
                select: impl private::FnOnce(#sites) -> __S,
            ) -> private::Result<__S::Value> {
                private::Model::capture(self, (#(#arguments,)*), select)
            }

            /// As [`capture`](Self::capture), the values keeping their autograd graph.
            ///
            /// # Errors
            /// Those of [`capture`](Self::capture).
            #vis fn capture_attached<__S: private::Selection>(
                &self,
                #(#arguments: &private::Tensor,)*
                select: impl private::FnOnce(#sites) -> __S,
            ) -> private::Result<__S::Value> {
                self.run().capture_attached(#(#arguments,)* select)
            }

            /// A run to be changed: values edited, replaced, differentiated, recorded and replayed. It is used as the model is:
            /// `run().edit(…).forward(…)`.
            #vis fn run(&self) -> private::Run<'_, '_, Self> {
                private::run(self)
            }

            /// The names and sites of every tensor, to find them by name, pattern or position. The names are TensorFlow's.
            #vis fn sites(&self) -> private::SiteTable<#sites> {
                private::site_table(self)
            }
        }

        impl #taps {
            /// Writes the tensors as safetensors, keyed by TensorFlow's names.
            ///
            /// # Errors
            /// A file that can't be written.
            #vis fn save(&self, path: impl private::AsRef<private::Path>) -> private::Result<()> {
                self.__saved.save(private::AsRef::as_ref(&path))
            }
        }
    }
}

fn forward_docs(model: &Model<'_>) -> String {
    let graph = &model.structure.graph;
    let outputs = graph.outputs.iter().map(|output| {
        let tensor = model.structure.tensors.get(output.value);
        let what = tensor.map(|tensor| format!(", {} `{}`", tensor.ty(), tensor.shape)).unwrap_or_default();
        format!("`{}`{what}", output.name)
    });
    let mut docs = format!("What the signature gives: {}.\n\n", outputs.collect::<Vec<_>>().join("; "));
    for (input, argument) in graph.inputs.iter().zip(&model.arguments) {
        let name = if argument == &input.name { String::new() } else { format!("the input `{}`, ", input.name) };
        docs.push_str(&format!("- `{argument}`: {name}{} `{}`\n", input.port.ty, input.port.shape));
    }
    docs + "\n# Errors\nAn input of another type or shape, and a node that fails, with its name."
}

/// What it is to taper.
fn implementations(model: &Model<'_>) -> TokenStream {
    let Model { input: Input { name, .. }, arguments, structure, outputs, .. } = model;
    let (taps, sites, output, runner) = (model.name("Taps"), model.name("Sites"), model.output(), model.name("Runner"));
    let label = name.to_string();
    let inputs = structure.graph.inputs.iter().map(|input| &input.name);
    let tensors = arguments.iter().map(|_| quote!(&'a private::Tensor));
    let made = match model.output_type() {
        None => quote!(let [__output] = private::outputs(__outputs)?; private::Ok(__output)),
        Some(_) => quote!(let [#(#outputs),*] = private::outputs(__outputs)?; private::Ok(#output { #(#outputs),* })),
    };
    quote! {
        impl #name {
            fn __call(
                &self,
                #(#arguments: &private::Tensor,)*
                __at: private::At<'_, '_, '_, #sites>,
            ) -> private::Result<#output> {
                let __inputs = self.0.inputs([#(#arguments),*], __at.pass)?;
                let __outputs = self.0.call(&__inputs, private::At { sites: &__at.sites.__saved, pass: __at.pass })?;
                #made
            }
        }

        impl private::Debug for #name {
            fn fmt(&self, f: &mut private::Formatter<'_>) -> private::FmtResult {
                f.debug_tuple(#label).field(self.saved()).finish()
            }
        }

        impl private::Tapped for #name {
            type Taps = #taps;
            type Sites = #sites;

            fn __taper_sites(&self, b: &mut private::Builder) -> #sites {
                #sites::of(&mut self.0.sites(b))
            }
        }

        impl private::Stateless<'_> for #name {}

        impl private::Runnable for #name {
            type Runner<__S> = #runner<__S>;
        }

        impl private::Model for #name {
            type Args<'a> = (#(#tensors,)*);
            type Output = #output;
            type Error = private::Error;

            fn __taper_call(
                &self,
                (#(#arguments,)*): Self::Args<'_>,
                __at: private::At<'_, '_, '_, #sites>,
            ) -> private::Result<#output> {
                self.__call(#(#arguments,)* __at)
            }

            fn __taper_plain(&self, (#(#arguments,)*): Self::Args<'_>) -> private::Result<#output> {
                self.forward(#(#arguments),*)
            }

            fn __taper_seen((#(#arguments,)*): &Self::Args<'_>) -> private::Vec<(&'static str, private::Seen)> {
                private::vec![#((#inputs, private::see(#arguments))),*]
            }
        }
    }
}

/// The structs of several outputs.
fn output(model: &Model<'_>) -> TokenStream {
    let Some(output) = model.output_type() else { return TokenStream::new() };
    let Model { input: Input { name, .. }, vis, outputs, structure, .. } = model;
    let sites = model.name("OutputSites");
    let docs: Vec<_> = structure
        .graph
        .outputs
        .iter()
        .map(|output| {
            let tensor = structure.tensors.get(output.value).map(|tensor| tensor.described()).unwrap_or_default();
            format!("`{}`, which is `{tensor}`.", output.name)
        })
        .collect();
    let [values_docs, sites_docs] =
        [format!("What [`{name}::forward`] returns."), format!("Where what [`{name}`] returns is.")];
    let (label, names) = (sites.to_string(), outputs.iter().map(ToString::to_string));
    quote! {
        #[doc = #values_docs]
        #[derive(private::Clone, private::Debug)]
        #vis struct #output {
            #(#[doc = #docs] #vis #outputs: private::Tensor,)*
        }

        #[doc = #sites_docs]
        #[derive(private::Clone)]
        #vis struct #sites {
            #(#[doc = #docs] #vis #outputs: private::Site<private::Tensor>,)*
        }

        impl private::Debug for #sites {
            fn fmt(&self, f: &mut private::Formatter<'_>) -> private::FmtResult {
                private::debug_sites(#label, self, f)
            }
        }

        impl private::Tree for #sites {
            type Value = #output;
            type Item = private::Tensor;

            fn span(&self) -> private::Span {
                private::hull(self)
            }

            fn spans(&self, __f: &mut dyn private::FnMut(private::Span)) {
                private::spans([#(self.#outputs),*], __f);
            }

            fn read_taps(&self, __reader: &private::Reader<'_>) -> private::Result<Self::Value> {
                let [#(#outputs),*] = private::read([#(self.#outputs),*], __reader)?;
                private::Ok(#output { #(#outputs),* })
            }

            fn visit(__value: &Self::Value, __visitor: &mut private::Visitor<'_>) {
                private::visit([#((#names, &__value.#outputs)),*], __visitor);
            }
        }
    }
}
