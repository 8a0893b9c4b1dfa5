/** Nothing is clipped: the largest magnitude gets the largest code. At 8 bits per channel little is to be won over that. */
import { isUsableScale } from '../params.ts';
import { magnitudes, type WeightObserver } from './weight-observer.ts';

export const max: WeightObserver = {
  id: 'max',
  summary: 'the largest magnitude gets the largest code',
  scales: (values, groups, top) =>
    Float32Array.from(magnitudes(values, groups), (most) => (isUsableScale(most / top) ? most / top : 1)),
};
