//! Making a container: the fewest calls in the plain case, and other ways when the engine or the image needs them.

use std::time::{Duration, Instant};

use agent_workspace_contract::{ErrorCode, WorkspaceStatus};
use bollard::errors::Error as Bollard;
use bollard::models::{ContainerCreateBody, ContainerCreateResponse};
use bollard::query_parameters::CreateContainerOptionsBuilder;
use hyper::Method;

use super::body::{self, Variant};
use super::container::Inspected;
use super::{Docker, Own, errors, image, not_ours, shared};
use crate::backend::{Backend, Created, DEFAULT_BASE, Spec, Workspace};
use crate::error::{Error, Result};
use crate::guest::prepare;
use crate::output::{Progress, warning};
use crate::phase::{Phase, Phases};
use crate::workspace::ImageRef;

/// How long a name may be taken by a container that cannot be seen: on slow storage, creating takes a while.
const NAME_SETTLES: Duration = Duration::from_secs(30);

/// How a request to create a container was answered.
enum Answer {
    Made(String),
    NoImage(String),
    NameInUse(String),
    NoInit,
}

impl Docker {
    /// Makes a workspace and starts it, or finds the one that has its name.
    ///
    /// Three calls in the plain case: create, inspect, start. Everything else happens when something is missing.
    pub(super) async fn make(&self, spec: &Spec, progress: &Progress, phases: &Phases) -> Result<Created> {
        let mut variant = Variant { init: true, entrypoint: true };
        let mut fetched = false;
        let mut taken_since: Option<Instant> = None;
        loop {
            match phases.run(Phase::Create, self.send_create(spec, variant)).await? {
                Answer::Made(id) => match self.bring_up(&id, spec, variant, phases).await? {
                    Ok(workspace) => {
                        if !variant.entrypoint {
                            let image = spec.image.as_str();
                            progress.warn(warning(
                                "entrypoint_skipped",
                                format!("the entrypoint of image {image} does not run a command and is left out"),
                            ));
                        }
                        return Ok(Created { workspace, new: true });
                    }
                    Err(other) => {
                        phases.run(Phase::Create, self.remove_container(&id, &spec.name)).await?;
                        variant = other;
                    }
                },
                Answer::NoInit => variant = Variant { init: false, ..variant },
                Answer::NoImage(message) if fetched => {
                    let ours = format!("image {} is gone again", spec.image.as_str());
                    return Err(Error::new(ErrorCode::ImageNotFound, ours)
                        .cause(message)
                        .hint("another program may be removing images; try again"));
                }
                Answer::NoImage(_) => {
                    phases.run(Phase::Image, self.fetch(spec, progress)).await?;
                    fetched = true;
                }
                Answer::NameInUse(message) => {
                    if let Some(container) = phases.run(Phase::Create, self.inspect(&spec.name)).await? {
                        let workspace = container.into_workspace();
                        // By its name alone it could be anybody's; only what lives on its own volume is a workspace.
                        if workspace.volumes.is_empty() && (workspace.made_by_us || !workspace.marked) {
                            return Err(not_ours(&workspace.name));
                        }
                        return Ok(Created { workspace, new: false });
                    }
                    // Engines reserve a name before the container can be seen, and for a while after it is gone.
                    if taken_since.get_or_insert_with(Instant::now).elapsed() > NAME_SETTLES {
                        let ours = format!("another program is making or removing workspace {}", spec.name);
                        return Err(Error::new(ErrorCode::ContainerVanished, ours)
                            .cause(message)
                            .hint("try again in a moment"));
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    /// Starts a container that this call has made and prepares it. Returns the workspace it is, or the way in which it
    /// should be made instead.
    async fn bring_up(
        &self,
        id: &str,
        spec: &Spec,
        variant: Variant,
        phases: &Phases,
    ) -> Result<Result<Workspace, Variant>> {
        let started = phases.run(Phase::Start, async {
            // The image's user and labels decide what has to be prepared; they show on the container.
            let workspace = self.new_container(id, spec).await?.into_workspace();
            Ok(self.first_start(id, spec, variant).await?.map(|()| workspace))
        });
        let mut workspace = match started.await? {
            Ok(workspace) => workspace,
            Err(other) => return Ok(Err(other)),
        };
        workspace.status = WorkspaceStatus::Running;
        workspace.problems.clear();
        if !prepare::is_needed(&workspace) {
            return Ok(Ok(workspace));
        }
        let machine = self.machine(&workspace);
        let preparing = prepare::make_usable(&*machine, &workspace);
        let Err(error) = phases.run(Phase::Prepare, preparing).await else { return Ok(Ok(workspace)) };
        let container = self.new_container(id, spec).await?;
        let code = container.exit_code();
        match container.into_workspace().status {
            WorkspaceStatus::Running => Err(error),
            // The image's entrypoint did its work and ended, and the command with it.
            _ if variant.entrypoint => Ok(Err(Variant { entrypoint: false, ..variant })),
            _ => Err(no_shell(spec, &format!("its first command ended with {}", code.unwrap_or_default()))),
        }
    }

    /// What the engine says of a container that this call has made.
    async fn new_container(&self, id: &str, spec: &Spec) -> Result<Inspected> {
        let found = self.engine.get(&format!("/containers/{id}/json"), "look at the new container").await?;
        found.ok_or_else(|| vanished(&spec.name))
    }

    /// Sends the request that makes a container, and keeps count of what may have come of it under this mark.
    pub(super) async fn send_counted(
        &self,
        name: &str,
        body: ContainerCreateBody,
        create_id: &str,
    ) -> std::result::Result<ContainerCreateResponse, Bollard> {
        let options = CreateContainerOptionsBuilder::new().name(name).build();
        let mine = Own { create_id: create_id.to_owned(), creating: true, made: true };
        let before = std::mem::replace(&mut *self.own(), mine);
        let answer = self.engine.docker.create_container(Some(options), body).await;
        // An engine that refuses late, on a full disk for one, has made the volumes before.
        let (answered, surely_nothing) = match &answer {
            Err(Bollard::DockerResponseServerError { status_code: 404, .. }) => (true, true),
            Err(Bollard::DockerResponseServerError { message, .. }) => (true, is_name_in_use(message)),
            Err(error) => (errors::never_sent(error), errors::never_sent(error)),
            Ok(_) => (true, false),
        };
        let mut own = self.own();
        own.creating = !answered;
        // What an earlier request of the same mark has made is there all the same.
        own.made = !surely_nothing || (before.made && before.create_id == create_id);
        drop(own);
        answer
    }

    /// Asks for the container of a workspace.
    async fn send_create(&self, spec: &Spec, variant: Variant) -> Result<Answer> {
        let doing = format!("create the container of workspace {}", spec.name);
        let body = body::create_body(spec, variant, crate::host::now());
        match self.send_counted(&spec.name, body, &spec.create_id).await {
            Ok(made) => Ok(Answer::Made(made.id)),
            Err(Bollard::DockerResponseServerError { status_code: 404, message }) if names_network(spec, &message) => {
                Err(no_network(spec, &message))
            }
            Err(Bollard::DockerResponseServerError { status_code: 404, message }) => Ok(Answer::NoImage(message)),
            // Podman answers 500 here.
            Err(Bollard::DockerResponseServerError { status_code: 409 | 500, message }) if is_name_in_use(&message) => {
                Ok(Answer::NameInUse(message))
            }
            Err(Bollard::DockerResponseServerError { message, .. })
                if spec.secrets.is_some() && no_folder(&message) =>
            {
                Err(shared::unseen(spec, &message))
            }
            Err(Bollard::DockerResponseServerError { message, .. }) if variant.init && lacks_init(&message) => {
                Ok(Answer::NoInit)
            }
            Err(error) => Err(self.engine.explain(error, &doing)),
        }
    }

    /// Brings an absent image here: pulls it, or builds it when it is the built-in one.
    async fn fetch(&self, spec: &Spec, progress: &Progress) -> Result<()> {
        if !spec.fetch {
            return Err(image::absent(&spec.image));
        }
        match image::pull(&self.engine, &spec.image, progress).await {
            Err(error) if spec.default_image && error.code() == ErrorCode::ImageNotFound => {
                let base = ImageRef::parse(DEFAULT_BASE)?;
                image::build(&self.engine, &spec.image, &base, progress).await.map(drop)
            }
            pulled => pulled,
        }
    }

    /// Starts a container for the first time, or says how it should be made instead.
    async fn first_start(&self, id: &str, spec: &Spec, variant: Variant) -> Result<Result<(), Variant>> {
        let doing = format!("start workspace {}", spec.name);
        let started = self.engine.order(Method::POST, &format!("/containers/{id}/start"), &doing).await?;
        let Err(refused) = started else { return Ok(Ok(())) };
        let cause = refused.message.clone();
        if variant.init && lacks_init(&cause) {
            return Ok(Err(Variant { init: false, ..variant }));
        }
        if names_network(spec, &cause) {
            return Err(no_network(spec, &cause));
        }
        if ["unable to find user", "unknown user", "unable to find group"].iter().any(|words| cause.contains(words)) {
            return Err(prepare::no_user(spec.user.as_deref().unwrap_or_default()).cause(cause));
        }
        if cause.contains("executable file not found") || cause.contains("no such file or directory") {
            if variant.entrypoint && !cause.contains("\"sh\"") {
                return Ok(Err(Variant { entrypoint: false, ..variant }));
            }
            return Err(no_shell(spec, &cause));
        }
        let is_gone = refused.status == 404 && cause.to_ascii_lowercase().contains("no such container");
        let is_going = refused.status == 409 && cause.contains("marked for removal");
        if is_gone || is_going {
            return Err(vanished(&spec.name));
        }
        Err(self.engine.explain_refusal(&refused, &doing))
    }
}

/// Whether an engine's refusal is about a name that a container has.
fn is_name_in_use(message: &str) -> bool {
    message.contains("already in use")
}

/// Whether an engine's refusal is about the network that was asked for.
fn names_network(spec: &Spec, message: &str) -> bool {
    let about_network = message.contains("network") && message.contains("not found");
    spec.network.as_ref().is_some_and(|network| about_network && message.contains(network.as_str()))
        && !message.to_ascii_lowercase().starts_with("no such image")
}

/// Whether an engine's refusal is about a folder of the host that it does not see.
fn no_folder(message: &str) -> bool {
    message.contains("bind source path does not exist") || message.contains("statfs")
}

/// Whether an engine says that the init it would put before the command is not installed. Ours ends on SIGTERM anyway.
fn lacks_init(message: &str) -> bool {
    ["docker-init", "catatonit", "init binary"].iter().any(|word| message.contains(word))
}

fn no_shell(spec: &Spec, cause: &str) -> Error {
    Error::new(ErrorCode::ImageUnusable, format!("image {} has no shell that can be run", spec.image.as_str()))
        .cause(cause)
        .detail("image", spec.image.as_str())
        .hint("a workspace needs an image with sh; leave --image out for the agent image")
}

fn vanished(name: &str) -> Error {
    Error::new(ErrorCode::ContainerVanished, format!("the container of {name} was removed in the middle"))
        .detail("workspace", name)
        .hint("another program is removing containers; try again")
}

fn no_network(spec: &Spec, cause: &str) -> Error {
    let network = spec.network.as_deref().unwrap_or_default();
    Error::new(ErrorCode::NetworkNotFound, format!("the engine has no network {network:?}"))
        .cause(cause)
        .detail("network", network)
        .hint(format!("see: docker network ls; or make it: docker network create {network}"))
}
