impl LeNet {
    /// Loads the weights: each field from below its own name, or its `#[prefix]`.
    ///
    /// # Errors
    /// Fails when a weight is missing or has another shape.
    #[allow(private_interfaces)]
    pub fn load(
        vb: ::taper::__private::candle_nn::VarBuilder<'_>,
    ) -> ::taper::__private::LoadResult<Self> {
        let _ = &vb;
        let __taper_field_conv1: Conv2d = conv2d(
            1,
            6,
            5,
            Conv2dConfig::default(),
            vb.pp("conv1"),
        )?;
        let __taper_field_fc: Linear = linear(256, 10, vb.pp("classifier.0"))?;
        ::core::result::Result::Ok(Self {
            conv1: __taper_field_conv1,
            fc: __taper_field_fc,
        })
    }
}
impl<
    '__taper_vb,
    __TaperConfig: ?::core::marker::Sized,
> ::taper::__private::Load<
    ::taper::__private::candle_nn::VarBuilder<'__taper_vb>,
    __TaperConfig,
> for LeNet {
    fn load(
        vb: ::taper::__private::candle_nn::VarBuilder<'__taper_vb>,
        _: &__TaperConfig,
    ) -> ::taper::__private::LoadResult<Self> {
        Self::load(vb)
    }
}
impl LeNet {
    /// Runs the layers in the order of the fields.
    ///
    /// # Errors
    /// Fails when a layer does.
    pub fn forward(
        &self,
        input: &::taper::__private::candle_core::Tensor,
    ) -> ::taper::__private::candle_core::Result<
        ::taper::__private::candle_core::Tensor,
    > {
        #[allow(unused_imports)]
        use ::taper::__private::candle_core::Module as _;
        let x = self.conv1.forward(input)?;
        let act1 = ::taper::__private::step(&x, Tensor::relu)?;
        let pool1 = ::taper::__private::step(&act1, |x| x.max_pool2d(2))?;
        let x = self.fc.forward(&pool1)?;
        ::core::result::Result::Ok(x)
    }
}
///Every value of a pass of [`LeNet`]: what [`LeNet::forward_with_taps`] gives.
#[derive(::taper::__private::Clone)]
#[allow(private_interfaces, reason = "submodules may be more private than the model")]
pub struct LeNetTaps {
    ///`input` in [`LeNet::forward`].
    pub input: ::taper::__private::candle_core::Tensor,
    ///What the field `conv1: Conv2d` gives.
    pub conv1: ::taper::Taps<Conv2d>,
    ///`act1` in [`LeNet::forward`].
    pub act1: ::taper::__private::candle_core::Tensor,
    ///`pool1` in [`LeNet::forward`].
    pub pool1: ::taper::__private::candle_core::Tensor,
    ///What the field `fc: Linear` gives.
    pub fc: ::taper::Taps<Linear>,
    ///What [`LeNet::forward`] returns.
    pub output: ::taper::__private::candle_core::Tensor,
}
///Where the values of a pass of [`LeNet`] are: what the closure of [`LeNet::capture`] selects from.
#[derive(::taper::__private::Clone, ::taper::__private::Debug)]
#[allow(private_interfaces, reason = "submodules may be more private than the model")]
pub struct LeNetSites {
    ///`input` in [`LeNet::forward`].
    pub input: ::taper::Site<::taper::__private::candle_core::Tensor>,
    ///What the field `conv1: Conv2d` gives.
    pub conv1: ::taper::Sites<Conv2d>,
    ///`act1` in [`LeNet::forward`].
    pub act1: ::taper::Site<::taper::__private::candle_core::Tensor>,
    ///`pool1` in [`LeNet::forward`].
    pub pool1: ::taper::Site<::taper::__private::candle_core::Tensor>,
    ///What the field `fc: Linear` gives.
    pub fc: ::taper::Sites<Linear>,
    ///What [`LeNet::forward`] returns.
    pub output: ::taper::Site<::taper::__private::candle_core::Tensor>,
}
impl ::taper::Tapped for LeNet {
    type Taps = LeNetTaps;
    type Sites = LeNetSites;
    const STATEFUL: bool = false || <Conv2d as ::taper::Tapped>::STATEFUL
        || <Linear as ::taper::Tapped>::STATEFUL;
    fn __taper_sites(&self, b: &mut ::taper::__private::Builder) -> Self::Sites {
        let scope = b.begin(::core::concat!(::core::module_path!(), "::", "LeNet"));
        let sites = LeNetSites {
            input: b.tap("input"),
            conv1: b.field("conv1", &self.conv1),
            act1: b.tap("act1"),
            pool1: b.tap("pool1"),
            fc: b.field("fc", &self.fc),
            output: b.tap("output"),
        };
        b.end(scope);
        sites
    }
}
impl<'__taper_run> ::taper::__private::Stateless<'__taper_run> for LeNet
where
    Conv2d: ::taper::__private::Stateless<'__taper_run>,
    Linear: ::taper::__private::Stateless<'__taper_run>,
{}
impl ::taper::__private::Tree for LeNetSites {
    type Value = LeNetTaps;
    type Item = ::taper::__private::candle_core::Tensor;
    fn span(&self) -> ::taper::__private::Span {
        let first = ::taper::__private::Tree::span(&self.input).first;
        ::taper::__private::Span {
            first,
            ..::taper::__private::Tree::span(&self.output)
        }
    }
    fn read_taps(
        &self,
        reader: &::taper::__private::Reader<'_>,
    ) -> ::taper::__private::candle_core::Result<Self::Value> {
        ::taper::__private::Ok(LeNetTaps {
            input: ::taper::__private::Tree::read_taps(&self.input, reader)?,
            conv1: ::taper::__private::Tree::read_taps(&self.conv1, reader)?,
            act1: ::taper::__private::Tree::read_taps(&self.act1, reader)?,
            pool1: ::taper::__private::Tree::read_taps(&self.pool1, reader)?,
            fc: ::taper::__private::Tree::read_taps(&self.fc, reader)?,
            output: ::taper::__private::Tree::read_taps(&self.output, reader)?,
        })
    }
    fn visit(value: &Self::Value, visitor: &mut ::taper::__private::Visitor<'_>) {
        visitor
            .field::<
                ::taper::Site<::taper::__private::candle_core::Tensor>,
            >("input", &value.input);
        visitor.field::<::taper::Sites<Conv2d>>("conv1", &value.conv1);
        visitor
            .field::<
                ::taper::Site<::taper::__private::candle_core::Tensor>,
            >("act1", &value.act1);
        visitor
            .field::<
                ::taper::Site<::taper::__private::candle_core::Tensor>,
            >("pool1", &value.pool1);
        visitor.field::<::taper::Sites<Linear>>("fc", &value.fc);
        visitor
            .field::<
                ::taper::Site<::taper::__private::candle_core::Tensor>,
            >("output", &value.output);
    }
}
impl ::taper::__private::Debug for LeNetTaps {
    fn fmt(
        &self,
        f: &mut ::taper::__private::Formatter<'_>,
    ) -> ::taper::__private::FmtResult {
        ::taper::__private::debug::<LeNetSites>("LeNetTaps", self, f)
    }
}
#[allow(
    dead_code,
    reason = "part of every model's interface, also where the model is private"
)]
impl LeNetTaps {
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
            LeNetSites,
        >(self, "LeNet", ::taper::__private::AsRef::as_ref(&path))
    }
    /// Reads taps that [`save`](Self::save) wrote; the model tells how many elements and which optional parts there are.
    ///
    /// # Errors
    /// A file that can't be read, or is of another model.
    pub fn load(
        model: &LeNet,
        path: impl ::taper::__private::AsRef<::taper::__private::Path>,
    ) -> ::taper::__private::candle_core::Result<Self> {
        ::taper::__private::load_taps(model, ::taper::__private::AsRef::as_ref(&path))
    }
}
#[allow(
    dead_code,
    reason = "part of every model's interface, also where the model is private"
)]
impl LeNet {
    ///What [`forward`](Self::forward) returns, and every value on the way there, on the autograd graph.
    ///
    /// # Errors
    ///Those of [`forward`](Self::forward).
    pub fn forward_with_taps(
        &self,
        input: &::taper::__private::candle_core::Tensor,
    ) -> ::taper::__private::candle_core::Result<
        (::taper::__private::candle_core::Tensor, LeNetTaps),
    > {
        ::taper::__private::forward_with_taps(self, |at| self.__taper_forward(input, at))
    }
    ///What the closure selects of a pass, in the shape in which it is selected, detached from the autograd graph.
    ///
    ///The pass stops once all of it is known, unless it has effects beside its values.
    ///
    ///# Errors
    ///Those of [`forward`](Self::forward), and of a selection that is not one of this model's; see [`LeNetTaps`].
    pub fn capture<__TaperSelection: ::taper::Selection>(
        &self,
        input: &::taper::__private::candle_core::Tensor,
        select: impl ::taper::__private::FnOnce(LeNetSites) -> __TaperSelection,
    ) -> ::taper::__private::candle_core::Result<
        <__TaperSelection as ::taper::Selection>::Value,
    > {
        ::taper::__private::capture(
            self,
            false,
            select,
            |at| self.__taper_forward(input, at),
        )
    }
    ///As [`capture`](Self::capture), the values keeping their autograd graph.
    pub fn capture_attached<__TaperSelection: ::taper::Selection>(
        &self,
        input: &::taper::__private::candle_core::Tensor,
        select: impl ::taper::__private::FnOnce(LeNetSites) -> __TaperSelection,
    ) -> ::taper::__private::candle_core::Result<
        <__TaperSelection as ::taper::Selection>::Value,
    > {
        ::taper::__private::capture(
            self,
            true,
            select,
            |at| self.__taper_forward(input, at),
        )
    }
    /// The names and sites of every tap, to find them by name, pattern or position.
    pub fn sites(&self) -> ::taper::SiteTable<LeNetSites> {
        ::taper::__private::site_table(self)
    }
}
///The functions of [`LeNet::run`], which take the arguments of [`LeNet::forward`].
pub struct LeNetRunner<__TaperSetup>(__TaperSetup);
impl<__TaperSetup> ::taper::__private::Runner<__TaperSetup>
for LeNetRunner<__TaperSetup> {
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
impl ::taper::__private::Runnable for LeNet {
    type Runner<__TaperSetup> = LeNetRunner<__TaperSetup>;
}
#[allow(
    dead_code,
    reason = "part of every model's interface, also where the model is private"
)]
impl LeNet {
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
> LeNetRunner<::taper::__private::Setup<'__taper_model, '__taper_edits, LeNet>> {
    /// What the model returns, with the changes of the run.
    ///
    /// # Errors
    /// Those of the model, and of the changes.
    pub fn forward(
        &self,
        input: &::taper::__private::candle_core::Tensor,
    ) -> ::taper::__private::candle_core::Result<
        ::taper::__private::candle_core::Tensor,
    > {
        self.__taper_run(input, ::taper::__private::Forward)
    }
    /// What the model returns, and every value on the way there, on the autograd graph.
    pub fn forward_with_taps(
        &self,
        input: &::taper::__private::candle_core::Tensor,
    ) -> ::taper::__private::candle_core::Result<
        (::taper::__private::candle_core::Tensor, LeNetTaps),
    > {
        self.__taper_run(input, ::taper::__private::WithTaps)
    }
    ///What the closure selects of the changed run, detached from the autograd graph.
    pub fn capture<__TaperSelection: ::taper::Selection>(
        &self,
        input: &::taper::__private::candle_core::Tensor,
        select: impl ::taper::__private::FnOnce(LeNetSites) -> __TaperSelection,
    ) -> ::taper::__private::candle_core::Result<
        <__TaperSelection as ::taper::Selection>::Value,
    > {
        self.__taper_run(
            input,
            ::taper::__private::Capture {
                attached: false,
                select: select,
            },
        )
    }
    ///What the closure selects of the changed run, on the autograd graph.
    pub fn capture_attached<__TaperSelection: ::taper::Selection>(
        &self,
        input: &::taper::__private::candle_core::Tensor,
        select: impl ::taper::__private::FnOnce(LeNetSites) -> __TaperSelection,
    ) -> ::taper::__private::candle_core::Result<
        <__TaperSelection as ::taper::Selection>::Value,
    > {
        self.__taper_run(
            input,
            ::taper::__private::Capture {
                attached: true,
                select: select,
            },
        )
    }
    /// Runs the model and keeps every value, so that later runs can start from them.
    pub fn record(
        &self,
        input: &::taper::__private::candle_core::Tensor,
    ) -> ::taper::__private::candle_core::Result<
        ::taper::Recording<'__taper_model, '__taper_edits, LeNet>,
    >
    where
        for<'__taper_run> LeNet: ::taper::__private::Stateless<'__taper_run>,
    {
        self.__taper_run(input, ::taper::__private::Record)
    }
}
#[allow(
    dead_code,
    reason = "part of every model's interface, also where the model is private"
)]
impl<
    '__taper_model,
    '__taper_edits,
> LeNetRunner<::taper::__private::LossSetup<'__taper_model, '__taper_edits, LeNet>> {
    /// The loss, and the values and gradients of what the closure selects, in the shape in which it is selected.
    pub fn gradients<__TaperSelection: ::taper::Selection>(
        &self,
        input: &::taper::__private::candle_core::Tensor,
        select: impl ::taper::__private::FnOnce(LeNetSites) -> __TaperSelection,
    ) -> ::taper::__private::candle_core::Result<
        ::taper::Gradients<<__TaperSelection as ::taper::Selection>::Value>,
    > {
        self.__taper_run(input, ::taper::__private::Differentiate(select))
    }
}
#[allow(
    dead_code,
    reason = "part of every model's interface, also where the model is private"
)]
impl<
    __TaperSetup: ::taper::__private::Running<Model = LeNet>,
> LeNetRunner<__TaperSetup> {
    fn __taper_run<
        __TaperJob: ::taper::__private::Job<
                __TaperSetup,
                ::taper::__private::candle_core::Tensor,
            >,
    >(
        &self,
        input: &::taper::__private::candle_core::Tensor,
        job: __TaperJob,
    ) -> ::taper::__private::candle_core::Result<
        <__TaperJob as ::taper::__private::Job<
            __TaperSetup,
            ::taper::__private::candle_core::Tensor,
        >>::Value,
    > {
        let inputs = ::taper::__private::Running::inputs(
            &self.0,
            <__TaperJob as ::taper::__private::Job<
                __TaperSetup,
                ::taper::__private::candle_core::Tensor,
            >>::RECORDS,
            || {
                ::taper::__private::vec![
                    ("input", { #[allow(unused_imports, reason =
                    "which of them is needed is for the type of the argument to say")]
                    use ::taper::__private::arguments:: *; (&
                    ::taper::__private::Argument(& * * (& input))).see() })
                ]
            },
        );
        ::taper::__private::Job::run(
            job,
            &self.0,
            inputs,
            |at| ::taper::__private::Running::of(&self.0).__taper_forward(input, at),
        )
    }
}
impl ::taper::__private::Model for LeNet {
    type Args<'__taper_args> = (&'__taper_args ::taper::__private::candle_core::Tensor,);
    type Output = ::taper::__private::candle_core::Tensor;
    type Error = <::taper::__private::candle_core::Result<
        ::taper::__private::candle_core::Tensor,
    > as ::taper::__private::Fallible>::Error;
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
            ("input", { #[allow(unused_imports, reason =
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
impl ::taper::__private::candle_core::Module for LeNet
where
    for<'__taper> &'__taper ::taper::__private::candle_core::Tensor: ::taper::__private::Same<
        '__taper,
        &'__taper ::taper::__private::candle_core::Tensor,
    >,
    for<'__taper> ::taper::__private::candle_core::Result<
        ::taper::__private::candle_core::Tensor,
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
impl ::taper::Layer for LeNet
where
    for<'__taper> &'__taper ::taper::__private::candle_core::Tensor: ::taper::__private::Same<
        '__taper,
        &'__taper ::taper::__private::candle_core::Tensor,
    >,
    for<'__taper> ::taper::__private::candle_core::Result<
        ::taper::__private::candle_core::Tensor,
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
impl LeNet {
    #[doc(hidden)]
    pub fn __taper_forward(
        &self,
        input: &::taper::__private::candle_core::Tensor,
        at: ::taper::__private::At<'_, '_, '_, ::taper::__private::Sites<Self>>,
    ) -> ::taper::__private::candle_core::Result<
        ::taper::__private::candle_core::Tensor,
    > {
        use ::taper::__private::calls::*;
        let ::taper::__private::At { sites, pass } = at;
        if let ::taper::__private::Some(__v) = pass.supplied(&sites.output) {
            return pass.output(&sites.output, ::taper::__private::Ok(__v));
        }
        let __v1: ::taper::__private::candle_core::Tensor = match pass
            .tap(::core::clone::Clone::clone(input), &sites.input)
        {
            ::taper::__private::Some(__v) => __v,
            ::taper::__private::None => return pass.halt(),
        };
        let input = &__v1;
        let output: ::taper::__private::candle_core::Result<
            ::taper::__private::candle_core::Tensor,
        > = {
            #[allow(unused_imports)]
            use ::taper::__private::candle_core::Module as _;
            let x = (match self.conv1.__taper_forward(input, pass.at(&sites.conv1)) {
                __r if pass.on() => __r,
                _ => return pass.halt(),
            })?;
            let __v0 = ::taper::__private::step(&x, Tensor::relu)?;
            let act1 = match pass.tap(__v0, &sites.act1) {
                ::taper::__private::Some(__v) => __v,
                ::taper::__private::None => return pass.halt(),
            };
            let __v0 = ::taper::__private::step(&act1, |x| x.max_pool2d(2))?;
            let pool1 = match pass.tap(__v0, &sites.pool1) {
                ::taper::__private::Some(__v) => __v,
                ::taper::__private::None => return pass.halt(),
            };
            let x = (match self.fc.__taper_forward(&pool1, pass.at(&sites.fc)) {
                __r if pass.on() => __r,
                _ => return pass.halt(),
            })?;
            ::core::result::Result::Ok(x)
        };
        pass.output(&sites.output, output)
    }
}
