//! How long something takes, counted in classes.

use std::time::Duration;

/// The upper ends of the classes, in microseconds. Beyond the last there is one more.
const ENDS: [u32; 14] = [10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 100_000, 500_000, 2_500_000];

/// How often something took how long. One task owns it, so that counting costs nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Histogram {
    classes: [u64; ENDS.len() + 1],
    sum: Duration,
}

impl Histogram {
    /// Counts one that took so long.
    pub(super) fn count(&mut self, time: Duration) {
        let class = ENDS.iter().position(|end| time <= Duration::from_micros(u64::from(*end))).unwrap_or(ENDS.len());
        self.classes[class] = self.classes[class].saturating_add(1);
        self.sum = self.sum.saturating_add(time);
    }

    /// How many there were.
    pub(super) fn total(&self) -> u64 {
        self.classes.iter().sum()
    }

    /// How long all of them took, in seconds.
    pub(super) fn seconds(&self) -> f64 {
        self.sum.as_secs_f64()
    }

    /// The classes: the upper end in seconds, and how many there were.
    pub(super) fn classes(&self) -> Vec<(f64, u64)> {
        let ends = ENDS.iter().map(|end| f64::from(*end) / 1e6).chain([f64::INFINITY]);
        ends.zip(self.classes).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_counts_in_the_first_class_that_it_fits_into() {
        let mut histogram = Histogram::default();
        for micros in [0, 10, 11, 999_999, 10_000_000] {
            histogram.count(Duration::from_micros(micros));
        }
        let counted: Vec<_> = histogram.classes().into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counted, [(1e-5, 2), (2.5e-5, 1), (2.5, 1), (f64::INFINITY, 1)]);
        assert_eq!(histogram.total(), 5);
        assert!((histogram.seconds() - 11.000_02).abs() < 1e-6);
    }
}
