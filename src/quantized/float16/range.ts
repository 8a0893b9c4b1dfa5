/** The largest finite float16. */
export const largestHalf = 65504;
