//! The binary against a real Docker Engine and a real git server. Run it through `./dev test`.

mod clone;
mod hosts;
mod images;
mod interrupt;
mod life;
mod lost;
mod names;
mod options;
mod output;
mod podman;
mod secrets;
mod strangers;
mod tunnel;
mod unsaved;
