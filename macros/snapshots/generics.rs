///Every value of a pass of [`Residual`]: what [`Residual::forward_with_taps`] gives.
#[allow(private_interfaces, reason = "submodules may be more private than the model")]
struct ResidualTaps<M: Layer>
where
    M: Send,
{
    ///What the field `inner: M` gives.
    inner: ::taper::Taps<M>,
    ///What the elements of the field `gates: [&'a Linear; N]` give, each at its place.
    gates: ::taper::__private::Vec<::taper::Taps<Linear>>,
    ///What `Residual::forward` returns.
    output: (Tensor, Tensor),
}
///Where the values of a pass of [`Residual`] are: what the closure of [`Residual::capture`] selects from.
#[allow(private_interfaces, reason = "submodules may be more private than the model")]
struct ResidualSites<M: Layer>
where
    M: Send,
{
    ///What the field `inner: M` gives.
    inner: ::taper::Sites<M>,
    ///What the elements of the field `gates: [&'a Linear; N]` give, each at its place.
    gates: ::taper::Each<::taper::Sites<Linear>>,
    ///What `Residual::forward` returns.
    output: ::taper::Site<(Tensor, Tensor)>,
}
impl<M: Layer> ::taper::__private::Clone for ResidualTaps<M>
where
    M: Send,
{
    fn clone(&self) -> Self {
        Self {
            inner: ::taper::__private::Clone::clone(&self.inner),
            gates: ::taper::__private::Clone::clone(&self.gates),
            output: ::taper::__private::Clone::clone(&self.output),
        }
    }
}
impl<M: Layer> ::taper::__private::Clone for ResidualSites<M>
where
    M: Send,
{
    fn clone(&self) -> Self {
        Self {
            inner: ::taper::__private::Clone::clone(&self.inner),
            gates: ::taper::__private::Clone::clone(&self.gates),
            output: ::taper::__private::Clone::clone(&self.output),
        }
    }
}
impl<M: Layer> ::taper::__private::Debug for ResidualSites<M>
where
    M: Send,
{
    fn fmt(
        &self,
        f: &mut ::taper::__private::Formatter<'_>,
    ) -> ::taper::__private::FmtResult {
        let mut shown = f.debug_struct("ResidualSites");
        shown.field("inner", &self.inner);
        shown.field("gates", &self.gates);
        shown.field("output", &self.output);
        shown.finish()
    }
}
impl<'a, M: Layer, const N: usize> ::taper::Tapped for Residual<'a, M, N>
where
    M: Send,
{
    type Taps = ResidualTaps<M>;
    type Sites = ResidualSites<M>;
    const STATEFUL: bool = false || <M as ::taper::Tapped>::STATEFUL
        || <[&'a Linear; N] as ::taper::Tapped>::STATEFUL;
    fn __taper_sites(&self, b: &mut ::taper::__private::Builder) -> Self::Sites {
        let scope = b.begin(::core::concat!(::core::module_path!(), "::", "Residual"));
        let sites = ResidualSites {
            inner: b.field("inner", &self.inner),
            gates: b.field("gates", &self.gates),
            output: b.tap("output"),
        };
        b.end(scope);
        sites
    }
}
impl<
    '__taper_run,
    'a,
    M: Layer,
    const N: usize,
> ::taper::__private::Stateless<'__taper_run> for Residual<'a, M, N>
where
    M: Send,
    M: ::taper::__private::Stateless<'__taper_run>,
    [&'a Linear; N]: ::taper::__private::Stateless<'__taper_run>,
{}
impl<M: Layer> ::taper::__private::Tree for ResidualSites<M>
where
    M: Send,
{
    type Value = ResidualTaps<M>;
    type Item = ::taper::__private::candle_core::Tensor;
    fn span(&self) -> ::taper::__private::Span {
        let first = ::taper::__private::Tree::span(&self.inner).first;
        ::taper::__private::Span {
            first,
            ..::taper::__private::Tree::span(&self.output)
        }
    }
    fn read_taps(
        &self,
        reader: &::taper::__private::Reader<'_>,
    ) -> ::taper::__private::candle_core::Result<Self::Value> {
        ::taper::__private::Ok(ResidualTaps {
            inner: ::taper::__private::Tree::read_taps(&self.inner, reader)?,
            gates: ::taper::__private::Tree::read_taps(&self.gates, reader)?,
            output: ::taper::__private::Tree::read_taps(&self.output, reader)?,
        })
    }
    fn visit(value: &Self::Value, visitor: &mut ::taper::__private::Visitor<'_>) {
        visitor.field::<::taper::Sites<M>>("inner", &value.inner);
        visitor.field::<::taper::Each<::taper::Sites<Linear>>>("gates", &value.gates);
        visitor.field::<::taper::Site<(Tensor, Tensor)>>("output", &value.output);
    }
}
impl<M: Layer> ::taper::__private::Debug for ResidualTaps<M>
where
    M: Send,
{
    fn fmt(
        &self,
        f: &mut ::taper::__private::Formatter<'_>,
    ) -> ::taper::__private::FmtResult {
        ::taper::__private::debug::<ResidualSites<M>>("ResidualTaps", self, f)
    }
}
#[allow(
    dead_code,
    reason = "part of every model's interface, also where the model is private"
)]
impl<M: Layer> ResidualTaps<M>
where
    M: Send,
{
    /// Writes the tensors as safetensors, keyed by the names of the taps; the metadata has the model's type and the list
    /// of the taps.
    ///
    /// # Errors
    /// A file that can't be written.
    fn save(
        &self,
        path: impl ::taper::__private::AsRef<::taper::__private::Path>,
    ) -> ::taper::__private::candle_core::Result<()> {
        ::taper::__private::save_taps::<
            ResidualSites<M>,
        >(self, "Residual", ::taper::__private::AsRef::as_ref(&path))
    }
}
#[allow(
    dead_code,
    reason = "part of every model's interface, also where the model is private"
)]
impl<'a, M: Layer, const N: usize> Residual<'a, M, N>
where
    M: Send,
{
    ///What [`forward`](Self::forward) returns, and every value on the way there, on the autograd graph.
    ///
    /// # Errors
    ///Those of [`forward`](Self::forward).
    fn forward_with_taps<S: AsRef<Tensor>>(
        &self,
        x: S,
    ) -> Result<((Tensor, Tensor), ResidualTaps<M>)> {
        ::taper::__private::forward_with_taps(self, |at| self.__taper_forward(x, at))
    }
    ///What the closure selects of a pass, in the shape in which it is selected, detached from the autograd graph.
    ///
    ///The pass stops once all of it is known, unless it has effects beside its values.
    ///
    ///# Errors
    ///Those of [`forward`](Self::forward), and of a selection that is not one of this model's; see [`ResidualTaps`].
    fn capture<S: AsRef<Tensor>, __TaperSelection: ::taper::Selection>(
        &self,
        x: S,
        select: impl ::taper::__private::FnOnce(ResidualSites<M>) -> __TaperSelection,
    ) -> Result<<__TaperSelection as ::taper::Selection>::Value> {
        ::taper::__private::capture(
            self,
            false,
            select,
            |at| self.__taper_forward(x, at),
        )
    }
    ///As [`capture`](Self::capture), the values keeping their autograd graph.
    fn capture_attached<S: AsRef<Tensor>, __TaperSelection: ::taper::Selection>(
        &self,
        x: S,
        select: impl ::taper::__private::FnOnce(ResidualSites<M>) -> __TaperSelection,
    ) -> Result<<__TaperSelection as ::taper::Selection>::Value> {
        ::taper::__private::capture(self, true, select, |at| self.__taper_forward(x, at))
    }
    /// The names and sites of every tap, to find them by name, pattern or position.
    fn sites(&self) -> ::taper::SiteTable<ResidualSites<M>> {
        ::taper::__private::site_table(self)
    }
}
///The functions of [`Residual::run`], which take the arguments of `Residual::forward`.
struct ResidualRunner<__TaperSetup>(__TaperSetup);
impl<__TaperSetup> ::taper::__private::Runner<__TaperSetup>
for ResidualRunner<__TaperSetup> {
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
impl<'a, M: Layer, const N: usize> ::taper::__private::Runnable for Residual<'a, M, N>
where
    M: Send,
{
    type Runner<__TaperSetup> = ResidualRunner<__TaperSetup>;
}
#[allow(
    dead_code,
    reason = "part of every model's interface, also where the model is private"
)]
impl<'a, M: Layer, const N: usize> Residual<'a, M, N>
where
    M: Send,
{
    ///A run to be changed: values edited, replaced, differentiated, recorded and replayed. It is used as the model is: `run().edit(…).forward(…)`.
    fn run(&self) -> ::taper::Run<'_, '_, Self> {
        ::taper::__private::run(self)
    }
}
#[allow(
    dead_code,
    reason = "part of every model's interface, also where the model is private"
)]
impl<
    '__taper_model,
    '__taper_edits,
    'a,
    M: Layer,
    const N: usize,
> ResidualRunner<
    ::taper::__private::Setup<'__taper_model, '__taper_edits, Residual<'a, M, N>>,
>
where
    M: Send,
{
    /// What the model returns, with the changes of the run.
    ///
    /// # Errors
    /// Those of the model, and of the changes.
    fn forward<S: AsRef<Tensor>>(&self, x: S) -> Result<(Tensor, Tensor)> {
        self.__taper_run(x, ::taper::__private::Forward)
    }
    /// What the model returns, and every value on the way there, on the autograd graph.
    fn forward_with_taps<S: AsRef<Tensor>>(
        &self,
        x: S,
    ) -> Result<((Tensor, Tensor), ResidualTaps<M>)> {
        self.__taper_run(x, ::taper::__private::WithTaps)
    }
    ///What the closure selects of the changed run, detached from the autograd graph.
    fn capture<S: AsRef<Tensor>, __TaperSelection: ::taper::Selection>(
        &self,
        x: S,
        select: impl ::taper::__private::FnOnce(ResidualSites<M>) -> __TaperSelection,
    ) -> Result<<__TaperSelection as ::taper::Selection>::Value> {
        self.__taper_run(
            x,
            ::taper::__private::Capture {
                attached: false,
                select: select,
            },
        )
    }
    ///What the closure selects of the changed run, on the autograd graph.
    fn capture_attached<S: AsRef<Tensor>, __TaperSelection: ::taper::Selection>(
        &self,
        x: S,
        select: impl ::taper::__private::FnOnce(ResidualSites<M>) -> __TaperSelection,
    ) -> Result<<__TaperSelection as ::taper::Selection>::Value> {
        self.__taper_run(
            x,
            ::taper::__private::Capture {
                attached: true,
                select: select,
            },
        )
    }
    /// Runs the model and keeps every value, so that later runs can start from them.
    fn record<S: AsRef<Tensor>>(
        &self,
        x: S,
    ) -> Result<::taper::Recording<'__taper_model, '__taper_edits, Residual<'a, M, N>>>
    where
        for<'__taper_run> Residual<
            'a,
            M,
            N,
        >: ::taper::__private::Stateless<'__taper_run>,
    {
        self.__taper_run(x, ::taper::__private::Record)
    }
}
#[allow(
    dead_code,
    reason = "part of every model's interface, also where the model is private"
)]
impl<
    '__taper_model,
    '__taper_edits,
    'a,
    M: Layer,
    const N: usize,
> ResidualRunner<
    ::taper::__private::LossSetup<'__taper_model, '__taper_edits, Residual<'a, M, N>>,
>
where
    M: Send,
{
    /// The loss, and the values and gradients of what the closure selects, in the shape in which it is selected.
    fn gradients<S: AsRef<Tensor>, __TaperSelection: ::taper::Selection>(
        &self,
        x: S,
        select: impl ::taper::__private::FnOnce(ResidualSites<M>) -> __TaperSelection,
    ) -> Result<::taper::Gradients<<__TaperSelection as ::taper::Selection>::Value>> {
        self.__taper_run(x, ::taper::__private::Differentiate(select))
    }
}
#[allow(
    dead_code,
    reason = "part of every model's interface, also where the model is private"
)]
impl<
    'a,
    M: Layer,
    const N: usize,
    __TaperSetup: ::taper::__private::Running<Model = Residual<'a, M, N>>,
> ResidualRunner<__TaperSetup>
where
    M: Send,
{
    fn __taper_run<
        S: AsRef<Tensor>,
        __TaperJob: ::taper::__private::Job<__TaperSetup, (Tensor, Tensor)>,
    >(
        &self,
        x: S,
        job: __TaperJob,
    ) -> Result<
        <__TaperJob as ::taper::__private::Job<__TaperSetup, (Tensor, Tensor)>>::Value,
    > {
        let inputs = ::taper::__private::Running::inputs(
            &self.0,
            <__TaperJob as ::taper::__private::Job<
                __TaperSetup,
                (Tensor, Tensor),
            >>::RECORDS,
            || {
                ::taper::__private::vec![
                    ("x", { #[allow(unused_imports, reason =
                    "which of them is needed is for the type of the argument to say")]
                    use ::taper::__private::arguments:: *; (&
                    ::taper::__private::Argument(& * (& x))).see() })
                ]
            },
        );
        ::taper::__private::Job::run(
            job,
            &self.0,
            inputs,
            |at| ::taper::__private::Running::of(&self.0).__taper_forward(x, at),
        )
    }
}
impl<'a, M: Layer, const N: usize> Residual<'a, M, N>
where
    M: Send,
{
    #[doc(hidden)]
    fn __taper_forward<S: AsRef<Tensor>>(
        &self,
        x: S,
        at: ::taper::__private::At<'_, '_, '_, ::taper::__private::Sites<Self>>,
    ) -> Result<(Tensor, Tensor)> {
        use ::taper::__private::calls::*;
        let ::taper::__private::At { sites, pass } = at;
        if let ::taper::__private::Some(__v) = pass.supplied(&sites.output) {
            return pass.output(&sites.output, ::taper::__private::Ok(__v));
        }
        let output: Result<(Tensor, Tensor)> = {
            let y = (match self.inner.__taper_forward(x.as_ref(), pass.at(&sites.inner))
            {
                __r if pass.on() => __r,
                _ => return pass.halt(),
            })?;
            let mut gated = y.clone();
            for gate in self.gates {
                gated = (match &gate {
                    __m => {
                        match __m
                            .__taper_forward(
                                &gated,
                                match pass
                                    .found(
                                        sites.gates.locate(&self.gates, __m.__taper_addr()),
                                        "gates",
                                    )
                                {
                                    ::taper::__private::Some(__s) => pass.at(__s),
                                    ::taper::__private::None => return pass.halt(),
                                },
                            )
                        {
                            __r if pass.on() => __r,
                            _ => return pass.halt(),
                        }
                    }
                })?;
            }
            Ok((y, gated))
        };
        pass.output(&sites.output, output)
    }
}
