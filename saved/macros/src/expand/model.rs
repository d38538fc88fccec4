//! The model: what loads it, what runs it, and what it is to taper.

use proc_macro2::TokenStream;
use quote::quote;

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
    let Model { input: Input { attrs, name, path, .. }, vis, structure, root, folder, .. } = model;
    let places = root.places();
    let record = structure.record(places.iter().copied());
    let places = places.iter().map(|place| *place as u32);
    let (signature, label) = (&structure.signature, name.to_string());
    let docs = format!(
        "The signature `{signature}` of the SavedModel `{}`, a model of taper's with a field for every tensor.",
        path.value()
    );
    let separated = (!attrs.is_empty()).then(|| quote!(#[doc = ""]));
    quote! {
        #(#attrs)*
        #separated
        #[doc = #docs]
        #vis struct #name(private::Typed);

        /// The file as it was when this was compiled.
        static SOURCE: private::Source = private::Source {
            name: #label,
            folder: #folder,
            signature: #signature,
            places: &[#(#places),*],
            record: #record,
        };
    }
}

/// The functions that users call.
fn functions(model: &Model<'_>) -> TokenStream {
    let Model { input: Input { name, .. }, vis, arguments, folder, .. } = model;
    let (taps, sites, output) = (model.name("Taps"), model.name("Sites"), model.output());
    let load = format!("Loads the weights from the folder that it was compiled from, `{folder}`.");
    let forward = forward_docs(model);
    quote! {
        impl #name {
            #[doc = #load]
            ///
            /// # Errors
            /// Those of [`load_from`](Self::load_from).
            #vis fn load(device: &private::Device) -> private::Result<Self> {
                Self::load_from(SOURCE.folder, device)
            }

            /// Loads the weights from another folder with the same model in it, such as one that was trained further.
            ///
            /// # Errors
            /// A file that is missing or damaged; a model that is not the one that this was compiled from, with what differs;
            /// a device that is not the CPU.
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
    let mut docs = "What the signature gives.\n\n".to_owned();
    for (input, argument) in graph.inputs.iter().zip(&model.arguments) {
        docs.push_str(&format!("- `{argument}`: `{}`, {} `{}`\n", input.name, input.port.ty, input.port.shape));
    }
    docs + "\n# Errors\nAn input of another type or shape, and a node that fails, with its name."
}

/// What it is to taper.
fn implementations(model: &Model<'_>) -> TokenStream {
    let Model { input: Input { name, .. }, arguments, structure, outputs, .. } = model;
    let (taps, sites, output, runner) = (model.name("Taps"), model.name("Sites"), model.output(), model.name("Runner"));
    let label = name.to_string();
    let inputs: Vec<_> = structure.graph.inputs.iter().map(|input| &input.name).collect();
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
                let __inputs = self.0.inputs([#((#inputs, #arguments)),*], __at.pass)?;
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
