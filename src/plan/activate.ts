export type Activation = 'gelu_new' | 'gelu' | 'relu' | 'silu' | 'tanh';

/** The MLP's activation functions, each of one number. */
export const activate: Record<Activation, (x: number) => number> = {
  /** The tanh form (Hendrycks & Gimpel 2016, section 2), which GPT-2 was trained with. */
  gelu_new: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  gelu: (x) => 0.5 * x * (1 + erf(x / Math.SQRT2)),
  relu: (x) => Math.max(0, x),
  silu: (x) => x / (1 + Math.exp(-x)),
  tanh: Math.tanh,
};

/** erf by Abramowitz & Stegun 7.1.26: absolute error below 1.5e-7, about float32's own. */
function erf(x: number): number {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const p = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return Math.sign(x) * (1 - p * Math.exp(-x * x));
}
