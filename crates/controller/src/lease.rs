//! Who may work on which agent, as plain data: members, the shards they own, and what one of them should claim next.
//!
//! Every agent falls into one of 256 shards, every shard has at most one owner, and the owners stand in one item of the
//! lease table that only ever changes on condition of its epoch. A member shows that it lives by beating: its version goes
//! up. Nobody compares clocks. A member is dead when it left the table, or when its version stood still for a whole
//! [`LEASE`] on the observer's own monotonic clock; whoever takes a dead member's shards removes it in the same
//! transaction, on condition of the version that stood still. A member that still lives finds out with its next beat.
//!
//! Safety: a member may start a write until half a lease after it *sent* its last good beat, and gives a call up
//! before 0.4 of a lease is over. So the last effect of an old owner comes before the first of the new one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use fargateer_api::Key;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

/// A version that stands still for so long is a dead member's.
pub const LEASE: Duration = Duration::from_secs(20);
/// So long after it sent its last good beat a member may start a write.
pub const MARGIN: Duration = Duration::from_secs(10);
/// Time between two beats.
pub const BEAT: Duration = Duration::from_secs(5);
/// Time between two looks at the table.
pub const LOOK: Duration = Duration::from_secs(1);

/// One 256th of the fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard(u8);

impl Shard {
    /// The shard `key` falls into: the same for every version of Fargateer.
    pub fn of(key: &Key) -> Self {
        Self(Sha256::digest(key.as_str()).first().copied().unwrap_or_default())
    }

    /// All shards.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..=u8::MAX).map(Self)
    }

    /// Its number.
    pub fn number(self) -> u8 {
        self.0
    }

    /// The shard with this number.
    pub fn numbered(number: u8) -> Self {
        Self(number)
    }
}

/// What stands in the lease table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    /// Counts the changes of `owners`.
    pub epoch: u64,
    /// Who owns which shard; one without an owner is not in it.
    pub owners: BTreeMap<Shard, Arc<str>>,
    /// The members, with the version of their last beat.
    pub members: BTreeMap<String, u64>,
}

impl Table {
    /// The shards `member` owns.
    pub fn of(&self, member: &str) -> BTreeSet<Shard> {
        self.owners.iter().filter(|(_, owner)| owner.as_ref() == member).map(|(shard, _)| *shard).collect()
    }
}

/// A change of owners: takes place as a whole, and only if `epoch` and every version of `removed` still hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The epoch the claim was made from.
    pub epoch: u64,
    /// The owners from then on.
    pub owners: BTreeMap<Shard, Arc<str>>,
    /// Dead members, with the version that stood still. They are removed.
    pub removed: BTreeMap<String, u64>,
}

/// What a member has seen of the others.
#[derive(Debug, Clone, Default)]
pub struct View {
    heard: BTreeMap<String, (u64, Instant)>,
}

impl View {
    /// Takes in what was read at `now`, when the answer had come.
    pub fn hear(&mut self, table: &Table, now: Instant) {
        self.heard.retain(|member, _| table.members.contains_key(member));
        for (member, version) in &table.members {
            let known = self.heard.entry(member.clone()).or_insert((*version, now));
            if known.0 != *version {
                *known = (*version, now);
            }
        }
    }

    /// The members of `table` whose version stood still for a whole lease, except `me`.
    pub fn dead(&self, me: &str, table: &Table, now: Instant) -> BTreeMap<String, u64> {
        let still = |member: &str, version: u64| {
            self.heard.get(member).is_some_and(|(known, since)| *known == version && now >= *since + LEASE)
        };
        let others = table.members.iter().filter(|(member, _)| *member != me);
        others.filter(|(member, version)| still(member, **version)).map(|(name, at)| (name.clone(), *at)).collect()
    }
}

/// Who wants what of the table.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// Who asks.
    pub me: &'a str,
    /// Whether they are about to end and keep nothing.
    pub leaving: bool,
    /// Shards of theirs with work under way: not given away yet.
    pub busy: &'a BTreeSet<Shard>,
}

impl Wish<'_> {
    /// The shards of `table` that should be somebody else's: no new work on them.
    pub fn surplus(&self, table: &Table, dead: &BTreeMap<String, u64>) -> BTreeSet<Shard> {
        let live = self.live(table, dead);
        table.of(self.me).into_iter().filter(|shard| live.best(*shard) != Some(self.me)).collect()
    }

    /// The claim to make now, if any.
    pub fn claim(&self, table: &Table, dead: &BTreeMap<String, u64>) -> Option<Claim> {
        let live = self.live(table, dead);
        let (mut changes, mut removed) = (BTreeMap::new(), BTreeMap::new());
        for shard in Shard::all() {
            let best = live.best(shard);
            match table.owners.get(&shard).map(Arc::as_ref) {
                Some(owner) if owner == self.me => {
                    let stays = best == Some(self.me) || self.busy.contains(&shard);
                    changes.extend((!stays).then_some((shard, best)));
                }
                Some(owner) if live.contains(owner) => {}
                owner if best == Some(self.me) => {
                    let died = owner.and_then(|owner| dead.get_key_value(owner));
                    removed.extend(died.map(|(owner, version)| (owner.clone(), *version)));
                    changes.insert(shard, best);
                }
                Some(_) | None => {}
            }
        }
        // Who died without owning anything is removed by whoever comes first.
        let idle =
            dead.iter().filter(|(member, _)| !table.owners.values().any(|owner| owner.as_ref() == member.as_str()));
        removed.extend(idle.map(|(member, version)| (member.clone(), *version)));
        // Every second or so nothing is to be changed: only then nothing is copied.
        (!changes.is_empty() || !removed.is_empty()).then(|| {
            let mut owners = table.owners.clone();
            owners.retain(|shard, _| !changes.contains_key(shard));
            owners.extend(changes.into_iter().filter_map(|(shard, owner)| Some((shard, Arc::from(owner?)))));
            Claim { epoch: table.epoch, owners, removed }
        })
    }

    fn live<'t>(&self, table: &'t Table, dead: &BTreeMap<String, u64>) -> Live<'t> {
        let all = table.members.keys().map(String::as_str);
        Live::new(all.filter(|member| !(dead.contains_key(*member) || self.leaving && *member == self.me)))
    }
}

/// The members that live, and whose a shard should be among them.
struct Live<'t>(BTreeMap<&'t str, u64>);

impl<'t> Live<'t> {
    fn new(members: impl Iterator<Item = &'t str>) -> Self {
        let seed = |member: &str| {
            let digest = Sha256::digest(member);
            digest.iter().take(8).fold(0, |seed, byte| seed << 8 | u64::from(*byte))
        };
        Self(members.map(|member| (member, seed(member))).collect())
    }

    fn contains(&self, member: &str) -> bool {
        self.0.contains_key(member)
    }

    /// Whose `shard` should be: rendezvous hashing, so that a member that comes or goes moves only its own share.
    fn best(&self, shard: Shard) -> Option<&'t str> {
        self.0.iter().max_by_key(|(_, seed)| mixed(**seed ^ u64::from(shard.number()))).map(|(member, _)| *member)
    }
}

/// Every bit of `number` in every bit of the result: the finalizer of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014). Of
/// 256 shards a replica asks every second, so a cryptographic hash a shard and member would be most of its work.
fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(members: &[(&str, u64)], owner: Option<&str>) -> Table {
        let members = members.iter().map(|(member, version)| ((*member).to_owned(), *version)).collect();
        let owners = owner.map(|owner| Shard::all().map(|shard| (shard, Arc::from(owner))).collect());
        Table { epoch: 7, owners: owners.unwrap_or_default(), members }
    }

    fn wish<'a>(me: &'a str, busy: &'a BTreeSet<Shard>) -> Wish<'a> {
        Wish { me, leaving: false, busy }
    }

    #[test]
    fn a_key_falls_into_the_same_shard_for_ever() {
        // Two versions of Fargateer that disagreed here would both work on an agent: these numbers never change.
        let numbers = ["support-bot", "a", ""].map(|name| Shard::of(&Key::new(name)).number());
        assert_eq!(numbers, [0xfd, 0xca, 0xe3]);
    }

    #[test]
    fn the_first_member_takes_everything_and_the_second_gets_its_share_from_it() {
        let (none, alone) = (BTreeSet::new(), table(&[("a", 1)], None));
        let claim = wish("a", &none).claim(&alone, &BTreeMap::new()).unwrap();
        assert_eq!((claim.epoch, claim.owners.len()), (7, 256));
        let both = table(&[("a", 5), ("b", 1)], Some("a"));
        assert_eq!(wish("b", &none).claim(&both, &BTreeMap::new()), None, "what lives is not robbed");
        let given = wish("a", &none).claim(&both, &BTreeMap::new()).unwrap();
        let share = given.owners.values().filter(|owner| owner.as_ref() == "b").count();
        assert!((90..166).contains(&share), "{share} of 256");
        assert_eq!(wish("a", &none).surplus(&both, &BTreeMap::new()).len(), share);
    }

    #[test]
    fn a_shard_with_work_under_way_stays_until_that_ended() {
        let both = table(&[("a", 5), ("b", 1)], Some("a"));
        let busy: BTreeSet<Shard> = Shard::all().collect();
        assert_eq!(wish("a", &busy).claim(&both, &BTreeMap::new()), None);
    }

    #[test]
    fn who_leaves_gives_all_away_or_frees_it() {
        let none = BTreeSet::new();
        let leaving = Wish { me: "a", leaving: true, busy: &none };
        let given = leaving.claim(&table(&[("a", 5), ("b", 1)], Some("a")), &BTreeMap::new()).unwrap();
        assert!(given.owners.len() == 256 && given.owners.values().all(|owner| owner.as_ref() == "b"));
        assert!(leaving.claim(&table(&[("a", 5)], Some("a")), &BTreeMap::new()).unwrap().owners.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn who_stands_still_for_a_whole_lease_is_dead_and_who_beats_is_not() {
        let (mut view, start) = (View::default(), Instant::now());
        view.hear(&table(&[("a", 1), ("b", 1)], Some("a")), start);
        view.hear(&table(&[("a", 1), ("b", 2)], Some("a")), start + Duration::from_secs(12));
        let late = table(&[("a", 1), ("b", 2)], Some("a"));
        let just_before = start + LEASE - Duration::from_millis(1);
        assert_eq!(view.dead("b", &late, just_before), BTreeMap::new());
        let dead = view.dead("b", &late, start + LEASE);
        assert_eq!(dead, BTreeMap::from([("a".to_owned(), 1)]));
        assert_eq!(view.dead("b", &table(&[("a", 2), ("b", 2)], Some("a")), start + LEASE), BTreeMap::new());
        let claim = wish("b", &BTreeSet::new()).claim(&late, &dead).unwrap();
        assert_eq!(claim.removed, dead);
        assert!(claim.owners.values().all(|owner| owner.as_ref() == "b"));
        assert_eq!(view.dead("a", &late, start + LEASE * 2), BTreeMap::from([("b".to_owned(), 2)]), "never oneself");
    }

    #[test]
    fn the_shards_of_a_member_that_left_are_free() {
        let none = BTreeSet::new();
        let claim = wish("b", &none).claim(&table(&[("b", 9)], Some("a")), &BTreeMap::new()).unwrap();
        assert!(claim.removed.is_empty() && claim.owners.values().all(|owner| owner.as_ref() == "b"));
    }

    #[test]
    fn one_that_died_without_shards_is_removed_all_the_same() {
        let (none, dead) = (BTreeSet::new(), BTreeMap::from([("c".to_owned(), 3)]));
        let claim = wish("a", &none).claim(&table(&[("a", 1), ("c", 3)], Some("a")), &dead).unwrap();
        assert_eq!((claim.removed, claim.owners.len()), (dead, 256));
    }
}
