//! The cases of `ui/` are compiled against a stand-in for the runtime, so that they need no candle. Those in which types
//! matter are in `tests/ui`, against the real one.
