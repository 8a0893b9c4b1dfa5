/**
 * The project's pseudo-random numbers: xoshiro128** 1.1 (Blackman and Vigna, "Scrambled linear pseudorandom number
 * generators", 2021), seeded through the 32-bit finalizer of MurmurHash3 over a Weyl sequence. Integer arithmetic
 * only, so that one seed gives the same numbers for ever, on every machine. Not for cryptography.
 */

/** A generator. */
export interface Random {
  /** Uniform in [0, 2^32). */
  uint32(): number;
  /** Uniform in [0, bound), without the bias of a plain remainder; 1 <= bound <= 2^32. */
  below(bound: number): number;
  /** Mean 0, variance 1, |x| <= 6: the sum of twelve uniforms (Irwin-Hall), exact where log and cos need not be. */
  normal(): number;
}

/** One generator per (seed, stream): different streams of a seed are unrelated. Both are integers of up to 53 bits. */
export function random(seed: number, stream = 0): Random {
  const state = new Uint32Array(4);
  let weyl = 0;
  for (const word of [low(seed), high(seed), low(stream), high(stream)]) {
    weyl = mix((weyl ^ word) + 0x9e3779b9);
  }
  for (let i = 0; i < 4; i++) {
    weyl = (weyl + 0x9e3779b9) >>> 0;
    state[i] = mix(weyl);
  }
  return xoshiro128(state);
}

/** The bare generator over its four words of state, which must not all be zero; the array is advanced in place. */
export function xoshiro128(state: Uint32Array): Random {
  const uint32 = (): number => {
    const [s0, s1, s2, s3] = [state[0]!, state[1]!, state[2]!, state[3]!];
    const result = Math.imul(rotateLeft(Math.imul(s1, 5), 7), 9) >>> 0;
    state[0] = s0 ^ s3 ^ s1;
    state[1] = s1 ^ s2 ^ s0;
    state[2] = s2 ^ s0 ^ (s1 << 9);
    state[3] = rotateLeft(s3 ^ s1, 11);
    return result;
  };
  return {
    uint32,
    below(bound) {
      const limit = 2 ** 32 - (2 ** 32 % bound);
      for (;;) {
        const value = uint32();
        if (value < limit) return value % bound;
      }
    },
    normal() {
      let sum = 0;
      for (let i = 0; i < 12; i++) sum += uint32();
      return sum / 2 ** 32 - 6;
    },
  };
}

function rotateLeft(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

/** fmix32: every input bit changes about half of the output bits. */
function mix(value: number): number {
  let x = value | 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

function low(value: number): number {
  return value >>> 0;
}

function high(value: number): number {
  return Math.floor(value / 2 ** 32) >>> 0;
}
