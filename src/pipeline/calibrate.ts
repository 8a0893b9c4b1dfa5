/** Model + samples → calibration state file. */
import { targetOf, targets } from '../backends/targets/index.ts';
import type { Target } from '../backends/targets/target.ts';
import { cpuInfo } from '../backends/cpu.ts';
import { calibrate } from '../calibrate/calibrate.ts';
import { writeState } from '../calibrate/state.ts';
import type { Model } from '../graph/model.ts';
import type { CalibrateOptions, CalibrateResult } from '../pipeline-types.ts';
import { observedTensors } from '../quantizable/plan.ts';
import { planQuantization } from '../quantizable/planner.ts';
import { calibrationSamples } from './samples.ts';
import { inputsOf, openFused, upgradeNotes } from './source.ts';

/** Per-channel schemes need it. An upgrade keeps the names of tensors, so the state serves the others as well. */
const anyScheme = 13;

export async function calibrateModel(options: CalibrateOptions): Promise<CalibrateResult> {
  const { file, model, upgrade } = await openFused(options.model, options, { opset: anyScheme });
  const { dataset, selection, warnings: cautions } = await calibrationSamples(options, inputsOf(model));
  const warnings = [...upgradeNotes(upgrade), ...cautions];
  for (const warning of warnings) options.onWarning?.(warning);
  const tensors = tensorsOfAnyPlan(model);
  const state = await calibrate(model, tensors, dataset, selection, {
    modelSha256: file.sha256(),
    observer: options.observer,
    threads: options.threads,
    ...(options.batch === undefined ? {} : { batchSize: options.batch }),
    onProgress: (done, total) =>
      options.onProgress?.({ stage: 'calibrating', done, ...(total === undefined ? {} : { total }), unit: 'samples' }),
  });
  writeState(options.output, state);
  return { outputPath: options.output, samples: state.samples, tensors: state.tensors.length, warnings };
}

/** A state file serves every target and every list of operators: what any of these plans observes is observed. */
function tensorsOfAnyPlan(model: Model): string[] {
  const machine = targetOf(cpuInfo());
  const unreserved: Target = { ...machine, preferFloat: {} };
  const names = new Set<string>();
  for (const target of [...targets, unreserved]) {
    for (const name of observedTensors(planQuantization(model, { target, scheme: target.scheme }))) names.add(name);
  }
  return [...names];
}
