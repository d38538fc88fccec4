///Every value of a pass of [`Net`]: what [`Net::forward_with_taps`] gives.
#[derive(::taper::__private::Clone)]
#[allow(private_interfaces, reason = "submodules may be more private than the model")]
pub struct NetTaps {
    ///What the elements of the field `blocks: Vec<Block>` give, each at its place.
    pub blocks: ::taper::__private::Vec<::taper::Taps<Block>>,
    ///What the field `shared: Block` gives.
    ///
    ///One for each time the pass reached it, in order.
    pub shared: ::taper::__private::Vec<::taper::Taps<Block>>,
    ///What the field `head: Option<Linear>` gives.
    ///
    ///`None` if the pass did not reach it.
    pub head: ::taper::__private::Option<::taper::Taps<Linear>>,
    ///`mean` in [`Net::forward`].
    ///
    ///`None` if the pass did not reach it.
    pub mean: ::taper::__private::Option<::taper::__private::candle_core::Tensor>,
    ///What [`Net::forward`] returns.
    pub output: Tensor,
}
///Where the values of a pass of [`Net`] are: what the closure of [`Net::capture`] selects from.
#[derive(::taper::__private::Clone, ::taper::__private::Debug)]
#[allow(private_interfaces, reason = "submodules may be more private than the model")]
pub struct NetSites {
    ///What the elements of the field `blocks: Vec<Block>` give, each at its place.
    pub blocks: ::taper::Each<::taper::Sites<Block>>,
    ///What the field `shared: Block` gives.
    ///
    ///One for each time the pass reached it, in order.
    pub shared: ::taper::Visits<::taper::Sites<Block>>,
    ///What the field `head: Option<Linear>` gives.
    ///
    ///`None` if the pass did not reach it.
    pub head: ::taper::Maybe<::taper::Sites<Linear>>,
    ///`mean` in [`Net::forward`].
    ///
    ///`None` if the pass did not reach it.
    pub mean: ::taper::Maybe<::taper::Site<::taper::__private::candle_core::Tensor>>,
    ///What [`Net::forward`] returns.
    pub output: ::taper::Site<Tensor>,
}
impl ::taper::Tapped for Net {
    type Taps = NetTaps;
    type Sites = NetSites;
    const STATEFUL: bool = true;
    fn __taper_sites(&self, b: &mut ::taper::__private::Builder) -> Self::Sites {
        let scope = b.begin(::core::concat!(::core::module_path!(), "::", "Net"));
        let sites = NetSites {
            blocks: b.field("blocks", &self.blocks),
            shared: b.with("shared", |b| b.visits(&self.shared)),
            head: b.field("head", &self.head),
            mean: b.tap("mean"),
            output: b.tap("output"),
        };
        b.end(scope);
        sites
    }
}
impl ::taper::__private::Tree for NetSites {
    type Value = NetTaps;
    type Item = ::taper::__private::candle_core::Tensor;
    fn span(&self) -> ::taper::__private::Span {
        let first = ::taper::__private::Tree::span(&self.blocks).first;
        ::taper::__private::Span {
            first,
            ..::taper::__private::Tree::span(&self.output)
        }
    }
    fn read_taps(
        &self,
        reader: &::taper::__private::Reader<'_>,
    ) -> ::taper::__private::candle_core::Result<Self::Value> {
        ::taper::__private::Ok(NetTaps {
            blocks: ::taper::__private::Tree::read_taps(&self.blocks, reader)?,
            shared: ::taper::__private::Tree::read_taps(&self.shared, reader)?,
            head: ::taper::__private::Tree::read_taps(&self.head, reader)?,
            mean: ::taper::__private::Tree::read_taps(&self.mean, reader)?,
            output: ::taper::__private::Tree::read_taps(&self.output, reader)?,
        })
    }
    fn visit(value: &Self::Value, visitor: &mut ::taper::__private::Visitor<'_>) {
        visitor.field::<::taper::Each<::taper::Sites<Block>>>("blocks", &value.blocks);
        visitor.field::<::taper::Visits<::taper::Sites<Block>>>("shared", &value.shared);
        visitor.field::<::taper::Maybe<::taper::Sites<Linear>>>("head", &value.head);
        visitor
            .field::<
                ::taper::Maybe<::taper::Site<::taper::__private::candle_core::Tensor>>,
            >("mean", &value.mean);
        visitor.field::<::taper::Site<Tensor>>("output", &value.output);
    }
}
impl ::taper::__private::Debug for NetTaps {
    fn fmt(
        &self,
        f: &mut ::taper::__private::Formatter<'_>,
    ) -> ::taper::__private::FmtResult {
        ::taper::__private::debug::<NetSites>("NetTaps", self, f)
    }
}
#[allow(
    dead_code,
    reason = "part of every model's interface, also where the model is private"
)]
impl NetTaps {
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
            NetSites,
        >(self, "Net", ::taper::__private::AsRef::as_ref(&path))
    }
    /// Reads taps that [`save`](Self::save) wrote; the model tells how many elements and which optional parts there are.
    ///
    /// # Errors
    /// A file that can't be read, or is of another model.
    pub fn load(
        model: &Net,
        path: impl ::taper::__private::AsRef<::taper::__private::Path>,
    ) -> ::taper::__private::candle_core::Result<Self> {
        ::taper::__private::load_taps(model, ::taper::__private::AsRef::as_ref(&path))
    }
}
#[allow(
    dead_code,
    reason = "part of every model's interface, also where the model is private"
)]
impl Net {
    ///What [`forward`](Self::forward) returns, and every value on the way there, on the autograd graph.
    ///
    /// # Errors
    ///Those of [`forward`](Self::forward).
    pub fn forward_with_taps(
        &self,
        x: &Tensor,
        cache: &mut Cache,
    ) -> Result<(Tensor, NetTaps)> {
        ::taper::__private::forward_with_taps(
            self,
            |at| self.__taper_forward(x, cache, at),
        )
    }
    ///What the closure selects of a pass, in the shape in which it is selected, detached from the autograd graph.
    ///
    ///The pass stops once all of it is known, unless it has effects beside its values.
    ///
    ///# Errors
    ///Those of [`forward`](Self::forward), and of a selection that is not one of this model's; see [`NetTaps`].
    pub fn capture<__TaperSelection: ::taper::Selection>(
        &self,
        x: &Tensor,
        cache: &mut Cache,
        select: impl ::taper::__private::FnOnce(NetSites) -> __TaperSelection,
    ) -> Result<<__TaperSelection as ::taper::Selection>::Value> {
        ::taper::__private::capture(
            self,
            false,
            select,
            |at| self.__taper_forward(x, cache, at),
        )
    }
    ///As [`capture`](Self::capture), the values keeping their autograd graph.
    pub fn capture_attached<__TaperSelection: ::taper::Selection>(
        &self,
        x: &Tensor,
        cache: &mut Cache,
        select: impl ::taper::__private::FnOnce(NetSites) -> __TaperSelection,
    ) -> Result<<__TaperSelection as ::taper::Selection>::Value> {
        ::taper::__private::capture(
            self,
            true,
            select,
            |at| self.__taper_forward(x, cache, at),
        )
    }
    /// The names and sites of every tap, to find them by name, pattern or position.
    pub fn sites(&self) -> ::taper::SiteTable<NetSites> {
        ::taper::__private::site_table(self)
    }
}
///The functions of [`Net::run`], which take the arguments of [`Net::forward`].
pub struct NetRunner<__TaperSetup>(__TaperSetup);
impl<__TaperSetup> ::taper::__private::Runner<__TaperSetup> for NetRunner<__TaperSetup> {
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
impl ::taper::__private::Runnable for Net {
    type Runner<__TaperSetup> = NetRunner<__TaperSetup>;
}
#[allow(
    dead_code,
    reason = "part of every model's interface, also where the model is private"
)]
impl Net {
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
> NetRunner<::taper::__private::Setup<'__taper_model, '__taper_edits, Net>> {
    /// What the model returns, with the changes of the run.
    ///
    /// # Errors
    /// Those of the model, and of the changes.
    pub fn forward(&self, x: &Tensor, cache: &mut Cache) -> Result<Tensor> {
        self.__taper_run(x, cache, ::taper::__private::Forward)
    }
    /// What the model returns, and every value on the way there, on the autograd graph.
    pub fn forward_with_taps(
        &self,
        x: &Tensor,
        cache: &mut Cache,
    ) -> Result<(Tensor, NetTaps)> {
        self.__taper_run(x, cache, ::taper::__private::WithTaps)
    }
    ///What the closure selects of the changed run, detached from the autograd graph.
    pub fn capture<__TaperSelection: ::taper::Selection>(
        &self,
        x: &Tensor,
        cache: &mut Cache,
        select: impl ::taper::__private::FnOnce(NetSites) -> __TaperSelection,
    ) -> Result<<__TaperSelection as ::taper::Selection>::Value> {
        self.__taper_run(
            x,
            cache,
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
        cache: &mut Cache,
        select: impl ::taper::__private::FnOnce(NetSites) -> __TaperSelection,
    ) -> Result<<__TaperSelection as ::taper::Selection>::Value> {
        self.__taper_run(
            x,
            cache,
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
        cache: &mut Cache,
    ) -> Result<::taper::Recording<'__taper_model, '__taper_edits, Net>>
    where
        for<'__taper_run> Net: ::taper::__private::Stateless<'__taper_run>,
    {
        self.__taper_run(x, cache, ::taper::__private::Record)
    }
}
#[allow(
    dead_code,
    reason = "part of every model's interface, also where the model is private"
)]
impl<
    '__taper_model,
    '__taper_edits,
> NetRunner<::taper::__private::LossSetup<'__taper_model, '__taper_edits, Net>> {
    /// The loss, and the values and gradients of what the closure selects, in the shape in which it is selected.
    pub fn gradients<__TaperSelection: ::taper::Selection>(
        &self,
        x: &Tensor,
        cache: &mut Cache,
        select: impl ::taper::__private::FnOnce(NetSites) -> __TaperSelection,
    ) -> Result<::taper::Gradients<<__TaperSelection as ::taper::Selection>::Value>> {
        self.__taper_run(x, cache, ::taper::__private::Differentiate(select))
    }
}
#[allow(
    dead_code,
    reason = "part of every model's interface, also where the model is private"
)]
impl<__TaperSetup: ::taper::__private::Running<Model = Net>> NetRunner<__TaperSetup> {
    fn __taper_run<__TaperJob: ::taper::__private::Job<__TaperSetup, Tensor>>(
        &self,
        x: &Tensor,
        cache: &mut Cache,
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
                    ::taper::__private::Argument(& * * (& x))).see() }), ("cache", {
                    #[allow(unused_imports, reason =
                    "which of them is needed is for the type of the argument to say")]
                    use ::taper::__private::borrowed_arguments:: *; (&
                    ::taper::__private::Argument(& * (& cache))).see() })
                ]
            },
        );
        ::taper::__private::Job::run(
            job,
            &self.0,
            inputs,
            |at| ::taper::__private::Running::of(&self.0).__taper_forward(x, cache, at),
        )
    }
}
impl ::taper::__private::Model for Net {
    type Args<'__taper_args> = (&'__taper_args Tensor, &'__taper_args mut Cache);
    type Output = Tensor;
    type Error = <Result<Tensor> as ::taper::__private::Fallible>::Error;
    fn __taper_call(
        &self,
        (argument_0, argument_1): Self::Args<'_>,
        at: ::taper::__private::At<'_, '_, '_, Self::Sites>,
    ) -> ::taper::__private::Result<Self::Output, Self::Error> {
        self.__taper_forward(argument_0, argument_1, at)
    }
    fn __taper_seen(
        (argument_0, argument_1): &Self::Args<'_>,
    ) -> ::taper::__private::Vec<
        (&'static ::core::primitive::str, ::taper::__private::Seen),
    > {
        ::taper::__private::vec![
            ("x", { #[allow(unused_imports, reason =
            "which of them is needed is for the type of the argument to say")] use
            ::taper::__private::arguments:: *; (& ::taper::__private::Argument(& * *
            argument_0)).see() }), ("cache", { #[allow(unused_imports, reason =
            "which of them is needed is for the type of the argument to say")] use
            ::taper::__private::borrowed_arguments:: *; (& ::taper::__private::Argument(&
            * argument_1)).see() })
        ]
    }
    fn __taper_plain(
        &self,
        (argument_0, argument_1): Self::Args<'_>,
    ) -> ::taper::__private::Result<Self::Output, Self::Error> {
        Self::forward(self, argument_0, argument_1)
    }
}
impl Net {
    #[doc(hidden)]
    pub fn __taper_forward(
        &self,
        x: &Tensor,
        cache: &mut Cache,
        at: ::taper::__private::At<'_, '_, '_, ::taper::__private::Sites<Self>>,
    ) -> Result<Tensor> {
        use ::taper::__private::calls::*;
        let ::taper::__private::At { sites, pass } = at;
        if let ::taper::__private::Some(__v) = pass.supplied(&sites.output) {
            return pass.output(&sites.output, ::taper::__private::Ok(__v));
        }
        let output: Result<Tensor> = 'forward: {
            let mut x = x.clone();
            for (block, c) in self.blocks.iter().zip(cache.iter_mut()) {
                x = (match &block {
                    __m => {
                        match __m
                            .__taper_forward(
                                &x,
                                c,
                                match pass
                                    .found(
                                        sites.blocks.locate(&self.blocks, __m.__taper_addr()),
                                        "blocks",
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
            for _ in 0..self.n {
                x = (match self
                    .shared
                    .__taper_forward(&x, cache, pass.enter(&sites.shared))
                {
                    __r if pass.leave() => __r,
                    _ => return pass.halt(),
                })?;
            }
            if x.rank() > 2 {
                break 'forward Ok(x);
            }
            match &self.head {
                Some(head) => {
                    (match head.__taper_forward(&x, pass.enter(&sites.head)) {
                        __r if pass.leave() => __r,
                        _ => return pass.halt(),
                    })
                }
                None => {
                    (match self.__taper_call_pooled(&x, pass.at(sites)) {
                        __r if pass.on() => __r,
                        _ => return pass.halt(),
                    })
                }
            }
        };
        pass.output(&sites.output, output)
    }
    #[doc(hidden)]
    pub fn __taper_call_pooled(
        &self,
        x: &Tensor,
        at: ::taper::__private::At<'_, '_, '_, ::taper::__private::Sites<Self>>,
    ) -> Result<Tensor> {
        use ::taper::__private::calls::*;
        let ::taper::__private::At { sites, pass } = at;
        {
            let __v0 = x.mean(1)?;
            let mean = match pass.tap(__v0, &sites.mean) {
                ::taper::__private::Some(__v) => __v,
                ::taper::__private::None => return pass.halt(),
            };
            Ok(mean)
        }
    }
}
