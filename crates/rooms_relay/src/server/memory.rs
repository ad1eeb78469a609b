//! How much memory the relay may take where nobody says so.

use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System};

/// The largest memory budget that is not asked for: enough for ten thousand players, and small beside a server's memory.
const LARGEST_MEMORY: usize = 2 * 1024 * 1024 * 1024;

/// The part of the machine's memory that clients get. The rest is for the program itself, for what the allocator keeps, and for
/// the machine's other programs.
const PART: usize = 4;

/// The budget on a machine that does not tell its memory.
const UNKNOWN: usize = 512 * 1024 * 1024;

/// A quarter of what the machine has, or of what the process's group may take, and [`LARGEST_MEMORY`] at most.
pub(super) fn default_budget() -> usize {
    part_of(of_process())
}

fn part_of(most: Option<u64>) -> usize {
    let Some(most) = most else { return UNKNOWN };
    (usize::try_from(most).unwrap_or(usize::MAX) / PART).min(LARGEST_MEMORY)
}

/// What the process can have: the machine's memory, or what its group may take, as that of a container or a service. `None` where
/// the system does not tell.
pub(super) fn of_process() -> Option<u64> {
    [of_machine(), of_group()].into_iter().flatten().filter(|bytes| *bytes > 0).min()
}

fn of_machine() -> Option<u64> {
    let mut system = System::new().ok()?;
    system.refresh_memory();
    Some(system.total_memory())
}

fn of_group() -> Option<u64> {
    let pid = sysinfo::get_current_pid().ok()?;
    let mut system = System::new().ok()?;
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, ProcessRefreshKind::nothing());
    Some(system.process(pid)?.cgroup_limits()?.total_memory)
}

/// What the process takes of the machine's memory now. `None` where the system does not tell.
pub(super) fn resident() -> Option<u64> {
    let pid = sysinfo::get_current_pid().ok()?;
    let mut system = System::new().ok()?;
    let kind = ProcessRefreshKind::nothing().with_memory();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, kind);
    Some(system.process(pid)?.memory())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    #[test]
    fn it_is_a_quarter_of_what_there_is_and_two_gibibytes_at_most() {
        let mib = |most| part_of(most) / (1024 * 1024);
        assert_eq!(mib(Some(4096 * MIB)), 1024);
        assert_eq!(mib(Some(64 * 1024 * MIB)), 2048);
        assert_eq!(mib(None), 512);
    }

    #[test]
    fn this_machine_tells_its_memory() {
        assert!(of_process().is_some_and(|bytes| bytes > 16 * MIB));
        assert!((4 * 1024 * 1024..=LARGEST_MEMORY).contains(&default_budget()));
        assert!(resident().is_some_and(|bytes| bytes > MIB));
    }
}
