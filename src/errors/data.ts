/** Errors of samples: where they are looked for, what they are made of, and whether they fit the model's inputs. */
import { arrays } from './data/arrays.ts';
import { audio } from './data/audio.ts';
import { images } from './data/images.ts';
import { places } from './data/places.ts';
import { preprocessing } from './data/preprocessing.ts';
import { samples } from './data/samples.ts';
import { texts } from './data/texts.ts';

export const dataErrors = { ...places, ...samples, ...preprocessing, ...images, ...audio, ...texts, ...arrays };
