//! Looking into a workspace from beside it: each command has walls of its own, through which nothing of the workspace can
//! be changed and nobody be reached, and all commands of one look share a folder for what they leave.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use agent_workspace_contract::ErrorCode;

use super::Folders;
use super::folder::{Folder, VIEW, delete};
use super::machine::ViewMachine;
use super::record::Walls;
use super::walls::{Sight, System, alone, words};
use crate::backend::View;
use crate::error::{Error, Result};
use crate::machine::Places;

impl Folders {
    /// Opens a look into a workspace's folders, whatever state it is in. Until it is closed, nobody else changes what that
    /// is: what is looked at must not be removed or made anew meanwhile.
    ///
    /// # Errors
    /// `container_vanished` when it is gone, `unsupported` when there is nothing to put the walls up with any more: what a workspace has made of its clones
    /// is not run without any.
    pub(super) async fn open_view(&self, folder: &Folder, view_id: &str) -> Result<View> {
        let vanished = || {
            Error::new(ErrorCode::ContainerVanished, format!("workspace {} was removed in the middle", folder.name()))
                .detail("workspace", folder.name())
                .hint("see: agent-workspace ls")
        };
        let lock = folder.lock().await?.ok_or_else(vanished)?;
        let walls = folder.read()?.ok_or_else(vanished)?.walls;
        let own = Folder::new(self.root(), &format!("{VIEW}{view_id}"));
        let make = || {
            std::fs::create_dir_all(own.path())?;
            std::fs::create_dir_all(own.file("tmp"))
        };
        let machine = match walls {
            Walls::None => {
                let places = self.places_beside(folder, &own);
                ViewMachine { wall: vec!["env".to_owned(), format!("HOME={}", places.home)], places }
            }
            Walls::Process | Walls::Strict => {
                let program = self.bubblewrap().program()?.to_string_lossy().into_owned();
                let mut wall: Vec<String> = alone().map(str::to_owned).to_vec();
                wall.push(program);
                let beside = own.file("tmp");
                wall.extend(words(&System::look(), folder, walls, "look", None, Sight::Beside(&beside)));
                ViewMachine { wall, places: Places::default() }
            }
        };
        make().map_err(|error| folder.failed("look into", &error))?;
        let path = own.path();
        let folder = folder.clone();
        Ok(View::new(Arc::new(machine), move || async move {
            let deleted = delete(path).await.map_err(|error| folder.failed("remove what looked into", &error));
            drop(lock);
            deleted
        }))
    }

    /// Where everything is for a look at a workspace without walls.
    fn places_beside(&self, folder: &Folder, own: &Folder) -> Places {
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        Places { work: text(folder.file("work")), home: text(folder.file("home")), scratch: text(own.file("tmp")) }
    }

    /// Removes the look of one call. Returns whether there was one.
    pub(super) async fn close_view(&self, view_id: &str) -> std::io::Result<bool> {
        let path: &Path = &self.root().join(format!("{VIEW}{view_id}"));
        if !path.exists() {
            return Ok(false);
        }
        delete(path.to_owned()).await.map(|()| true)
    }
}
