//! The application's own data: what was written through it, and what of it a region's readers are shown.
//!
//! What it is for: a write goes to the database that takes writes, follows to the others with their lag, and is lost
//! where a promotion did not wait for it; so that whoever writes and reads again feels what users would.
//! What it must not do: answer for the load balancer in front of it (`dns` does).

use jiff::Timestamp;

use super::{World, lock};

/// Something that was written.
#[derive(Clone, Debug)]
pub(super) struct Written {
    /// Where it is read again.
    path: String,
    /// What.
    body: String,
    /// When it was committed.
    pub(super) at: Timestamp,
    /// The site whose database took it.
    pub(super) into: usize,
    /// True when that database was no member of the global one any more.
    pub(super) apart: bool,
}

impl World {
    /// What the application of a site answers to a request that is no plain read of a page: a write is kept under its
    /// path while somewhere a database takes writes, and refused otherwise; what was kept is shown as far as it has
    /// reached that site, and is not found where it has not. `None`: a plain page.
    pub(crate) fn application(
        &self,
        site: usize,
        method: &str,
        path: &str,
        body: &str,
        now: Timestamp,
    ) -> Option<(u16, String)> {
        if matches!(method, "PUT" | "POST" | "PATCH") {
            return Some(self.write(path, body, now));
        }
        let written = lock(&self.written).clone();
        let mut here = written.iter().filter(|row| row.path == path).peekable();
        here.peek()?;
        let shown = here.rfind(|row| self.has_reached(row, site, now));
        Some(shown.map_or_else(|| (404, "not found".to_owned()), |row| (200, row.body.clone())))
    }

    fn write(&self, path: &str, body: &str, now: Timestamp) -> (u16, String) {
        if !self.writes_succeed(now) {
            return (503, "no database takes writes now; try again later".to_owned());
        }
        let (into, apart) = self.taker(now);
        let row = Written { path: path.to_owned(), body: body.to_owned(), at: now, into, apart };
        lock(&self.written).push(row);
        (201, body.to_owned())
    }
}
