// Builds ONNX graphs. Field numbers are those of onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { bytes, float, int } from './protobuf.mjs';

const types = { f32: 1, u8: 2, i8: 3, i32: 6, i64: 7, bool: 9 };
const domains = { '': 17, 'com.microsoft': 1 };

/** A graph under construction: nodes in order, each named by what it makes. */
export class Graph {
  #prefix;
  #nodes = [];
  #initializers = [];
  #inputs = [];
  #outputs = [];

  /** `prefix`: before the names that nodes are given, so that graphs inside of one another have no name twice. */
  constructor(prefix = '') {
    this.#prefix = prefix;
  }

  /**
   * Adds a node and returns the name of its (first) output. `attributes`: whole numbers become INT, lists of them INTS,
   * `{ float }` FLOAT, a graph GRAPH.
   */
  node(op, inputs, { name, outputs, domain = '', ...attributes } = {}) {
    const made = outputs ?? [name ?? `${this.#prefix}${op}_${this.#nodes.length}`];
    this.#nodes.push(
      bytes(1, [
        inputs.map((input) => bytes(1, input)),
        made.map((output) => bytes(2, output)),
        bytes(3, made[0]),
        bytes(4, op),
        Object.entries(attributes).map(([key, value]) => bytes(5, attribute(key, value))),
        bytes(7, domain),
      ]),
    );
    return made[0];
  }

  /** Adds an operator of ONNX Runtime's own. */
  fused(op, inputs, options = {}) {
    return this.node(op, inputs, { ...options, domain: 'com.microsoft' });
  }

  /** Adds a constant: `data` is a typed array laid out row by row. */
  constant(name, type, shape, data) {
    const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const dims = shape.map((axis) => int(1, axis));
    this.#initializers.push(bytes(5, [dims, int(2, types[type]), bytes(8, name), bytes(9, raw)]));
    return name;
  }

  input(name, type, shape) {
    this.#inputs.push(bytes(11, valueInfo(name, type, shape)));
    return name;
  }

  output(name, type, shape) {
    this.#outputs.push(bytes(12, valueInfo(name, type, shape)));
  }

  /** The graph as a message. Inside of another one it has no inputs, and reads what that one makes. */
  message(name) {
    return [this.#nodes, bytes(2, name), this.#initializers, this.#inputs, this.#outputs];
  }

  /** Writes the model's file. */
  write(path, name) {
    const imports = Object.entries(domains).map(([domain, version]) => bytes(8, [bytes(1, domain), int(2, version)]));
    const model = [int(1, 8), bytes(2, 'vitrine-bench'), bytes(7, this.message(name)), imports];
    mkdirSync(dirname(path), { recursive: true });
    const file = openSync(path, 'w');
    for (const part of model.flat(Number.POSITIVE_INFINITY)) {
      for (let done = 0; done < part.length; ) done += writeSync(file, part, done);
    }
    closeSync(file);
  }
}

function attribute(name, value) {
  return [bytes(1, name), typed(value)];
}

function typed(value) {
  if (typeof value === 'number') return [int(3, value), int(20, 2)];
  if (Array.isArray(value)) return [value.map((one) => int(8, one)), int(20, 7)];
  if (value instanceof Graph) return [bytes(6, value.message('branch')), int(20, 5)];
  return [float(2, value.float), int(20, 1)];
}

/** Axes given by name are dynamic. */
function valueInfo(name, type, shape) {
  const axes = shape.map((axis) => bytes(1, typeof axis === 'string' ? bytes(2, axis) : int(1, axis)));
  return [bytes(1, name), bytes(2, bytes(1, [int(1, types[type]), bytes(2, axes)]))];
}
