//! The linear memories of an Envoy's wasm VMs, read from what the kernel has mapped for it.
//!
//! Envoy has no statistic for them, and its resident size is mostly its own. But V8 reserves eight gibibytes of addresses for each memory
//! and lets the module have the first of them: so each is a writable mapping with a huge one behind it that nobody may touch.

const GUARD: u64 = 1 << 30;

/// The sizes in bytes, by address, in the text of `/proc/PID/maps`.
pub(super) fn linear_memories(maps: &str) -> Vec<u64> {
    let mappings: Vec<_> = maps.lines().filter_map(mapping).collect();
    let guarded = mappings.windows(2).filter_map(|pair| match pair {
        [(start, end, "rw-p"), (next, last, "---p")] if next == end && last - next > GUARD => Some(end - start),
        _ => None,
    });
    guarded.collect()
}

/// Reads `7fc2d65d0000-7fc2d66f0000 rw-p 00000000 00:00 0`.
fn mapping(line: &str) -> Option<(u64, u64, &str)> {
    let mut fields = line.split(' ');
    let (start, end) = fields.next()?.split_once('-')?;
    Some((u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?, fields.next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memory_is_what_is_writable_in_front_of_a_huge_guard() {
        let maps = "7fc2d65d0000-7fc2d66f0000 rw-p 00000000 00:00 0 \n\
                    7fc2d66f0000-7fc4d65d0000 ---p 00000000 00:00 0 \n\
                    7fc4d65dc000-7fc4d65ec000 r--p 00000000 00:00 0 \n\
                    7fc508600000-7fc508610000 rw-p 00000000 00:00 0          [heap]\n\
                    7fc508610000-7fc508620000 ---p 00000000 00:00 0 \n";
        assert_eq!(linear_memories(maps), [18 * 64 * 1024]);
    }
}
