//! Brings everything below one machine's work folder into another's, as it is packed, and proves that it came.

use agent_workspace_contract::ErrorCode;

use crate::error::{Error, Result, disk_full, is_disk_full};
use crate::guest::{cut_off, failed, last_lines, reported, said_all};
use crate::machine::{Command, Machine, Output};

const PACK: &str = include_str!("scripts/pack.sh");
const UNPACK: &str = include_str!("scripts/unpack.sh");
const LISTING: &str = include_str!("scripts/listing.sh");
/// Something changed while it was packed.
const CHANGED: i64 = 81;
/// Something is where it was to be unpacked.
const OCCUPIED: i64 = 82;
/// What tar says where a disk took a part of what it wrote.
const CUT_SHORT: &str = "Wrote only";
/// As much as is on its way at a time.
const ON_ITS_WAY: usize = 256 << 10;

/// For messages.
const READ: &str = "read all of the source's work";
const WRITE: &str = "unpack the work in the new workspace";
const COMPARE: &str = "compare the copy with its source";

/// What was copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Files.
    pub files: u64,
    /// What is in them.
    pub bytes: u64,
    /// Whether the source has become something else meanwhile.
    pub changed: bool,
}

/// What is below a work folder, by its sums.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Listing {
    stamp: String,
    sum: String,
    files: u64,
    bytes: u64,
    /// What could not be read.
    complaint: Option<String>,
}

/// Copies into a work folder that is empty, and compares both.
///
/// # Errors
/// `guest_failed` when something cannot be read or written, or the copy is not what its source is; `disk_full`,
/// `path_occupied`, or a machine's own.
pub async fn run(source: &dyn Machine, copy: &dyn Machine) -> Result<Copied> {
    let (from, to) = (source.places().work, copy.places().work);
    let before = stamp(source, &from).await?;
    let torn = transfer(source, &from, copy, &to).await?;
    let (there, here) = tokio::join!(listing(source, &from), listing(copy, &to));
    let (there, here) = (there?, here?);
    compare(&before, torn, &there, &here)
}

/// What two listings mean. What was read was its source when it was read.
fn compare(before: &str, torn: bool, there: &Listing, here: &Listing) -> Result<Copied> {
    if let Some(complaint) = &here.complaint {
        return Err(Error::new(ErrorCode::GuestFailed, format!("could not {COMPARE}"))
            .cause(complaint.clone())
            .hint("try again in a moment"));
    }
    let moved = torn || before != there.stamp || there.complaint.is_some();
    let differs = there.sum != here.sum;
    if differs && !moved {
        return Err(Error::new(ErrorCode::GuestFailed, "the copy is not what its source is")
            .cause(format!(
                "{} files with {} bytes there, {} with {} here",
                there.files, there.bytes, here.files, here.bytes
            ))
            .hint("try again; names that differ in case only need a disk that tells them apart"));
    }
    Ok(Copied { files: here.files, bytes: here.bytes, changed: differs })
}

/// Packs on one side and unpacks on the other. Returns whether something changed while it was read.
async fn transfer(source: &dyn Machine, from: &str, copy: &dyn Machine, to: &str) -> Result<bool> {
    let (writer, mut reader) = tokio::io::duplex(ON_ITS_WAY);
    let packing = async move {
        // With the packing ends the stream.
        let mut writer = writer;
        source.pipe(Command::script(PACK, &[from]), &mut tokio::io::empty(), &mut writer).await
    };
    let mut packing = std::pin::pin!(packing);
    let mut packed = None;
    {
        let mut nowhere = tokio::io::sink();
        let unpacking = copy.pipe(Command::script(UNPACK, &[to]), &mut reader, &mut nowhere);
        let mut unpacking = std::pin::pin!(unpacking);
        loop {
            tokio::select! {
                biased;
                ended = &mut packing, if packed.is_none() => packed = Some(was_packed(ended)?),
                ended = &mut unpacking => {
                    was_unpacked(ended)?;
                    break;
                }
            }
        }
    }
    match packed {
        Some(torn) => Ok(torn),
        // It has all that it needs, and what comes after that is nothing.
        None => {
            let mut nowhere = tokio::io::sink();
            let (ended, _) = tokio::join!(packing, tokio::io::copy(&mut reader, &mut nowhere));
            was_packed(ended)
        }
    }
}

fn was_packed(ended: Result<Output>) -> Result<bool> {
    match ended? {
        Output { status: 0, .. } => Ok(false),
        Output { status: CHANGED, .. } => Ok(true),
        output => Err(failed(READ, &output)),
    }
}

fn was_unpacked(ended: Result<Output>) -> Result<()> {
    match ended? {
        Output { status: 0, .. } => Ok(()),
        output if output.status == OCCUPIED => {
            Err(Error::new(ErrorCode::PathOccupied, "the work folder of the new workspace is not empty")
                .cause(output.stderr.trim().to_owned())
                .hint("its image brings files there; copy to a workspace without: --backend host"))
        }
        output if is_disk_full(&output.stderr) || output.stderr.contains(CUT_SHORT) => {
            Err(disk_full(WRITE, &last_lines(&output.stderr, 2)))
        }
        output => Err(failed(WRITE, &output)),
    }
}

/// By what it is known whether anything has changed since.
async fn stamp(machine: &dyn Machine, folder: &str) -> Result<String> {
    let output = machine.run(Command::script(LISTING, &[folder, "stamp"]), &mut |_| {}).await?;
    match reported(&output.stdout, "stamp") {
        _ if output.status != 0 => Err(failed(READ, &output)),
        Some(stamp) if said_all(&output.stdout) => Ok(stamp.to_owned()),
        _ => Err(cut_off(READ)),
    }
}

async fn listing(machine: &dyn Machine, folder: &str) -> Result<Listing> {
    let output = machine.run(Command::script(LISTING, &[folder]), &mut |_| {}).await?;
    if output.status != 0 {
        return Err(failed(COMPARE, &output));
    }
    read(&output).ok_or_else(|| cut_off(COMPARE))
}

/// A listing that was said to its end.
fn read(output: &Output) -> Option<Listing> {
    let said = |name| reported(&output.stdout, name).map(str::to_owned);
    let complaint = Some(last_lines(&output.stderr, 1)).filter(|complaint| !complaint.is_empty());
    said_all(&output.stdout).then_some(())?;
    Some(Listing {
        stamp: said("stamp")?,
        sum: said("sum")?,
        files: said("files")?.parse().ok()?,
        bytes: said("bytes")?.parse().ok()?,
        complaint,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(stamp: &str, sum: &str) -> Listing {
        Listing { stamp: stamp.to_owned(), sum: sum.to_owned(), files: 2, bytes: 10, complaint: None }
    }

    #[test]
    fn a_copy_that_is_not_its_source_fails_unless_the_source_has_changed() {
        let same = compare("s", false, &listing("s", "a"), &listing("x", "a")).unwrap();
        assert_eq!(same, Copied { files: 2, bytes: 10, changed: false });
        let differs = compare("s", false, &listing("s", "a"), &listing("x", "b")).unwrap_err();
        assert_eq!(differs.code(), ErrorCode::GuestFailed);
        let unread = Listing { complaint: Some("no".to_owned()), ..listing("s", "a") };
        for (before, torn, there) in
            [("s", true, listing("s", "a")), ("r", false, listing("s", "a")), ("s", false, unread.clone())]
        {
            assert!(compare(before, torn, &there, &listing("x", "b")).unwrap().changed);
        }
        // What has changed and is the same all the same is copied whole.
        assert!(!compare("r", true, &listing("s", "a"), &listing("x", "a")).unwrap().changed);
        assert!(compare("s", false, &listing("s", "a"), &unread).is_err());
    }

    #[test]
    fn a_listing_counts_only_when_it_was_said_to_its_end() {
        let said = |stdout: &str| {
            read(&Output { status: 0, stdout: stdout.to_owned(), stderr: String::new() }).map(|listing| listing.files)
        };
        assert_eq!(said("stamp=s\nsum=a\nfiles=2\nbytes=3\nend\n"), Some(2));
        for cut in
            ["", "stamp=s\nsum=a\nfiles=2\nbytes=3\n", "sum=a\nend\n", "stamp=s\nsum=a\nfiles=-2\nbytes=3\nend\n"]
        {
            assert_eq!(said(cut), None, "{cut}");
        }
    }

    #[test]
    fn what_packing_and_unpacking_end_with_is_told() {
        let output = |status, stderr: &str| Ok(Output { status, stdout: String::new(), stderr: stderr.to_owned() });
        assert_eq!(was_packed(output(0, "")), Ok(false));
        assert_eq!(was_packed(output(CHANGED, "")), Ok(true));
        assert_eq!(was_packed(output(2, "no")).unwrap_err().code(), ErrorCode::GuestFailed);
        assert_eq!(was_unpacked(output(0, "")), Ok(()));
        assert_eq!(was_unpacked(output(OCCUPIED, "x")).unwrap_err().code(), ErrorCode::PathOccupied);
        for said in ["Cannot write: No space left on device", "Wrote only 512 of 10240 bytes"] {
            assert_eq!(was_unpacked(output(2, said)).unwrap_err().code(), ErrorCode::DiskFull, "{said}");
        }
        assert_eq!(was_unpacked(output(2, "no")).unwrap_err().code(), ErrorCode::GuestFailed);
    }
}
