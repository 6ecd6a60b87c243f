//! The wrappers in their shells: one table of scenarios over a launcher that writes down how it is called, real
//! terminals, real downloads, and a life cycle on a real engine.

mod cost;
mod download;
mod files;
mod folders;
mod guest;
mod live;
mod place;
mod powershell_parse;
mod table;
mod terminal;
