//! The functions of a run, which take the arguments of `forward`.

use proc_macro2::TokenStream;
use quote::quote;

use super::Model;
use crate::input::Input;

/// The runner, as `#[forward]` generates one for a model that was written.
pub(super) fn runner(model: &Model<'_>) -> TokenStream {
    let Model { input: Input { name, .. }, vis, arguments, structure, .. } = model;
    let (taps, sites, output, runner) = (model.name("Taps"), model.name("Sites"), model.output(), model.name("Runner"));
    let inputs = structure.graph.inputs.iter().map(|input| &input.name);
    let docs = format!("The functions of [`{name}::run`], which take the arguments of `{name}::forward`.");
    let tensors = quote!(#(#arguments: &private::Tensor),*);
    let of_losses =
        "The loss, and the values and gradients of what the closure selects, in the shape in which it is selected.";
    quote! {
        #[doc = #docs]
        #vis struct #runner<__S>(__S);

        impl<__S> private::Runner<__S> for #runner<__S> {
            fn of(setup: __S) -> Self {
                Self(setup)
            }

            fn setup(&self) -> &__S {
                &self.0
            }

            fn setup_mut(&mut self) -> &mut __S {
                &mut self.0
            }

            fn into_setup(self) -> __S {
                self.0
            }
        }

        impl<'m, 'e> #runner<private::Setup<'m, 'e, #name>> {
            /// What the model returns, with the changes of the run.
            ///
            /// # Errors
            /// Those of the model, and of the changes.
            #vis fn forward(&self, #tensors) -> private::Result<#output> {
                self.__run(#(#arguments,)* private::Forward)
            }

            /// What the model returns, and every tensor on the way there, on the autograd graph.
            ///
            /// # Errors
            /// Those of [`forward`](Self::forward).
            #vis fn forward_with_taps(&self, #tensors) -> private::Result<(#output, #taps)> {
                self.__run(#(#arguments,)* private::WithTaps)
            }

            /// What the closure selects of the changed run, detached from the autograd graph.
            ///
            /// # Errors
            /// Those of [`forward`](Self::forward).
            #vis fn capture<__S: private::Selection>(
                &self,
                #(#arguments: &private::Tensor,)*
                select: impl private::FnOnce(#sites) -> __S,
            ) -> private::Result<__S::Value> {
                self.__run(#(#arguments,)* private::Capture { attached: false, select })
            }

            /// What the closure selects of the changed run, on the autograd graph.
            ///
            /// # Errors
            /// Those of [`forward`](Self::forward).
            #vis fn capture_attached<__S: private::Selection>(
                &self,
                #(#arguments: &private::Tensor,)*
                select: impl private::FnOnce(#sites) -> __S,
            ) -> private::Result<__S::Value> {
                self.__run(#(#arguments,)* private::Capture { attached: true, select })
            }

            /// Runs the model and keeps every tensor, so that later runs can start from them.
            ///
            /// # Errors
            /// Those of [`forward`](Self::forward).
            #vis fn record(&self, #tensors) -> private::Result<private::Recording<'m, 'e, #name>> {
                self.__run(#(#arguments,)* private::Record)
            }
        }

        impl<'m, 'e> #runner<private::LossSetup<'m, 'e, #name>> {
            #[doc = #of_losses]
            ///
            /// # Errors
            /// Those of the model, of the changes and of the loss, and a gradient that is lost on the way.
            #vis fn gradients<__S: private::Selection>(
                &self,
                #(#arguments: &private::Tensor,)*
                select: impl private::FnOnce(#sites) -> __S,
            ) -> private::Result<private::Gradients<__S::Value>> {
                self.__run(#(#arguments,)* private::Differentiate(select))
            }
        }

        impl<__S: private::Running<Model = #name>> #runner<__S> {
            fn __run<__J: private::Job<__S, #output>>(
                &self,
                #(#arguments: &private::Tensor,)*
                __job: __J,
            ) -> private::Result<__J::Value> {
                let __see = || private::vec![#((#inputs, private::see(#arguments))),*];
                let __inputs = private::Running::inputs(&self.0, __J::RECORDS, __see);
                private::Job::run(__job, &self.0, __inputs, |__at| {
                    private::Running::of(&self.0).__call(#(#arguments,)* __at)
                })
            }
        }
    }
}
