//! Player ids in files: one slot for each instance of a game that runs on this machine at the same time.
//!
//! A slot is two files. The instance holds a lock on the first while it lives; the system releases the lock however the
//! process ends. The second has the id with its generation. It is written under another name and moved into place, so
//! that a crash leaves either the old file or the new one.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use etcetera::BaseStrategy;
use serde::{Deserialize, Serialize};

use super::own::{Hold, OwnIdentity, RESERVED, SLOTS, generation_by_the_clock, is_plain_name};
use crate::{
    plugin::entropy::random_player,
    session::{Generation, PlayerId},
};

/// The folder of all games' ids, in the user's data folder.
const FOLDER: &str = "bevy_rooms";

/// The content of a slot's file.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    player: PlayerId,
    /// The highest generation that a process may have used.
    generation: Generation,
}

/// Why the id cannot be remembered.
#[derive(Debug, thiserror::Error)]
pub(super) enum SlotError {
    #[error("{0:?} cannot be a folder's name; name the game with 1 to 100 letters, digits, '-', '_' and '.'")]
    Game(String),
    #[error("the user's data folder is unknown: {0}; set HOME, or give a folder with Identity::in_folder")]
    NoFolder(#[from] etcetera::HomeDirError),
    #[error("your player id cannot be kept at {}: {error}; make the folder writable", path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error("{SLOTS} instances of this game already run on this machine; close one")]
    NoSlot,
}

/// Takes the first slot that no other instance holds, with the next generation of its player.
pub(super) fn take(game: &str, folder: Option<&Path>) -> Result<OwnIdentity, SlotError> {
    if !is_plain_name(game) {
        return Err(SlotError::Game(game.to_owned()));
    }
    let folder = match folder {
        Some(folder) => folder.to_path_buf(),
        None => etcetera::base_strategy::choose_native_strategy()?.data_dir(),
    };
    let folder = folder.join(FOLDER).join(game);
    fs::create_dir_all(&folder).map_err(|error| SlotError::Io { path: folder.clone(), error })?;
    for slot in 1..=SLOTS {
        let path = folder.join(format!("player-{slot}.lock"));
        let failed = |error| SlotError::Io { path: path.clone(), error };
        let lock = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => return Ok(enter(&folder.join(format!("player-{slot}.json")), Hold::while_alive(lock))),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
    }
    Err(SlotError::NoSlot)
}

/// Reads the player of the slot, and writes down that one more process of it started.
fn enter(path: &Path, hold: Hold) -> OwnIdentity {
    let (player, floor) = match read(path) {
        Ok(Some(Record { player, generation })) => (player, Generation(generation.0.saturating_add(1))),
        Ok(None) => (random_player(), Generation::default()),
        Err(error) => {
            log::warn!("{} holds no player id: {error}; you are a new player from now on", path.display());
            (random_player(), Generation::default())
        }
    };
    let generation = floor.max(generation_by_the_clock());
    let highest = Generation(generation.0.saturating_add(RESERVED));
    if let Err(error) = write(path, &Record { player: player.clone(), generation: highest }) {
        log::warn!("{} cannot be written: {error}; you may be a new player next time", path.display());
    }
    OwnIdentity { player, generation, hold: Some(hold) }
}

fn read(path: &Path) -> io::Result<Option<Record>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn write(path: &Path, record: &Record) -> io::Result<()> {
    let beside = path.with_extension("new");
    let file = File::create(&beside)?;
    serde_json::to_writer(&file, record)?;
    file.sync_all()?;
    fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::Identity;

    /// A folder of this test's own, which goes with it.
    struct Folder(PathBuf);

    impl Folder {
        fn new(test: &str) -> Self {
            let path = std::env::temp_dir().join(format!("bevy_rooms-{}-{test}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn take(&self) -> OwnIdentity {
            take("game", Some(&self.0)).unwrap()
        }

        fn file(&self, name: &str) -> PathBuf {
            self.0.join(FOLDER).join("game").join(name)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_player_is_the_same_in_the_next_process_which_takes_its_seat_over() {
        let folder = Folder::new("next");
        let first = folder.take();
        let (player, generation) = (first.player.clone(), first.generation);
        drop(first);
        let next = folder.take();
        assert_eq!(next.player, player);
        assert!(next.generation.0 > generation.0 + RESERVED, "above whatever the first may have used");
    }

    #[test]
    fn two_instances_are_two_players_and_each_keeps_its_id() {
        let folder = Folder::new("two");
        let (one, other) = (folder.take(), folder.take());
        assert_ne!(one.player, other.player);
        let ids = [one.player.clone(), other.player.clone()];
        drop((one, other));
        let (one, other) = (folder.take(), folder.take());
        assert_eq!([one.player.clone(), other.player], ids);
        let first = one.player.clone();
        drop(one);
        assert_eq!(folder.take().player, first, "a slot that is free again is taken first");
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_lower_the_generation() {
        let folder = Folder::new("clock");
        let player = folder.take().player;
        let future = Record { player: player.clone(), generation: Generation(u64::MAX / 2) };
        write(&folder.file("player-1.json"), &future).unwrap();
        let next = folder.take();
        assert_eq!((next.player, next.generation), (player, Generation(u64::MAX / 2 + 1)));
    }

    #[test]
    fn a_file_that_cannot_be_read_makes_a_new_player_who_is_remembered() {
        let folder = Folder::new("corrupt");
        let before = folder.take().player;
        for corrupt in [&b"{\"player\":"[..], b"", b"{\"player\":\"a:b\",\"generation\":1}", b"\xff\xfe"] {
            fs::write(folder.file("player-1.json"), corrupt).unwrap();
            let after = folder.take().player;
            assert_ne!(after, before);
            assert_eq!(folder.take().player, after);
        }
    }

    #[test]
    fn where_nothing_can_be_kept_the_player_is_a_new_one() {
        let folder = Folder::new("unwritable");
        let file = folder.0.join("a-file");
        fs::write(&file, "not a folder").unwrap();
        assert!(matches!(take("game", Some(&file)), Err(SlotError::Io { .. })));
        let identity = Identity::remembered("game").in_folder(&file);
        assert_ne!(identity.take().player, identity.take().player);
        for game in ["", "..", "a/b", "a\\b", &"x".repeat(200)] {
            assert!(matches!(take(game, Some(&folder.0)), Err(SlotError::Game(_))), "{game}");
        }
    }

    #[test]
    fn the_instances_that_are_remembered_are_bounded() {
        let folder = Folder::new("bounded");
        let held: Vec<OwnIdentity> = (0..SLOTS).map(|_| folder.take()).collect();
        assert!(matches!(take("game", Some(&folder.0)), Err(SlotError::NoSlot)));
        drop(held);
        assert!(take("game", Some(&folder.0)).is_ok());
    }
}
