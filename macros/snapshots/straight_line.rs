///Every value of a pass of [`Mlp`]: what [`Mlp::forward_with_taps`] gives.
#[derive(::taper::__private::Clone)]
#[allow(private_interfaces, reason = "submodules may be more private than the model")]
pub struct MlpTaps {
    ///`x` in [`Mlp::forward`].
    pub x: Tensor,
    ///What the field `up: Linear` gives.
    pub up: ::taper::Taps<Linear>,
    /// After the GELU.
    pub act: ::taper::__private::candle_core::Tensor,
    ///What the field `down: Linear` gives.
    pub down: ::taper::Taps<Linear>,
    ///What [`Mlp::forward`] returns.
    pub output: Tensor,
}
///Where the values of a pass of [`Mlp`] are: what the closure of [`Mlp::capture`] selects from.
#[derive(::taper::__private::Clone, ::taper::__private::Debug)]
#[allow(private_interfaces, reason = "submodules may be more private than the model")]
pub struct MlpSites {
    ///`x` in [`Mlp::forward`].
    pub x: ::taper::Site<Tensor>,
    ///What the field `up: Linear` gives.
    pub up: ::taper::Sites<Linear>,
    /// After the GELU.
    pub act: ::taper::Site<::taper::__private::candle_core::Tensor>,
    ///What the field `down: Linear` gives.
    pub down: ::taper::Sites<Linear>,
    ///What [`Mlp::forward`] returns.
    pub output: ::taper::Site<Tensor>,
}
impl ::taper::Tapped for Mlp {
    type Taps = MlpTaps;
    type Sites = MlpSites;
    const STATEFUL: bool = false || <Linear as ::taper::Tapped>::STATEFUL;
    fn __taper_sites(&self, b: &mut ::taper::__private::Builder) -> Self::Sites {
        let scope = b.begin(::core::concat!(::core::module_path!(), "::", "Mlp"));
        let sites = MlpSites {
            x: b.tap("x"),
            up: b.field("up", &self.up),
            act: b.tap("act"),
            down: b.field("down", &self.down),
            output: b.tap("output"),
        };
        b.end(scope);
        sites
    }
}
impl<'__taper_run> ::taper::__private::Stateless<'__taper_run> for Mlp
where
    Linear: ::taper::__private::Stateless<'__taper_run>,
{}
impl ::taper::__private::Tree for MlpSites {
    type Value = MlpTaps;
    type Item = ::taper::__private::candle_core::Tensor;
    fn span(&self) -> ::taper::__private::Span {
        let first = ::taper::__private::Tree::span(&self.x).first;
        ::taper::__private::Span {
            first,
            ..::taper::__private::Tree::span(&self.output)
        }
    }
    fn read_taps(
        &self,
        reader: &::taper::__private::Reader<'_>,
    ) -> ::taper::__private::candle_core::Result<Self::Value> {
        ::taper::__private::Ok(MlpTaps {
            x: ::taper::__private::Tree::read_taps(&self.x, reader)?,
            up: ::taper::__private::Tree::read_taps(&self.up, reader)?,
            act: ::taper::__private::Tree::read_taps(&self.act, reader)?,
            down: ::taper::__private::Tree::read_taps(&self.down, reader)?,
            output: ::taper::__private::Tree::read_taps(&self.output, reader)?,
        })
    }
    fn visit(value: &Self::Value, visitor: &mut ::taper::__private::Visitor<'_>) {
        visitor.field::<::taper::Site<Tensor>>("x", &value.x);
        visitor.field::<::taper::Sites<Linear>>("up", &value.up);
        visitor
            .field::<
                ::taper::Site<::taper::__private::candle_core::Tensor>,
            >("act", &value.act);
        visitor.field::<::taper::Sites<Linear>>("down", &value.down);
        visitor.field::<::taper::Site<Tensor>>("output", &value.output);
    }
}
impl ::taper::__private::Debug for MlpTaps {
    fn fmt(
        &self,
        f: &mut ::taper::__private::Formatter<'_>,
    ) -> ::taper::__private::FmtResult {
        ::taper::__private::debug::<MlpSites>("MlpTaps", self, f)
    }
}
#[allow(
    dead_code,
    reason = "part of every model's interface, also where the model is private"
)]
impl MlpTaps {
    /// Writes the tensors as safetensors, keyed by the names of the taps; the metadata has the model's type and the list
    /// of the taps.
    ///
    /// # Errors
    /// A file that can't be written.
    pub fn save(
        &self,
        path: impl ::taper::__private::AsRef<::taper::__private::Path>,
    ) -> ::taper::__private::candle_core::Result<()> {
        ::taper::__private::save_taps::<
            MlpSites,
        >(self, "Mlp", ::taper::__private::AsRef::as_ref(&path))
    }
    /// Reads taps that [`save`](Self::save) wrote; the model tells how many elements and which optional parts there are.
    ///
    /// # Errors
    /// A file that can't be read, or is of another model.
    pub fn load(
        model: &Mlp,
        path: impl ::taper::__private::AsRef<::taper::__private::Path>,
    ) -> ::taper::__private::candle_core::Result<Self> {
        ::taper::__private::load_taps(model, ::taper::__private::AsRef::as_ref(&path))
    }
}
#[allow(
    dead_code,
    reason = "part of every model's interface, also where the model is private"
)]
impl Mlp {
    ///What [`forward`](Self::forward) returns, and every value on the way there, on the autograd graph.
    ///
    /// # Errors
    ///Those of [`forward`](Self::forward).
    pub fn forward_with_taps(&self, x: &Tensor) -> Result<(Tensor, MlpTaps)> {
        ::taper::__private::forward_with_taps(self, |at| self.__taper_forward(x, at))
    }
    ///What the closure selects of a pass, in the shape in which it is selected, detached from the autograd graph.
    ///
    ///The pass stops once all of it is known, unless it has effects beside its values.
    ///
    ///# Errors
    ///Those of [`forward`](Self::forward), and of a selection that is not one of this model's; see [`MlpTaps`].
    pub fn capture<__TaperSelection: ::taper::Selection>(
        &self,
        x: &Tensor,
        select: impl ::taper::__private::FnOnce(MlpSites) -> __TaperSelection,
    ) -> Result<<__TaperSelection as ::taper::Selection>::Value> {
        ::taper::__private::capture(
            self,
            false,
            select,
            |at| self.__taper_forward(x, at),
        )
    }
    ///As [`capture`](Self::capture), the values keeping their autograd graph.
    pub fn capture_attached<__TaperSelection: ::taper::Selection>(
        &self,
        x: &Tensor,
        select: impl ::taper::__private::FnOnce(MlpSites) -> __TaperSelection,
    ) -> Result<<__TaperSelection as ::taper::Selection>::Value> {
        ::taper::__private::capture(self, true, select, |at| self.__taper_forward(x, at))
    }
    /// The names and sites of every tap, to find them by name, pattern or position.
    pub fn sites(&self) -> ::taper::SiteTable<MlpSites> {
        ::taper::__private::site_table(self)
    }
}
///The functions of [`Mlp::run`], which take the arguments of [`Mlp::forward`].
pub struct MlpRunner<__TaperSetup>(__TaperSetup);
impl<__TaperSetup> ::taper::__private::Runner<__TaperSetup> for MlpRunner<__TaperSetup> {
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
impl ::taper::__private::Runnable for Mlp {
    type Runner<__TaperSetup> = MlpRunner<__TaperSetup>;
}
#[allow(
    dead_code,
    reason = "part of every model's interface, also where the model is private"
)]
impl Mlp {
    ///A run to be changed: values edited, replaced, differentiated, recorded and replayed. It is used as the model is: `run().edit(…).forward(…)`.
    pub fn run(&self) -> ::taper::Run<'_, '_, Self> {
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
> MlpRunner<::taper::__private::Setup<'__taper_model, '__taper_edits, Mlp>> {
    /// What the model returns, with the changes of the run.
    ///
    /// # Errors
    /// Those of the model, and of the changes.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.__taper_run(x, ::taper::__private::Forward)
    }
    /// What the model returns, and every value on the way there, on the autograd graph.
    pub fn forward_with_taps(&self, x: &Tensor) -> Result<(Tensor, MlpTaps)> {
        self.__taper_run(x, ::taper::__private::WithTaps)
    }
    ///What the closure selects of the changed run, detached from the autograd graph.
    pub fn capture<__TaperSelection: ::taper::Selection>(
        &self,
        x: &Tensor,
        select: impl ::taper::__private::FnOnce(MlpSites) -> __TaperSelection,
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
    pub fn capture_attached<__TaperSelection: ::taper::Selection>(
        &self,
        x: &Tensor,
        select: impl ::taper::__private::FnOnce(MlpSites) -> __TaperSelection,
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
    pub fn record(
        &self,
        x: &Tensor,
    ) -> Result<::taper::Recording<'__taper_model, '__taper_edits, Mlp>>
    where
        for<'__taper_run> Mlp: ::taper::__private::Stateless<'__taper_run>,
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
> MlpRunner<::taper::__private::LossSetup<'__taper_model, '__taper_edits, Mlp>> {
    /// The loss, and the values and gradients of what the closure selects, in the shape in which it is selected.
    pub fn gradients<__TaperSelection: ::taper::Selection>(
        &self,
        x: &Tensor,
        select: impl ::taper::__private::FnOnce(MlpSites) -> __TaperSelection,
    ) -> Result<::taper::Gradients<<__TaperSelection as ::taper::Selection>::Value>> {
        self.__taper_run(x, ::taper::__private::Differentiate(select))
    }
}
#[allow(
    dead_code,
    reason = "part of every model's interface, also where the model is private"
)]
impl<__TaperSetup: ::taper::__private::Running<Model = Mlp>> MlpRunner<__TaperSetup> {
    fn __taper_run<__TaperJob: ::taper::__private::Job<__TaperSetup, Tensor>>(
        &self,
        x: &Tensor,
        job: __TaperJob,
    ) -> Result<<__TaperJob as ::taper::__private::Job<__TaperSetup, Tensor>>::Value> {
        let inputs = ::taper::__private::Running::inputs(
            &self.0,
            <__TaperJob as ::taper::__private::Job<__TaperSetup, Tensor>>::RECORDS,
            || {
                ::taper::__private::vec![
                    ("x", { #[allow(unused_imports, reason =
                    "which of them is needed is for the type of the argument to say")]
                    use ::taper::__private::arguments:: *; (&
                    ::taper::__private::Argument(& * * (& x))).see() })
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
impl ::taper::__private::Model for Mlp {
    type Args<'__taper_args> = (&'__taper_args Tensor,);
    type Output = Tensor;
    type Error = <Result<Tensor> as ::taper::__private::Fallible>::Error;
    fn __taper_call(
        &self,
        (argument_0,): Self::Args<'_>,
        at: ::taper::__private::At<'_, '_, '_, Self::Sites>,
    ) -> ::taper::__private::Result<Self::Output, Self::Error> {
        self.__taper_forward(argument_0, at)
    }
    fn __taper_seen(
        (argument_0,): &Self::Args<'_>,
    ) -> ::taper::__private::Vec<
        (&'static ::core::primitive::str, ::taper::__private::Seen),
    > {
        ::taper::__private::vec![
            ("x", { #[allow(unused_imports, reason =
            "which of them is needed is for the type of the argument to say")] use
            ::taper::__private::arguments:: *; (& ::taper::__private::Argument(& * *
            argument_0)).see() })
        ]
    }
    fn __taper_plain(
        &self,
        (argument_0,): Self::Args<'_>,
    ) -> ::taper::__private::Result<Self::Output, Self::Error> {
        Self::forward(self, argument_0)
    }
}
impl ::taper::__private::candle_core::Module for Mlp
where
    for<'__taper> &'__taper ::taper::__private::candle_core::Tensor: ::taper::__private::Same<
        '__taper,
        &'__taper Tensor,
    >,
    for<'__taper> Result<
        Tensor,
    >: ::taper::__private::Same<
        '__taper,
        ::taper::__private::candle_core::Result<::taper::__private::candle_core::Tensor>,
    >,
{
    fn forward(
        &self,
        x: &::taper::__private::candle_core::Tensor,
    ) -> ::taper::__private::candle_core::Result<
        ::taper::__private::candle_core::Tensor,
    > {
        ::taper::__private::Same::same(
            Self::forward(self, ::taper::__private::Same::same(x)),
        )
    }
}
impl ::taper::Layer for Mlp
where
    for<'__taper> &'__taper ::taper::__private::candle_core::Tensor: ::taper::__private::Same<
        '__taper,
        &'__taper Tensor,
    >,
    for<'__taper> Result<
        Tensor,
    >: ::taper::__private::Same<
        '__taper,
        ::taper::__private::candle_core::Result<::taper::__private::candle_core::Tensor>,
    >,
{
    fn __taper_forward(
        &self,
        x: &::taper::__private::candle_core::Tensor,
        at: ::taper::__private::At<'_, '_, '_, Self::Sites>,
    ) -> ::taper::__private::candle_core::Result<
        ::taper::__private::candle_core::Tensor,
    > {
        ::taper::__private::Same::same(
            Self::__taper_forward(self, ::taper::__private::Same::same(x), at),
        )
    }
}
impl Mlp {
    #[doc(hidden)]
    pub fn __taper_forward(
        &self,
        x: &Tensor,
        at: ::taper::__private::At<'_, '_, '_, ::taper::__private::Sites<Self>>,
    ) -> Result<Tensor> {
        use ::taper::__private::calls::*;
        let ::taper::__private::At { sites, pass } = at;
        if let ::taper::__private::Some(__v) = pass.supplied(&sites.output) {
            return pass.output(&sites.output, ::taper::__private::Ok(__v));
        }
        let __v1: Tensor = match pass.tap(::core::clone::Clone::clone(x), &sites.x) {
            ::taper::__private::Some(__v) => __v,
            ::taper::__private::None => return pass.halt(),
        };
        let x = &__v1;
        let output: Result<Tensor> = {
            let __v0 = (match self.up.__taper_forward(x, pass.at(&sites.up)) {
                __r if pass.on() => __r,
                _ => return pass.halt(),
            })?
                .gelu()?;
            let act = match pass.tap(__v0, &sites.act) {
                ::taper::__private::Some(__v) => __v,
                ::taper::__private::None => return pass.halt(),
            };
            (match self.down.__taper_forward(&act, pass.at(&sites.down)) {
                __r if pass.on() => __r,
                _ => return pass.halt(),
            })
        };
        pass.output(&sites.output, output)
    }
}
