///The types of [`Custom`]: of each layer a struct of its tensors and one of their addresses.
#[allow(
    dead_code,
    reason = "part of every model's interface, also where the model is private"
)]
pub mod custom {
    use ::taper_saved::__private as private;
    /// What is included is watched: when the file changes, the crate is compiled anew. Nothing of it is kept.
    const _: &[u8] = ::core::include_bytes!(
        "/models/custom/saved_model.pb"
    );
    /// Two outputs, and layers in a layer.
    ///
    ///The signature `serving_default` of the SavedModel `../../tests/data/saved/custom/export`, a model of taper's: its layers and tensors are the fields of [`CustomTaps`], which are values, and of [`CustomSites`], which select them.
    #[derive(private::Clone)]
    pub struct Custom(private::Typed);
    /// The file as it was when this was compiled.
    static SOURCE: private::Source = private::Source {
        name: "Custom",
        at: ::core::concat!(::core::file!(), ":", ::core::line!()),
        folder: "/models/custom",
        signature: "serving_default",
        fields: &[0, 2, 3, 5, 6, 7, 10, 11, 12, 14, 15, 17, 18, 8, 19, 9, 20],
        structure: private::Structure {
            inputs: &["x"],
            outputs: &[("output_0", (9, 0)), ("output_1", (20, 0))],
            nodes: &[
                private::Node("x", "the input 0", &[], "float32 [?, 8]"),
                private::Node(
                    "two/d1/kernel",
                    "the weight variables/0",
                    &[],
                    "float32 [8, 16]",
                ),
                private::Node(
                    "custom/two/d1/Cast/ReadVariableOp",
                    "ReadVariableOp; dtype=float32",
                    &[(1, 0)],
                    "float32 [8, 16]",
                ),
                private::Node(
                    "custom/two/d1/MatMul",
                    "MatMul; T=float32",
                    &[(0, 0), (2, 0)],
                    "float32 [?, 16]",
                ),
                private::Node(
                    "two/d1/bias",
                    "the weight variables/1",
                    &[],
                    "float32 [16]",
                ),
                private::Node(
                    "custom/two/d1/BiasAdd/ReadVariableOp",
                    "ReadVariableOp; dtype=float32",
                    &[(4, 0)],
                    "float32 [16]",
                ),
                private::Node(
                    "custom/two/d1/BiasAdd",
                    "BiasAdd; T=float32",
                    &[(3, 0), (5, 0)],
                    "float32 [?, 16]",
                ),
                private::Node(
                    "custom/two/d1/Relu",
                    "Relu; T=float32",
                    &[(6, 0)],
                    "float32 [?, 16]",
                ),
                private::Node(
                    "Identity",
                    "Identity; T=float32",
                    &[(7, 0)],
                    "float32 [?, 16]",
                ),
                private::Node(
                    "Identity",
                    "Identity; T=float32",
                    &[(8, 0)],
                    "float32 [?, 16]",
                ),
                private::Node(
                    "custom/two/mul/y",
                    "Const; float32 [] 2",
                    &[],
                    "float32 []",
                ),
                private::Node(
                    "custom/two/mul",
                    "Mul; T=float32",
                    &[(7, 0), (10, 0)],
                    "float32 [?, 16]",
                ),
                private::Node(
                    "custom/two/Tanh",
                    "Tanh; T=float32",
                    &[(11, 0)],
                    "float32 [?, 16]",
                ),
                private::Node(
                    "two/d2/kernel",
                    "the weight variables/2",
                    &[],
                    "float32 [16, 4]",
                ),
                private::Node(
                    "custom/two/d2/Cast/ReadVariableOp",
                    "ReadVariableOp; dtype=float32",
                    &[(13, 0)],
                    "float32 [16, 4]",
                ),
                private::Node(
                    "custom/two/d2/MatMul",
                    "MatMul; T=float32",
                    &[(12, 0), (14, 0)],
                    "float32 [?, 4]",
                ),
                private::Node(
                    "two/d2/bias",
                    "the weight variables/3",
                    &[],
                    "float32 [4]",
                ),
                private::Node(
                    "custom/two/d2/BiasAdd/ReadVariableOp",
                    "ReadVariableOp; dtype=float32",
                    &[(16, 0)],
                    "float32 [4]",
                ),
                private::Node(
                    "custom/two/d2/BiasAdd",
                    "BiasAdd; T=float32",
                    &[(15, 0), (17, 0)],
                    "float32 [?, 4]",
                ),
                private::Node(
                    "Identity_1",
                    "Identity; T=float32",
                    &[(18, 0)],
                    "float32 [?, 4]",
                ),
                private::Node(
                    "Identity_1",
                    "Identity; T=float32",
                    &[(19, 0)],
                    "float32 [?, 4]",
                ),
                private::Node("StatefulPartitionedCall/NoOp", "NoOp", &[], ""),
                private::Node("NoOp", "NoOp", &[], ""),
            ],
        },
    };
    impl Custom {
        ///Loads the weights from the folder that it was compiled from, `../../tests/data/saved/custom/export`.
        ///
        /// The program has its absolute path: where the folder is elsewhere, as on another machine,
        /// [`load_from`](Self::load_from) takes it.
        ///
        /// # Errors
        /// Those of [`load_from`](Self::load_from).
        pub fn load(device: &private::Device) -> private::Result<Self> {
            Self::load_from(SOURCE.folder, device)
        }
        /// Loads the weights from another folder with the same structure in it: one that was trained further, or that was
        /// saved again, whose layers then have other numbers. A tensor is found by where it stands, not by its name.
        ///
        /// # Errors
        /// A file that is missing or damaged; a model of another structure than this was compiled from, with the first layer
        /// that differs; a device without memory for the weights.
        pub fn load_from(
            path: impl private::AsRef<private::Path>,
            device: &private::Device,
        ) -> private::Result<Self> {
            private::Ok(
                Self(
                    private::Typed::load(private::AsRef::as_ref(&path), device, &SOURCE)?,
                ),
            )
        }
        /// The model as one whose tensors are found by name: its summary, its weights, its layers.
        pub fn saved(&self) -> &private::SavedModel {
            self.0.model()
        }
        /**What the signature gives: `output_0`, float32 `[?, 16]`; `output_1`, float32 `[?, 4]`.

- `x`: float32 `[?, 8]`

# Errors
An input of another type or shape, and a node that fails, with its name.*/
        pub fn forward(&self, x: &private::Tensor) -> private::Result<CustomOutput> {
            self.run().forward(x)
        }
        /// What [`forward`](Self::forward) returns, and every tensor on the way there, on the autograd graph.
        ///
        /// # Errors
        /// Those of [`forward`](Self::forward).
        pub fn forward_with_taps(
            &self,
            x: &private::Tensor,
        ) -> private::Result<(CustomOutput, CustomTaps)> {
            private::Model::forward_with_taps(self, (x,))
        }
        /// What the closure selects, in the shape in which it is selected, detached from the autograd graph. Nothing is
        /// computed that it does not depend on.
        ///
        /// # Errors
        /// Those of [`forward`](Self::forward), and of a selection that is not one of this model's.
        pub fn capture<__S: private::Selection>(
            &self,
            x: &private::Tensor,
            select: impl private::FnOnce(CustomSites) -> __S,
        ) -> private::Result<__S::Value> {
            private::Model::capture(self, (x,), select)
        }
        /// As [`capture`](Self::capture), the values keeping their autograd graph.
        ///
        /// # Errors
        /// Those of [`capture`](Self::capture).
        pub fn capture_attached<__S: private::Selection>(
            &self,
            x: &private::Tensor,
            select: impl private::FnOnce(CustomSites) -> __S,
        ) -> private::Result<__S::Value> {
            self.run().capture_attached(x, select)
        }
        /// A run to be changed: values edited, replaced, differentiated, recorded and replayed. It is used as the model is:
        /// `run().edit(…).forward(…)`.
        pub fn run(&self) -> private::Run<'_, '_, Self> {
            private::run(self)
        }
        /// The names and sites of every tensor, to find them by name, pattern or position. The names are TensorFlow's.
        pub fn sites(&self) -> private::SiteTable<CustomSites> {
            private::site_table(self)
        }
    }
    impl CustomTaps {
        /// Writes the tensors as safetensors, keyed by TensorFlow's names.
        ///
        /// # Errors
        /// A file that can't be written.
        pub fn save(
            &self,
            path: impl private::AsRef<private::Path>,
        ) -> private::Result<()> {
            self.__saved.save(private::AsRef::as_ref(&path))
        }
    }
    impl Custom {
        fn __call(
            &self,
            x: &private::Tensor,
            __at: private::At<'_, '_, '_, CustomSites>,
        ) -> private::Result<CustomOutput> {
            let __inputs = self.0.inputs([x], __at.pass)?;
            let __outputs = self
                .0
                .call(
                    &__inputs,
                    private::At {
                        sites: &__at.sites.__saved,
                        pass: __at.pass,
                    },
                )?;
            let [output_0, output_1] = private::outputs(__outputs)?;
            private::Ok(CustomOutput { output_0, output_1 })
        }
    }
    impl private::Debug for Custom {
        fn fmt(&self, f: &mut private::Formatter<'_>) -> private::FmtResult {
            f.debug_tuple("Custom").field(self.saved()).finish()
        }
    }
    impl private::Tapped for Custom {
        type Taps = CustomTaps;
        type Sites = CustomSites;
        fn __taper_sites(&self, b: &mut private::Builder) -> CustomSites {
            CustomSites::of(&mut self.0.sites(b))
        }
    }
    impl private::Stateless<'_> for Custom {}
    impl private::Runnable for Custom {
        type Runner<__S> = CustomRunner<__S>;
    }
    impl private::Model for Custom {
        type Args<'a> = (&'a private::Tensor,);
        type Output = CustomOutput;
        type Error = private::Error;
        fn __taper_call(
            &self,
            (x,): Self::Args<'_>,
            __at: private::At<'_, '_, '_, CustomSites>,
        ) -> private::Result<CustomOutput> {
            self.__call(x, __at)
        }
        fn __taper_plain(&self, (x,): Self::Args<'_>) -> private::Result<CustomOutput> {
            self.forward(x)
        }
        fn __taper_seen(
            (x,): &Self::Args<'_>,
        ) -> private::Vec<(&'static str, private::Seen)> {
            private::vec![("x", private::see(x))]
        }
    }
    ///What [`Custom::forward`] returns.
    #[derive(private::Clone, private::Debug)]
    pub struct CustomOutput {
        ///`output_0`, which is `Identity (Identity): float32 [?, 16]`.
        pub output_0: private::Tensor,
        ///`output_1`, which is `Identity_1 (Identity): float32 [?, 4]`.
        pub output_1: private::Tensor,
    }
    ///Where what [`Custom`] returns is.
    #[derive(private::Clone)]
    pub struct CustomOutputSites {
        ///`output_0`, which is `Identity (Identity): float32 [?, 16]`.
        pub output_0: private::Site<private::Tensor>,
        ///`output_1`, which is `Identity_1 (Identity): float32 [?, 4]`.
        pub output_1: private::Site<private::Tensor>,
    }
    impl private::Debug for CustomOutputSites {
        fn fmt(&self, f: &mut private::Formatter<'_>) -> private::FmtResult {
            private::debug_sites("CustomOutputSites", self, f)
        }
    }
    impl private::Tree for CustomOutputSites {
        type Value = CustomOutput;
        type Item = private::Tensor;
        fn span(&self) -> private::Span {
            private::hull(self)
        }
        fn spans(&self, __f: &mut dyn private::FnMut(private::Span)) {
            private::spans([self.output_0, self.output_1], __f);
        }
        fn read_taps(
            &self,
            __reader: &private::Reader<'_>,
        ) -> private::Result<Self::Value> {
            let [output_0, output_1] = private::read(
                [self.output_0, self.output_1],
                __reader,
            )?;
            private::Ok(CustomOutput { output_0, output_1 })
        }
        fn visit(__value: &Self::Value, __visitor: &mut private::Visitor<'_>) {
            private::visit(
                [("output_0", &__value.output_0), ("output_1", &__value.output_1)],
                __visitor,
            );
        }
    }
    ///The functions of [`Custom::run`], which take the arguments of `Custom::forward`.
    pub struct CustomRunner<__S>(__S);
    impl<__S> private::Runner<__S> for CustomRunner<__S> {
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
    impl<'m, 'e> CustomRunner<private::Setup<'m, 'e, Custom>> {
        /// What the model returns, with the changes of the run.
        ///
        /// # Errors
        /// Those of the model, and of the changes.
        pub fn forward(&self, x: &private::Tensor) -> private::Result<CustomOutput> {
            self.__run(x, private::Forward)
        }
        /// What the model returns, and every tensor on the way there, on the autograd graph.
        ///
        /// # Errors
        /// Those of [`forward`](Self::forward).
        pub fn forward_with_taps(
            &self,
            x: &private::Tensor,
        ) -> private::Result<(CustomOutput, CustomTaps)> {
            self.__run(x, private::WithTaps)
        }
        /// What the closure selects of the changed run, detached from the autograd graph.
        ///
        /// # Errors
        /// Those of [`forward`](Self::forward).
        pub fn capture<__S: private::Selection>(
            &self,
            x: &private::Tensor,
            select: impl private::FnOnce(CustomSites) -> __S,
        ) -> private::Result<__S::Value> {
            self.__run(
                x,
                private::Capture {
                    attached: false,
                    select,
                },
            )
        }
        /// What the closure selects of the changed run, on the autograd graph.
        ///
        /// # Errors
        /// Those of [`forward`](Self::forward).
        pub fn capture_attached<__S: private::Selection>(
            &self,
            x: &private::Tensor,
            select: impl private::FnOnce(CustomSites) -> __S,
        ) -> private::Result<__S::Value> {
            self.__run(
                x,
                private::Capture {
                    attached: true,
                    select,
                },
            )
        }
        /// Runs the model and keeps every tensor, so that later runs can start from them.
        ///
        /// # Errors
        /// Those of [`forward`](Self::forward).
        pub fn record(
            &self,
            x: &private::Tensor,
        ) -> private::Result<private::Recording<'m, 'e, Custom>> {
            self.__run(x, private::Record)
        }
    }
    impl<'m, 'e> CustomRunner<private::LossSetup<'m, 'e, Custom>> {
        ///The loss, and the values and gradients of what the closure selects, in the shape in which it is selected.
        ///
        /// # Errors
        /// Those of the model, of the changes and of the loss, and a gradient that is lost on the way.
        pub fn gradients<__S: private::Selection>(
            &self,
            x: &private::Tensor,
            select: impl private::FnOnce(CustomSites) -> __S,
        ) -> private::Result<private::Gradients<__S::Value>> {
            self.__run(x, private::Differentiate(select))
        }
    }
    impl<__S: private::Running<Model = Custom>> CustomRunner<__S> {
        fn __run<__J: private::Job<__S, CustomOutput>>(
            &self,
            x: &private::Tensor,
            __job: __J,
        ) -> private::Result<__J::Value> {
            let __see = || private::vec![("x", private::see(x))];
            let __inputs = private::Running::inputs(&self.0, __J::RECORDS, __see);
            private::Job::run(
                __job,
                &self.0,
                __inputs,
                |__at| { private::Running::of(&self.0).__call(x, __at) },
            )
        }
    }
    ///The tensors of [`Custom`].
    pub struct CustomTaps {
        ///`x` (Placeholder): float32 `[?, 8]`.
        pub x: private::Tensor,
        ///The layer `custom`.
        pub custom: CustomCustomTaps,
        ///`StatefulPartitionedCall/Identity` (Identity): float32 `[?, 16]`.
        pub identity: private::Tensor,
        ///`StatefulPartitionedCall/Identity_1` (Identity): float32 `[?, 4]`.
        pub identity_1: private::Tensor,
        ///`Identity` (Identity): float32 `[?, 16]`.
        pub identity_2: private::Tensor,
        ///`Identity_1` (Identity): float32 `[?, 4]`.
        pub identity_1_2: private::Tensor,
        ///What the model returns.
        pub output: CustomOutput,
        __saved: private::Taps,
    }
    ///Where the tensors of [`Custom`] are.
    pub struct CustomSites {
        ///`x` (Placeholder): float32 `[?, 8]`.
        pub x: private::Site<private::Tensor>,
        ///The layer `custom`.
        pub custom: CustomCustomSites,
        ///`StatefulPartitionedCall/Identity` (Identity): float32 `[?, 16]`.
        pub identity: private::Site<private::Tensor>,
        ///`StatefulPartitionedCall/Identity_1` (Identity): float32 `[?, 4]`.
        pub identity_1: private::Site<private::Tensor>,
        ///`Identity` (Identity): float32 `[?, 16]`.
        pub identity_2: private::Site<private::Tensor>,
        ///`Identity_1` (Identity): float32 `[?, 4]`.
        pub identity_1_2: private::Site<private::Tensor>,
        ///What the model returns.
        pub output: CustomOutputSites,
        __saved: private::Sites,
    }
    impl private::Clone for CustomTaps {
        fn clone(&self) -> Self {
            let [x] = private::clone([&self.x]);
            let custom = private::Clone::clone(&self.custom);
            let [identity, identity_1, identity_2, identity_1_2] = private::clone([
                &self.identity,
                &self.identity_1,
                &self.identity_2,
                &self.identity_1_2,
            ]);
            Self {
                x,
                custom,
                identity,
                identity_1,
                identity_2,
                identity_1_2,
                output: private::Clone::clone(&self.output),
                __saved: private::Clone::clone(&self.__saved),
            }
        }
    }
    impl private::Clone for CustomSites {
        fn clone(&self) -> Self {
            Self {
                x: private::Clone::clone(&self.x),
                custom: private::Clone::clone(&self.custom),
                identity: private::Clone::clone(&self.identity),
                identity_1: private::Clone::clone(&self.identity_1),
                identity_2: private::Clone::clone(&self.identity_2),
                identity_1_2: private::Clone::clone(&self.identity_1_2),
                output: private::Clone::clone(&self.output),
                __saved: private::Clone::clone(&self.__saved),
            }
        }
    }
    impl private::Debug for CustomTaps {
        fn fmt(&self, f: &mut private::Formatter<'_>) -> private::FmtResult {
            private::debug::<CustomSites>("CustomTaps", self, f)
        }
    }
    impl private::Debug for CustomSites {
        fn fmt(&self, f: &mut private::Formatter<'_>) -> private::FmtResult {
            private::debug_sites("CustomSites", self, f)
        }
    }
    impl CustomSites {
        fn of(__sites: &mut private::Given<'_>) -> Self {
            let [x] = __sites.take();
            let custom = CustomCustomSites::of(__sites);
            let [identity, identity_1, identity_2, identity_1_2] = __sites.take();
            {
                let __output = CustomOutputSites {
                    output_0: identity_2,
                    output_1: identity_1_2,
                };
                CustomSites {
                    x,
                    custom,
                    identity,
                    identity_1,
                    identity_2,
                    identity_1_2,
                    output: __output,
                    __saved: __sites.saved(),
                }
            }
        }
    }
    impl private::Tree for CustomSites {
        type Value = CustomTaps;
        type Item = private::Tensor;
        fn span(&self) -> private::Span {
            private::Tree::span(&self.__saved)
        }
        fn spans(&self, __f: &mut dyn private::FnMut(private::Span)) {
            private::Tree::spans(&self.__saved, __f);
        }
        fn read_taps(
            &self,
            __reader: &private::Reader<'_>,
        ) -> private::Result<Self::Value> {
            let [x] = private::read([self.x], __reader)?;
            let custom = private::Tree::read_taps(&self.custom, __reader)?;
            let [identity, identity_1, identity_2, identity_1_2] = private::read(
                [self.identity, self.identity_1, self.identity_2, self.identity_1_2],
                __reader,
            )?;
            private::Ok({
                let __output = CustomOutput {
                    output_0: private::Clone::clone(&identity_2),
                    output_1: private::Clone::clone(&identity_1_2),
                };
                let __saved = private::Tree::read_taps(&self.__saved, __reader)?;
                CustomTaps {
                    x,
                    custom,
                    identity,
                    identity_1,
                    identity_2,
                    identity_1_2,
                    output: __output,
                    __saved,
                }
            })
        }
        fn visit(__value: &Self::Value, __visitor: &mut private::Visitor<'_>) {
            <private::Sites as private::Tree>::visit(&__value.__saved, __visitor);
        }
    }
    ///The tensors of the layer `custom`.
    pub struct CustomCustomTaps {
        ///The layer `custom/two`.
        pub two: CustomCustomTwoTaps,
    }
    ///Where the tensors of the layer `custom` are.
    pub struct CustomCustomSites {
        ///The layer `custom/two`.
        pub two: CustomCustomTwoSites,
    }
    impl private::Clone for CustomCustomTaps {
        fn clone(&self) -> Self {
            let two = private::Clone::clone(&self.two);
            Self { two }
        }
    }
    impl private::Clone for CustomCustomSites {
        fn clone(&self) -> Self {
            Self {
                two: private::Clone::clone(&self.two),
            }
        }
    }
    impl private::Debug for CustomCustomTaps {
        fn fmt(&self, f: &mut private::Formatter<'_>) -> private::FmtResult {
            private::debug::<CustomCustomSites>("CustomCustomTaps", self, f)
        }
    }
    impl private::Debug for CustomCustomSites {
        fn fmt(&self, f: &mut private::Formatter<'_>) -> private::FmtResult {
            private::debug_sites("CustomCustomSites", self, f)
        }
    }
    impl CustomCustomSites {
        fn of(__sites: &mut private::Given<'_>) -> Self {
            let two = CustomCustomTwoSites::of(__sites);
            CustomCustomSites { two }
        }
    }
    impl private::Tree for CustomCustomSites {
        type Value = CustomCustomTaps;
        type Item = private::Tensor;
        fn span(&self) -> private::Span {
            private::hull(self)
        }
        fn spans(&self, __f: &mut dyn private::FnMut(private::Span)) {
            private::Tree::spans(&self.two, __f);
        }
        fn read_taps(
            &self,
            __reader: &private::Reader<'_>,
        ) -> private::Result<Self::Value> {
            let two = private::Tree::read_taps(&self.two, __reader)?;
            private::Ok(CustomCustomTaps { two })
        }
        fn visit(__value: &Self::Value, __visitor: &mut private::Visitor<'_>) {
            __visitor.field::<CustomCustomTwoSites>("two", &__value.two);
        }
    }
    impl CustomCustomTaps {
        ///What others take of the layer: `StatefulPartitionedCall/custom_1/two_1/d1_1/Relu`, `StatefulPartitionedCall/custom_1/two_1/d2_1/BiasAdd`.
        pub fn outputs(&self) -> [&private::Tensor; 2usize] {
            [&self.two.d1.relu, &self.two.d2.bias_add]
        }
    }
    impl CustomCustomSites {
        ///What others take of the layer: `StatefulPartitionedCall/custom_1/two_1/d1_1/Relu`, `StatefulPartitionedCall/custom_1/two_1/d2_1/BiasAdd`.
        pub fn outputs(&self) -> [private::Site<private::Tensor>; 2usize] {
            [self.two.d1.relu, self.two.d2.bias_add]
        }
    }
    ///The tensors of the layer `custom/two`.
    pub struct CustomCustomTwoTaps {
        ///The layer `custom/two/d1`.
        pub d1: CustomCustomTwoD1Taps,
        ///`StatefulPartitionedCall/custom_1/two_1/mul/y` (Const): float32 `[]`.
        pub mul_y: private::Tensor,
        ///`StatefulPartitionedCall/custom_1/two_1/mul` (Mul): float32 `[?, 16]`.
        pub mul: private::Tensor,
        ///`StatefulPartitionedCall/custom_1/two_1/Tanh` (Tanh): float32 `[?, 16]`.
        pub tanh: private::Tensor,
        ///The layer `custom/two/d2`.
        pub d2: CustomCustomTwoD2Taps,
    }
    ///Where the tensors of the layer `custom/two` are.
    pub struct CustomCustomTwoSites {
        ///The layer `custom/two/d1`.
        pub d1: CustomCustomTwoD1Sites,
        ///`StatefulPartitionedCall/custom_1/two_1/mul/y` (Const): float32 `[]`.
        pub mul_y: private::Site<private::Tensor>,
        ///`StatefulPartitionedCall/custom_1/two_1/mul` (Mul): float32 `[?, 16]`.
        pub mul: private::Site<private::Tensor>,
        ///`StatefulPartitionedCall/custom_1/two_1/Tanh` (Tanh): float32 `[?, 16]`.
        pub tanh: private::Site<private::Tensor>,
        ///The layer `custom/two/d2`.
        pub d2: CustomCustomTwoD2Sites,
    }
    impl private::Clone for CustomCustomTwoTaps {
        fn clone(&self) -> Self {
            let d1 = private::Clone::clone(&self.d1);
            let [mul_y, mul, tanh] = private::clone([
                &self.mul_y,
                &self.mul,
                &self.tanh,
            ]);
            let d2 = private::Clone::clone(&self.d2);
            Self { d1, mul_y, mul, tanh, d2 }
        }
    }
    impl private::Clone for CustomCustomTwoSites {
        fn clone(&self) -> Self {
            Self {
                d1: private::Clone::clone(&self.d1),
                mul_y: private::Clone::clone(&self.mul_y),
                mul: private::Clone::clone(&self.mul),
                tanh: private::Clone::clone(&self.tanh),
                d2: private::Clone::clone(&self.d2),
            }
        }
    }
    impl private::Debug for CustomCustomTwoTaps {
        fn fmt(&self, f: &mut private::Formatter<'_>) -> private::FmtResult {
            private::debug::<CustomCustomTwoSites>("CustomCustomTwoTaps", self, f)
        }
    }
    impl private::Debug for CustomCustomTwoSites {
        fn fmt(&self, f: &mut private::Formatter<'_>) -> private::FmtResult {
            private::debug_sites("CustomCustomTwoSites", self, f)
        }
    }
    impl CustomCustomTwoSites {
        fn of(__sites: &mut private::Given<'_>) -> Self {
            let d1 = CustomCustomTwoD1Sites::of(__sites);
            let [mul_y, mul, tanh] = __sites.take();
            let d2 = CustomCustomTwoD2Sites::of(__sites);
            CustomCustomTwoSites {
                d1,
                mul_y,
                mul,
                tanh,
                d2,
            }
        }
    }
    impl private::Tree for CustomCustomTwoSites {
        type Value = CustomCustomTwoTaps;
        type Item = private::Tensor;
        fn span(&self) -> private::Span {
            private::hull(self)
        }
        fn spans(&self, __f: &mut dyn private::FnMut(private::Span)) {
            private::Tree::spans(&self.d1, __f);
            private::spans([self.mul_y, self.mul, self.tanh], __f);
            private::Tree::spans(&self.d2, __f);
        }
        fn read_taps(
            &self,
            __reader: &private::Reader<'_>,
        ) -> private::Result<Self::Value> {
            let d1 = private::Tree::read_taps(&self.d1, __reader)?;
            let [mul_y, mul, tanh] = private::read(
                [self.mul_y, self.mul, self.tanh],
                __reader,
            )?;
            let d2 = private::Tree::read_taps(&self.d2, __reader)?;
            private::Ok(CustomCustomTwoTaps {
                d1,
                mul_y,
                mul,
                tanh,
                d2,
            })
        }
        fn visit(__value: &Self::Value, __visitor: &mut private::Visitor<'_>) {
            __visitor.field::<CustomCustomTwoD1Sites>("d1", &__value.d1);
            private::visit(
                [
                    ("mul_y", &__value.mul_y),
                    ("mul", &__value.mul),
                    ("tanh", &__value.tanh),
                ],
                __visitor,
            );
            __visitor.field::<CustomCustomTwoD2Sites>("d2", &__value.d2);
        }
    }
    impl CustomCustomTwoTaps {
        ///What others take of the layer: `StatefulPartitionedCall/custom_1/two_1/d1_1/Relu`, `StatefulPartitionedCall/custom_1/two_1/d2_1/BiasAdd`.
        pub fn outputs(&self) -> [&private::Tensor; 2usize] {
            [&self.d1.relu, &self.d2.bias_add]
        }
    }
    impl CustomCustomTwoSites {
        ///What others take of the layer: `StatefulPartitionedCall/custom_1/two_1/d1_1/Relu`, `StatefulPartitionedCall/custom_1/two_1/d2_1/BiasAdd`.
        pub fn outputs(&self) -> [private::Site<private::Tensor>; 2usize] {
            [self.d1.relu, self.d2.bias_add]
        }
    }
    ///The tensors of the layer `custom/two/d1`.
    pub struct CustomCustomTwoD1Taps {
        ///The scope `custom/two/d1/Cast`.
        pub cast: CustomCustomTwoD1CastTaps,
        ///`StatefulPartitionedCall/custom_1/two_1/d1_1/MatMul` (MatMul): float32 `[?, 16]`.
        pub mat_mul: private::Tensor,
        ///`StatefulPartitionedCall/custom_1/two_1/d1_1/BiasAdd/ReadVariableOp` (ReadVariableOp): float32 `[16]`.
        pub bias_add_read_variable_op: private::Tensor,
        ///`StatefulPartitionedCall/custom_1/two_1/d1_1/BiasAdd` (BiasAdd): float32 `[?, 16]`.
        pub bias_add: private::Tensor,
        ///`StatefulPartitionedCall/custom_1/two_1/d1_1/Relu` (Relu): float32 `[?, 16]`.
        pub relu: private::Tensor,
    }
    ///Where the tensors of the layer `custom/two/d1` are.
    pub struct CustomCustomTwoD1Sites {
        ///The scope `custom/two/d1/Cast`.
        pub cast: CustomCustomTwoD1CastSites,
        ///`StatefulPartitionedCall/custom_1/two_1/d1_1/MatMul` (MatMul): float32 `[?, 16]`.
        pub mat_mul: private::Site<private::Tensor>,
        ///`StatefulPartitionedCall/custom_1/two_1/d1_1/BiasAdd/ReadVariableOp` (ReadVariableOp): float32 `[16]`.
        pub bias_add_read_variable_op: private::Site<private::Tensor>,
        ///`StatefulPartitionedCall/custom_1/two_1/d1_1/BiasAdd` (BiasAdd): float32 `[?, 16]`.
        pub bias_add: private::Site<private::Tensor>,
        ///`StatefulPartitionedCall/custom_1/two_1/d1_1/Relu` (Relu): float32 `[?, 16]`.
        pub relu: private::Site<private::Tensor>,
    }
    impl private::Clone for CustomCustomTwoD1Taps {
        fn clone(&self) -> Self {
            let cast = private::Clone::clone(&self.cast);
            let [mat_mul, bias_add_read_variable_op, bias_add, relu] = private::clone([
                &self.mat_mul,
                &self.bias_add_read_variable_op,
                &self.bias_add,
                &self.relu,
            ]);
            Self {
                cast,
                mat_mul,
                bias_add_read_variable_op,
                bias_add,
                relu,
            }
        }
    }
    impl private::Clone for CustomCustomTwoD1Sites {
        fn clone(&self) -> Self {
            Self {
                cast: private::Clone::clone(&self.cast),
                mat_mul: private::Clone::clone(&self.mat_mul),
                bias_add_read_variable_op: private::Clone::clone(
                    &self.bias_add_read_variable_op,
                ),
                bias_add: private::Clone::clone(&self.bias_add),
                relu: private::Clone::clone(&self.relu),
            }
        }
    }
    impl private::Debug for CustomCustomTwoD1Taps {
        fn fmt(&self, f: &mut private::Formatter<'_>) -> private::FmtResult {
            private::debug::<CustomCustomTwoD1Sites>("CustomCustomTwoD1Taps", self, f)
        }
    }
    impl private::Debug for CustomCustomTwoD1Sites {
        fn fmt(&self, f: &mut private::Formatter<'_>) -> private::FmtResult {
            private::debug_sites("CustomCustomTwoD1Sites", self, f)
        }
    }
    impl CustomCustomTwoD1Sites {
        fn of(__sites: &mut private::Given<'_>) -> Self {
            let cast = CustomCustomTwoD1CastSites::of(__sites);
            let [mat_mul, bias_add_read_variable_op, bias_add, relu] = __sites.take();
            CustomCustomTwoD1Sites {
                cast,
                mat_mul,
                bias_add_read_variable_op,
                bias_add,
                relu,
            }
        }
    }
    impl private::Tree for CustomCustomTwoD1Sites {
        type Value = CustomCustomTwoD1Taps;
        type Item = private::Tensor;
        fn span(&self) -> private::Span {
            private::hull(self)
        }
        fn spans(&self, __f: &mut dyn private::FnMut(private::Span)) {
            private::Tree::spans(&self.cast, __f);
            private::spans(
                [self.mat_mul, self.bias_add_read_variable_op, self.bias_add, self.relu],
                __f,
            );
        }
        fn read_taps(
            &self,
            __reader: &private::Reader<'_>,
        ) -> private::Result<Self::Value> {
            let cast = private::Tree::read_taps(&self.cast, __reader)?;
            let [mat_mul, bias_add_read_variable_op, bias_add, relu] = private::read(
                [self.mat_mul, self.bias_add_read_variable_op, self.bias_add, self.relu],
                __reader,
            )?;
            private::Ok(CustomCustomTwoD1Taps {
                cast,
                mat_mul,
                bias_add_read_variable_op,
                bias_add,
                relu,
            })
        }
        fn visit(__value: &Self::Value, __visitor: &mut private::Visitor<'_>) {
            __visitor.field::<CustomCustomTwoD1CastSites>("cast", &__value.cast);
            private::visit(
                [
                    ("mat_mul", &__value.mat_mul),
                    ("bias_add_read_variable_op", &__value.bias_add_read_variable_op),
                    ("bias_add", &__value.bias_add),
                    ("relu", &__value.relu),
                ],
                __visitor,
            );
        }
    }
    impl CustomCustomTwoD1Taps {
        ///What others take of the layer: `StatefulPartitionedCall/custom_1/two_1/d1_1/Relu`.
        pub fn output(&self) -> &private::Tensor {
            &self.relu
        }
    }
    impl CustomCustomTwoD1Sites {
        ///What others take of the layer: `StatefulPartitionedCall/custom_1/two_1/d1_1/Relu`.
        pub fn output(&self) -> private::Site<private::Tensor> {
            self.relu
        }
    }
    ///The tensors of the scope `custom/two/d1/Cast`.
    pub struct CustomCustomTwoD1CastTaps {
        ///`StatefulPartitionedCall/custom_1/two_1/d1_1/Cast/ReadVariableOp` (ReadVariableOp): float32 `[8, 16]`.
        pub read_variable_op: private::Tensor,
    }
    ///Where the tensors of the scope `custom/two/d1/Cast` are.
    pub struct CustomCustomTwoD1CastSites {
        ///`StatefulPartitionedCall/custom_1/two_1/d1_1/Cast/ReadVariableOp` (ReadVariableOp): float32 `[8, 16]`.
        pub read_variable_op: private::Site<private::Tensor>,
    }
    impl private::Clone for CustomCustomTwoD1CastTaps {
        fn clone(&self) -> Self {
            let [read_variable_op] = private::clone([&self.read_variable_op]);
            Self { read_variable_op }
        }
    }
    impl private::Clone for CustomCustomTwoD1CastSites {
        fn clone(&self) -> Self {
            Self {
                read_variable_op: private::Clone::clone(&self.read_variable_op),
            }
        }
    }
    impl private::Debug for CustomCustomTwoD1CastTaps {
        fn fmt(&self, f: &mut private::Formatter<'_>) -> private::FmtResult {
            private::debug::<
                CustomCustomTwoD1CastSites,
            >("CustomCustomTwoD1CastTaps", self, f)
        }
    }
    impl private::Debug for CustomCustomTwoD1CastSites {
        fn fmt(&self, f: &mut private::Formatter<'_>) -> private::FmtResult {
            private::debug_sites("CustomCustomTwoD1CastSites", self, f)
        }
    }
    impl CustomCustomTwoD1CastSites {
        fn of(__sites: &mut private::Given<'_>) -> Self {
            let [read_variable_op] = __sites.take();
            CustomCustomTwoD1CastSites {
                read_variable_op,
            }
        }
    }
    impl private::Tree for CustomCustomTwoD1CastSites {
        type Value = CustomCustomTwoD1CastTaps;
        type Item = private::Tensor;
        fn span(&self) -> private::Span {
            private::hull(self)
        }
        fn spans(&self, __f: &mut dyn private::FnMut(private::Span)) {
            private::spans([self.read_variable_op], __f);
        }
        fn read_taps(
            &self,
            __reader: &private::Reader<'_>,
        ) -> private::Result<Self::Value> {
            let [read_variable_op] = private::read([self.read_variable_op], __reader)?;
            private::Ok(CustomCustomTwoD1CastTaps {
                read_variable_op,
            })
        }
        fn visit(__value: &Self::Value, __visitor: &mut private::Visitor<'_>) {
            private::visit([("read_variable_op", &__value.read_variable_op)], __visitor);
        }
    }
    ///The tensors of the layer `custom/two/d2`.
    pub struct CustomCustomTwoD2Taps {
        ///The scope `custom/two/d2/Cast`.
        pub cast: CustomCustomTwoD2CastTaps,
        ///`StatefulPartitionedCall/custom_1/two_1/d2_1/MatMul` (MatMul): float32 `[?, 4]`.
        pub mat_mul: private::Tensor,
        ///`StatefulPartitionedCall/custom_1/two_1/d2_1/BiasAdd/ReadVariableOp` (ReadVariableOp): float32 `[4]`.
        pub bias_add_read_variable_op: private::Tensor,
        ///`StatefulPartitionedCall/custom_1/two_1/d2_1/BiasAdd` (BiasAdd): float32 `[?, 4]`.
        pub bias_add: private::Tensor,
    }
    ///Where the tensors of the layer `custom/two/d2` are.
    pub struct CustomCustomTwoD2Sites {
        ///The scope `custom/two/d2/Cast`.
        pub cast: CustomCustomTwoD2CastSites,
        ///`StatefulPartitionedCall/custom_1/two_1/d2_1/MatMul` (MatMul): float32 `[?, 4]`.
        pub mat_mul: private::Site<private::Tensor>,
        ///`StatefulPartitionedCall/custom_1/two_1/d2_1/BiasAdd/ReadVariableOp` (ReadVariableOp): float32 `[4]`.
        pub bias_add_read_variable_op: private::Site<private::Tensor>,
        ///`StatefulPartitionedCall/custom_1/two_1/d2_1/BiasAdd` (BiasAdd): float32 `[?, 4]`.
        pub bias_add: private::Site<private::Tensor>,
    }
    impl private::Clone for CustomCustomTwoD2Taps {
        fn clone(&self) -> Self {
            let cast = private::Clone::clone(&self.cast);
            let [mat_mul, bias_add_read_variable_op, bias_add] = private::clone([
                &self.mat_mul,
                &self.bias_add_read_variable_op,
                &self.bias_add,
            ]);
            Self {
                cast,
                mat_mul,
                bias_add_read_variable_op,
                bias_add,
            }
        }
    }
    impl private::Clone for CustomCustomTwoD2Sites {
        fn clone(&self) -> Self {
            Self {
                cast: private::Clone::clone(&self.cast),
                mat_mul: private::Clone::clone(&self.mat_mul),
                bias_add_read_variable_op: private::Clone::clone(
                    &self.bias_add_read_variable_op,
                ),
                bias_add: private::Clone::clone(&self.bias_add),
            }
        }
    }
    impl private::Debug for CustomCustomTwoD2Taps {
        fn fmt(&self, f: &mut private::Formatter<'_>) -> private::FmtResult {
            private::debug::<CustomCustomTwoD2Sites>("CustomCustomTwoD2Taps", self, f)
        }
    }
    impl private::Debug for CustomCustomTwoD2Sites {
        fn fmt(&self, f: &mut private::Formatter<'_>) -> private::FmtResult {
            private::debug_sites("CustomCustomTwoD2Sites", self, f)
        }
    }
    impl CustomCustomTwoD2Sites {
        fn of(__sites: &mut private::Given<'_>) -> Self {
            let cast = CustomCustomTwoD2CastSites::of(__sites);
            let [mat_mul, bias_add_read_variable_op, bias_add] = __sites.take();
            CustomCustomTwoD2Sites {
                cast,
                mat_mul,
                bias_add_read_variable_op,
                bias_add,
            }
        }
    }
    impl private::Tree for CustomCustomTwoD2Sites {
        type Value = CustomCustomTwoD2Taps;
        type Item = private::Tensor;
        fn span(&self) -> private::Span {
            private::hull(self)
        }
        fn spans(&self, __f: &mut dyn private::FnMut(private::Span)) {
            private::Tree::spans(&self.cast, __f);
            private::spans(
                [self.mat_mul, self.bias_add_read_variable_op, self.bias_add],
                __f,
            );
        }
        fn read_taps(
            &self,
            __reader: &private::Reader<'_>,
        ) -> private::Result<Self::Value> {
            let cast = private::Tree::read_taps(&self.cast, __reader)?;
            let [mat_mul, bias_add_read_variable_op, bias_add] = private::read(
                [self.mat_mul, self.bias_add_read_variable_op, self.bias_add],
                __reader,
            )?;
            private::Ok(CustomCustomTwoD2Taps {
                cast,
                mat_mul,
                bias_add_read_variable_op,
                bias_add,
            })
        }
        fn visit(__value: &Self::Value, __visitor: &mut private::Visitor<'_>) {
            __visitor.field::<CustomCustomTwoD2CastSites>("cast", &__value.cast);
            private::visit(
                [
                    ("mat_mul", &__value.mat_mul),
                    ("bias_add_read_variable_op", &__value.bias_add_read_variable_op),
                    ("bias_add", &__value.bias_add),
                ],
                __visitor,
            );
        }
    }
    impl CustomCustomTwoD2Taps {
        ///What others take of the layer: `StatefulPartitionedCall/custom_1/two_1/d2_1/BiasAdd`.
        pub fn output(&self) -> &private::Tensor {
            &self.bias_add
        }
    }
    impl CustomCustomTwoD2Sites {
        ///What others take of the layer: `StatefulPartitionedCall/custom_1/two_1/d2_1/BiasAdd`.
        pub fn output(&self) -> private::Site<private::Tensor> {
            self.bias_add
        }
    }
    ///The tensors of the scope `custom/two/d2/Cast`.
    pub struct CustomCustomTwoD2CastTaps {
        ///`StatefulPartitionedCall/custom_1/two_1/d2_1/Cast/ReadVariableOp` (ReadVariableOp): float32 `[16, 4]`.
        pub read_variable_op: private::Tensor,
    }
    ///Where the tensors of the scope `custom/two/d2/Cast` are.
    pub struct CustomCustomTwoD2CastSites {
        ///`StatefulPartitionedCall/custom_1/two_1/d2_1/Cast/ReadVariableOp` (ReadVariableOp): float32 `[16, 4]`.
        pub read_variable_op: private::Site<private::Tensor>,
    }
    impl private::Clone for CustomCustomTwoD2CastTaps {
        fn clone(&self) -> Self {
            let [read_variable_op] = private::clone([&self.read_variable_op]);
            Self { read_variable_op }
        }
    }
    impl private::Clone for CustomCustomTwoD2CastSites {
        fn clone(&self) -> Self {
            Self {
                read_variable_op: private::Clone::clone(&self.read_variable_op),
            }
        }
    }
    impl private::Debug for CustomCustomTwoD2CastTaps {
        fn fmt(&self, f: &mut private::Formatter<'_>) -> private::FmtResult {
            private::debug::<
                CustomCustomTwoD2CastSites,
            >("CustomCustomTwoD2CastTaps", self, f)
        }
    }
    impl private::Debug for CustomCustomTwoD2CastSites {
        fn fmt(&self, f: &mut private::Formatter<'_>) -> private::FmtResult {
            private::debug_sites("CustomCustomTwoD2CastSites", self, f)
        }
    }
    impl CustomCustomTwoD2CastSites {
        fn of(__sites: &mut private::Given<'_>) -> Self {
            let [read_variable_op] = __sites.take();
            CustomCustomTwoD2CastSites {
                read_variable_op,
            }
        }
    }
    impl private::Tree for CustomCustomTwoD2CastSites {
        type Value = CustomCustomTwoD2CastTaps;
        type Item = private::Tensor;
        fn span(&self) -> private::Span {
            private::hull(self)
        }
        fn spans(&self, __f: &mut dyn private::FnMut(private::Span)) {
            private::spans([self.read_variable_op], __f);
        }
        fn read_taps(
            &self,
            __reader: &private::Reader<'_>,
        ) -> private::Result<Self::Value> {
            let [read_variable_op] = private::read([self.read_variable_op], __reader)?;
            private::Ok(CustomCustomTwoD2CastTaps {
                read_variable_op,
            })
        }
        fn visit(__value: &Self::Value, __visitor: &mut private::Visitor<'_>) {
            private::visit([("read_variable_op", &__value.read_variable_op)], __visitor);
        }
    }
}
#[doc(inline)]
#[allow(unused_imports, reason = "which of its types a crate names is its own affair")]
pub use custom::{Custom, CustomTaps, CustomSites, CustomOutput};
