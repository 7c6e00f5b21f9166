import { unsupportedCheckpoint } from '../plan/error.ts';
import { part } from '../plan/part.ts';
import type { BaseConfig, Family, Kind } from './family.ts';
import type { Fields } from './fields.ts';
import { gpt2 } from './gpt2.ts';

/** A family before its file is fetched. */
export interface FamilyEntry extends Pick<Family, 'kind' | 'modelTypes' | 'title'> {
  open(): Promise<Family>;
}

type AnyFamily = Pick<Family, 'modelTypes' | 'kind'>;

/** A family in a file of its own, so that a page fetches those alone whose models it opens. `title`: its own. */
function apart(kind: Kind, modelTypes: readonly string[], title: string, fetch: () => Promise<AnyFamily>): FamilyEntry {
  return { kind, modelTypes, title, open: () => part(`The family ${title}`, fetch) as Promise<Family<BaseConfig>> };
}

/** All families, by kind in the order in which a file that does not say its type is taken for one. */
export const families: readonly FamilyEntry[] = [
  { kind: 'decoder', modelTypes: gpt2.modelTypes, title: gpt2.title, open: async () => gpt2 as unknown as Family },
  apart('decoder', ['llama', 'mistral', 'qwen2', 'qwen3'], 'Llama', async () => (await import('./llama.ts')).llama),
  apart('decoder', ['gpt_neox'], 'GPT-NeoX', async () => (await import('./gpt-neox.ts')).gptNeox),
  apart('decoder', ['gpt_neo'], 'GPT-Neo', async () => (await import('./gpt-neo.ts')).gptNeo),
  apart('decoder', ['opt'], 'OPT', async () => (await import('./gpt-neo.ts')).opt),
  apart(
    'encoder',
    ['bert', 'distilbert', 'roberta', 'xlm-roberta'],
    'BERT',
    async () => (await import('./bert.ts')).bert,
  ),
  apart(
    'encoder-decoder',
    ['marian', 'bart', 'mbart', 'pegasus'],
    'Marian or BART',
    async () => (await import('./marian.ts')).marian,
  ),
  apart('encoder-decoder', ['t5', 'mt5'], 'T5', async () => (await import('./t5.ts')).t5),
  apart('vision', ['vit', 'deit'], 'ViT', async () => (await import('./vit.ts')).vit),
];

/** What loads a kind, for whoever called another. */
const loaders: Record<Kind, string> = {
  decoder: 'load',
  encoder: 'loadEncoder',
  'encoder-decoder': 'loadEncoderDecoder',
  vision: 'loadVision',
};

/**
 * The family of a config.json: by its `model_type`, or where it has none, as GPT-2's early files, that of the kind asked for.
 * @throws VitrineError `unsupported-checkpoint` for a type that there is no family for, and for one of another kind than `kind`
 */
export async function familyOf(fields: Fields, kind: Kind | undefined): Promise<Family> {
  const type = fields.get('model_type');
  const family = families.find((one) =>
    type === undefined ? one.kind === (kind ?? 'decoder') : one.modelTypes.includes(type as string),
  );
  if (!family) {
    const known = families
      .filter((one) => kind === undefined || one.kind === kind)
      .flatMap(({ modelTypes }) => modelTypes)
      .map((name) => JSON.stringify(name));
    throw fields.unsupported('model_type', known.join(', '));
  }
  refuseKind(family, type as string, kind);
  return family.open();
}

/** Refuses a model of another kind than was asked for, by what its file calls it, with the loader that takes it. */
export function refuseKind(family: Pick<Family, 'kind'>, type: string, kind: Kind | undefined): void {
  if (kind === undefined || family.kind === kind) return;
  const found = `The model is a ${type}, which ${loaders[family.kind]} takes`;
  const hint = `Call ${loaders[family.kind]} instead.`;
  throw unsupportedCheckpoint(`${found}; ${loaders[kind]} is for models of another kind.`, hint);
}
