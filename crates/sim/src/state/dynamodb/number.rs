//! The numbers of DynamoDB: decimal, 38 digits, magnitudes from 1E-130 to 9.99E+125.

use std::cmp::Ordering;

const DIGITS: usize = 38;

/// A decimal number in normal form: `0.d1d2d3.. * 10^exponent`, without leading or trailing zeros.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Number {
    negative: bool,
    exponent: i32,
    digits: Vec<u8>,
}

/// Why a text is no number DynamoDB stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    NotNumeric,
    TooPrecise,
    Overflow,
    Underflow,
}

impl Number {
    /// Reads a number as a client writes it.
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, power) = match rest.split_once(['e', 'E']) {
            Some((mantissa, power)) => (mantissa, power.parse::<i32>().map_err(|_| Fault::NotNumeric)?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        if digits.is_empty() || digits.len() > 1000 || !digits.iter().all(u8::is_ascii_digit) {
            return Err(Fault::NotNumeric);
        }
        let digits = digits.into_iter().map(|digit| digit - b'0').collect();
        let exponent = power.saturating_add(i32::try_from(whole.len()).unwrap_or(i32::MAX));
        Self { negative, exponent, digits }.normal()
    }

    fn normal(mut self) -> Result<Self, Fault> {
        let leading = self.digits.iter().take_while(|digit| **digit == 0).count();
        self.digits.drain(..leading);
        while self.digits.last() == Some(&0) {
            self.digits.pop();
        }
        if self.digits.is_empty() {
            return Ok(Self::default());
        }
        self.exponent = self.exponent.saturating_sub(i32::try_from(leading).unwrap_or(i32::MAX));
        if self.digits.len() > DIGITS {
            return Err(Fault::TooPrecise);
        }
        match self.exponent {
            127.. => Err(Fault::Overflow),
            ..=-130 => Err(Fault::Underflow),
            _ => Ok(self),
        }
    }

    /// The sum.
    pub(crate) fn plus(&self, other: &Self) -> Result<Self, Fault> {
        if self.digits.is_empty() {
            return Ok(other.clone());
        }
        if other.digits.is_empty() {
            return Ok(self.clone());
        }
        let top = self.exponent.max(other.exponent);
        let end = self.end().min(other.end());
        let (left, right) = (self.aligned(top, end), other.aligned(top, end));
        let (negative, digits) = if self.negative == other.negative {
            (self.negative, add(&left, &right))
        } else if left >= right {
            (self.negative, subtract(&left, &right))
        } else {
            (other.negative, subtract(&right, &left))
        };
        Self { negative, exponent: top + 1, digits }.normal()
    }

    /// The difference.
    pub(crate) fn minus(&self, other: &Self) -> Result<Self, Fault> {
        self.plus(&Self { negative: !other.negative, ..other.clone() })
    }

    /// The power of ten of the last digit.
    fn end(&self) -> i32 {
        self.exponent - i32::try_from(self.digits.len()).unwrap_or(i32::MAX)
    }

    /// The digits from one place to another, with one more zero in front for the carry.
    fn aligned(&self, top: i32, end: i32) -> Vec<u8> {
        let zeros = |count: i32| std::iter::repeat_n(0, usize::try_from(count).unwrap_or(0));
        zeros(top - self.exponent + 1).chain(self.digits.iter().copied()).chain(zeros(self.end() - end)).collect()
    }

    /// The number as DynamoDB writes it: plain digits, never an exponent.
    pub(crate) fn text(&self) -> String {
        if self.digits.is_empty() {
            return "0".to_owned();
        }
        let digits: String = self.digits.iter().map(|digit| char::from(b'0' + digit)).collect();
        let point = usize::try_from(self.exponent).unwrap_or(0);
        let body = if self.exponent <= 0 {
            let zeros = usize::try_from(-self.exponent).unwrap_or(0);
            format!("0.{}{digits}", "0".repeat(zeros))
        } else if point >= digits.len() {
            format!("{digits}{}", "0".repeat(point - digits.len()))
        } else {
            let (whole, fraction) = digits.split_at(point);
            format!("{whole}.{fraction}")
        };
        if self.negative { format!("-{body}") } else { body }
    }

    /// What it counts for in the size of an item, in bytes.
    pub(crate) fn size(&self) -> usize {
        self.digits.len().div_ceil(2) + 1 + usize::from(self.negative)
    }

    /// The whole number, if it is one that fits.
    pub(crate) fn whole(&self) -> Option<u64> {
        let text = self.text();
        text.split_once('.').map_or(text.as_str(), |(whole, _)| whole).parse().ok()
    }
}

/// Adds numbers of the same length, the longer carry being in front.
fn add(left: &[u8], right: &[u8]) -> Vec<u8> {
    let mut carry = 0;
    let sums = left.iter().zip(right).rev().map(|(one, other)| {
        let sum = one + other + carry;
        carry = sum / 10;
        sum % 10
    });
    let mut digits: Vec<u8> = sums.collect();
    digits.reverse();
    digits
}

/// Takes the smaller number from the greater.
fn subtract(greater: &[u8], smaller: &[u8]) -> Vec<u8> {
    let mut borrow = 0;
    let differences = greater.iter().zip(smaller).rev().map(|(one, other)| {
        let difference = 10 + one - other - borrow;
        borrow = u8::from(difference < 10);
        difference % 10
    });
    let mut digits: Vec<u8> = differences.collect();
    digits.reverse();
    digits
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        let rank = |number: &Self| match (number.digits.is_empty(), number.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        let size = |number: &Self| (number.exponent, number.digits.clone());
        rank(self).cmp(&rank(other)).then_with(|| {
            let order = size(self).cmp(&size(other));
            if self.negative { order.reverse() } else { order }
        })
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::{Fault, Number};

    fn number(text: &str) -> Number {
        Number::parse(text).unwrap()
    }

    #[test]
    fn numbers_are_kept_in_normal_form() {
        for (sent, kept) in [
            ("007", "7"),
            ("1.50", "1.5"),
            ("-0", "0"),
            ("1E3", "1000"),
            ("12e-4", "0.0012"),
            (".5", "0.5"),
            ("+2.", "2"),
        ] {
            assert_eq!(number(sent).text(), kept);
        }
        assert_eq!(Number::parse("abc"), Err(Fault::NotNumeric));
        assert_eq!(Number::parse(""), Err(Fault::NotNumeric));
        assert_eq!(Number::parse(&"1".repeat(39)), Err(Fault::TooPrecise));
        assert_eq!(Number::parse("1E126"), Err(Fault::Overflow));
        assert_eq!(Number::parse("1E-131"), Err(Fault::Underflow));
        assert!(Number::parse("9.9E125").is_ok() && Number::parse("1E-130").is_ok());
    }

    #[test]
    fn sums_are_exact() {
        let sum = |one: &str, other: &str| number(one).plus(&number(other)).unwrap().text();
        assert_eq!(sum("0.1", "0.2"), "0.3");
        assert_eq!(sum("999", "1"), "1000");
        assert_eq!(sum("-5", "3"), "-2");
        assert_eq!(sum("5", "-5"), "0");
        assert_eq!(number("10").minus(&number("0.01")).unwrap().text(), "9.99");
        assert_eq!(number("1E100").plus(&number("1")), Err(Fault::TooPrecise));
        assert!(number("-10") < number("-9") && number("-1") < number("0") && number("9") < number("10"));
    }
}
