//! `rm --rescue`: what is on this host afterwards is what was inside, by the word of git and of every file.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use agent_workspace_tests::Document;
use agent_workspace_tests::live::{Image, Live, Running, docker, network, try_docker, until};
use rustix::process::Signal;
use serde_json::{Value, json};

const CLONE: &str = "/work/acme/hello";

/// Every file's path, hash and whether it can be executed, every link, of the folder it is run in, but of no `.git`.
const LISTING: &str = "find . -name .git -prune -o -type f -print0 | LC_ALL=C sort -z | xargs -0 sh -c 'for f; do \
     [ -x \"$f\" ] && mode=x || mode=-; echo \"$mode $(sha256sum <\"$f\" | cut -c 1-64) $(printf %s \"$f\" | od -An -tx1 | tr -d \" \\n\")\"; done' sh; \
     find . -name .git -prune -o -type l -print0 | LC_ALL=C sort -z | xargs -0 -r -n 1 sh -c 'echo \"$0 -> $(readlink \"$0\")\"'";

/// Runs a script on this host with nothing of the caller's git settings.
#[track_caller]
fn here(folder: &Path, script: &str) -> String {
    let mut command = Command::new("sh");
    command.args(["-ec", script]).current_dir(folder).env_clear();
    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("HOME", folder).env("GIT_CONFIG_NOSYSTEM", "1");
    for name in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{name}_NAME"), "x").env(format!("GIT_{name}_EMAIL"), "x@git.test");
    }
    let output = command.output().expect("a shell");
    let text = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
    assert!(output.status.success(), "{script}\n{text}\n{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// Removes a workspace, rescuing it into a folder of the test; returns where and the document.
#[track_caller]
fn rescued(live: &Live, name: &str) -> (PathBuf, Document) {
    let into = live.folder().join(format!("rescued-{name}"));
    let document = live.json(&format!("rm {name} --rescue {}", into.display())).ok();
    let dir = PathBuf::from(document.text("/rescued/dir"));
    assert!(dir.starts_with(&into), "{}", document.0);
    live.nothing_is_left();
    (dir, document)
}

/// The name of the file of a kind that belongs to a repository.
fn file(document: &Document, kind: &str, repository: &str) -> Option<String> {
    let items = document.at("/rescued/items").as_array().expect("items");
    let found =
        items.iter().find(|item| item["kind"] == kind && item["repository"].as_str().unwrap_or_default() == repository);
    Some(found?["file"].as_str().expect("a name").to_owned())
}

/// Restores a repository as the text beside it says; returns where it is then.
#[track_caller]
fn restored(dir: &Path, document: &Document, repository: &str) -> PathBuf {
    let (bundle, changes) = (file(document, "bundle", repository), file(document, "changes", repository));
    match (&bundle, file(document, "shallow", repository)) {
        (None, _) => here(dir, "rm -rf restored; git init -q restored"),
        (Some(bundle), None) => here(
            dir,
            &format!(
                "rm -rf restored; git clone -q {bundle} restored; cd restored; git fetch -q origin '+refs/*:refs/rescued/*'"
            ),
        ),
        (Some(bundle), Some(shallow)) => here(
            dir,
            &format!(
                "rm -rf restored; git init -q restored; cd restored; cp ../{shallow} .git/shallow; \
                 git fetch -q ../{bundle} '+refs/*:refs/rescued/*'; git checkout -q refs/rescued/heads/main"
            ),
        ),
    };
    if let Some(changes) = changes {
        here(dir, &format!("cd restored; git apply --binary ../{changes}"));
    }
    dir.join("restored")
}

#[track_caller]
fn rest(live: &Live, name: &str, status: &str) {
    match status {
        "running" => {}
        "paused" => drop(docker(["pause", &live.full(name)])),
        _ => drop(live.json(&format!("stop {name}")).ok()),
    }
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn everything_that_was_inside_can_be_restored_on_this_host() {
    let live = Live::new();
    for (image, status) in [
        (Image::Agent, "running"),
        (Image::Agent, "stopped"),
        (Image::Debian, "paused"),
        // Its user is only in the container's own files.
        (Image::Debian, "stopped"),
    ] {
        live.create_from(image, "acme/hello --name all").ok();
        let inside = |script: &str| live.inside("all", &format!("cd {CLONE}; {script}"));
        inside(
            "git config user.name x; git config user.email x@git.test
             git switch -q -c mine; echo committed >committed; printf '\\0\\1' >binary; mkdir d; echo one >d/one
             git add -A; git commit -q -m mine; git tag mine-tag
             echo stashed >>committed; git stash -q; echo 'stashed too' >new-stashed; git stash -q -u
             git checkout -q --detach; git commit -q --allow-empty -m detached; git switch -q mine
             echo changed >>README.md; printf '\\0\\2more' >binary; chmod +x d/one; rm committed
             echo staged >staged; git add staged; echo later >staged
             printf 'text\\r\\n' >crlf; ln -s d/one link; ln -s nowhere dangling
             printf x >\"$(printf 'a \\\"name\\\"\\n\\047\\t\\303\\244')\"; mkdir -p 'deep er/x'; : >'deep er/x/empty'
             printf 'ignored\\n' >>.git/info/exclude; echo built >ignored; umask 077; echo secret >mine-alone",
        );
        live.inside("all", "mkdir -p /work/notes; echo note >'/work/notes/a b'; ln -s 'a b' /work/notes/link; echo rc >/home/agent/mine.rc");
        let commits = inside("git rev-parse mine stash@{0} stash@{1}");
        let listing = inside(&format!("rm ignored; {LISTING}"));
        inside("echo built >ignored");
        rest(&live, "all", status);

        let (dir, document) = rescued(&live, "all");
        let restored = restored(&dir, &document, CLONE);
        assert_eq!(here(&restored, LISTING), listing, "{image:?} {status}");
        let again = "git rev-parse HEAD refs/rescued/stashes/0 refs/rescued/stashes/1; git rev-parse -q --verify mine-tag^{commit} >/dev/null";
        assert_eq!(here(&restored, again), commits);
        // The stashes are stashes, and what was staged was something else than the file.
        here(&restored, "git stash -q -u; git stash apply -q refs/rescued/stashes/0; test -f new-stashed");
        let staged = file(&document, "staged", CLONE).expect("something was staged");
        here(
            &dir,
            &format!(
                "rm -rf index; git clone -q {} index; cd index; git apply --binary ../{staged}; grep -qx staged staged",
                file(&document, "bundle", CLONE).expect("a bundle")
            ),
        );
        here(
            &dir,
            "mkdir files; tar -xf files.tar -C files; grep -qx note 'files/work/notes/a b'; test -L files/work/notes/link; grep -qx rc files/home/agent/mine.rc",
        );
        assert!(here(&dir, "cat README.txt").contains("git clone"));
        let modes = here(&dir, "stat -c %a . *.bundle *.patch files.tar README.txt | sort -u");
        assert_eq!(modes, "600\n700");
        for item in document.at("/rescued/items").as_array().expect("items") {
            let sum = here(&dir, &format!("sha256sum <{} | cut -c 1-64", item["file"].as_str().expect("a name")));
            assert_eq!(item["sha256"], sum);
        }
        here(&dir, "rm -rf restored index files");
    }
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn repositories_of_every_shape_restore() {
    let live = Live::new();
    live.create("acme/hello --name odd").ok();
    live.inside(
        "odd",
        "git config --global user.name x; git config --global user.email x@git.test; git config --global protocol.file.allow always
         url=https://git.test/acme/hello; cd /work
         git -C acme/hello worktree add -q --detach '/work/a tree'; cd '/work/a tree'; echo w >>README.md; git commit -q -a -m tree; echo w2 >>README.md
         git clone -q --depth 1 $url /work/shallow; cd /work/shallow; echo s >>README.md; git commit -q -a -m s; echo s2 >s2
         git init -q -b main /work/unborn; cd /work/unborn; echo u >u; git add u; echo uu >u
         git init -q /work/empty
         git clone -q $url /work/conflict; cd /work/conflict; git switch -q -c side; echo side >README.md; git commit -q -a -m side
         git switch -q main; echo main >README.md; git commit -q -a -m main; git merge side >/dev/null || true
         git clone -q $url /work/eol; cd /work/eol; printf '* text=auto eol=crlf\\n' >.gitattributes; git add -A; git commit -q -m eol
         git rm -q --cached -r .; git reset -q --hard; printf 'one\\r\\ntwo\\n' >mixed; printf 'changed\\r\\n' >README.md
         git clone -q $url /work/super; cd /work/super; git submodule --quiet add $url module; git commit -q -m module
         cd module; echo m >>README.md; git commit -q -a -m inner; echo m2 >m2
         git clone -q $url /work/outer; git init -q /work/outer/inner; echo i >/work/outer/inner/i; echo o >/work/outer/o
         git clone -q $url /work/sparse; cd /work/sparse; git sparse-checkout set --no-cone /README.md; echo sp >>README.md
         mkdir -p /work/broken/.git; echo b >/work/broken/file",
    );
    let listing = |path: &str| live.inside("odd", &format!("cd '{path}'; {LISTING}"));
    let trees = [
        "/work/a tree",
        "/work/shallow",
        "/work/unborn",
        "/work/eol",
        "/work/conflict",
        "/work/super/module",
        "/work/outer/inner",
    ];
    let before: Vec<String> = trees.iter().map(|path| listing(path)).collect();
    let merging = live.inside("odd", "git -C /work/conflict rev-parse MERGE_HEAD HEAD");
    live.json("stop odd").ok();
    let (dir, document) = rescued(&live, "odd");
    for (path, before) in trees.iter().zip(before) {
        assert_eq!(here(&restored(&dir, &document, path), LISTING), before, "{path}");
    }
    let sparse = restored(&dir, &document, "/work/sparse");
    assert!(here(&sparse, "git status --porcelain").lines().all(|line| line == " M README.md"), "nothing is deleted");
    let conflict = restored(&dir, &document, "/work/conflict");
    for commit in merging.lines() {
        here(&conflict, &format!("git cat-file -e {commit}^{{commit}}"));
    }
    let outer = restored(&dir, &document, "/work/outer");
    assert_eq!(here(&outer, "cat o; ls inner 2>/dev/null || true"), "o");
    assert_eq!(here(&dir, "tar -xOf files.tar ./work/broken/file"), "b");
    assert_eq!(file(&document, "bundle", "/work/empty"), None);
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn work_that_git_is_told_not_to_see_or_keeps_elsewhere_restores() {
    let live = Live::new();
    live.create("acme/hello --name unseen").ok();
    live.inside(
        "unseen",
        "git config --global user.name x; git config --global user.email x@git.test; url=https://git.test/acme/hello
         git clone -q $url /work/skipped; cd /work/skipped; git update-index --skip-worktree README.md; echo skipped >>README.md
         git clone -q $url /work/assumed; cd /work/assumed; git update-index --assume-unchanged README.md; echo assumed >>README.md
         git -C /work/acme/hello worktree add -q --detach ~/.cache/tree; cd ~/.cache/tree
         echo w >>README.md; git commit -q -a -m tree; echo new >new
         git clone -q /work/acme/hello /work/copy; git -C /work/copy commit -q --allow-empty -m copied
         cd /work/assumed; git clone -q --bare $url .git/modules/gone; cd .git/modules/gone
         git update-ref refs/heads/own $(git commit-tree -m own -p HEAD HEAD^{tree})",
    );
    let trees = ["/work/skipped", "/work/assumed", "/home/agent/.cache/tree"];
    let listing = |path: &&str| live.inside("unseen", &format!("cd {path}; {LISTING}"));
    let before: Vec<String> = trees.iter().map(listing).collect();
    let copied = live.inside("unseen", "git -C /work/copy rev-parse HEAD");
    let own = live.inside("unseen", "git -C /work/assumed/.git/modules/gone rev-parse own");
    let (dir, document) = rescued(&live, "unseen");
    for (path, before) in trees.iter().zip(before) {
        assert_eq!(here(&restored(&dir, &document, path), LISTING), before, "{path}");
    }
    assert_eq!(here(&restored(&dir, &document, "/work/copy"), "git rev-parse HEAD"), copied);
    let module = restored(&dir, &document, "/work/assumed/.git/modules/gone");
    assert_eq!(here(&module, "git rev-parse refs/rescued/heads/own"), own);
    assert!(here(&dir, "cat README.txt").contains("git remote remove origin"));
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_clone_cannot_change_what_is_rescued_of_it() {
    let live = Live::new();
    live.create("acme/hello --name trap").ok();
    live.inside(
        "trap",
        "cd /work/acme/hello; echo '* filter=trap diff=trap' >.gitattributes; mkdir -p /work/hooks
         printf '#!/bin/sh\\ntouch /tmp/trapped\\necho trapped >/home/agent/trapped; exit 1\\n' >/work/hooks/any; chmod +x /work/hooks/any
         for hook in post-index-change reference-transaction post-checkout; do cp /work/hooks/any /work/hooks/$hook; done
         echo good >word; git config filter.trap.clean 'sed s/good/bad/; touch /tmp/trapped'; git config filter.trap.required true
         git config diff.trap.textconv /work/hooks/any; git config diff.external /work/hooks/any
         git config core.hooksPath /work/hooks; git config core.fsmonitor /work/hooks/any
         git config alias.bundle '!touch /tmp/trapped'; git config core.pager /work/hooks/any
         printf '[core]\\n\\tfsmonitor = /work/hooks/any\\n\\thooksPath = /work/hooks\\n' >/home/agent/.gitconfig",
    );
    let (dir, document) = rescued(&live, "trap");
    let restored = restored(&dir, &document, CLONE);
    assert_eq!(here(&restored, "cat word"), "good");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_clone_on_no_volume_and_files_without_git_are_rescued() {
    let live = Live::new();
    let image = Image::Debian.name();
    let create =
        format!("create acme/hello --name out --image {image} --network {} --user 0 --dir /srv/a/b", network());
    for status in ["running", "stopped"] {
        live.json(&create).ok();
        live.inside_as_root("out", "cd /srv/a/b; echo x >x");
        rest(&live, "out", status);
        let (dir, document) = rescued(&live, "out");
        assert_eq!(here(&restored(&dir, &document, "/srv/a/b"), "cat x"), "x", "{status}");
        here(&dir, "rm -rf ../*");
    }
    live.create_from(Image::Busybox, "--no-clone --name plain").ok();
    live.inside("plain", "mkdir -p /work/clone/.git /work/d; echo c >/work/clone/c; printf '\\0' >'/work/d/a b'");
    let (dir, document) = rescued(&live, "plain");
    assert_eq!(document.at("/rescued/items").as_array().map(Vec::len), Some(1));
    assert_eq!(
        here(&dir, "tar -xOf files.tar ./work/clone/c; tar -xOf files.tar './work/d/a b' | od -An -tx1"),
        "c\n 00"
    );
}

/// Fails unless `rm` refuses and a rescue removes nothing. Returns why it did not.
#[track_caller]
fn cannot_be_rescued(live: &Live, name: &str, status: &str) -> String {
    live.json(&format!("rm {name}")).fails(5, "unsaved_work");
    let into = live.folder().join("nowhere");
    let document = live.json(&format!("rm {name} --rescue {}", into.display())).fails(1, "rescue_failed");
    assert_eq!(live.row(name).expect("a row")["status"], status, "{}", document.0);
    assert_eq!(live.containers(), [live.full(name)]);
    assert!(!into.exists());
    document.at("/error/causes").to_string()
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_repository_that_is_on_no_volume_is_not_taken_for_packed() {
    let live = Live::new();
    live.create("--no-clone --name far").ok();
    live.inside_as_root("far", "install -d -o agent /opt/far");
    let settings = "git config --global user.name x; git config --global user.email x@git.test; \
                    git config --global init.defaultBranch main; git config --global advice.detachedHead false";
    live.inside("far", settings);
    let base = "git init -q /opt/far/r; git -C /opt/far/r commit -q --allow-empty -m base";
    for (why, make, then) in [
        ("on no volume but at /opt/far/x.git", "git init -q --separate-git-dir=/opt/far/x.git /work/x", "true"),
        ("on no volume but at /opt/far/r/.git", "git -C /opt/far/r worktree add -q /work/x", "true"),
        ("elsewhere, at /opt/far/r/.git", "mkdir /work/x; ln -s /opt/far/r/.git /work/x/.git", "true"),
        ("a ref leads to nothing", "git clone -q --shared /opt/far/r /work/x", "true"),
        (
            "its last commit cannot be read",
            "git clone -q --shared /opt/far/r /work/x; cd /work/x; git checkout -q --detach; git branch -q -D main; \
             git remote remove origin",
            "cp -r .git/objects/?? /opt/far/r/.git/objects/; rm -rf .git/objects/??",
        ),
        (
            "/work/x/.git leads elsewhere",
            "mkdir -p /work/x/.git; cd /work/x/.git; cp /opt/far/r/.git/HEAD .; \
             ln -s /opt/far/r/.git/objects /opt/far/r/.git/refs .",
            "true",
        ),
    ] {
        let commit = "cd /work/x; echo mine >mine; git add mine; git commit -q -m mine";
        live.inside("far", &format!("{base}; {make}; {commit}; {then}"));
        for status in ["running", "stopped"] {
            rest(&live, "far", status);
            let said = cannot_be_rescued(&live, "far", status);
            assert!(said.contains("/work/x") && said.contains(why), "{make}, {status}: {said}");
        }
        live.json("start far").ok();
        assert_eq!(live.inside("far", "git -C /work/x log -1 --format=%s"), "mine", "{make}");
        live.inside("far", "rm -rf /work/x /opt/far/*");
    }
    // On a volume it may be anywhere.
    live.inside(
        "far",
        "git init -q --separate-git-dir=/work/x.git /work/x; cd /work/x; git commit -q --allow-empty -m mine",
    );
    let commit = live.inside("far", "git -C /work/x rev-parse HEAD");
    let (dir, document) = rescued(&live, "far");
    assert_eq!(here(&restored(&dir, &document, "/work/x"), "git rev-parse HEAD"), commit);
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_repository_that_the_image_has_too_is_not_taken_for_the_workspaces() {
    let live = Live::new();
    live.create("--no-clone --name model").ok();
    live.inside_as_root("model", "install -d -o agent /opt/app");
    let committed = "git config user.name x; git config user.email x@git.test; git commit -q --allow-empty -m";
    live.inside(
        "model",
        &format!(
            "git init -q /opt/app; cd /opt/app; {committed} base
             git remote add origin https://git.test/acme/hello; git update-ref refs/remotes/origin/main HEAD"
        ),
    );
    let image = format!("{}:committed", live.full("model"));
    docker(["commit", &live.full("model"), &image]);
    live.json("rm model --force").ok();
    live.json(&format!("create --no-clone --name baked --image {image} --network {}", network())).ok();
    live.inside(
        "baked",
        &format!("mkdir /work/x; echo 'gitdir: /opt/app/.git' >/work/x/.git; cd /work/x; {committed} mine"),
    );
    for status in ["running", "stopped"] {
        rest(&live, "baked", status);
        let why = cannot_be_rescued(&live, "baked", status);
        assert!(why.contains("/opt/app/.git"), "{status}: {why}");
    }
    live.json("rm baked --force").ok();
    live.nothing_is_left();
    docker(["rmi", "-f", &image]);
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn what_only_the_workspace_itself_can_see_is_not_taken_for_packed() {
    let live = Live::new();
    let (name, image) = (live.full("deep"), Image::Agent.name());
    let work = format!("{name}-work:/work");
    let words = ["run", "-d", "--init", "--name", &name, "--label", "agent-kit.workspace=1", "-v", &work];
    docker(words.into_iter().chain(["--tmpfs", "/work/more:mode=1777", &image, "sleep", "600"]));
    live.inside_as_root("deep", "chown agent /work /work/more");
    live.inside(
        "deep",
        "git init -q /work/more/r; cd /work/more/r; git -c user.name=x -c user.email=x commit -q --allow-empty -m mine",
    );
    for other in ["true", "echo x >/work/x"] {
        live.inside("deep", other);
        let why = cannot_be_rescued(&live, "deep", "running");
        assert!(why.contains("/work/more/r: 1 commit"), "{why}");
    }
    live.json("rm deep --force").ok();
    live.nothing_is_left();
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn what_git_cannot_read_is_among_the_files_once_and_whole() {
    let live = Live::new();
    live.create_from(Image::Busybox, "--no-clone --name plain").ok();
    // One in another, one of which has its repository in another's; and nothing that is no file.
    live.inside(
        "plain",
        "cd /work; mkdir -p out/.git/objects out/.git/refs out/-a/.git/modules/m out/b/.git out/tree/deep/.git
         echo o >out/.git/objects/o; chmod 444 out/.git/objects/o; echo a >out/-a/a; echo b >out/b/b; echo t >out/tree/t
         mkdir -p out/-a/.git/modules/m/objects out/-a/.git/modules/m/refs out/-a/m; echo H >out/-a/.git/modules/m/HEAD
         echo 'gitdir: ../.git/modules/m' >out/-a/m/.git; echo m >out/-a/m/m; mkfifo out/pipe out/.git/pipe",
    );
    let listing =
        "cd work/out; find . ! -type p | LC_ALL=C sort; find . -type f -print0 | LC_ALL=C sort -z | xargs -0 cat";
    let before = live.inside("plain", &format!("cd /; {listing}"));
    let (dir, document) = rescued(&live, "plain");
    assert_eq!(document.at("/rescued/items").as_array().map(Vec::len), Some(1));
    assert_eq!(here(&dir, &format!("mkdir files; tar -xf files.tar -C files; cd files; {listing}")), before);

    // A worktree whose repository is gone is nothing but its files.
    live.create("acme/hello --name gone").ok();
    live.inside(
        "gone",
        "cd /work/acme/hello; git worktree add -q --detach /work/tree; echo t >/work/tree/t; rm -r /work/acme",
    );
    let (dir, _) = rescued(&live, "gone");
    assert_eq!(here(&dir, "tar -xOf files.tar ./work/tree/t"), "t");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn pipes_and_sockets_are_no_work_and_hold_nothing_up() {
    let live = Live::new();
    live.create("acme/hello --name pipes").ok();
    let make = "mkdir -p ~/notes; for folder in ~ ~/notes /work /work/acme/hello; do
                  mkfifo $folder/pipe; perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Local => shift, Listen => 1)' $folder/socket
                  test -S $folder/socket
                done";
    live.inside("pipes", make);
    live.json("rm pipes").ok();
    live.nothing_is_left();

    live.create("acme/hello --name pipes").ok();
    live.inside(
        "pipes",
        &format!("{make}; echo x >~/x; ln -s nowhere ~/link; echo y >/work/y; echo z >/work/acme/hello/z"),
    );
    let (dir, document) = rescued(&live, "pipes");
    assert_eq!(here(&restored(&dir, &document, CLONE), "cat z"), "z");
    let packed = here(&dir, "tar -tf files.tar | grep -v '/$' | LC_ALL=C sort");
    assert_eq!(packed, "./home/agent/link\n./home/agent/x\n./work/y");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_home_that_cannot_be_listed_is_not_an_empty_one() {
    let live = Live::new();
    live.create("--no-clone --name shut").ok();
    live.inside("shut", "echo x >~/x; echo y >/work/y");
    live.inside_as_root("shut", "chown root /home/agent; chmod 700 /home/agent");
    for status in ["running", "stopped"] {
        rest(&live, "shut", status);
        let why = cannot_be_rescued(&live, "shut", status);
        assert!(why.contains("/home/agent cannot be listed"), "{status}: {why}");
    }
    live.json("start shut").ok();
    live.inside_as_root("shut", "rm /work/y; chmod 711 /home/agent");
    let refused = live.json("rm shut").fails(5, "unsaved_work");
    let unchecked = json!([{ "kind": "unchecked", "path": "/home/agent", "count": null }]);
    assert_eq!(refused.at("/error/details/unsaved"), &unchecked);
    live.inside_as_root("shut", "chown agent /home/agent");
    let (dir, _) = rescued(&live, "shut");
    assert_eq!(here(&dir, "tar -xOf files.tar ./home/agent/x"), "x");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn what_is_left_of_a_workspace_is_rescued_through_the_agent_image() {
    let live = Live::new();
    live.create("acme/hello --name left").ok();
    live.inside(
        "left",
        "umask 077; mkdir -p /work/acme/hello/mine /work/odd/.git; echo x >/work/acme/hello/mine/x
         echo y >/work/odd/y; echo z >/work/z; chmod 750 /work/z; ln -s z /work/link",
    );
    live.json("rm left --keep-volumes").ok();
    let (dir, document) = rescued(&live, "left");
    assert_eq!(here(&restored(&dir, &document, CLONE), "cat mine/x"), "x");
    let files =
        "mkdir files; tar -xpf files.tar -C files; cd files/work; cat odd/y; cat z; readlink link; stat -c %a z";
    assert_eq!(here(&dir, files), "y\nz\nz\n750");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn what_cannot_be_read_is_not_removed() {
    let live = Live::new();
    live.create("acme/hello --name closed").ok();
    live.inside_as_root("closed", "mkdir -m 700 /work/roots; echo x >/work/roots/x; echo y >/work/acme/hello/y");
    live.inside_as_root("closed", "chmod 600 /work/acme/hello/y");
    let into = live.folder().join("rescued");
    let line = format!("rm closed --rescue {}", into.display());
    live.json(&line).fails(1, "rescue_failed");
    assert_eq!(live.row("closed").expect("a row")["status"], "running");
    live.inside_as_root("closed", "rm -r /work/roots");
    let document = live.json(&line).fails(1, "rescue_failed");
    assert!(document.at("/error/causes").to_string().contains("cannot be read"), "{}", document.0);
    assert_eq!((live.row("closed").expect("a row")["status"].as_str(), live.containers().len()), (Some("running"), 1));
    assert!(!into.exists());
    live.json("rm closed --force").ok();
    live.nothing_is_left();
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn much_of_it_comes_whole_and_a_person_can_end_it_in_the_middle() {
    let live = Live::new();
    live.create("acme/hello --name big").ok();
    live.inside(
        "big",
        "cd /work/acme/hello; git config user.name x; git config user.email x@git.test; head -c 25000000 /dev/urandom >big
         git add big; git commit -q -m big; head -c 8000000 /dev/urandom >new",
    );
    let sums = live.inside("big", "cd /work/acme/hello; sha256sum big new");
    let into = live.folder().join("rescued-big");
    for signal in [Signal::INT, Signal::TERM] {
        let running = Running::start(&live.launcher(&format!("rm big --rescue {}", into.display())).json());
        let packs = || {
            let view = live.containers().into_iter().find(|name| name.contains("-view-"));
            view.is_some_and(|view| {
                try_docker(["exec", "-u", "agent", &view, "test", "-d", "/tmp/agent-workspace-rescue/out"]).code == 0
            })
        };
        until("it packs", packs);
        running.signal(signal);
        let ended = running.answer().within(Duration::from_secs(40));
        assert!([130, 143].contains(&ended.ran.code), "{}", ended.ran.stdout);
        assert_eq!(live.containers(), [live.full("big")]);
        assert_eq!(live.row("big").expect("a row")["status"], "running", "it runs again");
        assert!(!into.exists());
    }
    let (dir, document) = rescued(&live, "big");
    assert_eq!(here(&restored(&dir, &document, CLONE), "sha256sum big new"), sums);
}

/// A folder on a disk that takes very little. Only root can mount one.
struct Small(PathBuf);

impl Small {
    fn new(live: &Live, options: &str) -> Self {
        let path = live.folder().join("small");
        std::fs::create_dir(&path).expect("a folder");
        let small = Self(path);
        here(
            live.folder(),
            &format!(
                "$(test \"$(id -u)\" = 0 || echo sudo -n) mount -t tmpfs -o {options} tmpfs small; $(test \"$(id -u)\" = 0 || echo sudo -n) chmod 777 small"
            ),
        );
        small
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let unmount = "$(test \"$(id -u)\" = 0 || echo sudo -n) umount \"$0\"";
        let _ = Command::new("sh").args(["-c", unmount]).arg(&self.0).status();
        let _ = std::fs::remove_dir(&self.0);
    }
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_full_disk_on_this_host_removes_nothing() {
    let live = Live::new();
    live.create("acme/hello --name full").ok();
    live.inside("full", "head -c 100000 /dev/urandom >/work/acme/hello/new");
    for (options, words) in [("size=16k", "not enough room"), ("size=10m,nr_inodes=3", "could not be brought out")] {
        let small = Small::new(&live, options);
        let document = live.json(&format!("rm full --rescue {}", small.0.display())).fails(1, "rescue_failed");
        assert!(document.text("/error/message").contains(words), "{}", document.0);
        assert_eq!(std::fs::read_dir(&small.0).expect("it is there").count(), 0, "what was written is removed");
        assert_eq!((live.row("full").expect("a row")["status"].clone(), live.volumes().len()), (json!("running"), 2));
    }
    let document: Document = live.json(&format!("rm full --rescue {}", live.folder().join("room").display())).ok();
    assert_ne!(document.at("/rescued"), &Value::Null);
    live.nothing_is_left();
}
