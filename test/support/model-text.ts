/**
 * Small models for tests as text, in ONNX's own syntax, so that a test reads like the graph that it builds:
 *
 *   const spec = onnx`
 *     <opset: 13>
 *     (float[1, 3, h, w] x) => (float[1, 8, h, w] y)
 *     w = ${f32([8, 3, 3, 3])}
 *     int64[1] axes = {1}
 *     c = Conv <pads = [1, 1, 1, 1]> (x, w)
 *     [act] y = com.microsoft.Gelu (c)
 *   `;
 *
 * A result is what `buildModel` and `buildProto` take (build.ts). Constants, dimensions and attributes may be values of the test. Numbers
 * with a point or an exponent are floats, others ints. A node is named `n_` and its first result, if no name stands before it in brackets;
 * "" is an input or a result that is not there, and a type without dimensions has no known rank.
 */
import {
  constant,
  float,
  floats,
  node,
  type AttributeSpec,
  type Constant,
  type DimSpec,
  type ModelSpec,
  type ValueSpec,
} from './build.ts';
import { dataTypeOfCode, type DataTypeName } from '../../src/onnx/data-types.ts';

type Inserted = AttributeSpec | DimSpec;

const tokens =
  /\s*(?:(\/\/[^\n]*)|(=>|[()<>[\]{}=,:?])|("[^"]*")|(-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|([^\s()<>[\]{}=,:"]+))/y;
const isNumber = /^-?[\d.]/;
/** ONNX's text says float and double. */
const shortNames: Readonly<Record<string, DataTypeName>> = { float: 'float32', double: 'float64' };

const typeNames = new Map<string, DataTypeName>(
  Array.from({ length: 64 }, (_, code) => dataTypeOfCode(code)?.name)
    .filter((name) => name !== undefined)
    .map((name) => [name, name]),
);

/** Stands for an inserted value while the text is read. */
const mark = /^\$(\d+)$/;

export function onnx(texts: TemplateStringsArray, ...inserted: readonly Inserted[]): ModelSpec {
  const whole = texts.reduce((text, next, i) => `${text} $${i - 1} ${next}`);
  return new Reader(whole, inserted).model();
}

class Reader {
  readonly #words: string[] = [];
  readonly #inserted: readonly Inserted[];
  #at = 0;

  constructor(text: string, inserted: readonly Inserted[]) {
    this.#inserted = inserted;
    tokens.lastIndex = 0;
    for (let found = tokens.exec(text); found; found = tokens.exec(text)) {
      const [whole, comment] = found;
      if (comment === undefined) this.#words.push(whole.trim());
    }
  }

  model(): ModelSpec {
    const opset = this.#take('<') ? this.#opset() : {};
    const inputs = this.#ports();
    this.#expect('=>');
    const outputs = this.#ports();
    const initializers: Record<string, Constant> = {};
    const nodes = [];
    while (this.#at < this.#words.length) {
      const type = this.#type();
      if (type) {
        const name = this.#next();
        this.#expect('=');
        initializers[name] = constant(type.type, (type.dims ?? []) as number[], this.#list('{', '}') as number[]);
        continue;
      }
      const name = this.#take('[') ? this.#nameUpTo(']') : undefined;
      const results = [this.#name()];
      while (this.#take(',')) results.push(this.#name());
      this.#expect('=');
      const value = mark.exec(this.#words[this.#at]!);
      if (value) {
        initializers[results[0]!] = this.#inserted[Number(this.#next().slice(1))] as Constant;
        continue;
      }
      const [, domain, opType] = /^(?:(.*)\.)?([^.]+)$/.exec(this.#next())!;
      const attributes = this.#take('<') ? this.#attributes() : {};
      const operands = this.#list('(', ')') as string[];
      const options = { ...(name !== undefined && { name }), ...(domain !== undefined && { domain }) };
      nodes.push(node(opType!, operands, results, attributes, options));
    }
    return {
      ...opset,
      inputs: Object.fromEntries(inputs) as Record<string, ValueSpec>,
      outputs: outputsOf(outputs),
      initializers,
      nodes,
    };
  }

  #opset(): Pick<ModelSpec, 'opset'> {
    this.#expect('opset');
    this.#expect(':');
    const opset = Number(this.#next());
    this.#expect('>');
    return { opset };
  }

  /** Names with their types; of an output the type may be left out. */
  #ports(): [string, ValueSpec | undefined][] {
    const ports: [string, ValueSpec | undefined][] = [];
    this.#expect('(');
    while (!this.#take(')')) {
      const type = this.#type();
      const plain = type?.type === 'float32' && type.dims !== undefined ? type.dims : type;
      ports.push([this.#name(), plain]);
      this.#take(',');
    }
    return ports;
  }

  #type(): { readonly type: DataTypeName; readonly dims?: readonly DimSpec[] } | undefined {
    const word = this.#words[this.#at]!;
    const following = this.#words[this.#at + 1];
    const type = shortNames[word] ?? typeNames.get(word);
    if (type === undefined || following === '=' || following === ',' || following === ')') return undefined;
    this.#at++;
    if (this.#words[this.#at] !== '[') return { type };
    const dims = this.#list('[', ']').map((dim) => (dim === '?' ? null : (dim as DimSpec)));
    return { type, dims };
  }

  #attributes(): Record<string, AttributeSpec> {
    const attributes: Record<string, AttributeSpec> = {};
    while (!this.#take('>')) {
      const name = this.#next();
      this.#expect('=');
      const isList = this.#words[this.#at] === '[';
      const from = this.#at;
      const value = isList ? this.#list('[', ']') : this.#value();
      const words = this.#words.slice(from, this.#at);
      const fraction = words.some((word) => isNumber.test(word) && /[.eE]/.test(word));
      attributes[name] = !fraction
        ? (value as AttributeSpec)
        : isList
          ? floats(...(value as number[]))
          : float(value as number);
      this.#take(',');
    }
    return attributes;
  }

  #list(open: string, close: string): unknown[] {
    const list: unknown[] = [];
    this.#expect(open);
    while (!this.#take(close)) {
      list.push(this.#value());
      this.#take(',');
    }
    return list;
  }

  #value(): unknown {
    const word = this.#next();
    const index = mark.exec(word)?.[1];
    if (index !== undefined) return this.#inserted[Number(index)];
    return word.startsWith('"') ? word.slice(1, -1) : isNumber.test(word) ? Number(word) : word;
  }

  /** "" is no name. */
  #name(): string {
    return String(this.#value());
  }

  #nameUpTo(close: string): string {
    const name = this.#name();
    this.#expect(close);
    return name;
  }

  #next(): string {
    const word = this.#words[this.#at++];
    if (word === undefined) throw new Error('the text ends too early');
    return word;
  }

  #take(word: string): boolean {
    if (this.#words[this.#at] !== word) return false;
    this.#at++;
    return true;
  }

  #expect(word: string): void {
    const found = this.#next();
    if (found !== word)
      throw new Error(`'${word}' expected, not '${found}', after ${this.#words.slice(0, this.#at - 1).join(' ')}`);
  }
}

/** Bare names where no output has a type. */
function outputsOf(ports: readonly [string, ValueSpec | undefined][]): ModelSpec['outputs'] {
  if (ports.every(([, type]) => type === undefined)) return ports.map(([name]) => name);
  return Object.fromEntries(ports.map(([name, type]) => [name, type!]));
}
