//! The pages of the reader's error codes, for `backout explain`.

/// The page of a code such as `BK108`.
pub(crate) fn page(code: &str) -> Option<&'static str> {
    let found = PAGES.iter().find(|(name, _)| name.eq_ignore_ascii_case(code));
    found.map(|(_, page)| *page)
}

macro_rules! pages {
    ($($code:literal),* $(,)?) => {
        const PAGES: &[(&str, &str)] =
            &[$(($code, include_str!(concat!("../../../docs/errors/", $code, ".md")))),*];
    };
}

pages!(
    "BK101", "BK102", "BK103", "BK104", "BK105", "BK106", "BK107", "BK108", "BK109", "BK110",
    "BK111", "BK112", "BK113", "BK114", "BK115",
);
