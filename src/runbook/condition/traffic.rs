//! Rules for where users go: DNS answers, requests, errors.
//!
//! What it is for: proof that a change of settings moved people.
//! What it must not do: read anything into silence: an empty answer, an address of nobody known, or a minute that
//! CloudWatch has not told is no proof.

use super::Judgement;
use super::proof::{Proof, Ruling, all, holds, never, not_yet, so_far, strange, unknown};
use super::words::{counted, thing};
use crate::domain::ids::{HostName, Region};
use crate::domain::text::Text;
use crate::runbook::fact::{Answer, Fact, Known};

/// Answers for one name, counted.
struct Tally {
    /// Lead to the region.
    here: usize,
    /// Lead to load balancers of other regions.
    elsewhere: usize,
    /// Lead to addresses that are nobody's whom we know.
    strangers: usize,
    /// Hold no address.
    empty: usize,
    /// The same, of a record type of which other clients are told addresses, or of A.
    blank: usize,
    /// Told by Route 53's API.
    tested: usize,
    /// Longest time for which an answer that leads to the region may be kept, seconds.
    ttl: u32,
}

impl Tally {
    fn of(answers: &[Answer], region: &Region) -> Self {
        let mut tally = Self { here: 0, elsewhere: 0, strangers: 0, empty: 0, blank: 0, tested: 0, ttl: 0 };
        // A name that has no AAAA record any more sends everybody to its A records; a client who is told nothing while
        // others are told something is not proven to be sent anywhere.
        let answered = |kind: &Text| {
            kind.as_str() == "A"
                || answers.iter().any(|one| &one.record_type == kind && !one.addresses.is_empty())
        };
        for answer in answers {
            tally.tested += usize::from(answer.tested);
            match &answer.region {
                _ if answer.addresses.is_empty() => {
                    tally.empty += 1;
                    tally.blank += usize::from(answered(&answer.record_type));
                }
                Some(seen) if seen == region => {
                    tally.here += 1;
                    tally.ttl = tally.ttl.max(answer.ttl);
                }
                Some(_) => tally.elsewhere += 1,
                None => tally.strangers += 1,
            }
        }
        tally
    }

    /// All that hold an address: `8 answers`, `6 answers (2 more are empty)`.
    fn told(&self) -> String {
        let told = counted(self.here + self.elsewhere + self.strangers, "answer");
        let empty = match self.empty {
            0 => None,
            1 => Some("1 more is empty".to_owned()),
            empty => Some(format!("{empty} more are empty")),
        };
        let by =
            |count: &str| format!("{count} by Route 53's TestDNSAnswer, for its servers do not answer us");
        let whole = self.here + self.elsewhere + self.strangers + self.empty;
        let tested = match self.tested {
            0 => None,
            tested if tested >= whole => Some(by("all")),
            tested => Some(by(&tested.to_string())),
        };
        let beside: Vec<String> = empty.into_iter().chain(tested).collect();
        if beside.is_empty() { told } else { format!("{told} ({})", beside.join("; ")) }
    }
}

impl Proof<'_> {
    pub(super) fn answers_omit(&self, names: &[HostName], region: &Region) -> Judgement {
        self.each_name(names, region, |name, tally| {
            if tally.here > 0 {
                let progress = format!(
                    "{name}: {} of {} still {} to {region}, for up to {} s",
                    tally.here,
                    tally.told(),
                    if tally.here == 1 { "leads" } else { "lead" },
                    tally.ttl
                );
                let whole = tally.here + tally.elsewhere + tally.strangers;
                so_far(progress, tally.elsewhere as f64, whole as f64)
            } else if tally.strangers > 0 {
                strangers(name, tally)
            } else if tally.blank > 0 {
                let (noun, are) = if tally.blank == 1 { ("answer", "is") } else { ("answers", "are") };
                unknown(format!(
                    "{name}: {} {noun} {are} empty, which does not prove that those users are elsewhere; none of {} leads \
                     to {region}",
                    tally.blank,
                    tally.told()
                ))
            } else {
                holds(format!("{name}: none of {} leads to {region}", tally.told()))
            }
        })
    }

    pub(super) fn answers_include(&self, names: &[HostName], region: &Region) -> Judgement {
        self.each_name(names, region, |name, tally| {
            if tally.here > 0 {
                let lead = if tally.here == 1 { "leads" } else { "lead" };
                holds(format!("{name}: {} of {} {lead} to {region}", tally.here, tally.told()))
            } else if tally.strangers > 0 {
                strangers(name, tally)
            } else {
                not_yet(format!("{name}: none of {} leads to {region}", tally.told()))
            }
        })
    }

    /// Our own write: accepted, and shown afterwards where that is asked for.
    pub(super) fn written(&self, fact: &Fact) -> Ruling {
        let Known::Written(seen) = self.known(fact)? else { return Ok(strange(fact)) };
        let what = format!("{}: {} was answered HTTP {}", thing(fact), seen.token, seen.status);
        Ok(match (seen.accepted, seen.shown) {
            (true, None) => holds(what),
            (true, Some(true)) => holds(format!("{what} and read back")),
            (true, Some(false)) => not_yet(format!("{what} and is not shown")),
            (false, _) => not_yet(format!("{what}, which does not count as written")),
        })
    }

    fn each_name(
        &self,
        names: &[HostName],
        region: &Region,
        rule: impl Fn(&HostName, &Tally) -> Judgement,
    ) -> Judgement {
        if names.is_empty() {
            return never("no name is given to ask DNS for");
        }
        let judged = names.iter().map(|name| match self.answers(name) {
            Ok(answers) => rule(name, &Tally::of(answers, region)),
            Err(early) => early,
        });
        all(&judged.collect::<Vec<_>>())
    }

    fn answers(&self, name: &HostName) -> Result<&[Answer], Judgement> {
        let fact = Fact::Answers(name.clone());
        match self.known(&fact)? {
            Known::Answers(answers) if answers.iter().all(|answer| answer.addresses.is_empty()) => {
                Err(unknown(format!("{}: no address came back, which proves nothing", thing(&fact))))
            }
            Known::Answers(answers) => Ok(answers),
            _ => Err(strange(&fact)),
        }
    }

    pub(super) fn traffic_below(&self, region: &Region, before: f64, percent: f64, minutes: usize) -> Ruling {
        let fact = Fact::Requests(region.clone());
        if !before.is_finite() || before < 0.0 || minutes == 0 {
            return Ok(never(format!("{}: it is not known what they were before", thing(&fact))));
        }
        let Known::Numbers(told) = self.known(&fact)? else { return Ok(strange(&fact)) };
        let limit = before * percent / 100.0;
        // A minute that says zero is under any limit, also under one of zero.
        let under = |requests: f64| requests < limit || requests == 0.0;
        let newest = told.get(told.len().saturating_sub(minutes)..).unwrap_or_default();
        let calm = newest.iter().rev().take_while(|requests| under(**requests)).count();
        let wanted = format!("under {limit:.0} a minute ({percent} % of {before:.0})");
        let progress = |requests: f64| {
            let words = format!(
                "{requests:.0} requests a minute in {region}, wanted {wanted}; {calm} of {}",
                counted(minutes, "minute")
            );
            so_far(words, calm as f64, minutes as f64)
        };
        Ok(match newest.last() {
            None => unknown(format!("{}: no minute is told, which is not zero", thing(&fact))),
            Some(_) if newest.iter().any(|requests| !requests.is_finite() || *requests < 0.0) => {
                unknown(format!("{}: a minute is missing, which is not zero", thing(&fact)))
            }
            Some(last) if calm < newest.len() => progress(*last),
            Some(_) if newest.len() < minutes => unknown(format!(
                "{}: {} of {} told; a missing minute is not zero",
                thing(&fact),
                newest.len(),
                counted(minutes, "minute")
            )),
            Some(last) => holds(format!(
                "{last:.0} requests a minute in {region}, {wanted} for {}",
                counted(minutes, "minute")
            )),
        })
    }

    pub(super) fn errors_below(&self, region: &Region, percent: f64) -> Ruling {
        let fact = Fact::Errors(region.clone());
        let Known::Number(seen) = self.known(&fact)? else { return Ok(strange(&fact)) };
        // "Since the step began": an earlier minute says nothing about it.
        let ended = self.facts.reading(&fact).map(|reading| reading.as_of);
        if ended.is_none_or(|ended| ended < self.moment.began) {
            return Ok(unknown(format!("{}: no minute of this step is told yet", thing(&fact))));
        }
        if !seen.is_finite() || *seen < 0.0 {
            return Ok(unknown(format!("{}: {seen} is no percentage", thing(&fact))));
        }
        let words = format!("5XX {seen:.2} % in {region}");
        Ok(if *seen < percent || *seen == 0.0 {
            holds(words)
        } else {
            not_yet(format!("{words}, wanted under {percent} %"))
        })
    }
}

/// An address that we cannot place may be the region's as well as another's.
fn strangers(name: &HostName, tally: &Tally) -> Judgement {
    let lead = if tally.strangers == 1 { "leads" } else { "lead" };
    unknown(format!("{name}: {} of {} {lead} to no known load balancer", tally.strangers, tally.told()))
}
