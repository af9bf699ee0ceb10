//! Numbers and strings as HTML: escaped, to three digits, with their intervals or why there is none.

use crate::score::Interval;
use crate::score::report::Estimate;
use crate::study::results::{Summary, Test};

/// What stands where nothing was measured.
pub const NONE: &str = "<span class=none>not measured</span>";
/// What stands where a value has no interval.
const NO_INTERVAL: &str = "no interval: too few resamples define it";

/// Text that cannot become markup; control characters, which XML forbids, become U+FFFD.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() && c != '\n' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// A number to three digits, minus signs as such; `None` if it is not finite.
pub fn digits(value: f64) -> Option<String> {
    if !value.is_finite() {
        return None;
    }
    let places = match value.abs() {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        // One itself is a share, like those below it.
        v if v > 1.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.places$}");
    let zero = text.chars().all(|c| matches!(c, '-' | '0' | '.'));
    Some(if zero { text.replace('-', "") } else { text.replace('-', "−") })
}

/// A number, or that it was not measured.
pub fn number(value: Option<f64>) -> String {
    value.and_then(digits).unwrap_or_else(|| NONE.into())
}

/// From where to where.
pub fn interval(interval: Option<Interval>) -> Option<String> {
    let Interval { low, high } = interval?;
    Some(format!("[{}, {}]", digits(low)?, digits(high)?))
}

fn span(of: Option<Interval>, what: &str) -> String {
    let text = interval(of).map_or_else(|| NO_INTERVAL.into(), |text| format!("{text}{what}"));
    format!("<span class=ci>{text}</span>")
}

/// A value above its interval.
pub fn estimate(of: &Estimate) -> String {
    match of.value.and_then(digits) {
        Some(value) => format!("{value} {}", span(of.interval, "")),
        None => NONE.into(),
    }
}

/// Mean and spread over cells, the interval by coil and the one by day.
pub fn summary(of: Option<&Summary>) -> String {
    let Some((of, mean)) = of.and_then(|of| Some((of, of.mean.and_then(digits)?))) else {
        return NONE.into();
    };
    let sd = of.sd.and_then(digits).map_or_else(|| "sd not measured".into(), |sd| format!("± {sd}"));
    let (coil, day) = (span(of.by_coil.interval, " coil"), span(of.by_day.interval, " day"));
    if of.by_coil.interval.is_none() && of.by_day.interval.is_none() {
        return format!("{mean} <span class=sd>{sd}</span> {coil}");
    }
    format!("{mean} <span class=sd>{sd}</span> {coil} {day}")
}

/// A p value: corrected for the comparisons beside it where it is, and said so.
pub fn p(test: Option<&Test>) -> String {
    let Some(test) = test.filter(|t| t.p.is_finite()) else { return NONE.into() };
    let told = |p: f64| if p < 0.001 { "&lt; 0.001".into() } else { format!("{p:.3}") };
    match test.holm.filter(|p| p.is_finite()) {
        Some(holm) => format!("{} <span class=ci>{} uncorrected</span>", told(holm), told(test.p)),
        None => told(test.p),
    }
}

/// A share in per cent.
pub fn percent(part: u64, whole: u64) -> String {
    if whole == 0 { NONE.into() } else { format!("{:.1} %", 100.0 * part as f64 / whole as f64) }
}

/// A share of one in per cent, without zeros at its end.
pub fn share(of: f64) -> String {
    let text = format!("{:.2}", 100.0 * of);
    if of.is_finite() {
        format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
    } else {
        NONE.into()
    }
}

/// A count with its thousands apart.
pub fn count(value: usize) -> String {
    let digits = value.to_string();
    let first = digits.len() % 3;
    let mut groups: Vec<&str> = Vec::new();
    if first > 0 {
        groups.push(&digits[..first]);
    }
    groups.extend((first..digits.len()).step_by(3).map(|at| &digits[at..at + 3]));
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_and_nothing_is_made_of_gaps() {
        let of = |v| digits(v).unwrap();
        assert_eq!(
            [0.7126, -0.05, 12.34, 1234.0, -0.0001].map(of),
            ["0.713", "−0.050", "12.3", "1234", "0.000"]
        );
        assert_eq!((digits(f64::NAN), number(Some(f64::INFINITY))), (None, NONE.into()));
        assert_eq!([0, 999, 1000, 6_412_345].map(count), ["0", "999", "1,000", "6,412,345"]);
        let bare = Estimate { value: Some(0.5), interval: None };
        assert_eq!(estimate(&bare), format!("0.500 <span class=ci>{NO_INTERVAL}</span>"));
        assert_eq!(percent(1, 0), NONE);
        assert_eq!([0.03, 0.5, 0.0125].map(share), ["3 %", "50 %", "1.25 %"]);
        assert_eq!(digits(6.0).unwrap(), "6.00");
    }

    #[test]
    fn markup_in_a_string_stays_text() {
        assert_eq!(escape("<b a='\"'>&\u{1}"), "&lt;b a=&#39;&quot;&#39;&gt;&amp;\u{fffd}");
    }

    #[test]
    fn a_corrected_p_says_what_it_was() {
        let test = Test { statistic: None, p: 0.0004, holm: Some(0.012) };
        assert_eq!(p(Some(&test)), "0.012 <span class=ci>&lt; 0.001 uncorrected</span>");
        assert_eq!((p(None), p(Some(&Test { p: f64::NAN, ..test }))), (NONE.into(), NONE.into()));
    }
}
