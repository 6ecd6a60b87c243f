//! Takes a tar apart as it comes, piece by piece, holding no more than a header of it. Only plain files are let
//! through: who made the archive is not trusted.

const BLOCK: usize = 512;
/// Extended headers say a size and a name; more than this is nonsense.
const LONGEST_EXTENDED: u64 = 64 << 10;

/// What comes out of an archive.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// A file begins: its path as it stands in the archive, and its size.
    File(&'a str, u64),
    /// Bytes of the file that began last.
    Data(&'a [u8]),
    /// The file that began last is whole.
    End,
}

/// The state between two pieces.
#[derive(Debug)]
enum State {
    Header(Vec<u8>),
    File { left: u64, padding: usize },
    Extended { left: u64, padding: usize, text: Vec<u8>, counts: bool },
    Padding(usize),
    Over,
}

/// An archive that is being taken apart.
#[derive(Debug)]
pub struct Untar {
    state: State,
    /// What an extended header says of the next entry.
    path: Option<String>,
    size: Option<u64>,
}

impl Default for Untar {
    fn default() -> Self {
        Self { state: State::Header(Vec::with_capacity(BLOCK)), path: None, size: None }
    }
}

impl Untar {
    /// Takes the next bytes and gives what they hold.
    ///
    /// # Errors
    /// Why the archive is not one of plain files and folders, or the taker's own.
    pub fn feed<E: From<String>>(
        &mut self,
        mut bytes: &[u8],
        mut take: impl FnMut(Piece<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        while !bytes.is_empty() {
            match &mut self.state {
                State::Header(block) => {
                    let room = (BLOCK - block.len()).min(bytes.len());
                    block.extend_from_slice(&bytes[..room]);
                    bytes = &bytes[room..];
                    if block.len() == BLOCK {
                        let block = std::mem::take(block);
                        self.state = self.begin(&block, &mut take)?;
                    }
                }
                State::File { left, padding } => {
                    let here = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    take(Piece::Data(&bytes[..here]))?;
                    bytes = &bytes[here..];
                    *left -= here as u64;
                    if *left == 0 {
                        self.state = State::Padding(*padding);
                        take(Piece::End)?;
                    }
                }
                State::Extended { left, padding, text, counts } => {
                    let here = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    text.extend_from_slice(&bytes[..here]);
                    bytes = &bytes[here..];
                    *left -= here as u64;
                    if *left == 0 {
                        let (padding, text, counts) = (*padding, std::mem::take(text), *counts);
                        if counts {
                            self.extend(&text).map_err(E::from)?;
                        }
                        self.state = State::Padding(padding);
                    }
                }
                State::Padding(padding) => {
                    let here = (*padding).min(bytes.len());
                    *padding -= here;
                    bytes = &bytes[here..];
                    if *padding == 0 {
                        self.state = State::Header(Vec::with_capacity(BLOCK));
                    }
                }
                State::Over => return Ok(()),
            }
        }
        Ok(())
    }

    /// Whether the archive has come to its end.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    fn begin<E: From<String>>(
        &mut self,
        block: &[u8],
        take: &mut impl FnMut(Piece<'_>) -> Result<(), E>,
    ) -> Result<State, E> {
        if block.iter().all(|byte| *byte == 0) {
            return Ok(State::Over);
        }
        let header = tar::Header::from_byte_slice(block);
        let sum: u64 = block
            .iter()
            .enumerate()
            .map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u64::from(*byte) })
            .sum();
        if header.cksum().ok().map(u64::from) != Some(sum) {
            return Err("the archive is damaged".to_owned().into());
        }
        let said = header.entry_size().map_err(|error| error.to_string())?;
        let kind = header.entry_type();
        if kind.is_pax_local_extensions() || kind.is_pax_global_extensions() {
            if said > LONGEST_EXTENDED {
                return Err("the archive has a header that is too long".to_owned().into());
            }
            let padding = padding(said);
            return Ok(if said == 0 {
                State::Header(Vec::with_capacity(BLOCK))
            } else {
                State::Extended { left: said, padding, text: Vec::new(), counts: kind.is_pax_local_extensions() }
            });
        }
        let path = self.path.take().unwrap_or_else(|| String::from_utf8_lossy(&header.path_bytes()).into_owned());
        let size = self.size.take().unwrap_or(said);
        if kind.is_dir() {
            return Ok(State::Header(Vec::with_capacity(BLOCK)));
        }
        if !kind.is_file() {
            return Err(format!("the archive holds {path:?}, which is no plain file").into());
        }
        take(Piece::File(&path, size))?;
        if size == 0 {
            take(Piece::End)?;
            return Ok(State::Header(Vec::with_capacity(BLOCK)));
        }
        Ok(State::File { left: size, padding: padding(size) })
    }

    /// Records of an extended header: `LENGTH KEY=VALUE` and a line end each.
    fn extend(&mut self, mut text: &[u8]) -> Result<(), String> {
        let damaged = || "the archive has a header that is damaged".to_owned();
        while !text.is_empty() {
            let space = text.iter().position(|byte| *byte == b' ').ok_or_else(damaged)?;
            let length: usize =
                std::str::from_utf8(&text[..space]).ok().and_then(|text| text.parse().ok()).ok_or_else(damaged)?;
            let record = text.get(space + 1..length).ok_or_else(damaged)?;
            let record = std::str::from_utf8(record).map_err(|_| damaged())?;
            match record.trim_end_matches('\n').split_once('=') {
                Some(("path", path)) => self.path = Some(path.to_owned()),
                Some(("size", size)) => self.size = Some(size.parse().map_err(|_| damaged())?),
                Some(_) => {}
                None => return Err(damaged()),
            }
            text = &text[length..];
        }
        Ok(())
    }
}

/// How far it is from the end of this many bytes to the end of their block.
fn padding(size: u64) -> usize {
    let block = BLOCK as u64;
    usize::try_from((block - size % block) % block).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut archive = tar::Builder::new(Vec::new());
        for (path, content) in files {
            let mut header = tar::Header::new_ustar();
            header.set_size(content.len() as u64);
            header.set_mode(0o600);
            header.set_cksum();
            archive.append_data(&mut header, path, *content).unwrap();
        }
        archive.into_inner().unwrap()
    }

    /// What comes out when an archive comes in pieces of this length.
    fn taken(bytes: &[u8], length: usize) -> Result<Vec<(String, Vec<u8>)>, String> {
        let (mut untar, mut files) = (Untar::default(), Vec::new());
        for piece in bytes.chunks(length) {
            untar.feed(piece, |piece| -> Result<(), String> {
                match piece {
                    Piece::File(path, _) => files.push((path.to_owned(), Vec::new())),
                    Piece::Data(data) => files.last_mut().unwrap().1.extend_from_slice(data),
                    Piece::End => {}
                }
                Ok(())
            })?;
        }
        if untar.is_over() { Ok(files) } else { Err("cut off".to_owned()) }
    }

    #[test]
    fn files_come_whole_however_the_bytes_are_cut() {
        let long = vec![7_u8; 1300];
        let bytes = archive(&[("out/a", b"one"), ("out/empty", b""), ("out/b", &long)]);
        for length in [1, 7, 511, 512, 513, 10_000] {
            let files = taken(&bytes, length).unwrap();
            let expected = [("out/a", b"one".to_vec()), ("out/empty", Vec::new()), ("out/b", long.clone())];
            assert_eq!(files, expected.map(|(path, content)| (path.to_owned(), content)), "{length}");
        }
    }

    #[test]
    fn extended_headers_are_read_as_engines_write_them() {
        let record = |key: &str, value: &str| {
            let rest = format!(" {key}={value}\n");
            let length = (1..)
                .map(|digits| rest.len() + digits)
                .find(|length| length.to_string().len() + rest.len() == *length)
                .unwrap();
            format!("{length}{rest}")
        };
        let text = record("mtime", "1.5") + &record("path", "out/named");
        let mut bytes = Vec::new();
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::XHeader);
        header.set_size(text.len() as u64);
        header.set_path("x").unwrap();
        header.set_cksum();
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(text.as_bytes());
        bytes.resize(bytes.len() + padding(text.len() as u64), 0);
        bytes.extend(archive(&[("other", b"content")]));
        assert_eq!(taken(&bytes, 100).unwrap(), [("out/named".to_owned(), b"content".to_vec())]);
    }

    #[test]
    fn what_is_no_plain_file_ends_it() {
        for kind in [tar::EntryType::Symlink, tar::EntryType::Link, tar::EntryType::Fifo, tar::EntryType::Char] {
            let mut archive = tar::Builder::new(Vec::new());
            let mut header = tar::Header::new_ustar();
            header.set_entry_type(kind);
            header.set_size(0);
            header.set_path("out/x").unwrap();
            header.set_link_name("/etc/passwd").unwrap();
            header.set_cksum();
            archive.append(&header, std::io::empty()).unwrap();
            let error = taken(&archive.into_inner().unwrap(), 512).unwrap_err();
            assert!(error.contains("no plain file"), "{error}");
        }
    }

    #[test]
    fn what_is_cut_off_or_damaged_is_not_whole() {
        let bytes = archive(&[("out/a", b"one")]);
        assert_eq!(taken(&bytes[..700], 100), Err("cut off".to_owned()));
        let mut damaged = bytes.clone();
        damaged[0] ^= 1;
        assert!(taken(&damaged, 512).is_err());
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000), length in 1_usize..600) {
            let _ = taken(&bytes, length);
        }
    }
}
