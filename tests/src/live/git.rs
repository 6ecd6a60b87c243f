//! Repositories of one test on the git server, some of which give their contents only when told to.

use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::Ordering;

use super::{Live, docker, network, run_with_input, until};

/// Runs in place of `git pack-objects` on the server: says that a client has come so far, and waits while told to.
const HOOK: &str = r#"#!/bin/sh
if [ -e hold ]; then
    : > reached
    while [ -e hold ]; do sleep 0.05; done
fi
exec "$@"
"#;

/// A repository on the git server that only one test uses.
pub struct Repository {
    slug: String,
}

impl Live {
    /// A copy of `acme/hello` that everybody can read.
    pub fn repository(&self, name: &str) -> Repository {
        prepare_server();
        self.has_repositories.store(true, Ordering::Relaxed);
        let repository = Repository { slug: format!("{}/{name}", owner(self)) };
        on_server(&format!(
            "mkdir -p /srv/git/{0} && cp -r /srv/git/acme/hello.git {1} && chown -R www-data:www-data /srv/git/{0}",
            owner(self),
            repository.folder(),
        ));
        repository
    }

    /// The same, but no clone gets its contents until it is released.
    pub fn held_repository(&self, name: &str) -> Repository {
        let repository = self.repository(name);
        on_server(&format!("touch {}/hold", repository.folder()));
        repository
    }
}

impl Repository {
    /// OWNER/REPO.
    pub fn slug(&self) -> &str {
        &self.slug
    }

    /// Takes it from those who have no token.
    #[must_use]
    pub fn private(self) -> Self {
        on_server(&format!("rm {}/public", self.folder()));
        self
    }

    /// Adds a commit with a file of this many megabytes that cannot be compressed.
    #[must_use]
    pub fn with_megabytes(self, megabytes: u32) -> Self {
        self.commit(&format!("head -c {megabytes}M /dev/urandom >big; git add big"));
        self
    }

    /// Adds a commit with a submodule, named by its address on `git.test`.
    #[must_use]
    pub fn with_submodule(self, module: &Self) -> Self {
        self.commit(&format!(
            "git config -f .gitmodules submodule.sub.path sub
             git config -f .gitmodules submodule.sub.url https://git.test/{}.git
             git add .gitmodules
             git update-index --add --cacheinfo 160000,$(git -C {} rev-parse main),sub",
            module.slug,
            module.folder()
        ));
        self
    }

    /// Who asked for it so far, by the names they logged in with; `-` without.
    pub fn visitors(&self) -> Vec<String> {
        let log = docker(["logs", &network()]);
        let asked = format!("/{}", self.slug);
        let lines = log.lines().filter(|line| line.contains(&asked));
        lines.filter_map(|line| line.split(' ').nth(1)).map(str::to_owned).collect()
    }

    fn commit(&self, changes: &str) {
        on_server(&format!(
            "work=$(mktemp -d); git clone -q {0} $work; cd $work; {changes}
             git -c user.name=x -c user.email=x@git.test commit -q -m more; git push -q
             rm -r $work; chown -R www-data:www-data {0}",
            self.folder()
        ));
    }

    /// Adds a branch at the commit of `main`.
    pub fn branch(&self, name: &str) {
        on_server(&format!("git -C {} branch {name} main", self.folder()));
    }

    /// Waits until a clone asks for its contents, one that nobody has waited for yet.
    pub fn wait_until_reached(&self) {
        until("a clone asks the git server for contents", || {
            on_server(&format!("if rm {}/reached 2>/dev/null; then echo yes; fi", self.folder())) == "yes"
        });
    }

    /// Lets the clones go on.
    pub fn release(&self) {
        on_server(&format!("rm -f {}/hold", self.folder()));
    }

    fn folder(&self) -> String {
        format!("/srv/git/{}.git", self.slug)
    }
}

pub(super) fn remove_repositories(live: &Live) {
    if !live.has_repositories.load(Ordering::Relaxed) {
        return;
    }
    on_server(&format!("rm -rf /srv/git/{}", owner(live)));
}

fn owner(live: &Live) -> String {
    format!("live-{}", live.id())
}

/// Runs a script on the git server, which is named as its network is.
fn on_server(script: &str) -> String {
    docker(["exec", &network(), "sh", "-ec", script])
}

fn prepare_server() {
    static DONE: OnceLock<()> = OnceLock::new();
    DONE.get_or_init(|| {
        let script = "cat >/usr/local/bin/hold-packs && chmod 755 /usr/local/bin/hold-packs \
                      && git config --system uploadpack.packObjectsHook /usr/local/bin/hold-packs \
                      && git config --system safe.directory '*'";
        let mut command = Command::new("docker");
        command.args(["exec", "-i", &network(), "sh", "-ec", script]);
        assert_eq!(run_with_input(&mut command, HOOK).code, 0, "the git server takes the hook");
    });
}
