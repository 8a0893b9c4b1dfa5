/**
 * A model in several formats and types: what --override says of single nodes. Nodes fall into parts, one for each format and its
 * settings; each part is planned and written by its own configured format, which sees the nodes of the others as foreign. Types of single
 * nodes in QDQ are one part, because their tensors meet: `TensorPlan.as` and `conversions` say where a second quantizer stands.
 *
 * Parts are written in the order of `Format.mixes`: what keeps the names of tensors first, what changes types last.
 */
import type { Scheme, Target, TargetFormat } from '../../backends/targets/target.ts';
import { QdqError } from '../../errors/qdq-error.ts';
import { overrideErrors } from '../../errors/quantizable.ts';
import { valueFinder, type Model } from '../../graph/model.ts';
import type { Node } from '../../graph/node.ts';
import { overridden, type NodeOverride, type Override, type OverrideSettings } from '../../quantizable/overrides.ts';
import { plannedTensors, type MixedPlan, type Plan, type RegionPlan } from '../../quantizable/plan.ts';
import type { PlanRequest } from '../../quantizable/planner.ts';
import { checkFormat, resolveScheme } from '../../quantizable/scheme.ts';
import { isReadBy, type FormatSetting } from '../../settings/settings.ts';
import type { ConfiguredFormat, Format, FormatFlags, Quantized } from '../format.ts';

/** What stands without overrides, and how a format is configured. */
export interface MixedBase {
  readonly format: Format;
  readonly configured: ConfiguredFormat;
  readonly flags: FormatFlags;
  readonly target: Target;
  readonly formats: readonly Format[];
  configure(name: string, scheme: Scheme, flags: FormatFlags): ConfiguredFormat;
}

interface Part {
  readonly key: string;
  readonly configured: ConfiguredFormat;
  /** Where it stands among the parts when they are written. */
  readonly order: number;
}

/** @throws OVERRIDE_MIX, and what schemes and formats refuse, with the override that says it */
export function mixedFormat(base: MixedBase, overrides: readonly Override[]): ConfiguredFormat<MixedPlan> {
  const parts = new Parts(base);
  for (const { text, settings } of overrides) parts.check(text, settings);
  const plan = (model: Model, request: PlanRequest, make: (part: Part, own: PlanRequest) => Plan): MixedPlan => {
    const found = overridden(model, overrides, request.fused);
    const keys = new Map([...found].map(([node, { text, settings }]) => [node, parts.of(text, settings).key]));
    const used = parts.inOrder(new Set(keys.values()));
    const plans = used.map((part) => ({ key: part.key, plan: make(part, ownRequest(part, request, found, keys)) }));
    const whole = joined(model, plans, found);
    for (const override of overrides) checkEffect(model, override, whole, found);
    return whole;
  };
  function ownRequest(
    { key }: Part,
    request: PlanRequest,
    found: ReadonlyMap<Node, NodeOverride>,
    keys: ReadonlyMap<Node, string>,
  ): PlanRequest {
    return {
      ...request,
      mayBeEmpty: true,
      overrides: {
        text: (node) => found.get(node)?.text,
        foreign: (node) => (keys.get(node) ?? '') !== key,
        float: (node) => found.get(node)?.settings.format === 'float',
        scheme(node) {
          const own = found.get(node);
          return own && parts.scheme(own.text, own.settings);
        },
      },
    };
  }
  return {
    ...base.configured,
    description: `${base.configured.description}, with overrides`,
    settings: { ...base.configured.settings, override: overrides.map(({ text }) => text).join(' | ') },
    ...parts.needs(),
    plan: (model, request) => plan(model, request, ({ configured }, own) => configured.plan(model, own)),
    refine: (model, request, { parts: wanted }, ranges) =>
      plan(model, request, ({ key, configured }, own) =>
        configured.refine(model, own, wanted.find((each) => each.key === key)!.plan, ranges),
      ),
    emit(model, { parts: plans }, ranges) {
      let made: Quantized = { model, activations: new Map(), repaired: [], origins: new Map() };
      for (const { key, plan: own } of plans) {
        const next = parts.byKey(key).configured.emit(made.model, own, ranges);
        made = {
          model: next.model,
          activations: new Map([...made.activations, ...next.activations]),
          repaired: [...made.repaired, ...next.repaired],
          origins: new Map([...made.origins, ...next.origins]),
        };
      }
      return made;
    },
  };
}

/** The configured formats that a model is made of, found by what overrides say. The key of the base is ''. */
class Parts {
  readonly #base: MixedBase;
  readonly #parts = new Map<string, Part>();
  #leastOpset: number;

  constructor(base: MixedBase) {
    this.#base = base;
    this.#leastOpset = base.configured.leastOpset;
    this.#parts.set('', { key: '', configured: base.configured, order: base.format.mixes?.order ?? 0 });
  }

  byKey(key: string): Part {
    return this.#parts.get(key)!;
  }

  inOrder(keys: ReadonlySet<string>): Part[] {
    return [...this.#parts.values()]
      .filter(({ key }) => key === '' || keys.has(key))
      .toSorted((a, b) => a.order - b.order || (a.key < b.key ? -1 : 1));
  }

  /** Reads the settings and makes their part, so that what is refused is refused before anything runs. */
  check(text: string, settings: OverrideSettings): void {
    const { format, target, flags, formats, configure } = this.#base;
    const { format: name = format.name, ...own } = settings;
    if (name === 'float') return;
    const other = formats.find((each) => each.name === name)!;
    const mixing = formats.filter(({ mixes }) => mixes !== undefined).map((each) => each.name);
    if (other !== format && !(other.mixes && format.mixes)) throw overrideErrors.mix(text, name, format.name, mixing);
    const configured = attempt(text, () => {
      checkFormat(target, other.name as TargetFormat);
      return configure(name, resolveScheme(target, { ...schemeFlags(flags), ...own }), own);
    });
    this.#leastOpset = Math.max(this.#leastOpset, configured.leastOpset);
    this.of(text, settings);
  }

  scheme(text: string, { format: _, ...own }: OverrideSettings): Scheme {
    const { target, flags } = this.#base;
    return attempt(text, () => resolveScheme(target, { ...schemeFlags(flags), ...own }));
  }

  of(text: string, settings: OverrideSettings): Part {
    const { format, flags, formats, configure } = this.#base;
    const { format: name = format.name, ...own } = settings;
    const changes = Object.keys(own).length > 0;
    if (name === 'float' || (name === format.name && (format.perNode === true || !changes))) return this.byKey('');
    const other = formats.find((each) => each.name === name)!;
    const read = Object.fromEntries(
      Object.entries(flags).filter(([flag]) => isReadBy(other.name, flag as FormatSetting)),
    );
    const merged = { ...read, ...own };
    const key = other.perNode ? name : `${name} ${JSON.stringify(merged, Object.keys(merged).toSorted())}`;
    const found = this.#parts.get(key);
    if (found) return found;
    const configured = attempt(text, () => configure(name, this.scheme(text, settings), merged));
    const part = { key, configured, order: other.mixes?.order ?? 0 };
    this.#parts.set(key, part);
    return part;
  }

  /** What the whole needs of the model and of samples. */
  needs(): Pick<ConfiguredFormat, 'leastOpset' | 'rangesOptional'> {
    const all = [...this.#parts.values()].map(({ configured }) => configured);
    const optional = all.every(({ rangesOptional, format }) => {
      const { mixes } = this.#base.formats.find(({ name }) => name === format)!;
      return rangesOptional || mixes?.observes === false;
    });
    return {
      leastOpset: this.#leastOpset,
      ...(optional && { rangesOptional: true as const }),
    };
  }
}

/** The flags that a scheme is made of. */
function schemeFlags(flags: FormatFlags): Parameters<typeof resolveScheme>[1] {
  const { activationType, weightType, perTensor, symmetric, reduceRange, weightObserver } = flags;
  return {
    activationType: activationType as Scheme['activationType'] | undefined,
    weightType: weightType as Scheme['weightType'] | undefined,
    ...{ perTensor, symmetric, reduceRange, weightObserver },
  };
}

function attempt<T>(text: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw error instanceof QdqError ? overrideErrors.refused(text, error) : error;
  }
}

/** All plans together, each region with the overrides that hold for it. */
function joined(
  model: Model,
  parts: readonly { readonly key: string; readonly plan: Plan }[],
  found: ReadonlyMap<Node, NodeOverride>,
): MixedPlan {
  const find = valueFinder(model);
  const base = parts.find(({ key }) => key === '')!.plan;
  const all = <T>(of: (plan: Plan) => readonly T[]): T[] => parts.flatMap(({ plan }) => of(plan));
  const regions = parts.flatMap(({ key, plan }) =>
    plan.regions.map((region): RegionPlan => {
      const override = found.get(find(region.tensor)!.producer!)?.text;
      return {
        ...region,
        ...(key === '' ? {} : { format: key.split(' ')[0]! }),
        ...(override === undefined ? {} : { override }),
      };
    }),
  );
  // A tensor that several parts observe is observed once; a quantizer on it says more than a look at its range.
  const tensors = new Map(
    all(plannedTensors)
      .toReversed()
      .map((tensor) => [tensor.name, tensor]),
  );
  return {
    kind: 'mixed',
    target: base.target,
    scheme: base.scheme,
    tensors: [...tensors.values()].toReversed(),
    regions,
    float: all((plan) => plan.float),
    parts,
  };
}

/** @throws OVERRIDE_IDLE for an override none of whose nodes is written as it says */
function checkEffect(
  model: Model,
  { text, settings }: Override,
  plan: Plan,
  found: ReadonlyMap<Node, NodeOverride>,
): void {
  if (settings.format === 'float') return;
  const named = new Set([...found].filter(([, own]) => own.text.split("' and '").includes(text)).map(([node]) => node));
  const find = valueFinder(model);
  const made = plan.regions.filter(({ tensor }) => named.has(find(tensor)!.producer!));
  const forWeights = (['weightType', 'perTensor', 'weightObserver', 'reduceRange'] as const).some(
    (key) => settings[key] !== undefined,
  );
  const forMore = settings.format ?? settings.activationType ?? settings.symmetric ?? settings.weightBits;
  if (made.length > 0 && (!forWeights || forMore !== undefined || made.some(({ weight }) => weight))) return;
  const labels = new Set([...named].map(({ label }) => label));
  const reasons = plan.float.filter(({ node }) => labels.has(node)).map(({ node, reason }) => `'${node}': ${reason}`);
  if (made.length > 0) reasons.push(`'${made[0]!.node}' has no weights`);
  throw overrideErrors.idle(text, reasons.length > 0 ? reasons.slice(0, 3) : ['the nodes it names are part of others']);
}
