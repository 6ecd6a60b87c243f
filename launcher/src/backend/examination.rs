//! What a backend says of itself to `doctor`: facts, each asked for by itself, so that one that fails hides no other.

use crate::backend::survey::Survey;
use crate::error::{Error, Result};

/// What a backend says, by what it is.
#[derive(Debug)]
pub enum Examined {
    /// An engine, and what it has.
    Engine(Examination),
    /// This machine.
    Machine(MachineFacts),
    /// VMs.
    Vms(VmsFacts),
}

/// What workspaces need of VMs.
#[derive(Debug)]
pub struct VmsFacts {
    /// Every VM, or why they are not known.
    pub vms: Result<Vec<VmFacts>>,
    /// What nothing uses; `None` when that was not asked.
    pub survey: Option<Result<Survey>>,
}

/// One VM.
#[derive(Debug)]
pub struct VmFacts {
    /// Its name.
    pub name: String,
    /// Whether it is prepared.
    pub initialized: bool,
    /// Whether it answers, or why not.
    pub reached: Result<()>,
}

/// What workspaces need of this machine.
#[derive(Debug)]
pub struct MachineFacts {
    /// The folder they are in.
    pub place: String,
    /// Why they cannot be there, if so.
    pub unusable: Option<Error>,
    /// What walls them off, or why nothing does.
    pub walls: Result<String>,
    /// What is free where they are.
    pub free: Option<u64>,
    /// What nothing uses.
    pub survey: Result<Survey>,
}

/// Everything that is asked of an engine. `engine` failing means that nothing after it was asked.
#[derive(Debug)]
pub struct Examination {
    /// Where workspaces live, and where that was said.
    pub place: String,
    /// Who answers there.
    pub engine: Result<EngineFacts>,
    /// The image of new workspaces; `None` when it is not local.
    pub image: Option<Result<Option<ImageFacts>>>,
    /// The disk that holds everything.
    pub disk: Option<Result<DiskFacts>>,
    /// What nothing uses.
    pub survey: Option<Result<Survey>>,
}

/// Who answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineFacts {
    /// `Docker` or `Podman`.
    pub kind: &'static str,
    /// Its version.
    pub version: String,
    /// What it runs on, such as `linux/amd64`.
    pub platform: String,
    /// The version of its API.
    pub api: String,
    /// The oldest version of the API that will do.
    pub oldest_api: String,
    /// Whether it is older than that.
    pub too_old: bool,
}

/// The image of new workspaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageFacts {
    /// The engine's id of it.
    pub id: String,
    /// When it was made, in seconds since 1970.
    pub made_at: Option<i64>,
    /// The launcher that built it, when one did.
    pub built_by: Option<String>,
}

/// The disk that holds everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskFacts {
    /// The folder where the engine keeps its data.
    pub folder: String,
    /// What is free there; `None` when it is not on this machine.
    pub free: Option<u64>,
    /// What the volumes of our workspaces take; `None` when the engine does not say in time.
    pub volumes: Option<u64>,
}
