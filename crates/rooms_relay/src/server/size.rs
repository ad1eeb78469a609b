//! Sizes in bytes, as people write them.

/// What a size looks like, for messages.
pub(super) const FORM: &str = "a size in bytes, such as 65536 or \"64 KiB\"";

/// The units, the largest first.
const UNITS: [(&str, usize); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

/// Reads a number of bytes, alone or with one of the units B, KiB, MiB and GiB.
pub(super) fn parse(text: &str) -> Option<usize> {
    let text = text.trim().replace('_', "");
    let unit = UNITS.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?.trim_end(), *factor)));
    let Some((number, factor)) = unit else {
        return text.strip_suffix('B').unwrap_or(&text).trim_end().parse().ok();
    };
    if let Ok(whole) = number.parse::<usize>() {
        return whole.checked_mul(factor);
    }
    let number: f64 = number.parse().ok().filter(|number| (0.0..1e6).contains(number))?;
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bounded above"
    )]
    let bytes = (number * factor as f64) as usize;
    Some(bytes)
}

/// A size in the form in which the configuration file has it: a number, or a text with the largest unit that leaves no rest.
pub(super) fn write(bytes: usize) -> String {
    let unit = UNITS.iter().find(|(_, factor)| bytes >= *factor && bytes.is_multiple_of(*factor));
    unit.map_or_else(|| bytes.to_string(), |(unit, factor)| format!("\"{} {unit}\"", bytes / factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_number_with_or_without_a_unit() {
        let read = ["65536", "64 KiB", "64KiB", " 1_000 B ", "0.5 MiB", "2 GiB", "0"].map(parse);
        assert_eq!(read, [65_536, 65_536, 65_536, 1_000, 524_288, 2 << 30, 0].map(Some));
        for wrong in ["", "KiB", "-1", "-1 KiB", "1 kb", "1e9 GiB", "NaN KiB", "99999999999999999 GiB"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_size_is_written_with_the_largest_unit_that_leaves_no_rest() {
        assert_eq!([1_000, 65_536, 2 << 30, 0].map(write), ["1000", "\"64 KiB\"", "\"2 GiB\"", "0"]);
    }
}
