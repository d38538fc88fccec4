//! What the fuzz targets share: messages that are changed as messages, tables with checksums that hold, a folder to open,
//! and a limit of memory.

pub mod folder;
pub mod memory;
pub mod message;
pub mod mutate;
pub mod table;
