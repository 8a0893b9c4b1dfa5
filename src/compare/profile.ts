/**
 * Where the time goes, operator by operator: both models run in turns under onnxruntime's own profiler, in sessions of their own,
 * because a session that writes a profile is slower. An integer kernel counts as the operator that it stands for.
 */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { openSession, type Session } from '../backends/session.ts';
import { temporaryFolder } from '../backends/session-files.ts';
import type { Model } from '../graph/model.ts';
import { onInterrupt } from '../process/interrupt.ts';
import type { Feeds } from './models.ts';
import type { Profile } from './report.ts';
import { quantile } from './statistics.ts';

export interface ProfiledModel {
  readonly source: string | Model;
  /** How errors call it. */
  readonly name: string;
  readonly feeds: Feeds;
}

export interface ProfileOptions {
  readonly float: ProfiledModel;
  readonly quant: ProfiledModel;
  readonly threads: number;
  /** Milliseconds for all measured runs together. Default 1500. */
  readonly budgetMs?: number;
}

const warmUpRuns = 2;
const minimumRuns = 5;
/** A profile is read as a whole: some 400 bytes per node and run. */
const mostRuns = 100;

/** @throws the errors of onnxruntime */
export async function profileBoth({ float, quant, threads, budgetMs = 1500 }: ProfileOptions): Promise<Profile> {
  const folder = temporaryFolder('qdq-profile-');
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  const release = onInterrupt(remove);
  const sessions: Session[] = [];
  const open = async ({ source, name }: ProfiledModel, prefix: string): Promise<Session> => {
    const session = await openSession(source, { level: 'all', threads, profile: join(folder, prefix) }, name);
    sessions.push(session);
    return session;
  };
  try {
    const [floatSession, quantSession] = [await open(float, 'float'), await open(quant, 'quant')];
    const start = performance.now();
    let runs = -warmUpRuns;
    while (runs < minimumRuns || (runs < mostRuns && performance.now() - start < budgetMs)) {
      await floatSession.run(float.feeds);
      await quantSession.run(quant.feeds);
      runs++;
    }
    // A profile is whole once its session has ended.
    for (const session of sessions.splice(0)) await session.dispose();
    const times = (prefix: string): Map<string, number> => timesByOp(readProfile(folder, prefix), warmUpRuns);
    return { runs, ops: besides(times('float'), times('quant')) };
  } finally {
    for (const session of sessions) await session.dispose();
    remove();
    release();
  }
}

function readProfile(folder: string, prefix: string): string {
  const file = readdirSync(folder).find((name) => name.startsWith(prefix))!;
  return readFileSync(join(folder, file), 'utf8');
}

/** The head of an event; onnxruntime writes one per line, its fields in this order, and does not escape the names of nodes. */
const event = /^\{"cat" : "(Node|Session)",.*?"dur" :(\d+),"ts" :(\d+),"ph" : "X","name" :"(.*)","args" : \{(.*)$/;
const operator = /"op_name" : "(\w+)"/;
/** Their time is that of the nodes inside, which have events of their own. */
const containers = new Set(['If', 'Loop', 'Scan']);

/**
 * Milliseconds per run by operator, the median over the runs after the first `skip`.
 * @param text a profile as onnxruntime writes it: microseconds
 */
export function timesByOp(text: string, skip: number): Map<string, number> {
  const nodes: { at: number; duration: number; op: string }[] = [];
  const runs: { from: number; to: number }[] = [];
  for (const line of text.split('\n')) {
    const [, category, duration, at, name, args] = event.exec(line) ?? [];
    if (category === 'Session' && name === 'model_run')
      runs.push({ from: Number(at), to: Number(at) + Number(duration) });
    if (category !== 'Node' || !name!.endsWith('_kernel_time')) continue;
    const op = operator.exec(args!)?.[1];
    if (op !== undefined && !containers.has(op)) nodes.push({ at: Number(at), duration: Number(duration), op });
  }
  runs.sort((a, b) => a.from - b.from);
  const measured = runs.slice(skip);
  const sums = new Map<string, Float64Array>();
  let run = 0;
  for (const { at, duration, op } of nodes.sort((a, b) => a.at - b.at)) {
    while (run < measured.length && at > measured[run]!.to) run++;
    if (run === measured.length || at < measured[run]!.from) continue;
    const plain = operatorOf(op);
    const perRun = sums.get(plain) ?? new Float64Array(measured.length);
    perRun[run]! += duration / 1000;
    sums.set(plain, perRun);
  }
  return new Map([...sums].map(([op, perRun]) => [op, quantile([...perRun], 0.5)]));
}

const conversions = new Set(['QuantizeLinear', 'DequantizeLinear', 'DynamicQuantizeLinear']);
const layouts = new Set(['ReorderInput', 'ReorderOutput']);

/** QLinearConv, ConvInteger, FusedConv → Conv: onnxruntime's names for kernels that do the work of an operator of ONNX. */
export function operatorOf(kernel: string): string {
  if (conversions.has(kernel)) return 'conversion';
  if (layouts.has(kernel)) return 'layout';
  const plain = kernel
    .replace(/^(QLinear|DynamicQuantize|NhwcFused|Nhwc|Fused|Q(?=Gemm|Attention|MoE))/, '')
    .replace(/(IntegerToFloat|Integer|NBits)$/, '');
  return plain === '' ? kernel : plain;
}

/** The slowest first. */
function besides(float: ReadonlyMap<string, number>, quant: ReadonlyMap<string, number>): Profile['ops'] {
  return [...new Set([...float.keys(), ...quant.keys()])]
    .map((op) => ({ op, floatMs: float.get(op) ?? 0, quantMs: quant.get(op) ?? 0 }))
    .sort((a, b) => Math.max(b.floatMs, b.quantMs) - Math.max(a.floatMs, a.quantMs) || (a.op < b.op ? -1 : 1));
}
