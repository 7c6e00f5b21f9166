// Builds ONNX graphs. Field numbers are those of onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
import { bytes, float, int } from './protobuf.mjs';

const types = { f32: 1, u8: 2, i8: 3, i32: 6, i64: 7 };
const domains = { '': 17, 'com.microsoft': 1 };

/** A graph under construction: nodes in order, each named by what it makes. */
export class Graph {
  #nodes = [];
  #initializers = [];
  #inputs = [];
  #outputs = [];

  /** Adds a node and returns the name of its (first) output. `attributes`: whole numbers become INT, `{ float }` FLOAT. */
  node(op, inputs, { name, outputs, domain = '', ...attributes } = {}) {
    const made = outputs ?? [name ?? `${op}_${this.#nodes.length}`];
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

  /** The model's file, as parts to be written one behind the other. */
  model(name) {
    const graph = [this.#nodes, bytes(2, name), this.#initializers, this.#inputs, this.#outputs];
    const imports = Object.entries(domains).map(([domain, version]) => bytes(8, [bytes(1, domain), int(2, version)]));
    return [int(1, 8), bytes(2, 'vitrine-bench'), bytes(7, graph), imports].flat(Number.POSITIVE_INFINITY);
  }
}

function attribute(name, value) {
  const typed = typeof value === 'object' ? [float(2, value.float), int(20, 1)] : [int(3, value), int(20, 2)];
  return [bytes(1, name), typed];
}

/** Axes given by name are dynamic. */
function valueInfo(name, type, shape) {
  const axes = shape.map((axis) => bytes(1, typeof axis === 'string' ? bytes(2, axis) : int(1, axis)));
  return [bytes(1, name), bytes(2, bytes(1, [int(1, types[type]), bytes(2, axes)]))];
}
