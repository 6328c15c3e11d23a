//! The ids of customers who are gone, until the platform is asked about them.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, ErrorKind, Read as _, Seek as _, Write as _};
use std::path::Path;

use qopen_sink::SinkError;
use qopen_types::{AccountId, Digest, RobotId};

/// The ids of customers who are gone, in a file that only this process can read.
pub(super) struct Gone {
    out: BufWriter<File>,
    robots: Vec<(RobotId, GoneOf)>,
}

/// The customers of a robot who are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GoneOf {
    /// The digest of their ids, in their order.
    pub(super) digest: Digest,
    pub(super) accounts: u64,
}

impl Default for GoneOf {
    fn default() -> Self {
        Self { digest: Digest::of(&[]), accounts: 0 }
    }
}

const NAME: &str = "the customers who are gone";

fn failed(step: &'static str) -> impl FnOnce(io::Error) -> SinkError {
    SinkError::io(step, Path::new(NAME))
}

impl Gone {
    pub(super) fn in_folder(folder: Option<&Path>) -> Result<Self, SinkError> {
        let file = qopen_sink::storage::unnamed(folder, Path::new(NAME))?;
        Ok(Self { out: BufWriter::new(file), robots: Vec::new() })
    }

    pub(super) fn push(&mut self, robot: &RobotId, id: &AccountId) -> Result<(), SinkError> {
        if self.robots.last().is_none_or(|(last, _)| last != robot) {
            self.robots.push((robot.clone(), GoneOf::default()));
        }
        if let Some((_, GoneOf { digest, accounts })) = self.robots.last_mut() {
            *accounts += 1;
            // Each id is in a digest of its own, so that no two sequences of ids look alike.
            let id = Digest::of(id.as_str().as_bytes()).to_u128();
            let both = [digest.to_u128().to_le_bytes(), id.to_le_bytes()];
            *digest = Digest::of(both.as_flattened());
        }
        let mut write = |number: usize| {
            let number = u32::try_from(number).map_err(|_| ErrorKind::InvalidInput)?;
            self.out.write_all(&number.to_le_bytes())
        };
        let (robot, id) = (self.robots.len() - 1, id.as_str());
        write(robot).and_then(|()| write(id.len())).map_err(failed("writing"))?;
        self.out.write_all(id.as_bytes()).map_err(failed("writing"))
    }

    pub(super) fn of(&self, robot: &RobotId) -> GoneOf {
        let found = self.robots.iter().find(|(it, _)| it == robot);
        found.map(|it| it.1).unwrap_or_default()
    }

    /// Each robot with customers who are gone, and which they are.
    pub(super) fn of_all(&self) -> Vec<(RobotId, GoneOf)> {
        self.robots.clone()
    }

    /// Returns the ids, each with its robot, in the order in which they came.
    pub(super) fn read(
        self,
    ) -> Result<impl Iterator<Item = Result<(RobotId, AccountId), SinkError>>, SinkError> {
        let Self { out, robots } = self;
        let mut file = out.into_inner().map_err(|error| failed("writing")(error.into_error()))?;
        file.rewind().map_err(failed("reading"))?;
        let mut file = BufReader::new(file);
        let mut next = move || -> io::Result<Option<(RobotId, AccountId)>> {
            let mut number = [0; 4];
            match file.read_exact(&mut number) {
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
                done => done?,
            }
            let robot = robots.get(u32::from_le_bytes(number) as usize).map(|it| it.0.clone());
            file.read_exact(&mut number)?;
            let mut id = vec![0; u32::from_le_bytes(number) as usize];
            file.read_exact(&mut id)?;
            let id = String::from_utf8(id).ok().and_then(|id| AccountId::new(id).ok());
            robot.zip(id).map(Some).ok_or_else(|| ErrorKind::InvalidData.into())
        };
        Ok(std::iter::from_fn(move || next().map_err(failed("reading")).transpose()))
    }
}
