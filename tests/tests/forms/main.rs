//! Every form that is traced, and the container that each place gives a tap: the types are written out, so that another
//! container would not compile.

/// Declares a model of linear layers and its forward.
macro_rules! model {
    (
        $(#[$attr:meta])*
        struct $name:ident { $($(#[$field_attr:meta])* $field:ident : $ty:ty),* $(,)? }
        $($body:tt)*
    ) => {
        #[derive(Model)]
        #[model(vb = VarBuilder<'_>)]
        $(#[$attr])*
        pub struct $name { $($(#[$field_attr])* pub $field: $ty),* }

        #[forward]
        impl $name { $($body)* }
    };
}

mod binders;
mod calls;
mod containers;
mod under_cfg;
mod untapped;
