/** A worker of calibration: opens model and data for itself, with one thread, and observes its share. */
import { serve } from '../../parallel/task-workers.ts';
import type { WorkerMessage, WorkerTask } from './observe-all.ts';
import { observe, type Observed } from './observe.ts';
import { calibrationSamples } from '../samples/samples.ts';
import { inputsOf, openFused } from '../source/source.ts';

await serve<WorkerTask, WorkerMessage, Observed>(async ({ options, opset, share }, send) => {
  const { model } = await openFused(options.model, options, { opset });
  const samples = await calibrationSamples(options, inputsOf(model));
  return observe(model, samples, share, options, {
    onProgress: (done) => send({ done }),
    onState: (places, arrays) => send({ places, arrays }),
  });
});
