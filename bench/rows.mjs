// The rows of the table: which peer, on what, with which weights.
const onnx = {
  f32: 'gpt2-small/onnx/model.onnx',
  int8: 'gpt2-small/onnx/model_int8.onnx',
  q4: 'gpt2-small/onnx/model_q4.onnx',
};
const gguf = (weights) => `gpt2-small-${weights}.gguf`;

const vitrine = (device, weights) => ({ adapter: 'vitrine', device, weights, model: '' });
const onnxruntime = (device, weights) => ({ adapter: 'onnxruntime', device, weights, model: onnx[weights] });
const transformers = (device, weights) => ({
  ...{ adapter: 'transformers', device, weights: weights === 'f32' ? 'fp32' : weights, model: onnx[weights] },
});
const wllama = (device, weights) => ({ adapter: 'wllama', device, weights, model: gguf(weights) });
const llama = (weights) => ({ adapter: 'llama-cpp', runtime: 'node', device: 'native', weights, model: gguf(weights) });
const onEach = (make, device, weights) => weights.map((kind) => make(device, kind));

const ours = ['f32', 'f16', 'q8', 'q4'];
const [ofOnnx, ofLlama] = [
  ['f32', 'int8', 'q4'],
  ['f32', 'q8_0', 'q4_0'],
];

/** Everything on the CPU in WebAssembly, and llama.cpp compiled for the machine as the yardstick. */
export const wasmRows = [
  ...onEach(vitrine, 'wasm', ours),
  ...onEach(onnxruntime, 'wasm', ofOnnx),
  ...onEach(wllama, 'wasm', ofLlama),
  ...ofLlama.map(llama),
];

export const allRows = [
  ...onEach(vitrine, 'webgpu', ours),
  { ...vitrine('webgpu', 'f32'), recompute: true },
  ...onEach(vitrine, 'wasm', ours),
  ...onEach(vitrine, 'cpu', ['f32']),
  ...onEach(onnxruntime, 'webgpu', ofOnnx),
  ...onEach(onnxruntime, 'wasm', ofOnnx),
  ...onEach(transformers, 'webgpu', ['f32', 'q4']),
  ...onEach(transformers, 'wasm', ofOnnx),
  ...onEach(wllama, 'webgpu', ofLlama),
  ...onEach(wllama, 'wasm', ofLlama),
  ...ofLlama.map(llama),
];

/** On the GPU outside of browsers, by Dawn. */
export const nativeRows = [...onEach(vitrine, 'webgpu', ours), ...onEach(onnxruntime, 'webgpu', ['f32', 'q4'])].map(
  (row) => ({ ...row, runtime: 'node' }),
);

/** `onnxruntime wasm int8`, `vitrine webgpu f32 recompute`, with the threads where they matter. */
export const rowName = ({ adapter, device, weights, recompute }) =>
  [adapter, device, weights, recompute && 'recompute'].filter(Boolean).join(' ');
