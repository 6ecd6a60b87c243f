//! The binary against a real Docker Engine and a real git server. Run it through `./dev test`.

mod canary;
mod clone;
mod copy;
mod credentials;
mod doctor;
mod faults;
mod hosts;
mod images;
mod interrupt;
mod isolation;
mod killed;
mod life;
mod lost;
mod names;
mod options;
mod output;
mod parallel;
mod podman;
mod prune;
mod rescue;
mod secrets;
mod secrets_dir;
mod strangers;
mod tunnel;
mod unsaved;
