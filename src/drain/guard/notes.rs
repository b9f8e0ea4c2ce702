//! What must survive a crash: the journal has it before a pod goes.

use std::collections::BTreeMap;

use super::{EvictionRecord, Guard, Object};
use crate::drain::{ControllerRef, StatusSnapshot};

impl Guard {
    /// What the journal must have on disk before more is evicted, or has too much of, if there is such.
    pub fn unnoted(&self) -> Option<BTreeMap<String, EvictionRecord>> {
        let lacks =
            |(uid, record): (&String, &EvictionRecord)| self.on_disk.get(uid) != Some(record);
        (!self.unsettled.is_empty() || self.to_note.iter().any(lacks)).then(|| {
            let mut all = self.on_disk.clone();
            // What earlier turns have noted of controllers that are not here any more would add up.
            let (_, same_turn) = self.recalled;
            all.retain(|_, record| same_turn || self.objects.contains_key(&record.of));
            for of in &self.unsettled {
                let last = self.objects.get(of).and_then(Object::settled);
                if let (Some(record), Some(last)) = (all.get_mut(&of.uid), last) {
                    record.last(last);
                }
            }
            all.extend(self.to_note.clone());
            all
        })
    }

    /// The journal has it on disk.
    pub fn noted(&mut self, records: BTreeMap<String, EvictionRecord>) {
        self.on_disk = records;
        self.to_note.clear();
        let unsettled = std::mem::take(&mut self.unsettled).into_iter();
        self.unsettled = unsettled.filter(|of| self.is_unsettled(of)).collect();
    }

    /// Whether it has a later status than that of the last pod that went: the controller need not write again, ever.
    pub(super) fn is_unsettled(&self, of: &ControllerRef) -> bool {
        let noted = self.on_disk.get(&of.uid).map(StatusSnapshot::noted);
        let last = self.objects.get(of).and_then(Object::settled);
        noted.is_some() && last.is_some() && noted.as_ref() != last
    }
}
