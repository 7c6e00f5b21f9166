import { type Activation, activate } from './activate.ts';

const cube = 0.044715;
const root = Math.sqrt(2 / Math.PI);

/** The derivatives of the activation functions. That of relu at 0 is 0. */
export const activationSlope: Record<Activation, (x: number) => number> = {
  gelu_new: (x) => {
    const t = Math.tanh(root * (x + cube * x ** 3));
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * root * (1 + 3 * cube * x * x);
  },
  // x Φ(x) has the slope Φ(x) + x φ(x).
  gelu: (x) => (x === 0 ? 0.5 : activate.gelu(x) / x) + (x * Math.exp(-0.5 * x * x)) / Math.sqrt(2 * Math.PI),
  relu: (x) => (x > 0 ? 1 : 0),
  silu: (x) => {
    const s = 1 / (1 + Math.exp(-x));
    return s * (1 + x * (1 - s));
  },
  tanh: (x) => 1 - Math.tanh(x) ** 2,
};
