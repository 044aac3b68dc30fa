//! Random numbers that do not depend on how the work is split.
//!
//! Each pair of a block of samples and a step has a stream of its own, seeded
//! from (seed, block, step). So a forecast is the same on one thread and on
//! many, and when one step's duration changes, all others keep their numbers:
//! differences between two forecasts are differences of the plans and not of
//! the dice ("common random numbers").
//!
//! The generator is xoshiro128++ (Blackman & Vigna, "Scrambled linear
//! pseudorandom number generators", ACM TOMS 47(4), 2021), sixteen side by side.

/// How many generators run side by side.
pub(crate) const LANES: usize = 16;

/// Sixteen generators.
pub(crate) struct Stream {
    state: [[u32; LANES]; 4],
}

/// The finaliser of SplitMix64 (Steele, Lea & Flood, OOPSLA 2014).
pub(crate) fn mix64(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Stream {
    /// The stream of a step in a block of samples.
    #[inline(always)]
    pub(crate) fn new(seed: u64, block: u64, step: u64) -> Self {
        let key = mix64(mix64(mix64(seed).wrapping_add(block)).wrapping_add(step << 1 | 1));
        let mut state = [[0; LANES]; 4];
        for (word, lanes) in state.iter_mut().enumerate() {
            let base =
                mix64(key.wrapping_add(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(word as u64 + 1)));
            #[expect(clippy::cast_possible_truncation, reason = "the two halves of a word")]
            let (low, high) = (base as u32, (base >> 32) as u32);
            for (lane, state) in lanes.iter_mut().enumerate() {
                // A 32-bit mix of lane and key ("lowbias32", Wellons 2018), so that
                // all sixteen states are unlike each other in all bits.
                #[expect(clippy::cast_possible_truncation, reason = "a number below sixteen")]
                let mut x = low ^ (lane as u32).wrapping_mul(0x9e37_79b9);
                x = (x ^ (x >> 16)).wrapping_mul(0x7feb_352d).wrapping_add(high);
                x = (x ^ (x >> 15)).wrapping_mul(0x846c_a68b);
                *state = x ^ (x >> 16);
            }
        }
        // A state of all zeros never leaves it.
        #[expect(clippy::needless_range_loop, reason = "a column of four rows")]
        for lane in 0..LANES {
            state[0][lane] |= u32::from(state[1][lane] | state[2][lane] | state[3][lane] == 0);
        }
        Self { state }
    }

    /// Sixteen numbers.
    #[inline(always)]
    pub(crate) fn next(&mut self) -> [u32; LANES] {
        let [s0, s1, s2, s3] = &mut self.state;
        let mut result = [0; LANES];
        for lane in 0..LANES {
            let sum = s0[lane].wrapping_add(s3[lane]);
            result[lane] = sum.rotate_left(7).wrapping_add(s0[lane]);
            let shifted = s1[lane] << 9;
            s2[lane] ^= s0[lane];
            s3[lane] ^= s1[lane];
            s1[lane] ^= s2[lane];
            s0[lane] ^= s3[lane];
            s2[lane] ^= shifted;
            s3[lane] = s3[lane].rotate_left(11);
        }
        result
    }
}

/// A block's random words.
#[inline(always)]
pub(crate) fn draw_words<const BLOCK: usize>(stream: &mut Stream) -> [u32; BLOCK] {
    let mut words = [0; BLOCK];
    for chunk in words.chunks_exact_mut(LANES) {
        chunk.copy_from_slice(&stream.next());
    }
    words
}

/// A random word as a number between 0 and 1.
#[inline(always)]
pub(crate) fn probability(word: u32) -> f32 {
    let distance = ((word & 0x7fff_ffff) as i32 as f32 + 0.5) * (1.0 / 4_294_967_296.0);
    if word >> 31 == 0 { distance } else { 1.0 - distance }
}

/// A single generator for searches: SplitMix64.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix64(self.0)
    }

    /// A number below `end`, which is not zero.
    #[expect(clippy::cast_possible_truncation, reason = "the result is below `end`")]
    pub(crate) fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.next()) * end as u128) >> 64) as usize
    }

    /// Whether something of this probability, in parts of 1000, happens.
    pub(crate) fn chance(&mut self, per_mille: u32) -> bool {
        self.below(1000) < per_mille as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One lane against the reference implementation's recurrence, written out.
    #[test]
    fn a_lane_is_xoshiro() {
        let mut stream = Stream::new(1, 2, 3);
        let mut s = [0, 1, 2, 3].map(|word| stream.state[word][5]);
        for _ in 0..1000 {
            let expected = s[0].wrapping_add(s[3]).rotate_left(7).wrapping_add(s[0]);
            let t = s[1] << 9;
            s[2] ^= s[0];
            s[3] ^= s[1];
            s[1] ^= s[2];
            s[0] ^= s[3];
            s[2] ^= t;
            s[3] = s[3].rotate_left(11);
            assert_eq!(stream.next()[5], expected);
        }
    }

    #[test]
    fn streams_and_lanes_are_unlike_each_other() {
        let mut seen = std::collections::BTreeSet::new();
        for block in 0..20 {
            for step in 0..20 {
                for number in Stream::new(7, block, step).next() {
                    seen.insert(number);
                }
            }
        }
        // 6,400 numbers of 32 bits: two alike among them are one in two hundred.
        assert!(seen.len() >= 6_398, "{}", seen.len());
    }
}
