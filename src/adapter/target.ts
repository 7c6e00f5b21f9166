import { expression, type LoraConfig } from './config.ts';

type Targets = Pick<LoraConfig, 'targets' | 'excluded' | 'modulesToSave' | 'layers' | 'layersPattern'>;

/** Whether an adapter changes a module; `isLinear`: for `all-linear`, whether it is a linear layer and not the output layer. */
export function isTarget(config: Targets, module: string, isLinear: boolean): boolean {
  const { targets, layers, layersPattern } = config;
  if (isLeftOut(config, module)) return false;
  if (targets === 'all-linear') return isLinear;
  if (!named(targets, module, 'target_modules')) return false;
  if (typeof targets === 'string' || layers === undefined || targets.includes(module)) return true;
  const pattern = layersPattern.length > 0 ? `(?:^|\\.)(?:${layersPattern.join('|')})` : '';
  const layer = new RegExp(`${pattern}\\.(\\d+)\\.`).exec(module)?.[1];
  return layer !== undefined && layers.includes(Number(layer));
}

/** Whether a module stays without a product: it is excluded, or saved whole. */
export function isLeftOut({ excluded, modulesToSave }: Targets, module: string): boolean {
  return (
    named(excluded, module, 'exclude_modules') || modulesToSave.some((saved) => `.${module}.`.includes(`.${saved}.`))
  );
}

/** Whether a list has the module's name or the end of it, or a pattern matches all of it. */
export function named(names: readonly string[] | string, module: string, field: string): boolean {
  if (typeof names === 'string') return expression(names, field).test(module);
  return names.some((name) => endsWith(module, name));
}

export const endsWith = (module: string, name: string): boolean => module === name || module.endsWith(`.${name}`);

/** A module's rank and alpha: those of the first pattern that matches it, else those of all. */
export function ratioOf(config: LoraConfig, module: string): { rank: number; alpha: number; scale: number } {
  const own = (patterns: ReadonlyMap<string, number>, field: string) =>
    [...patterns].find(([key]) => expression(`(.*\\.)?(${key})`, field).test(module))?.[1];
  const rank = own(config.rankPattern, 'rank_pattern') ?? config.rank;
  const alpha = own(config.alphaPattern, 'alpha_pattern') ?? config.alpha;
  return { rank, alpha, scale: config.rslora ? alpha / Math.sqrt(rank) : alpha / rank };
}
