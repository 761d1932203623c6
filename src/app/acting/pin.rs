//! Putting a pin back: the plan of the run that set it, once more.
//!
//! What it is for: one key from "somebody changed what keeps the region out" to an ordinary plan, which skips what still
//! holds. What it must not do: act; the plan is read and confirmed like any other.

use super::Book;
use crate::app::{App, Effect};
use crate::runbook::DatabaseChoice;

impl App {
    /// Opens the dialog that puts the pin of the region back: its own runbook, users first. What still holds is skipped.
    pub(crate) fn open_pin(&mut self) -> Vec<Effect> {
        let region = self.target();
        let Some(pin) = self.fleet.snapshot().pins.of(&region) else {
            return self.acting.say(format!("{region} is not pinned: no run of ours took it out"));
        };
        let (book, zero) = (Book::of_pin(pin), pin.is_at_zero());
        let mut params = Book::params(&region);
        match book {
            Book::Failover => params.database = Some(DatabaseChoice::Leave),
            _ => (params.now, params.scale_to_zero) = (true, zero),
        }
        self.open_dialog(book, region, params)
    }
}
