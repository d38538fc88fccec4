//! The functions of a run: `run()`, and what takes the arguments of `forward` behind it.
//!
//! ```ignore
//! pub struct BlockRunner<S>(S);
//! impl Runnable for Block { type Runner<S> = BlockRunner<S>; }
//! impl<'m, 'e> BlockRunner<Setup<'m, 'e, Block>> {
//!     pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
//!         let inputs = self.0.inputs(|| vec![("x", (&Argument(x)).see())]);
//!         self.0.forward(inputs, |at| self.0.model().__taper_forward(x, at))
//!     }
//! }
//! ```

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::{Generics, Lifetime};

use super::Input;
use super::generics::split;
use super::seen::look;
use crate::forward::local;

/// What all functions of a run are made of.
struct Parts<'i> {
    input: &'i Input<'i>,
    vis: &'i syn::Visibility,
    params: Vec<TokenStream>,
    args: Vec<TokenStream>,
}

pub(crate) fn runner(input: &Input<'_>) -> TokenStream {
    let structure = structure(input);
    let functions = functions(input);
    quote!(#structure #functions)
}

/// The runner itself, and `run()`, which gives one.
fn structure(input: &Input<'_>) -> TokenStream {
    let Input { model, krate, generics, .. } = input;
    let (vis, visible, runner) = (&model.vis, Parts::of(input).vis, runner_name(input));
    let (impl_generics, _, where_clause) = split(&generics.generics);
    let (ty, private) = (&generics.ty, quote!(#krate::__private));
    let (run, forward) = (&input.functions().run, &input.main.method.sig.ident);
    let (name, linked) = (&model.ident, input.linked(forward));
    let docs = format!("The functions of [`{name}::{run}`], which take the arguments of {linked}.");
    let run_docs = format!(
        "A run to be changed: values edited, replaced, differentiated, recorded and replayed. It is used as the model is: \
         `run().edit(…).{forward}(…)`."
    );
    quote! {
        #[doc = #docs]
        #vis struct #runner<__TaperSetup>(__TaperSetup);

        impl<__TaperSetup> #private::Runner<__TaperSetup> for #runner<__TaperSetup> {
            fn of(setup: __TaperSetup) -> Self {
                Self(setup)
            }

            fn setup(&self) -> &__TaperSetup {
                &self.0
            }

            fn setup_mut(&mut self) -> &mut __TaperSetup {
                &mut self.0
            }

            fn into_setup(self) -> __TaperSetup {
                self.0
            }
        }

        impl #impl_generics #private::Runnable for #ty #where_clause {
            type Runner<__TaperSetup> = #runner<__TaperSetup>;
        }

        #[allow(dead_code, reason = "part of every model's interface, also where the model is private")]
        impl #impl_generics #ty #where_clause {
            #[doc = #run_docs]
            #visible fn #run(&self) -> #krate::Run<'_, '_, Self> {
                #private::run(self)
            }
        }
    }
}

/// What the runner can do with a run, with a loss, and with both.
fn functions(input: &Input<'_>) -> TokenStream {
    let Input { krate, generics, .. } = input;
    let parts = Parts::of(input);
    let runner = runner_name(input);
    let (_, _, where_clause) = split(&generics.generics);
    let (ty, private) = (&generics.ty, quote!(#krate::__private));
    let (of_runs, of_losses, of_both) = (parts.functions(), parts.gradients(), parts.run());
    let mut over_setups = generics.generics.clone();
    over_setups.params.push(syn::parse_quote!(__TaperSetup: #private::Running<Model = #ty>));
    let (setup_generics, _, _) = split(&over_setups);
    let with_run = with_run_lifetimes(&generics.generics);
    let (run_generics, _, _) = split(&with_run.generics);
    let [m, e] = &with_run.lifetimes;
    quote! {
        #[allow(dead_code, reason = "part of every model's interface, also where the model is private")]
        impl #run_generics #runner<#private::Setup<#m, #e, #ty>> #where_clause {
            #of_runs
        }

        #[allow(dead_code, reason = "part of every model's interface, also where the model is private")]
        impl #run_generics #runner<#private::LossSetup<#m, #e, #ty>> #where_clause {
            #of_losses
        }

        #[allow(dead_code, reason = "part of every model's interface, also where the model is private")]
        impl #setup_generics #runner<__TaperSetup> #where_clause {
            #of_both
        }
    }
}

fn runner_name(input: &Input<'_>) -> Ident {
    format_ident!("{}Runner", syn::ext::IdentExt::unraw(&input.model.ident))
}

/// The generics of an impl with the lifetimes of a run in front.
struct WithRun {
    generics: Generics,
    lifetimes: [Lifetime; 2],
}

fn with_run_lifetimes(generics: &Generics) -> WithRun {
    let lifetimes =
        ["'__taper_model", "'__taper_edits"].map(|name| Lifetime::new(name, proc_macro2::Span::mixed_site()));
    let mut generics = generics.clone();
    for lifetime in lifetimes.iter().rev() {
        generics.params.insert(0, syn::parse_quote!(#lifetime));
    }
    WithRun { generics, lifetimes }
}

impl<'i> Parts<'i> {
    fn of(input: &'i Input<'i>) -> Self {
        let Input { model, main, .. } = input;
        let (params, args) = input.parameters();
        Parts { input, vis: if main.of_trait.is_some() { &model.vis } else { &main.method.vis }, params, args }
    }

    /// Looks at the arguments and calls the copy, once for all functions.
    fn run(&self) -> TokenStream {
        let Parts { input, params, args, .. } = self;
        let Input { krate, main, .. } = input;
        let private = quote!(#krate::__private);
        let (hidden, output) = (input.hidden_forward(), main.output);
        let mut own = main.method.sig.generics.clone();
        let clause = own.where_clause.take();
        own.params.push(syn::parse_quote!(__TaperJob: #private::Job<__TaperSetup, #output>));
        let returned = input.returning(quote!(<__TaperJob as #private::Job<__TaperSetup, #output>>::Value));
        let [at, job, inputs] = ["at", "job", "inputs"].map(local);
        let seen = args.iter().zip(main.arguments()).map(|(name, arg)| {
            let shown = name.to_string();
            let shown = shown.trim_start_matches("r#");
            let look = look(input, &arg.ty, quote!((&#name)));
            quote!((#shown, #look))
        });
        quote! {
            fn __taper_run #own (&self, #(#params,)* #job: __TaperJob) -> #returned #clause {
                let #inputs = #private::Running::inputs(&self.0, <__TaperJob as #private::Job<__TaperSetup, #output>>::RECORDS, || #private::vec![#(#seen),*]);
                #private::Job::run(#job, &self.0, #inputs, |#at| #private::Running::of(&self.0).#hidden(#(#args,)* #at))
            }
        }
    }

    fn functions(&self) -> TokenStream {
        let Parts { input, vis, params, args } = self;
        let Input { krate, taps, sites, generics, main, .. } = input;
        let names = input.functions();
        let (_, own_ty, _) = split(&input.taken_over());
        let (own, clause) = (&main.method.sig.generics, &main.method.sig.generics.where_clause);
        let (method, returned, ty) = (&main.method.sig.ident, main.returned, &generics.ty);
        let with_taps = &names.forward_with_taps;
        let with_taps_returned = {
            let output = main.output;
            input.returning(quote!((#output, #taps #own_ty)))
        };
        let capture = self.capture(&names.capture, false, sites, &own_ty);
        let attached = self.capture(&names.capture_attached, true, sites, &own_ty);
        let recorded = {
            let [m, e] = &with_run_lifetimes(&Generics::default()).lifetimes;
            input.returning(quote!(#krate::Recording<#m, #e, #ty>))
        };
        let predicates = clause.as_ref().map(|clause| {
            let predicates = clause.predicates.iter();
            quote!(#(#predicates,)*)
        });
        let stateless = quote!(where #predicates for<'__taper_run> #ty: #krate::__private::Stateless<'__taper_run>);
        quote! {
            /// What the model returns, with the changes of the run.
            ///
            /// # Errors
            /// Those of the model, and of the changes.
            #vis fn #method #own (&self, #(#params,)*) -> #returned #clause {
                self.__taper_run(#(#args,)* #krate::__private::Forward)
            }

            /// What the model returns, and every value on the way there, on the autograd graph.
            #vis fn #with_taps #own (&self, #(#params,)*) -> #with_taps_returned #clause {
                self.__taper_run(#(#args,)* #krate::__private::WithTaps)
            }

            #capture
            #attached

            /// Runs the model and keeps every value, so that later runs can start from them.
            #vis fn record #own (&self, #(#params,)*) -> #recorded #stateless {
                self.__taper_run(#(#args,)* #krate::__private::Record)
            }
        }
    }

    fn capture(&self, name: &Ident, attached: bool, sites: &Ident, own_ty: &TokenStream) -> TokenStream {
        let Parts { input, vis, params, args } = self;
        let krate = input.krate;
        let clause = &input.main.method.sig.generics.where_clause;
        let generics = input.method_generics();
        let returned = input.returning(quote!(<__TaperSelection as #krate::Selection>::Value));
        let select = local("select");
        let docs = match attached {
            false => "What the closure selects of the changed run, detached from the autograd graph.",
            true => "What the closure selects of the changed run, on the autograd graph.",
        };
        quote! {
            #[doc = #docs]
            #vis fn #name #generics (&self, #(#params,)* #select: impl #krate::__private::FnOnce(#sites #own_ty) -> __TaperSelection) -> #returned #clause {
                self.__taper_run(#(#args,)* #krate::__private::Capture { attached: #attached, select: #select })
            }
        }
    }

    fn gradients(&self) -> TokenStream {
        let Parts { input, vis, params, args } = self;
        let Input { krate, sites, .. } = input;
        let (_, own_ty, _) = split(&input.taken_over());
        let clause = &input.main.method.sig.generics.where_clause;
        let generics = input.method_generics();
        let value = quote!(#krate::Gradients<<__TaperSelection as #krate::Selection>::Value>);
        let returned = input.returning(value);
        let select = local("select");
        quote! {
            /// The loss, and the values and gradients of what the closure selects, in the shape in which it is selected.
            #vis fn gradients #generics (&self, #(#params,)* #select: impl #krate::__private::FnOnce(#sites #own_ty) -> __TaperSelection) -> #returned #clause {
                self.__taper_run(#(#args,)* #krate::__private::Differentiate(#select))
            }
        }
    }
}
