//! Whether measurements call for a decision. Pure: samples and times go in,
//! states come out.
//!
//! Nearly every condition people write down ("login failures above 5 %", "page
//! load over 10 s", "half as slow again as before") is one question: of `total`
//! things, `bad` were beyond the limit; is that more than the share the plan
//! accepts? [`evidence`] answers it so that looking again and again, little
//! traffic and bursts raise no false alarm beyond the budget the plan gives.
//! [`machine`] turns evidence, values and their absence into states; nothing
//! missing is ever shown as fine. [`replay`] runs both over recorded data.

pub mod dispersion;
pub mod evidence;
pub mod interval;
pub mod machine;
pub mod quantile;
pub mod replay;
pub mod rule;
